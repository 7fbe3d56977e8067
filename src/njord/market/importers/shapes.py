"""From blocks of text to columns of the catalog, one function per kind of data.

Each refuses what cannot be so: a price of zero or off the grid, a negative size, a high below the low, a time before
the one above it. What passes is what the source said, in ticks and lots.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from njord.domain.clock import iso
from njord.domain.market import Kind
from njord.market.importers.numbers import (
    EMPTY,
    FINE,
    Ints,
    Step,
    TimeRule,
    read_floats,
    read_steps,
    read_times,
    scaled,
)
from njord.market.importers.sieve import Array, Block, Mask, Sieve

POINTS = ("open", "high", "low", "close")
BUYS, SELLS = ("buy", "b", "false"), ("sell", "s", "true")  # true and false: is the buyer the maker
INT64_MIN = -(2**63)


class Shape:
    """What a stream of blocks needs to remember: its grid, how it tells the time, and the last good time."""

    def __init__(self, price: Step, lot: Step, time: TimeRule, unstated_lots: int) -> None:
        self.price, self.lot, self.time, self.unstated_lots = price, lot, time, unstated_lots
        self.last_ns = INT64_MIN
        self.clock_steps_back = 0

    def times(self, block: Block, sieve: Sieve, name: str = "ts") -> Ints:
        if block.time_ns is not None:
            return block.time_ns
        return read_times(sieve, block.text[name], self.time, name)

    def in_order(self, sieve: Sieve, times_ns: Ints, *, repeats: bool) -> None:
        """Refuse rows earlier than a good one above, and unless ``repeats`` also those of the same time."""
        before = _running_max_before(times_ns, sieve.good, self.last_ns)

        def moment(values: Ints, at: int) -> str:
            return iso(int(values[at]))

        sieve.refuse(times_ns < before, lambda at: f"out of order: {moment(times_ns, at)} after {moment(before, at)}")
        if not repeats:
            sieve.refuse(times_ns == before, lambda at: f"duplicate of {moment(times_ns, at)}")
        good = times_ns[sieve.good]
        if len(good):
            self.last_ns = max(self.last_ns, int(good.max()))

    def in_file_order(self, times_ns: Ints) -> Ints:
        """Return times that never step back: where a recorded venue clock did, the latest time it had shown."""
        before = np.maximum.accumulate(np.concatenate([[self.last_ns], times_ns]))[1:]
        self.clock_steps_back += int((before > times_ns).sum())
        if len(before):
            self.last_ns = int(before[-1])
        return before


def bars(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Return a block of candles as columns of bars, refusing what cannot be one."""
    times = shape.times(block, sieve)
    prices = {point: read_steps(sieve, block.text[point], shape.price, point, minimum=1) for point in POINTS}
    volume = read_floats(sieve, block.text["volume"], "volume")
    _in_range(block, sieve, prices, "")
    shape.in_order(sieve, times, repeats=False)
    return {"start_ns": times, **{f"{point}_ticks": prices[point] for point in POINTS}, "volume": volume}


