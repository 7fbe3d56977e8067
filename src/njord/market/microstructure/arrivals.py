"""Market orders told from trades: how far from the mid each one reached. What A and k are fitted on."""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.market.microstructure.imbalance import Array, Floats

Integers = npt.NDArray[np.int64]


class MarketOrders(msgspec.Struct, frozen=True):
    """Market orders in time order, as equally long arrays.

    ``depth``: from the mid just before to the worst price paid, in the unit of the prices; negative where a trade is
    better than the mid was known to be. ``touch``: from that mid to the best quote.
    """

    time_ns: Integers
    side: Integers  # +1 bought, -1 sold
    quantity: Floats
    price: Floats  # The last level reached
    depth: Floats
    touch: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.time_ns)

    def of(self, side: int) -> "MarketOrders":
        """Return those of one side: +1 bought, which fill asks, or -1 sold, which fill bids."""
        if side not in (1, -1):
            raise ValueError(f"side: must be 1 or -1, was {side}")
        chosen = self.side == side
        return MarketOrders(*(getattr(self, name)[chosen] for name in self.__struct_fields__))


def market_orders(
    time_ns: Integers,
    price: Array,
    quantity: Array,
    side: Array,
    quote_time_ns: Integers,
    bid: Array,
    ask: Array,
) -> MarketOrders:
    """Put trades together to market orders: successive trades of one moment and one side are one.

    ``side`` is the aggressor's: +1 bought, -1 sold. Both times rise and are of one clock. The mid is that of the last
    quote *before* the moment: one of the same moment may show what the order did. Trades before the first quote are
    left out. Prices in any one unit. Raises ValueError where lengths differ, times go back, or a side is neither.
    """
    if not len(time_ns) == len(price) == len(quantity) == len(side):
        raise ValueError(f"price, quantity, side: {len(price)}, {len(quantity)}, {len(side)} for {len(time_ns)} trades")
    if not len(quote_time_ns) == len(bid) == len(ask):
        raise ValueError(f"bid, ask: {len(bid)}, {len(ask)} for {len(quote_time_ns)} quotes")
    for name, times in (("time_ns", time_ns), ("quote_time_ns", quote_time_ns)):
        if (np.diff(times) < 0).any():
            raise ValueError(f"{name}: must rise")
    signs = np.asarray(side, dtype=np.int64)
    if not (np.abs(signs) == 1).all():
        raise ValueError("side: must be +1 or -1")
    quote = np.searchsorted(quote_time_ns, time_ns, side="left") - 1
    known = quote >= 0
    times, signs, quote = np.asarray(time_ns)[known], signs[known], quote[known]
    prices = np.asarray(price, dtype=np.float64)[known]
    quantities = np.asarray(quantity, dtype=np.float64)[known]
    if len(times) == 0:
        nothing = np.empty(0)
        return MarketOrders(times, signs, nothing, nothing, nothing, nothing)
    first = np.flatnonzero(np.r_[True, (np.diff(times) != 0) | (np.diff(signs) != 0)])
    of_order, quote = signs[first], quote[first]
    bids, asks = np.asarray(bid, dtype=np.float64)[quote], np.asarray(ask, dtype=np.float64)[quote]
    worst = np.asarray(of_order * np.maximum.reduceat(signs * prices, first), dtype=np.float64)
    return MarketOrders(
        time_ns=times[first],
        side=of_order,
        quantity=np.add.reduceat(quantities, first),
        price=worst,
        depth=of_order * (worst - (bids + asks) / 2),
        touch=(asks - bids) / 2,
    )
