"""What is assumed about the venue, as data. Each default is the pessimistic choice."""

import enum
from decimal import Decimal

import msgspec

from njord.domain.clock import NS_PER_MS

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


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is assumed. ``latency_ms`` applies to an order on its way in and again to every report on its way back;
    ``feed_latency_ms`` to market data. ``volume_share`` bounds what our fills may take of a bar's volume.
    """

    fill: FillAt = FillAt.NEXT_OPEN
    fees: Fees = Fees()
    latency_ms: float | None = None  # None: 50, or 0 where the fill is at the same close
    feed_latency_ms: float = 0.0
    limit_fill: LimitFill = LimitFill.CROSS
    volume_share: float | None = None
    slippage: Slippage = Slippage()
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST
    open_orders_max: int = 10_000

    def __post_init__(self) -> None:
        for name in ("latency_ms", "feed_latency_ms"):
            latency: float | None = getattr(self, name)
            if latency is not None and not 0 <= latency <= 60_000:
                raise ValueError(f"venue: {name} must be from 0 to 60000, was {latency}")
        if self.volume_share is not None and not 0 < self.volume_share <= 1:
            raise ValueError(f"venue: volume_share must be above 0 and at most 1, was {self.volume_share}")
        if self.fill is FillAt.SAME_CLOSE and self.latency_ms:
            raise ValueError(f"venue: fill same_close needs latency_ms 0, was {self.latency_ms:g}")
        if self.open_orders_max <= 0:
            raise ValueError(f"venue: open_orders_max must be > 0, was {self.open_orders_max}")

    @property
    def latency_ns(self) -> int:
        """How long an order travels to the venue, and a report back."""
        latency_ms = self.latency_ms
        if latency_ms is None:
            latency_ms = 0 if self.fill is FillAt.SAME_CLOSE else LATENCY_MS
        return round(latency_ms * NS_PER_MS)

    @property
    def feed_latency_ns(self) -> int:
        """How long market data travels to us."""
        return round(self.feed_latency_ms * NS_PER_MS)
