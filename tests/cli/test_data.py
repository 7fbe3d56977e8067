"""njord data: one JSON document on stdout, the rest on stderr, and errors of one line."""

import json

import pytest

from njord.cli.data import app

LINES = ["1577836800,100.1,101.0,99.5,100.0,3.25,7", "1577840400,100.0,102.0,100.0,101.5,0.1,2"]
BAD = "1577844000,100.0,99.0,100.0,101.5,0.1,2"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NJORD_HOME", str(tmp_path / "home"))

    def call(*words):
        try:
            code = app([str(word) for word in words], exit_on_error=False, print_error=False)
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code or 0, out, err

    return call


@pytest.fixture
def bars(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_import_prints_one_document(run, bars, tmp_path):
    code, out, err = run("import", "kraken-ohlcvt", bars, "--instrument", "BTC/USD.KRAKEN", "--json")

    found = json.loads(out)
    assert code == 0
    assert {key: found[key] for key in ("instrument", "kind", "rows", "rejected", "first_ns")} == {
        "instrument": "BTC/USD.KRAKEN", "kind": "bars", "rows": 2, "rejected": [], "first_ns": 1577836800 * 10**9,
    }  # fmt: skip
    assert found["quality"]["gaps"] == 0
    assert "2 rows, 2 new" in err
    assert (tmp_path / "home" / "catalog" / "KRAKEN" / "BTC-USD" / "bars-1h" / "2020.parquet").exists()


def test_refused_rows_exit_1_and_write_nothing(run, bars):
    bars.write_text("\n".join([*LINES, BAD]) + "\n")

    code, out, err = run("import", "kraken-ohlcvt", bars, "--instrument", "BTC/USD.KRAKEN", "--json")

    assert code == 1
    assert json.loads(out)["rejected"] == [{"file": "bars.csv", "row": 3, "reason": "high 99.0 is below low 100.0"}]
    assert "nothing was written" in err
    assert json.loads(run("ls", "--json")[1])["datasets"] == []

    code, out, _ = run("import", "kraken-ohlcvt", bars, "--instrument", "BTC/USD.KRAKEN", "--json", "--skip-bad")

    assert code == 0
    assert (json.loads(out)["rows"], json.loads(out)["rejected_count"]) == (2, 1)


def test_ls_show_and_check(run, bars, tmp_path):
    catalog = tmp_path / "elsewhere"
    run("import", "kraken-ohlcvt", bars, "--instrument", "BTC/USD.KRAKEN", "--catalog", catalog)

    (listed,) = json.loads(run("ls", "--catalog", catalog, "--json")[1])["datasets"]
    shown = json.loads(run("show", "BTC/USD.KRAKEN", "--head", 1, "--catalog", catalog, "--json")[1])
    (checked,) = json.loads(run("check", "--catalog", catalog, "--json")[1])["checked"]

    assert (listed["kind"], listed["interval"], listed["rows"]) == ("bars", "1h", 2)
    assert shown["head"] == [
        {"start": "2020-01-01T00:00:00Z", "open": 100.1, "high": 101.0, "low": 99.5, "close": 100.0, "volume": 3.25}
    ]
    assert shown["definition"]["price_tick"] == "0.1"
    assert checked["quality"]["rows"] == 2
    assert "BTC/USD.KRAKEN" in run("ls", "--catalog", catalog)[1]
    assert "0 gaps" in run("check", "BTC/USD.KRAKEN", "--catalog", catalog)[1]
    assert "100.1" in run("show", "BTC/USD.KRAKEN", "--catalog", catalog)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "kraken", "x.csv", "--instrument", "BTC/USD.KRAKEN"], "format 'kraken': there is no such format"),
        (["import", "kraken-ohlcvt", "x.csv", "--instrument", "BTC/USD.KRAKEN"], "x.csv: not found"),
        (["import", "candles", "x.csv", "--instrument", "A.B", "--columns", "ts"], "'ts' must look like ts=date"),
        (["import", "candles", "x.csv", "--instrument", "A.B", "--tick", "-1"], "tick '-1': must be > 0"),
        (["import", "candles", "x.csv", "--instrument", "A.B", "--interval", "hour"], "interval 'hour'"),
        (["show", "BTC/USD.KRAKEN"], "is empty; import data first"),
        (["check", "nonsense"], "must look like BTC/USD.KRAKEN"),
    ],
)
def test_errors_are_one_line(run, words, message):
    with pytest.raises(ValueError, match=message) as caught:
        run(*words)

    assert "\n" not in str(caught.value)
