"""``njord research var``: the tail of a file of gains and losses, and the backtests of what was said before."""

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path):
    def made(lines):
        path = tmp_path / "pnl.csv"
        path.write_text("\n".join(map(str, lines)) + "\n")
        return path

    return made


def test_forecasts_are_made_from_what_was_before(njord, write):
    # 100 quiet intervals, then a loss beyond all of them, then quiet again
    path = write(["pnl", *range(-50, 50), -60, *[1] * 9])

    said = njord("research", "var", path, "--window", 100, "--json").document

    assert said["forecasts"] == 10
    assert said["exceptions"] == 1
    assert said["intervals"] == 100
    # The last 100 begin at -40: the loss is the worst, and VaR is the second worst
    assert said["value_at_risk"] == 40
    assert said["shortfall"] == 60
    assert "basel" not in said
    assert said["kupiec"]["ratio"] > 0


def test_forecasts_that_are_given_are_judged(njord, write):
    losses = [-4 if day % 50 == 0 else 1 for day in range(250)]
    path = write(["pnl,value_at_risk", *(f"{each},3" for each in losses)])

    said = njord("research", "var", path, "--json").document

    assert said["exceptions"] == 5
    assert round(said["kupiec"]["ratio"], 4) == 1.9568
    assert said["basel"] == {"light": "yellow", "plus": 0.4}
    told = njord("research", "var", path)
    assert told.code == 0
    assert "basel                  light yellow, plus 0.4" in told.out
    assert "basel" not in njord("research", "var", path, "--confidence", "0.95").out


def test_a_right_model_is_not_rejected(njord, write):
    pnl = np.random.default_rng(8).normal(0, 100, 1_250).tolist()
    said = njord("research", "var", write(["pnl", *pnl]), "--json").document
    assert said["forecasts"] == 1_000
    assert said["conditional_coverage"]["p_value"] > 0.05
    assert said["value_at_risk"] == pytest.approx(233, rel=0.2)


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (["gain", 1], [], "no column pnl"),
        (["pnl"], [], "no rows"),
        (["pnl", 1, "lots"], [], "line 3: pnl must be a number, was 'lots'"),
        (["pnl,x", "1,2", ",3"], [], "line 3: value at risk: a P&L must be a finite number"),
        (["pnl", 1], ["--window", 0], "needs 1 to"),
        (["pnl", 1], ["--confidence", "1.5"], "confidence must be between 0 and 1"),
    ],
)
def test_a_wrong_file_is_one_line(njord, write, lines, words, message):
    said = njord("research", "var", write(lines), *words)
    assert said.code == 1
    assert message in said.err
    assert said.err.count("\n") == 1


def test_few_intervals_have_a_tail_and_no_backtest(njord, write):
    said = njord("research", "var", write(["pnl", -3, 5]), "--json").document
    assert said["value_at_risk"] == 3
    assert said["forecasts"] == 0
    assert "kupiec" not in said
