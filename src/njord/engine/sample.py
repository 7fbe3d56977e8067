"""A market sample from a seed: files as venues publish them, for whoever has no data at hand.

Hourly bars come from a price process. Trades come from an exchange of our own: order flow through price-time matching.
"""

from decimal import Decimal
from pathlib import Path

import numpy as np

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.domain.order import Side
from njord.market.catalog import Catalog, DatasetId
from njord.market.synthetic.order_by_order import Flow, columns_of, generate
from njord.market.synthetic.order_flow import Act, Action, FlowSettings, actions
from njord.market.synthetic.prices import regime_path, volumes
from njord.venues.simulated.matching import Match, MatchingBook

HOURS_PER_YEAR = 8_766
STEPS_PER_BAR = 60
BARS_START = "2022-01-01"
TRADES_START = "2024-01-01"
# Of a book made order by order: about 40,000 rows a minute are in memory until they are written
BOOK_MINUTES_MAX = 120


def write_bars(path: Path, seed: int, bars: int, start_price: float) -> None:
    """Write hourly bars in Kraken's OHLCVT layout: time, open, high, low, close, volume, trades."""
    rng = np.random.default_rng([seed, 1])
    walk = regime_path(rng, start_price, bars, HOURS_PER_YEAR, STEPS_PER_BAR)
    opens = np.concatenate([[start_price], walk[:-1, -1]])
    prices = {
        "open": opens, "high": np.maximum(walk.max(axis=1), opens), "low": np.minimum(walk.min(axis=1), opens),
        "close": walk[:, -1],
    }  # fmt: skip
    amounts = volumes(rng, walk, 80.0)
    first_s = time_ns(BARS_START) // NS_PER_S
    with path.open("w", newline="\n") as file:
        for bar in range(bars):
            row = ",".join(f"{prices[name][bar]:.1f}" for name in ("open", "high", "low", "close"))
            file.write(f"{first_s + 3600 * bar},{row},{amounts[bar]:.8f},{1 + int(amounts[bar] * 7)}\n")


def write_trades(path: Path, seed: int, duration_s: float, start_ticks: int) -> int:
    """Write the trades of an order-driven market in Kraken's layout: time, price, volume. Return how many."""
    rng = np.random.default_rng([seed, 2])
    book = MatchingBook()
    count = 0
    with path.open("w", newline="\n") as file:
        flow = actions(rng, FlowSettings(), time_ns(TRADES_START), duration_s, float(start_ticks))
        for order_id, action in enumerate(flow, start=1):
            for match in act_on(book, order_id, action):
                count += 1
                seconds = f"{action.time_ns // NS_PER_S}.{action.time_ns % NS_PER_S // 100_000:04d}"
                file.write(f"{seconds},{match.price_ticks / 100:.2f},{match.lots / 1000:.3f}\n")
    return count


def write_book(catalog: Catalog, name: InstrumentId, seed: int, minutes: float, flow: Flow) -> tuple[int, int]:
    """Write an L2 book and its trades, made order by order, into a catalog. Return how many rows of each.

    The instrument is a spot pair with a tick of 0.01 and a lot of 0.001, unless the catalog has it defined already.
    Raises ValueError beyond BOOK_MINUTES_MAX, and ModuleNotFoundError without numba.
    """
    if not 0 < minutes <= BOOK_MINUTES_MAX:
        raise ValueError(f"minutes must be above 0 and at most {BOOK_MINUTES_MAX}, was {minutes:g}")
    base, _, quote = name.partition(".")[0].partition(":")[0].partition("/")
    if not any(known.instrument_id == name for known in catalog.instruments()):
        catalog.define(
            Instrument(
                instrument_id=name, kind=InstrumentKind.SPOT, base=base, quote=quote or "USD",
                price_tick=Decimal("0.01"), quantity_lot=Decimal("0.001"),
            )
        )  # fmt: skip
    tape = generate(np.random.default_rng([seed, 3]), flow, minutes * 60)
    written = [
        catalog.write(DatasetId(name, kind), columns_of(tape, kind), replace=True) for kind in (Kind.BOOK, Kind.TRADES)
    ]
    return written[0], written[1]


def act_on(book: MatchingBook, order_id: int, action: Action) -> list[Match]:
    """Do to the market what a participant does."""
    if action.act is Act.CANCEL:
        own = [order.order_id for order in book.orders() if order.participant == action.participant]
        if own:
            book.cancel(own[int(action.pick * len(own))])
        return []
    if action.act is Act.LIMIT:
        return book.submit(order_id, action.participant, action.side, action.lots, action.price_ticks)
    side = action.side
    if action.participant.startswith("informed"):
        # Buys what is offered below the value, sells what is bid above it, and otherwise stays out
        ask, bid = book.best(Side.SELL), book.best(Side.BUY)
        if ask is not None and ask[0] < action.value_ticks:
            side = Side.BUY
        elif bid is not None and bid[0] > action.value_ticks:
            side = Side.SELL
        else:
            return []
    return book.submit(order_id, action.participant, side, action.lots, None)
