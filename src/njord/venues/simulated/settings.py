"""What is assumed about the venue, as data. Each default is the pessimistic choice."""

import enum
from decimal import Decimal

import msgspec

from njord.domain.clock import NS_PER_MS
from njord.venues.simulated.latency import LatencyKnot, Line, check_curve
from njord.venues.simulated.queue import QueueModel

LATENCY_MS = 50.0


class FillAt(enum.StrEnum):
    """Where a market order decided on a bar trades."""

    NEXT_OPEN = "next_open"
    SAME_CLOSE = "same_close"  # optimistic: the price that was decided on is already gone


class LimitFill(enum.StrEnum):
    """What the market must do to fill a resting limit order."""

    CROSS = "cross"  # trade beyond the limit
    TOUCH = "touch"  # optimistic: reaching the limit is enough, as if nobody were ahead


class SelfTrade(enum.StrEnum):
    """What happens when one of our orders would trade with another."""

    CANCEL_NEWEST = "cancel_newest"
    CANCEL_OLDEST = "cancel_oldest"
    CANCEL_BOTH = "cancel_both"


class SlippageModel(enum.StrEnum):
    """How our own size moves the price against us."""

    NONE = "none"
    FIXED = "fixed"
    LINEAR = "linear"
    SQUARE_ROOT = "square_root"


class Fees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fees as fractions of the notional, and per unit of quantity; a negative one is a rebate."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    per_quantity: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for name in ("maker", "taker"):
            rate: Decimal = getattr(self, name)
            if not (rate.is_finite() and abs(rate) < 1):
                raise ValueError(f"fees: {name} must be a fraction of the notional, such as 0.001, was {rate}")
        if not self.per_quantity.is_finite():
            raise ValueError(f"fees: per_quantity must be a finite amount, was {self.per_quantity}")


class Slippage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``coefficient`` is a fraction of the price: at once (fixed), or when we trade as much as the market does."""

    model: SlippageModel = SlippageModel.NONE
    coefficient: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.coefficient < 1:
            raise ValueError(f"slippage: coefficient must be from 0 to below 1, was {self.coefficient}")


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a resting order stands in an L2 queue. ``exponent`` is the n of the models that have one."""

    model: QueueModel = QueueModel.RISK_AVERSE
    exponent: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.exponent <= 100:
            raise ValueError(f"queue: exponent must be above 0 and at most 100, was {self.exponent}")


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is assumed. ``latency_ms`` applies to an order on its way in and again to every report on its way back,
    where ``order_latency_ms`` and ``response_latency_ms`` do not say otherwise; ``feed_latency_ms`` to market data. A
    ``latency_curve`` replaces all of them. ``volume_share`` bounds what our fills may take of a bar's volume.
    """

    fill: FillAt = FillAt.NEXT_OPEN
    fees: Fees = Fees()
    latency_ms: float | None = None  # None: 50, or 0 where the fill is at the same close
    order_latency_ms: float | None = None
    response_latency_ms: float | None = None
    feed_latency_ms: float = 0.0
    latency_curve: tuple[LatencyKnot, ...] = ()
    queue: QueueSettings = QueueSettings()
    limit_fill: LimitFill = LimitFill.CROSS
    volume_share: float | None = None
    slippage: Slippage = Slippage()
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST
    open_orders_max: int = 10_000

    def __post_init__(self) -> None:
        for name in ("latency_ms", "order_latency_ms", "response_latency_ms", "feed_latency_ms"):
            latency: float | None = getattr(self, name)
            if latency is not None and not 0 <= latency <= 60_000:
                raise ValueError(f"venue: {name} must be from 0 to 60000, was {latency}")
        if self.volume_share is not None and not 0 < self.volume_share <= 1:
            raise ValueError(f"venue: volume_share must be above 0 and at most 1, was {self.volume_share}")
        check_curve(self.latency_curve)
        if self.fill is FillAt.SAME_CLOSE and not (self.order_line().instant and self.response_line().instant):
            raise ValueError("venue: fill same_close needs a latency of 0")
        if self.open_orders_max <= 0:
            raise ValueError(f"venue: open_orders_max must be > 0, was {self.open_orders_max}")

    @property
    def latency_ns(self) -> int:
        """The least that an order takes to the venue, or a report back."""
        if self.latency_curve:
            return min(min(knot.order_ns, knot.response_ns) for knot in self.latency_curve)
        return min(self._constant_ns(self.order_latency_ms), self._constant_ns(self.response_latency_ms))

    def order_line(self) -> Line:
        """Return the way of orders to the venue."""
        return Line.of(self._constant_ns(self.order_latency_ms), self.latency_curve, "order_ns")

    def response_line(self) -> Line:
        """Return the way of reports to us."""
        return Line.of(self._constant_ns(self.response_latency_ms), self.latency_curve, "response_ns")

    def feed_line(self) -> Line:
        """Return the way of market data to us."""
        return Line.of(round(self.feed_latency_ms * NS_PER_MS), self.latency_curve, "feed_ns")

    def _constant_ns(self, own_ms: float | None) -> int:
        latency_ms = self.latency_ms if own_ms is None else own_ms
        if latency_ms is None:
            latency_ms = 0 if self.fill is FillAt.SAME_CLOSE else LATENCY_MS
        return round(latency_ms * NS_PER_MS)
