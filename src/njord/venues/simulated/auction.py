"""The auction that ends a halt: one price for all, at which the most can trade.

Of the prices at which the most trades, the one that leaves the least unmatched; of those, the nearest to the last
trade; and of two as near, the lower. Within the price, better limits first, then who came first.
"""

from collections.abc import Sequence

import msgspec

from njord.domain.order import Side
from njord.venues.simulated.settings import SelfTrade


class Waiting(msgspec.Struct, frozen=True):
    """A limit order that takes part. ``number`` is its place in time."""

    number: int
    owner: str
    side: Side
    limit_ticks: int
    lots: int


class Uncrossing(msgspec.Struct, frozen=True):
    """Who trades with whom, (buy, sell, lots), at one price; and who had to go, or they would trade with themselves."""

    price_ticks: int
    pairs: tuple[tuple[int, int, int], ...] = ()
    self_cancelled: tuple[int, ...] = ()


def uncross(
    waiting: Sequence[Waiting], last_ticks: int | None, self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST
) -> Uncrossing:
    """Return what an auction of these orders does; no pairs where nothing crosses."""
    price = _price(waiting, last_ticks)
    if price is None:
        return Uncrossing(last_ticks or 0)
    buys = [w for w in waiting if w.side is Side.BUY and w.limit_ticks >= price]
    sells = [w for w in waiting if w.side is Side.SELL and w.limit_ticks <= price]
    buys.sort(key=lambda each: (-each.limit_ticks, each.number))
    sells.sort(key=lambda each: (each.limit_ticks, each.number))
    pairs: list[tuple[int, int, int]] = []
    cancelled: list[int] = []
    left = {each.number: each.lots for each in (*buys, *sells)}
    b = s = 0
    while b < len(buys) and s < len(sells):
        buy, sell = buys[b], sells[s]
        if buy.owner == sell.owner:
            newest, oldest = max(buy.number, sell.number), min(buy.number, sell.number)
            gone = {
                SelfTrade.CANCEL_NEWEST: (newest,), SelfTrade.CANCEL_OLDEST: (oldest,),
                SelfTrade.CANCEL_BOTH: (oldest, newest),
            }[self_trade]  # fmt: skip
            cancelled.extend(gone)
            b += buy.number in gone
            s += sell.number in gone
            continue
        lots = min(left[buy.number], left[sell.number])
        pairs.append((buy.number, sell.number, lots))
        left[buy.number] -= lots
        left[sell.number] -= lots
        b += not left[buy.number]
        s += not left[sell.number]
    return Uncrossing(price, tuple(pairs), tuple(cancelled))


def _price(waiting: Sequence[Waiting], last_ticks: int | None) -> int | None:
    # Volume changes only at limits, so one of them is the price
    best: tuple[int, int, int, int] | None = None
    for price in sorted({each.limit_ticks for each in waiting}):
        bought = sum(w.lots for w in waiting if w.side is Side.BUY and w.limit_ticks >= price)
        sold = sum(w.lots for w in waiting if w.side is Side.SELL and w.limit_ticks <= price)
        volume = min(bought, sold)
        if volume:
            away = 0 if last_ticks is None else abs(price - last_ticks)
            rank = (-volume, abs(bought - sold), away, price)
            best = rank if best is None else min(best, rank)
    return None if best is None else best[3]