def quote_bars(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Return a block of bid and ask candles as columns of quote bars."""
    out: dict[str, Array] = {"start_ns": shape.times(block, sieve)}
    for side in ("bid", "ask"):
        prices = {
            point: read_steps(sieve, block.text[f"{side}_{point}"], shape.price, f"{side}_{point}", minimum=1)
            for point in POINTS
        }
        _in_range(block, sieve, prices, f"{side}_")
        out |= {f"{side}_{point}_ticks": prices[point] for point in POINTS}
    for side in ("bid", "ask"):
        out[f"{side}_size"] = read_floats(sieve, block.text[f"{side}_size"], f"{side}_size")
    shape.in_order(sieve, out["start_ns"], repeats=False)
    return out


def trades(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Return a block of trades as columns."""
    times = shape.times(block, sieve)
    out: dict[str, Array] = {
        "venue_time_ns": times,
        "local_time_ns": shape.times(block, sieve, "local") if "local" in block.text else times,
        "price_ticks": read_steps(sieve, block.text["price"], shape.price, "price", minimum=1),
        "quantity_lots": read_steps(sieve, block.text["quantity"], shape.lot, "quantity", minimum=1),
        "aggressor": np.zeros(len(times), dtype=np.int8),
        "trade_id": np.zeros(len(times), dtype=np.int64),
    }
    if "side" in block.text:
        out["aggressor"] = _aggressors(block)
    if "id" in block.text:
        # Some venues name trades by a text; then there is no number to keep
        ids, codes = scaled(block.text["id"], 0)
        out["trade_id"] = np.where(codes == FINE, ids, 0)
    if "local" in block.text:
        out["venue_time_ns"] = shape.in_file_order(times)
    else:
        shape.in_order(sieve, times, repeats=True)
    return out


def quotes(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Return a block of quotes as columns."""
    times = shape.times(block, sieve)
    out: dict[str, Array] = {
        "venue_time_ns": times,
        "local_time_ns": shape.times(block, sieve, "local") if "local" in block.text else times,
    }
    for side in ("bid", "ask"):
        price = block.text[side]
        gone = pc.equal(price, "").to_numpy(zero_copy_only=False)
        if gone.any() and f"{side}_size" in block.text:
            # A side without liquidity: no price, 0 lots
            out[f"{side}_ticks"] = read_steps(sieve, pc.if_else(gone, "0", price), shape.price, side, minimum=0)
        else:
            out[f"{side}_ticks"] = read_steps(sieve, price, shape.price, side, minimum=1)
    for side in ("bid", "ask"):
        if f"{side}_size" not in block.text:
            out[f"{side}_lots"] = np.full(len(times), shape.unstated_lots)
            continue
        size = pc.if_else(pc.equal(block.text[f"{side}_size"], ""), "0", block.text[f"{side}_size"])
        out[f"{side}_lots"] = read_steps(sieve, size, shape.lot, f"{side}_size", minimum=0)
    if "local" in block.text:
        out["venue_time_ns"] = shape.in_file_order(times)
    else:
        shape.in_order(sieve, times, repeats=True)
    return {
        name: out[name] for name in ("venue_time_ns", "local_time_ns", "bid_ticks", "ask_ticks", "bid_lots", "ask_lots")
    }


def book(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Rows received together are one update; there are no update ids, so the time of receipt stands in for them."""
    times = shape.times(block, sieve)
    local = shape.times(block, sieve, "local")
    side = _signs(block, ("bid", "buy"), ("ask", "sell"))
    sieve.refuse(side == 0, lambda at: f"side {sieve.shown('side', at)} is not bid or ask")
    snapshot = pc.is_in(pc.utf8_lower(block.text["is_snapshot"]), value_set=_texts("true", "1"))
    return {
        "venue_time_ns": shape.in_file_order(times),
        "local_time_ns": local,
        "sequence": local // 1_000,
        "snapshot": snapshot.to_numpy(zero_copy_only=False).astype(np.int8),
        "side": side,
        "price_ticks": read_steps(sieve, block.text["price"], shape.price, "price", minimum=1),
        "quantity_lots": read_steps(sieve, block.text["quantity"], shape.lot, "quantity", minimum=0),
    }


def funding(block: Block, sieve: Sieve, shape: Shape) -> dict[str, Array]:
    """Return a block of funding rates as columns."""
    times = shape.times(block, sieve)
    rates, codes = scaled(block.text["rate"], 12)
    if (codes != FINE).any():
        # More than 12 decimals of a rate is beyond any venue's own rounding of a payment: 1e-12 of a notional
        rates, codes = _rounded_rates(block)
    sieve.refuse(codes == EMPTY, lambda _: "rate is empty")
    sieve.refuse(codes != FINE, lambda at: f"rate {sieve.shown('rate', at)} is not a number")
    sieve.refuse(np.abs(rates) > 10**12, lambda at: f"rate {sieve.shown('rate', at)} is over 100 %")
    shape.in_order(sieve, times, repeats=False)
    return {"venue_time_ns": times, "rate_pico": rates, "mark_ticks": np.full(len(times), -1)}


SHAPES: dict[Kind, Callable[[Block, Sieve, Shape], dict[str, Array]]] = {
    Kind.BARS: bars,
    Kind.QUOTE_BARS: quote_bars,
    Kind.TRADES: trades,
    Kind.QUOTES: quotes,
    Kind.BOOK: book,
    Kind.FUNDING: funding,
}


def _in_range(block: Block, sieve: Sieve, prices: dict[str, Ints], side: str) -> None:
    high, low = prices["high"], prices["low"]

    def said(point: str, at: int) -> str:
        return str(block.text[side + point][at].as_py())

    sieve.refuse(high < low, lambda at: f"{side}high {said('high', at)} is below {side}low {said('low', at)}")
    for point in ("open", "close"):
        _refuse_outside(sieve, (prices[point] > high) | (prices[point] < low), said, side, point)


def _refuse_outside(sieve: Sieve, outside: Mask, said: Callable[[str, int], str], side: str, point: str) -> None:
    sieve.refuse(
        outside, lambda at: f"{side}{point} {said(point, at)} is outside {said('low', at)} .. {said('high', at)}"
    )


def _running_max_before(values: Ints, good: Mask, start: int) -> Ints:
    # Bad rows do not count: what they say about time is not believed either
    believed = np.where(good, values, INT64_MIN)
    return np.maximum.accumulate(np.concatenate([[start], believed]))[:-1]


def _rounded_rates(block: Block) -> tuple[Ints, Array]:
    values, codes = scaled(block.text["rate"], 12)
    fine = scaled(block.text["rate"], 18)
    rounded = codes != FINE
    values = np.where(rounded, (fine[0] + 500_000) // 1_000_000, values)
    return values, np.where(rounded, fine[1], codes)


def _aggressors(block: Block) -> Array:
    return _signs(block, BUYS, SELLS)


def _signs(block: Block, plus: tuple[str, ...], minus: tuple[str, ...]) -> Array:
    side = pc.utf8_lower(block.text["side"])
    up = pc.is_in(side, value_set=_texts(*plus)).to_numpy(zero_copy_only=False)
    down = pc.is_in(side, value_set=_texts(*minus)).to_numpy(zero_copy_only=False)
    signs: Array = up.astype(np.int8) - down.astype(np.int8)
    return signs


def _texts(*values: str) -> pa.Array:
    return pa.array(values, pa.string())
