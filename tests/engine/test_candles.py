"""Candles as they are made and kept, against a plain reference."""

import collections

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.market import Aggressor, Bar, Quote, Trade
from njord.engine.simulation import candles as module
from njord.engine.simulation.candles import Candles, decode

A, B = "A.SIM", "B.SIM"
TEN, MINUTE = 10, 60
MAX = 7


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(module, "KEPT_MAX", MAX)


def trade(name, time_ns, price, quantity):
    return Trade(name, time_ns, time_ns, price, quantity, round(price * 100), round(quantity), Aggressor.BUYER)


def reference(trades, name, interval_ns):
    """Return all candles, the one that burns last."""
    found = []
    for time_ns, price, quantity in trades:
        end_ns = time_ns - time_ns % interval_ns + interval_ns
        if found and found[-1].venue_time_ns == end_ns:
            last = found[-1]
            found[-1] = msgspec.structs.replace(
                last, high=max(last.high, price), low=min(last.low, price), close=price, volume=last.volume + quantity
            )  # fmt: skip
        else:
            found.append(Bar(name, interval_ns, end_ns, end_ns, price, price, price, price, quantity))
    return found


ticks = st.lists(st.tuples(st.integers(1, 25), st.floats(1, 500), st.integers(1, 9)), min_size=1, max_size=80)


@given(ticks)
def test_the_newest_are_kept_and_survive_a_file(steps):
    candles, now, trades = Candles((TEN, MINUTE)), 0, []
    handed = collections.deque()
    for wait_ns, price, quantity in steps:
        now += wait_ns
        trades.append((now, price, float(quantity)))
        handed.extend(candles.closed(now))
        candles.trade(trade(A, now, price, quantity))
    file = b"".join(candles.encoded())
    again = Candles((TEN, MINUTE))
    again.restore(decode(file), now)
    for interval_ns in (TEN, MINUTE):
        every = reference(trades, A, interval_ns)
        assert candles.of(A, interval_ns) == every[-MAX - 1 :]
        assert again.of(A, interval_ns) == every[-MAX - 1 :]
        if len(every) > 1:
            for back in (1, 2, MAX, 1_000):
                assert candles.opened(A, interval_ns, back) == every[:-1][-min(back, len(every) - 1, MAX)].open
    assert list(handed) == reference(trades, A, TEN)[:-1][: len(handed)]
    assert b"".join(again.encoded()) == file
    for each in (candles, again):  # It goes on as if there had been no file
        each.trade(trade(A, now + 1, 300.0, 2))
        each.closed(now + 1_000)
    assert again.of(A, MINUTE) == candles.of(A, MINUTE)
    late = Candles((TEN, MINUTE))
    late.restore(decode(file), now + 1_000)  # Its time was over when it came back
    assert late.of(A, MINUTE) == reference(trades, A, MINUTE)[-MAX:]


def test_nothing_is_known_of_what_never_traded():
    candles = Candles((TEN,))
    assert candles.of(A, TEN) == []
    assert candles.opened(A, TEN, 3) is None
    assert decode(b"".join(candles.encoded())) == []


def test_quotes_make_candles_of_their_mid_and_no_volume():
    candles = Candles((TEN,))
    candles.quote(Quote(A, 3, 3, 1.0, 2.0, 5.0, 5.0, 100, 200, 5, 5))
    (only,) = candles.of(A, TEN)
    assert (only.open, only.volume, candles.opened(A, TEN, 1)) == (1.5, 0.0, 1.5)


@pytest.mark.parametrize("damage", [{"ends_ns": b"1234567"}, {"figures": b"12345678"}, {"ends_ns": b""}])
def test_damaged_ones_are_refused_whole(damage):
    candles = Candles((TEN,))
    candles.trade(trade(A, 1, 5.0, 1))
    candles.trade(trade(B, 1, 5.0, 1))
    candles.closed(100)
    good, bad = decode(b"".join(candles.encoded()))
    again = Candles((TEN,))
    with pytest.raises(ValueError, match=r"candles of B|buffer size"):
        again.restore([good, msgspec.structs.replace(bad, **damage)], 100)
    assert decode(b"".join(again.encoded())) == []
