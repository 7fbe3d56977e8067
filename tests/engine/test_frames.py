"""Bars in memory: any frame will do, and what cannot be bars is refused by column and row."""

import numpy as np
import pytest

from njord.research.frames import FrameError
from njord.strategies.ema_cross import EmaCross


def test_bars_can_be_any_frame(bars, run):
    pandas = pytest.importorskip("pandas")
    data = bars(100)
    expected = run(EmaCross(3, 9), data=data).digest
    frame = pandas.DataFrame(data)
    assert run(EmaCross(3, 9), data=frame).digest == expected
    indexed = frame.assign(ts=pandas.to_datetime(frame.ts, unit="s", utc=True)).set_index("ts")
    assert run(EmaCross(3, 9), data=indexed).digest == expected
    assert run(EmaCross(3, 9), data=frame.rename(columns=str.upper)).digest == expected
    assert run(EmaCross(3, 9), data={**data, "ts": data["ts"] * 1000}).digest == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("close"), "no column 'close'"),
        (lambda d: d.update(close=d["close"][:-1]), "differ in length"),
        (lambda d: d.update(close=np.r_[np.nan, d["close"][1:]]), "row 1: close must be a finite number"),
        (lambda d: d.update(volume=np.r_[d["volume"][:-1], -1]), "row 20: volume must be >= 0"),
        (lambda d: d.update(ts=d["ts"][::-1].copy()), "row 2 has a ts before"),
        (lambda d: d.update(ts=np.r_[d["ts"][:1], d["ts"][:-1]]), "row 2 has the same ts"),
        (lambda d: d.update(high=d["low"] * 0.5), "row 1: open and close must lie"),
        (lambda d: d.update(close=np.array(["x"] * 20)), "must hold numbers"),
        (lambda d: d.update({k: v[:0] for k, v in d.items()}), "no rows"),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_bars_is_refused_by_column_and_row(bars, run, change, message):
    data = bars(20)
    change(data)
    with pytest.raises(FrameError, match=message):
        run(EmaCross(3, 9), data=data)


def test_prices_on_no_decimal_grid_are_traded_and_said_to_be_so(run, bars):
    data = bars(60)
    factor = np.pi / 3
    odd = {key: value * factor if key in ("open", "high", "low", "close") else value for key, value in data.items()}
    result = run(EmaCross(3, 9), data=odd)
    assert result.document()["fills"] > 0
    assert any("on no decimal grid" in warning for warning in result.warnings)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_the_unit_of_time_is_found_out(bars, run, unit):
    data = bars(30)
    result = run(EmaCross(3, 9), data=data | {"ts": data["ts"] * unit})
    assert result.times_ns[-1] == (data["ts"][-1] + 3600) * 10**9
    words = np.array([str(np.datetime64(int(ts), "s")) for ts in data["ts"]])
    assert run(EmaCross(3, 9), data=data | {"ts": words}).digest == result.digest
    assert run(EmaCross(3, 9), data=data | {"ts": data["ts"].astype("datetime64[s]")}).digest == result.digest


def test_what_is_no_time_is_refused(bars, run):
    with pytest.raises(FrameError, match="is no time"):
        run(EmaCross(3, 9), data=bars(3) | {"ts": np.array([1, 2, 10**10 * 5])})
    with pytest.raises(FrameError, match="ts"):
        run(EmaCross(3, 9), data=bars(3) | {"ts": np.array(["soon", "now", "then"])})
    with pytest.raises(FrameError, match="must be a frame"):
        run(EmaCross(3, 9), data=[1, 2])
