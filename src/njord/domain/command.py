"""Commands: all that a step of the engine decides. Their canonical bytes, chained, are the digest of a run."""

import enum
from decimal import Decimal

import msgspec

from njord.domain.governance import Scope
from njord.domain.ids import ClientOrderId, EntryId, InstrumentId, StrategyId
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder


class CancelOrder(msgspec.Struct, frozen=True, gc=False, tag="cancel_order"):
    """Ask a venue to cancel what is left of an order."""

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId


class ReplaceOrder(msgspec.Struct, frozen=True, gc=False, tag="replace_order"):
    """Ask a venue to change an order's total quantity or its limit."""

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    quantity_lots: int
    limit_ticks: int | None


class Refused(msgspec.Struct, frozen=True, gc=False, tag="refused"):
    """We did not send it, and this is why."""

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    reason: Refusal


class SetTimer(msgspec.Struct, frozen=True, gc=False, tag="set_timer"):
    """Tell a strategy when this moment comes."""

    strategy_id: StrategyId
    name: str
    time_ns: int


class StrategyStopped(msgspec.Struct, frozen=True, gc=False, tag="strategy_stopped"):
    """A strategy broke its contract. Its working orders are cancelled; the others go on."""

    strategy_id: StrategyId
    reason: str


class Posting(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One leg of an entry: so many units of an asset into an account. Lots of an instrument count as its asset."""

    account: str
    asset: str
    amount: int


class Entry(msgspec.Struct, frozen=True, tag="entry"):
    """What happened to our money, in balanced legs: they sum to zero for each asset."""

    entry_id: EntryId
    cause: str
    time_ns: int
    postings: tuple[Posting, ...]


class StrategyNote(msgspec.Struct, frozen=True, gc=False, tag="note"):
    """Something a strategy wants on record: why it did what it did."""

    strategy_id: StrategyId
    text: str


class Level(enum.StrEnum):
    """How much of trading is allowed in a scope. Later in this list is less."""

    NORMAL = "normal"
    REDUCING = "reducing"  # Only orders that make a position smaller
    HALTED = "halted"


class Cause(enum.StrEnum):
    """Why trading is restricted. Closed list."""

    DRAWDOWN = "drawdown"
    SEVERE_LOSS = "severe_loss"
    UNPRICED = "unpriced"  # Something is held that has no price, so nothing can be judged
    DAILY_LOSS = "daily_loss"
    VALUE_AT_RISK = "value_at_risk"
    VOLATILITY = "volatility"
    REJECT_RATE = "reject_rate"
    STALE_MARKET = "stale_market"
    LOSS_VELOCITY = "loss_velocity"
    TRIPPED = "tripped"
    SURVEILLANCE = "surveillance"


class Restricted(msgspec.Struct, frozen=True, gc=False, tag="restricted"):
    """What a cause allows in a scope has changed: tighter, or back to normal. ``detail`` has the figures.

    ``whose`` is the instrument it is about, where it is about one.
    """

    scope: Scope
    cause: Cause
    level: Level
    detail: str
    whose: str = ""


class Assessed(msgspec.Struct, frozen=True, gc=False, tag="assessed"):
    """What the risk engine saw when it approved or refused an order: the order's passport.

    Shares are of equity, in 1/10000, rounded up; the drawdown is rounded down. ``adds`` says whether the order could
    make a position larger. ``tier`` counts the profile's drawdown tiers from 1, 0 being above all of them. VaR is in
    units of the account's currency, None where there is no limit or no estimate yet.
    """

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    refusal: Refusal | None
    adds: bool
    order_units: int
    equity_units: int
    gross_before_bp: int
    gross_after_bp: int
    leverage_max_bp: int | None
    drawdown_bp: int
    tier: int
    tier_entries: bool
    var_before_units: int | None
    var_after_units: int | None
    var_max_units: int | None
    profile: str
    profile_version: int


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The account at a moment: what it is worth, and the prices and holdings that make it so."""

    time_ns: int
    equity_units: int
    peak_units: int  # The highest equity of all snapshots
    day_units: int  # What the UTC day began with
    cash: dict[str, int]
    lots: dict[InstrumentId, int]
    ticks: dict[InstrumentId, int]


class Reallocated(msgspec.Struct, frozen=True, gc=False, tag="reallocated"):
    """A strategy's share of the equity changed."""

    strategy_id: StrategyId
    before: Decimal
    after: Decimal
    reason: str


OrderCommand = NewOrder | CancelOrder | ReplaceOrder
Command = (
    NewOrder | CancelOrder | ReplaceOrder | Refused | SetTimer | StrategyStopped | StrategyNote | Entry
    | Restricted | Assessed | Snapshot | Reallocated
)  # fmt: skip
