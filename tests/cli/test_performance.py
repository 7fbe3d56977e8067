"""Attribution over CSV files: what it says, and what it says of files that are wrong."""

import pytest

HEADER = "period,segment,portfolio_weight,benchmark_weight,portfolio_return,benchmark_return\n"
ONE = "2026Q1,UK,0.4,0.4,0.20,0.10\n2026Q1,Japan,0.3,0.2,-0.05,-0.04\n2026Q1,US,0.3,0.4,0.06,0.08\n"
TWO = "2026Q2,UK,1.0,0.5,0.01,0.02\n2026Q2,US,0.0,0.5,,0.04\n"


@pytest.fixture
def write(tmp_path):
    def made(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return made


def test_brinson(njord, write):
    said = njord("research", "brinson", write("one.csv", HEADER + ONE), "--json").document
    assert said["active_return"] == pytest.approx(0.019)
    assert said["effects"][1] == pytest.approx(
        {"segment": "Japan", "allocation": -0.0104, "selection": -0.002, "interaction": -0.001, "total": -0.0134}
    )

    told = njord("research", "brinson", write("two.csv", HEADER + ONE + TWO))
    assert told.code == 0
    assert "over 2 periods" in told.out
    assert "Japan" in told.out
    linked = njord("research", "brinson", write("two.csv", HEADER + ONE + TWO), "--json").document
    assert sum(each["total"] for each in linked["effects"]) == pytest.approx(linked["active_return"], abs=1e-12)
    assert linked["active_return"] == pytest.approx(1.083 * 1.01 - 1.064 * 1.03)


RETURNS = "date,return\n2026-01-01,1\n2026-01-02,2\n2026-01-03,2\n2026-01-09,9\n"
FACTORS = "date,market\n2026-01-01,1\n2026-01-02,2\n2026-01-03,3\n2026-02-01,7\n"


def test_factors(njord, write):
    files = write("r.csv", RETURNS), write("f.csv", FACTORS)
    said = njord("research", "factors", *files, "--json").document
    assert said["periods"] == 3
    assert said["alpha"] == pytest.approx(2 / 3)
    assert said["factors"] == [pytest.approx({"factor": "market", "beta": 0.5, "t": 3**0.5, "contribution": 1.0})]
    assert said["r_squared"] == pytest.approx(0.75)
    assert said["benchmark"] == "market"
    assert said["measures"]["treynor"] == pytest.approx(5 / 3 * 252 / 0.5)
    assert said["measures"]["martin_ratio"] is None  # It never fell
    monthly = njord("research", "factors", *files, "--periods-per-year", 12, "--json").document
    assert monthly["measures"]["treynor"] == pytest.approx(5 / 3 * 12 / 0.5)

    told = njord("research", "factors", *files)
    assert "R squared 0.7500" in told.out
    assert "undefined" in told.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("period,segment\n", "no column portfolio_weight, benchmark_weight"),
        ("", "no column period"),
        (HEADER, "no periods"),
        (HEADER + ONE.replace("0.20", "lots"), "line 2: portfolio_return must be a number, was 'lots'"),
        (HEADER + "a,UK,0.4\n", "weights must sum to 1, was nan"),
        (HEADER + "a,UK,1,1,,0.1\n", "segment UK: needs a return"),
    ],
)
def test_a_wrong_file_is_one_line(njord, write, text, message):
    said = njord("research", "brinson", write("x.csv", text))
    assert said.code == 1
    assert message.replace("weights must sum to 1, was nan", "weights must sum to 1") in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("returns", "factors", "words", "message"),
    [
        (RETURNS + "2026-01-01,3\n", FACTORS, [], "line 6: date 2026-01-01 is there twice"),
        (RETURNS, FACTORS, ["--benchmark", "marke"], "no factor 'marke'; did you mean 'market'?"),
        (RETURNS, "date\n2026-01-01\n", [], "no factor ''"),
        (RETURNS, "date,market\n2026-01-01,1\n", [], "need 2 periods or more, were 1"),
        (RETURNS, FACTORS, ["--periods-per-year", "0"], "periods-per-year: must be > 0"),
        ("day,return\n", FACTORS, [], "no column date"),
    ],
)
def test_wrong_series_are_one_line(njord, write, returns, factors, words, message):
    said = njord("research", "factors", write("r.csv", returns), write("f.csv", factors), *words)
    assert said.code == 1
    assert message in said.err
