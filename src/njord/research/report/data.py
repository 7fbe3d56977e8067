"""What a report shows: plain values, filled in by whoever ran the backtest."""

from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from njord.research.trades import RoundTrip

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Verdict = Literal["optimistic", "neutral", "pessimistic"]


class Prices(msgspec.Struct, frozen=True):
    """Bars of one instrument, oldest first. ``start_ns`` is when each began, UTC."""

    instrument_id: str
    start_ns: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __post_init__(self) -> None:
        lengths = {len(one) for one in (self.start_ns, self.open, self.high, self.low, self.close)}
        if len(lengths) != 1:
            raise ValueError(f"{self.instrument_id}: columns of prices differ in length, {sorted(lengths)}")


class FillMark(msgspec.Struct, frozen=True, gc=False):
    """A fill, as the chart marks it. ``fee`` is in the account's currency, negative for a rebate."""

    time_ns: int
    instrument_id: str
    side: str  # "buy" | "sell"
    price: float
    quantity: float
    fee: float
    liquidity: str
    reason: str
    strategy_id: str


class Assumption(msgspec.Struct, frozen=True, gc=False):
    """Something the simulation took for granted, and which way it bends the result."""

    name: str
    value: str
    verdict: Verdict
    note: str = ""


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of the net result, in the account's currency."""

    name: str
    amount: float
    note: str = ""


class MarkoutCurve(msgspec.Struct, frozen=True):
    """Maker fills of one instrument and side at their moment and some time after, in basis points of their price.

    ``markout_bps``, ``error_bps``, ``fills`` and ``excluded`` have an entry for each of ``horizons_s``; None where no
    fill has data that far, and for the error of a single one.
    """

    instrument_id: str
    side: str  # "buy" | "sell"
    capture_bps: float
    capture_error_bps: float | None
    horizons_s: list[float]
    markout_bps: list[float | None]
    error_bps: list[float | None]
    fills: list[int]
    excluded: list[int]


class InventoryPath(msgspec.Struct, frozen=True):
    """The position of one instrument after each fill, in its own quantity; means over time."""

    instrument_id: str
    time_ns: Integers
    quantity: Floats
    mean: float
    mean_abs: float


class Quoting(msgspec.Struct, frozen=True):
    """How much of the time one instrument was quoted, shares 0..1, and how much of what was offered was taken.

    ``near`` has (ticks behind the touch at most, bid, ask, both).
    """

    instrument_id: str
    bid: float
    ask: float
    both: float
    near: list[tuple[int, float, float, float]]
    orders: int
    filled_orders: int
    filled_share: float  # Of the quantity


class Making(msgspec.Struct, frozen=True):
    """What there is to say of a market maker's run. ``net`` is what ``parts`` add up to."""

    parts: list[Part]
    net: float
    reconciles: bool
    curves: list[MarkoutCurve]
    inventory: list[InventoryPath]
    quoting: list[Quoting]


class Bound(msgspec.Struct, frozen=True):
    """One reading of a run whose queue position nobody knows: money in the account's currency."""

    net_pnl: float
    fills: int
    fees: float


class Interval(msgspec.Struct, frozen=True):
    """The same run with the least and the most that queues allow, and the estimate between them."""

    cross: Bound
    estimate: Bound
    touch: Bound


class ReportData(msgspec.Struct, kw_only=True):
    """Everything a report shows. ``stats`` is what ``njord.research.statistics.summary`` returns; times are UTC."""

    title: str
    run_id: str
    digest: str
    strategies: list[str]
    start_ns: int
    end_ns: int
    currency: str
    stats: dict[str, float | int | None]
    equity_time_ns: Integers
    equity: Floats
    benchmark: Floats | None = None  # buy and hold, a value for each equity sample
    prices: list[Prices] = []
    merged_from: dict[str, int] = {}  # instrument -> bars its prices were made of, where they were merged already
    fills: list[FillMark] = []
    trades: list[RoundTrip] = []
    refused: dict[str, int] = {}  # reason -> orders
    assumptions: list[Assumption] = []
    warnings: list[str] = []
    manifest: dict[str, Any] = {}
    making: Making | None = None
    interval: Interval | None = None

    def __post_init__(self) -> None:
        if len(self.equity_time_ns) != len(self.equity):
            raise ValueError(f"equity has {len(self.equity)} values for {len(self.equity_time_ns)} times")
        if self.benchmark is not None and len(self.benchmark) != len(self.equity):
            raise ValueError(f"benchmark has {len(self.benchmark)} values for {len(self.equity)} of equity")
