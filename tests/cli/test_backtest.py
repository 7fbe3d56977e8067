"""The command line end to end: a file in, a report and a proof out; and every bad input in one clear line."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import njord as nj
from njord.market.catalog import Catalog
from njord.strategies.ema_cross import EmaCross

KEYS = {
    "run_id", "digest", "events", "orders", "fills", "rejected", "final_equity", "net_pnl", "fees", "funding",
    "total_return", "sharpe", "sortino", "max_drawdown", "run_cpu_s", "events_per_cpu_s", "warnings", "artifacts",
}  # fmt: skip
NAME = "BTC/USD.KRAKEN"


def ohlcvt(rows=400, seed=1):
    rng = np.random.default_rng(seed)
    close = np.round(9_000 * np.exp(np.cumsum(rng.normal(0, 0.01, rows))), 1)
    opened = np.r_[9_000.0, close[:-1]]
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return [
        f"{1_577_836_800 + 3600 * i},{opened[i]},{high[i]},{low[i]},{close[i]},{1 + i % 5}.25,{i + 1}"
        for i in range(rows)
    ]


@pytest.fixture
def imported(njord, tmp_path):
    path = tmp_path / "XBTUSD_60.csv"
    path.write_text("\n".join(ohlcvt()) + "\n")
    said = njord("data", "import", "kraken-ohlcvt", path, "--instrument", NAME, "--interval", "1h", "--json")
    assert said.code == 0, said.err
    assert said.document["rows"] == 400
    return path


CONFIG = {
    "data": [{"instrument": NAME, "kind": "bars", "interval": "1h"}],
    "strategies": [{"name": "ema_cross", "params": {"fast": 5, "slow": 20, "quantity": 1}}],
    "account": {"currency": "USD", "cash": 1_000_000},
    "venue": {"fill": "next_open", "fees": {"maker": 0.0016, "taker": 0.0026}, "latency_ms": 0},
    "risk": "research",
    "seed": 1,
}


@pytest.fixture
def config(tmp_path):
    def write(**changes):
        document = json.loads(json.dumps(CONFIG))
        for path, value in changes.items():
            *parents, last = path.split("__")
            at = document
            for name in parents:
                at = at[int(name)] if name.isdigit() else at[name]
            if value is None:
                del at[last]
            else:
                at[last] = value
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    return write


def test_a_file_becomes_a_report_and_a_proof(njord, imported, config):
    said = njord("backtest", config(), "--json")

    assert said.code == 0, said.err
    found = said.document
    assert found.keys() >= KEYS
    assert found["events"] == 400
    assert found["fills"] == found["orders"] > 5
    assert found["artifacts"].keys() >= {"report", "fills", "equity", "journal"}
    assert pq.read_table(found["artifacts"]["fills"]).num_rows == found["fills"]
    assert pq.read_table(found["artifacts"]["equity"]).num_rows == 401
    page = Path(found["artifacts"]["report"]).read_text()
    assert found["digest"] in page
    verified = njord("replay", "verify", found["run_id"], "--json")
    assert verified.code == 0
    assert verified.document["ok"] is True
    assert verified.document["digest"] == found["digest"]
    assert verified.document["first_divergence"] is None


def test_the_notebook_gives_the_digest_of_the_command_line(njord, imported, config):
    found = njord("backtest", config(), "--json").document
    catalog = Catalog(Path(found["artifacts"]["journal"]).parents[2] / "catalog")
    result = nj.backtest(
        EmaCross(fast=5, slow=20, quantity=1), data=(catalog, CONFIG["data"]), cash=1_000_000, fill="next_open",
        maker=0.0016, taker=0.0026, latency_ms=0, risk="research",
    )  # fmt: skip
    assert result.digest == found["digest"]
    assert result.final_equity == found["final_equity_exact"]


def test_frames_give_the_digest_of_the_catalog(njord, imported, config):
    found = njord("backtest", config(), "--json").document
    rows = np.array([[float(x) for x in line.split(",")] for line in ohlcvt()])
    bars = dict(zip(("ts", "open", "high", "low", "close", "volume"), rows.T, strict=False))
    result = nj.backtest(
        EmaCross(5, 20, 1), bars, 1_000_000, instrument=NAME, maker=0.0016, taker=0.0026, latency_ms=0, risk="research",
    )  # fmt: skip
    ours, theirs = result.fills, pq.read_table(found["artifacts"]["fills"]).to_pandas()
    assert ours.price.tolist() == theirs.price.tolist()
    assert result.document()["final_equity"] == pytest.approx(found["final_equity"], rel=1e-12)


def test_the_same_inputs_have_the_same_name_and_words_for_people(njord, imported, config):
    one, other = njord("backtest", config(), "--json").document, njord("backtest", config(), "--json").document
    assert (one["run_id"], one["digest"]) == (other["run_id"], other["digest"])
    said = njord("backtest", config(), "--no-report")
    assert said.code == 0
    for words in ("final equity", "max drawdown", "digest", "njord replay verify"):
        assert words in said.out


def test_a_changed_journal_is_named(njord, imported, config):
    found = njord("backtest", config(), "--json").document
    journal = Path(found["artifacts"]["journal"])
    lines = journal.read_text().splitlines()
    lines[3] = lines[3].replace("100000000", "200000000")
    journal.write_text("\n".join(lines) + "\n")

    said = njord("replay", "verify", found["run_id"], "--json")
    assert said.code == 1
    assert said.document["ok"] is False
    assert said.document["first_divergence"]["line"] == 4
    assert "was changed" in said.document["notes"][0]
    assert "first divergence, journal line 4" in njord("replay", "verify", found["run_id"]).out


def test_changed_data_is_named(njord, imported, config):
    found = njord("backtest", config(), "--json").document
    rows = ohlcvt()
    rows[200] = rows[200].replace(rows[200].split(",")[4], rows[200].split(",")[1])
    imported.write_text("\n".join(rows) + "\n")
    assert (
        njord("data", "import", "kraken-ohlcvt", imported, "--instrument", NAME, "--interval", "1h", "--replace").code
        == 0
    )
    said = njord("replay", "verify", found["run_id"])
    assert "the data of BTC/USD.KRAKEN bars-1h is not that of the recorded run" in said.out


def test_a_strategy_of_your_own_is_kept_with_its_run(njord, imported, config, tmp_path):
    mine = tmp_path / "my_strategy.py"
    mine.write_text(
        "import njord as nj\n\n\nclass MyStrategy(nj.Strategy):\n"
        "    def __init__(self, quantity: float = 1.0):\n        self.quantity = quantity\n\n"
        "    def on_bar(self, bar, desk):\n        desk.target(self.quantity if bar.close > bar.open else 0)\n"
    )
    file = config(strategies=[{"file": "my_strategy.py", "params": {"quantity": 2}}])
    found = njord("backtest", file, "--json").document
    assert found["fills"] > 20
    mine.unlink()
    assert njord("replay", "verify", found["run_id"]).code == 0


def test_a_strategy_that_breaks_makes_the_exit_code_one(njord, imported, config, tmp_path):
    (tmp_path / "bad.py").write_text(
        "import njord as nj\n\n\nclass Bad(nj.Strategy):\n"
        "    def on_bar(self, bar, desk):\n        raise KeyError('oops')\n"
    )
    said = njord("backtest", config(strategies=[{"file": "bad.py"}]), "--json")
    assert said.code == 1
    assert "strategy bad was stopped: KeyError: 'oops' at bad.py:6" in said.err
    assert said.document["stopped"]


ONE = "strategies__0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategies__0__name": "ema_crss"}, "no strategy 'ema_crss'; did you mean 'ema_cross'?"),
        ({"strategies__0__params": {"fst": 5}}, "strategy ema_cross: no parameter 'fst'; did you mean 'fast'?"),
        ({"strategies__0__params": {"fast": "ten"}}, "parameter 'fast' must be int, was 'ten'"),
        ({"strategies__0__params": {"fast": 50, "slow": 10}}, "fast must be above 0 and below slow"),
        ({"strategies__0__params": {"quantity": -1}}, "quantity must be > 0"),
        ({"venue__fees__taker": "0.0026"}, "venue.fees.taker: must be a number, was text '0.0026'"),
        ({"venue__fees__taker": "cheap"}, "venue.fees.taker: must be a number"),
        ({"venue__fees__tkaer": 0.1}, "venue.fees.tkaer: no such field; did you mean 'taker'?"),
        ({"venue__fill": "last_close"}, "venue.fill: invalid enum value 'last_close'"),
        ({"venue__latency_ms": -5}, "latency_ms must be from 0 to 60000"),
        ({"stratgies": []}, "stratgies: no such field; did you mean 'strategies'?"),
        ({"account": None}, "missing required field `account`"),
        ({"account__cash": "lots"}, "account.cash: must be a number"),
        ({"account__cash": -1}, "account.cash: must be 0 or more"),
        ({"account__currency": "EUR"}, "settles in USD, and no data leads from that to EUR"),
        ({"risk": "yolo"}, "risk: no profile 'yolo'"),
        ({"risk": {"name": "mine", "leverage_max": 0}}, "leverage_max must be > 0"),
        ({"data": []}, "data: must name at least one data set"),
        ({"data__0__instrument": "BTC-USD"}, "must look like BTC/USD.KRAKEN"),
        ({"data__0__instrument": "BTC/UDS.KRAKEN"}, "did you mean 'BTC/USD.KRAKEN'"),
        ({"data__0__kind": "candles"}, "data[0].kind: invalid enum value 'candles'"),
        ({"data__0__interval": "1x"}, "interval '1x'"),
        ({"data__0__interval": None}, "data[0].interval: bars need one"),
        ({"data__0__interval": "5m"}, "no data of BTC/USD.KRAKEN bars-5m"),
        ({"data__0__from": "2020-01-05", "data__0__to": "2020-01-05"}, "the range is empty"),
        ({"data__0__from": "2030-01-01"}, "no data of BTC/USD.KRAKEN bars-1h from 2030-01-01"),
        ({"data__0__from": "soon"}, "data[0].from: time 'soon'"),
        ({"strategies__0__file": "x.py"}, "strategies[0]: needs either name or file"),
        ({"strategies": [{"file": "nowhere.py"}]}, "nowhere.py: No such file"),
        ({"strategies__0__instruments": ["ETH/USD.KRAKEN"]}, "no data of ETH/USD.KRAKEN"),
    ],
)
def test_every_mistake_in_a_config_is_one_line_that_names_it(njord, imported, config, changes, words):
    said = njord("backtest", config(**changes), "--json")
    assert said.code == 1
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert words in lines[0]


def test_what_is_no_config_at_all_is_said(njord, tmp_path):
    assert "No such file" in njord("backtest", tmp_path / "none.yaml").err
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "must be a mapping" in njord("backtest", tmp_path / "list.yaml").err
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    assert "not YAML" in njord("backtest", tmp_path / "broken.yaml").err


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:\n", "line 1: invalid syntax"),
        ("import njord as nj\nraise ValueError('x')\n", "line 2: ValueError: x"),
        ("x = 1\n", "must define one subclass of Strategy, has none"),
        ("import njord as nj\nclass A(nj.Strategy): ...\nclass B(nj.Strategy): ...\n", "has A, B"),
    ],
)
def test_a_strategy_file_that_is_none_is_named(njord, imported, config, tmp_path, source, words):
    (tmp_path / "mine.py").write_text(source)
    said = njord("backtest", config(strategies=[{"file": "mine.py"}]))
    assert said.code == 1
    assert "mine.py" in said.err
    assert words in said.err


ROWS = ohlcvt(6)


@pytest.mark.parametrize(
    ("rows", "row", "words"),
    [
        ([*ROWS[:3], ROWS[3].replace(f",{ROWS[3].split(',')[2]},", ",nan,"), *ROWS[4:]], 4, "'nan' is not a number"),
        ([*ROWS[:3], ",".join([*ROWS[3].split(",")[:5], "-1", "3"]), *ROWS[4:]], 4, "volume"),
        ([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]], 3, "order"),
        ([*ROWS[:3], ROWS[2], *ROWS[3:]], 4, "duplicate"),
        ([*ROWS[:2], "1,2,3", *ROWS[3:]], 3, "column"),
    ],
)
def test_a_bad_row_is_refused_by_file_and_number_and_nothing_is_written(njord, tmp_path, rows, row, words):
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(rows) + "\n")
    said = njord("data", "import", "kraken-ohlcvt", path, "--instrument", NAME, "--interval", "1h", "--json")
    assert said.code == 1
    (refused,) = said.document["rejected"]
    assert refused["row"] == row
    assert "bad.csv" in refused["file"]
    assert words in refused["reason"]
    assert njord("data", "ls", "--json").document["datasets"] == []


def test_a_price_off_the_grid_a_cut_off_file_and_a_missing_one(njord, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("\n".join(ROWS) + "\n")
    common = ("--instrument", NAME, "--interval", "1h")
    off = njord("data", "import", "kraken-ohlcvt", path, *common, "--tick", "1", "--json")
    assert off.code == 1
    assert "grid" in off.document["rejected"][0]["reason"] or "multiple" in off.document["rejected"][0]["reason"]
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(("\n".join(ohlcvt(5_000)) + "\n").encode())[:-2_000])
    for words, said in (
        ("cut.csv.gz", njord("data", "import", "kraken-ohlcvt", cut, *common)),
        ("nowhere.csv", njord("data", "import", "kraken-ohlcvt", tmp_path / "nowhere.csv", *common)),
        ("did you mean 'kraken-ohlcvt'", njord("data", "import", "kraken-ohlc", path, *common)),
    ):
        assert said.code == 1
        assert words in said.err.strip().splitlines()[-1]


def test_wrong_usage_is_two_and_says_where_help_is(njord):
    for words in (
        ("backtst",),
        ("backtest",),
        ("backtest", "a", "b"),
        ("data", "import"),
        ("backtest", "a", "--nonsense"),
    ):
        said = njord(*words)
        assert said.code == 2
        assert "njord --help" in said.err


def test_no_arguments_and_help_show_the_commands(njord):
    for words in ((), ("--help",)):
        said = njord(*words)
        assert said.code == 0
        for command in ("backtest", "data", "replay", "run", "bench", "doctor"):
            assert command in said.out
    assert njord("--version").out.strip() == nj.__version__


def test_doctor_and_bench(njord, monkeypatch, tmp_path):
    said = njord("doctor", "--json")
    assert said.code == 0
    assert said.document["ok"] is True
    assert "python" in njord("doctor").out
    found = njord("bench", "--bars", "2000", "--json").document
    assert found["runs"]["next_open"]["orders"] > 20
    assert found["runs"]["none"]["orders"] == 0
    assert "bars/CPU-s" in njord("bench", "--bars", "1000").out
    assert njord("bench", "--bars", "1").code == 1
    locked = tmp_path / "file"
    locked.write_text("")
    monkeypatch.setenv("NJORD_HOME", str(locked / "below"))


@pytest.mark.slow
def test_run_makes_a_market_and_reports(njord, tmp_path, monkeypatch):
    from njord.cli import sample

    monkeypatch.setattr(sample, "SAMPLE_BARS", 600)
    monkeypatch.setattr(sample, "SAMPLE_TRADES_S", 300)
    said = njord("sample", "--home", tmp_path / "a", "--json")
    assert said.code == 0, said.err
    runs = said.document["runs"]
    assert {run["strategy"] for run in runs} == {
        "buy_and_hold",
        "ema_cross",
        "trendline_break",
        "rsi_tema_bb",
        "grid_maker",
    }
    again = njord("sample", "--home", tmp_path / "b", "--json").document["runs"]
    assert [run["digest"] for run in runs] == [run["digest"] for run in again]
    assert "njord replay verify" in njord("sample", "--home", tmp_path / "a").out


def test_without_assertions_nothing_runs():
    made = subprocess.run([sys.executable, "-O", "-m", "njord", "--help"], capture_output=True, text=True, check=False)
    assert made.returncode == 1
    assert "assertions must be on" in made.stderr
