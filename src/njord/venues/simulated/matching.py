"""Price-time priority between participants: the order book of an exchange that is all ours.

Invariants, after every call:
1. the best bid is below the best ask;
2. of two orders at one price, the one that came first trades first, whatever was cancelled between them;
3. lots are conserved: what was submitted has traded, was cancelled, or rests.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

import msgspec

from njord.domain.order import Side
from njord.venues.simulated.settings import SelfTrade

ORDERS_MAX = 1_000_000


class Match(msgspec.Struct, frozen=True, gc=False):
    """A resting order (maker) met an incoming one (taker), at the maker's price."""

    maker_order_id: int
    taker_order_id: int
    maker: str
    taker: str
    taker_side: Side
    price_ticks: int
    lots: int


class Resting(msgspec.Struct):
    """An order in the book."""

    order_id: int
    participant: str
    side: Side
    price_ticks: int
    lots: int


class DuplicateOrder(ValueError):
    """An order id was used before."""


class MatchingBook:
    """One instrument. A level is a dict in order of arrival, so a cancel inside it is one deletion and no gap."""

    def __init__(self, self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST) -> None:
        self._self_trade = self_trade
        self._levels: dict[Side, dict[int, dict[int, Resting]]] = {Side.BUY: {}, Side.SELL: {}}
        self._prices: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}  # Ascending
        self._orders: dict[int, Resting] = {}
        self._last_id = 0
        self.self_cancelled: list[int] = []  # By the last order, so that nobody traded with themselves

    def submit(
        self, order_id: int, participant: str, side: Side, lots: int, price_ticks: int | None, *, rest: bool = True
    ) -> list[Match]:
        """Match an order; rest what is left of a limit, unless ``rest`` is off. No price is a market order.

        Ids must rise. Raises DuplicateOrder, and ValueError when the book is full.
        """
        if order_id <= self._last_id:
            raise DuplicateOrder(f"order id {order_id} is not above the last one, {self._last_id}")
        if lots <= 0:
            raise ValueError(f"order {order_id}: lots must be > 0, was {lots}")
        if len(self._orders) >= ORDERS_MAX:
            raise ValueError(f"the book holds {ORDERS_MAX} orders already")
        self._last_id = order_id
        self.self_cancelled = []
        matches: list[Match] = []
        left = self._take(matches, order_id, participant, side, lots, price_ticks)
        if left and rest and price_ticks is not None:
            self._rest(Resting(order_id, participant, side, price_ticks, left))
        return matches

    def cancel(self, order_id: int) -> int:
        """Take an order out of the book. Return the lots that were left, 0 when it is not there."""
        order = self._orders.get(order_id)
        if order is None:
            return 0
        self._remove(order)
        return order.lots

    def reduce(self, order_id: int, lots: int) -> bool:
        """Make an order smaller; it keeps its place. Return whether there was such an order, larger than that."""
        order = self._orders.get(order_id)
        if order is None or not 0 < lots < order.lots:
            return False
        order.lots = lots
        return True

    def fillable(self, participant: str, side: Side, lots: int, price_ticks: int | None) -> bool:
        """Return whether an order would trade whole at once, with others."""
        prices, levels = self._prices[side.opposite], self._levels[side.opposite]
        for price in prices if side is Side.BUY else reversed(prices):
            if price_ticks is not None and (price - price_ticks) * side.sign > 0:
                return False
            for maker in levels[price].values():
                if maker.participant != participant:
                    lots -= maker.lots
                elif self._self_trade is not SelfTrade.CANCEL_OLDEST:
                    return False
                if lots <= 0:
                    return True
        return False

    def ahead_lots(self, order_id: int) -> int | None:
        """Return the lots that trade before an order at its own price; None where there is no such order."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        ahead = 0
        for each in self._levels[order.side][order.price_ticks].values():
            if each is order:
                break
            ahead += each.lots
        return ahead

    def lots_at(self, side: Side, price_ticks: int) -> int:
        """Return the lots that rest at a price."""
        return sum(order.lots for order in self._levels[side].get(price_ticks, {}).values())

    def best(self, side: Side) -> tuple[int, int] | None:
        """Return (price_ticks, lots) of the best level of a side."""
        prices = self._prices[side]
        if not prices:
            return None
        price = prices[-1] if side is Side.BUY else prices[0]
        return price, sum(order.lots for order in self._levels[side][price].values())

    def depth(self, side: Side, levels: int) -> list[tuple[int, int]]:
        """Return (price_ticks, lots) of the best levels, best first."""
        prices = self._prices[side]
        chosen = prices[: -levels - 1 : -1] if side is Side.BUY else prices[:levels]
        return [(price, sum(order.lots for order in self._levels[side][price].values())) for price in chosen]

    def orders(self) -> Iterator[Resting]:
        """Yield all resting orders, oldest first."""
        return iter(self._orders.values())

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._orders

    def _take(
        self, matches: list[Match], order_id: int, participant: str, side: Side, lots: int, price_ticks: int | None
    ) -> int:
        prices, levels = self._prices[side.opposite], self._levels[side.opposite]
        while lots and prices:
            price = prices[0] if side is Side.BUY else prices[-1]
            if price_ticks is not None and (price - price_ticks) * side.sign > 0:
                break
            maker = next(iter(levels[price].values()))
            if maker.participant == participant:
                if self._self_trade is not SelfTrade.CANCEL_NEWEST:
                    self._remove(maker)
                    self.self_cancelled.append(maker.order_id)
                if self._self_trade is not SelfTrade.CANCEL_OLDEST:
                    self.self_cancelled.append(order_id)
                    return 0
                continue
            traded = min(lots, maker.lots)
            matches.append(Match(maker.order_id, order_id, maker.participant, participant, side, price, traded))
            lots -= traded
            maker.lots -= traded
            if maker.lots == 0:
                self._remove(maker)
        return lots

    def _rest(self, order: Resting) -> None:
        level = self._levels[order.side].get(order.price_ticks)
        if level is None:
            level = self._levels[order.side][order.price_ticks] = {}
            insort(self._prices[order.side], order.price_ticks)
        level[order.order_id] = order
        self._orders[order.order_id] = order

    def _remove(self, order: Resting) -> None:
        level = self._levels[order.side][order.price_ticks]
        del level[order.order_id]
        del self._orders[order.order_id]
        if not level:
            del self._levels[order.side][order.price_ticks]
            prices = self._prices[order.side]
            del prices[bisect_left(prices, order.price_ticks)]
