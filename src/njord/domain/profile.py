"""Risk and venue profiles: what we may do, as versioned data. None means no limit of that kind.

A running profile can be tightened freely; loosening it needs a signed approval on record (``risk.approvals``).
"""

import enum
import itertools
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from njord.domain.ids import VenueId

TIERS_MAX = 16
VAR_WINDOW_MAX = 5_000


class DrawdownTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From this drawdown on, a fraction of the highest equity: may positions grow, and to what part of the limits."""

    drawdown: Decimal
    entries: bool = True
    size: Decimal = Decimal(1)  # Every notional and leverage limit is multiplied by it

    def __post_init__(self) -> None:
        if not (self.drawdown.is_finite() and 0 <= self.drawdown < 1):
            raise ValueError(f"drawdown tier: drawdown must be a fraction from 0 to below 1, was {self.drawdown}")
        if self.drawdown * 10_000 % 1:
            raise ValueError(f"drawdown tier: drawdown must be a whole number of 1/10000, was {self.drawdown}")
        if not (self.size.is_finite() and 0 < self.size <= 1):
            raise ValueError(f"drawdown tier {self.drawdown}: size must be above 0 and at most 1, was {self.size}")


class SevereLoss(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At this drawdown the risk engine itself reduces: each position by ``reduce`` of what is held, once per tier."""

    drawdown: Decimal
    reduce: Decimal = Decimal("0.5")

    def __post_init__(self) -> None:
        for name in ("drawdown", "reduce"):
            share: Decimal = getattr(self, name)
            if not (share.is_finite() and 0 < share <= 1):
                raise ValueError(f"severe loss: {name} must be a fraction above 0 and at most 1, was {share}")


class VarModel(enum.StrEnum):
    """How value at risk is estimated."""

    HISTORICAL = "historical"
    PARAMETRIC = "parametric"
    MONTE_CARLO = "monte_carlo"


class VarLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Value at risk over one ``interval``, as a fraction of equity. Above ``share_max`` an order that adds is refused,
    and a portfolio that is there already may only reduce; above ``halt_share`` all trading stops.
    """

    share_max: Decimal
    halt_share: Decimal | None = None
    model: VarModel = VarModel.HISTORICAL
    confidence: Decimal = Decimal("0.99")
    interval: str = "1h"
    window: int = 250  # Intervals
    warm_up: int = 30  # Before so many are known there is no estimate, and no limit
    half_life: float = 60.0  # Intervals; of the parametric covariance
    paths: int = 10_000

    def __post_init__(self) -> None:
        if not (self.share_max.is_finite() and self.share_max > 0):
            raise ValueError(f"value at risk: share_max must be > 0, was {self.share_max}")
        if self.halt_share is not None and not (self.halt_share.is_finite() and self.halt_share >= self.share_max):
            raise ValueError(f"value at risk: halt_share must be at least share_max, was {self.halt_share}")
        if not Decimal("0.5") < self.confidence < 1:
            raise ValueError(f"value at risk: confidence must be between 0.5 and 1, was {self.confidence}")
        if not 2 <= self.warm_up <= self.window <= VAR_WINDOW_MAX:
            raise ValueError(
                f"value at risk: 2 <= warm_up <= window <= {VAR_WINDOW_MAX}, was {self.warm_up} and {self.window}"
            )
        if not self.half_life > 0:
            raise ValueError(f"value at risk: half_life must be > 0, was {self.half_life}")
        if not 100 <= self.paths <= 1_000_000:
            raise ValueError(f"value at risk: paths must be 100 to 1000000, was {self.paths}")


class Breakers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Circuit breakers: each opens by its rule, lets only reducing orders through, and closes ``cool_down_s`` after its
    cause has gone. None: no such breaker.

    ``volatility_ratio``: short-term over long-term volatility of an instrument. ``reject_share``: of the last
    ``reject_window`` orders, refused by the venue. ``stale_s``: no market data of an instrument. ``loss_share``: of
    equity, lost within ``loss_window_s``.
    """

    volatility_ratio: Decimal | None = None
    reject_share: Decimal | None = None
    reject_window: int = 20
    stale_s: Decimal | None = None
    loss_share: Decimal | None = None
    loss_window_s: int = 60
    cool_down_s: int = 300

    def __post_init__(self) -> None:
        for name in ("volatility_ratio", "reject_share", "stale_s", "loss_share"):
            limit: Decimal | None = getattr(self, name)
            if limit is not None and not (limit.is_finite() and limit > 0):
                raise ValueError(f"breakers: {name} must be > 0 or none, was {limit}")
        for name in ("reject_window", "loss_window_s", "cool_down_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"breakers: {name} must be > 0, was {getattr(self, name)}")


class Vigilance(enum.StrEnum):
    """What a finding of surveillance in our own order flow does. Each is stricter than the one before."""

    OFF = "off"  # Nobody looks
    WARN = "warn"  # It is put on record
    RESTRICT = "restrict"  # And the strategy is stopped until people clear it


class RiskProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What we may do. Notionals are in the account's currency.

    ``price_collar`` is how far a limit or trigger may be from the last price, as a fraction of it.
    ``leverage_max`` bounds gross exposure, working orders included, over equity; ``strategy_leverage_max`` that of one
    strategy. ``daily_loss_max`` is a fraction of the equity the UTC day began with. ``watch_interval`` is how often
    drawdown, loss, VaR and breakers are judged; ``mark_interval`` how often the account is marked on record.
    Raises ValueError naming the field.
    """

    name: str
    version: int = 1
    short_allowed: bool = False
    self_trade_allowed: bool = False  # Orders that would trade with another one of ours: a wash trade
    leverage_max: Decimal | None = Decimal(1)
    strategy_leverage_max: Decimal | None = None
    order_notional_max: Decimal | None = None
    symbol_notional_max: Decimal | None = None
    strategy_notional_max: Decimal | None = None
    portfolio_notional_max: Decimal | None = None
    order_quantity_max: Decimal | None = None
    price_collar: Decimal | None = None
    # A market order is judged this much dearer than the last price, since nobody knows where it will trade
    market_order_buffer: Decimal = Decimal("0.01")
    open_orders_max: int = 10_000
    orders_per_event_max: int = 64
    orders_per_s_max: Decimal | None = None
    orders_burst: int = 50
    daily_loss_max: Decimal | None = None
    drawdown_tiers: tuple[DrawdownTier, ...] = ()
    severe_loss: SevereLoss | None = None
    value_at_risk: VarLimit | None = None
    breakers: Breakers | None = None
    flatten_on_trip: bool = False
    clear_needs_two: bool = False
    surveillance: Vigilance = Vigilance.WARN  # In sessions; a backtest has nobody to warn
    watch_interval: str = "1s"
    mark_interval: str = "1m"
    backtest_only: bool = False

    def __post_init__(self) -> None:
        for name in (
            "leverage_max", "strategy_leverage_max", "order_notional_max", "symbol_notional_max",
            "strategy_notional_max", "portfolio_notional_max", "order_quantity_max", "price_collar", "orders_per_s_max",
            "daily_loss_max",
        ):  # fmt: skip
            limit: Decimal | None = getattr(self, name)
            if limit is not None and not (limit.is_finite() and limit > 0):
                raise ValueError(f"risk profile {self.name}: {name} must be > 0 or none, was {limit}")
        for name in ("open_orders_max", "orders_per_event_max", "orders_burst", "version"):
            if getattr(self, name) <= 0:
                raise ValueError(f"risk profile {self.name}: {name} must be > 0, was {getattr(self, name)}")
        tiers = self.drawdown_tiers
        if len(tiers) > TIERS_MAX or any(a.drawdown >= b.drawdown for a, b in itertools.pairwise(tiers)):
            raise ValueError(f"risk profile {self.name}: drawdown_tiers must deepen one by one, at most {TIERS_MAX}")
        if any(not a.entries and b.entries for a, b in itertools.pairwise(tiers)):
            raise ValueError(f"risk profile {self.name}: drawdown_tiers: what one forbids no deeper one allows")


class VenueAccess(enum.StrEnum):
    """What we may do at a venue."""

    ALLOW = "allow"
    DATA_ONLY = "data_only"
    DENY = "deny"


class VenueProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where we may trade. A venue that is not named is denied. ``groups`` names venues that are capped together, such
    as those that do not know their customers; ``group_share_max`` is a group's largest share of equity, with orders.
    """

    name: str
    version: int = 1
    venues: dict[str, VenueAccess]
    groups: dict[str, tuple[str, ...]] = {}
    group_share_max: dict[str, Decimal] = {}
    default: VenueAccess = VenueAccess.DENY

    def __post_init__(self) -> None:
        for group, share in self.group_share_max.items():
            if group not in self.groups:
                raise ValueError(f"venue profile {self.name}: group_share_max names no group {group!r}")
            if not (share.is_finite() and 0 <= share <= 1):
                raise ValueError(f"venue profile {self.name}: group_share_max.{group} must be from 0 to 1, was {share}")

    def access(self, venue: VenueId) -> VenueAccess:
        """Return what we may do at a venue."""
        return self.venues.get(venue, self.default)


CAPITAL_PRESERVING = RiskProfile(
    name="capital_preserving",
    version=2,
    price_collar=Decimal("0.5"),
    daily_loss_max=Decimal("0.05"),
    drawdown_tiers=(
        DrawdownTier(drawdown=Decimal("0.1"), size=Decimal("0.5")),
        DrawdownTier(drawdown=Decimal("0.2"), entries=False),
    ),
    severe_loss=SevereLoss(drawdown=Decimal("0.25")),
    breakers=Breakers(reject_share=Decimal("0.5")),
)
MARKET_MAKING = RiskProfile(
    name="market_making",
    version=2,
    short_allowed=True,
    leverage_max=Decimal(2),
    strategy_leverage_max=Decimal("1.5"),
    price_collar=Decimal("0.1"),
    daily_loss_max=Decimal("0.05"),
    drawdown_tiers=(DrawdownTier(drawdown=Decimal("0.1"), entries=False),),
)
RESEARCH = RiskProfile(
    name="research", short_allowed=True, self_trade_allowed=True, leverage_max=None, backtest_only=True
)
PROFILES: Mapping[str, RiskProfile] = {
    profile.name: profile for profile in (CAPITAL_PRESERVING, MARKET_MAKING, RESEARCH)
}
ANYWHERE = VenueProfile(name="anywhere", venues={}, default=VenueAccess.ALLOW)
