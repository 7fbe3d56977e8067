"""What travels of one account: orders, fills, portfolio, strategies, risk, what is on record, backtests.

The rules of ``gateway.models`` hold here too.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from njord.gateway.models import DecimalText, In, Name, Text, TimeNs, Units


class TicketIn(In):
    """An order. ``order_key`` is the client's own: sent twice, it is one order."""

    order_key: Annotated[str, Field(min_length=1, max_length=40)]
    instrument_id: Name
    side: Literal["buy", "sell"]
    quantity: DecimalText
    order_type: Literal["market", "limit", "stop", "stop_limit"] = "market"
    limit_price: DecimalText | None = None
    stop_price: DecimalText | None = None
    time_in_force: Literal["gtc", "ioc", "fok", "day"] = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    quote_id: Annotated[str, Field(max_length=100)] | None = None


class ReplaceIn(In):
    """Another whole quantity, another limit, or both."""

    quantity: DecimalText | None = None
    limit_price: DecimalText | None = None


class OrderOut(BaseModel):
    """An order and where it is in its life. ``ahead_lots`` trade before it at its price."""

    client_order_id: str
    strategy_id: str
    instrument_id: str
    side: str
    order_type: str
    time_in_force: str
    quantity_lots: int
    filled_lots: int
    limit_ticks: int | None
    stop_ticks: int | None
    status: str
    reason: str | None
    created_ns: TimeNs
    updated_ns: TimeNs
    cost_ticks: int
    changed: int
    ahead_lots: int | None = None


class PlacedOut(BaseModel):
    """What became of a wish at once. ``refusal`` is the risk engine's own reason."""

    client_order_id: str
    refusal: str | None
    order: OrderOut | None


class FillOut(BaseModel):
    """A fill."""

    number: int
    fill_id: str
    client_order_id: str
    strategy_id: str
    instrument_id: str
    side: str
    price_ticks: int
    quantity_lots: int
    fee_units: Units
    liquidity: str
    reason: str
    venue_time_ns: TimeNs


class PositionOut(BaseModel):
    """A position. DV01 is by curve bucket."""

    instrument_id: str
    lots: int
    cost_units: Units
    mark_ticks: int
    value_units: Units
    notional_units: Units
    unrealised_units: Units
    delta: float
    gamma: float
    vega: float
    theta: float
    dv01: list[float]


class GreeksOut(BaseModel):
    """Of everything on one underlier; ``delta_value`` in money."""

    delta: float
    delta_value: float
    gamma: float
    vega: float
    theta: float


class PortfolioOut(BaseModel):
    """What an account is worth and at risk of."""

    account_id: str
    time_ns: TimeNs
    currency: str
    nav_units: Units
    cash_units: dict[str, Units]
    capital_units: Units
    realised_units: Units
    unrealised_units: Units
    fees_units: Units
    income_units: Units
    day_units: Units | None
    peak_units: Units | None
    gross_units: Units
    leverage: float
    concentration: float
    positions: list[PositionOut]
    exposure_by_class: dict[str, float]
    greeks: dict[str, GreeksOut]
    dv01: list[float]
    buckets: list[float]
    stress: dict[str, float]
    value_at_risk: float | None
    expected_shortfall: float | None


class NavOut(BaseModel):
    """NAV at a moment."""

    time_ns: TimeNs
    nav_units: Units


class ParamOut(BaseModel):
    """A strategy's parameter."""

    name: str
    type: str
    default: Any = None


class StrategyKindOut(BaseModel):
    """A strategy that can be started."""

    name: str
    about: str
    params: list[ParamOut]


class StrategyIn(In):
    """A strategy to trade by."""

    name: Name
    params: dict[str, bool | int | float | str] = Field(default_factory=dict)
    instruments: Annotated[list[Name], Field(min_length=1, max_length=20)]


class NoteOut(BaseModel):
    """Why a strategy did what it did, in its own words."""

    time_ns: TimeNs
    strategy_id: str
    text: str


class StrategyOut(BaseModel):
    """One of the account's strategies. ``stopped`` says why it does not trade."""

    strategy_id: str
    name: str
    params: dict[str, Any]
    instruments: list[str]
    stopped: str | None
    positions: dict[str, int]
    realised_units: Units
    unrealised_units: Units
    open_orders: int
    fills: int
    note: NoteOut | None


class ReasonIn(In):
    """Why."""

    reason: Text
    flatten: bool = False


class LimitOut(BaseModel):
    """A limit of the risk profile and how much of it is used."""

    name: str
    limit: float
    used: float
    unit: str


class RestrictionOut(BaseModel):
    """Something that keeps the account from trading freely."""

    cause: str
    whose: str
    detail: str


class RiskOut(BaseModel):
    """The account's risk: profile in force, limits, restrictions, tripped scopes."""

    account_id: str
    profile: str
    profile_version: int
    settings: dict[str, Any]
    limits: list[LimitOut]
    drawdown: float
    tier: int
    restrictions: list[RestrictionOut]
    tripped: list[dict[str, str]]
    value_at_risk: float | None
    expected_shortfall: float | None
    stopped: str | None


class AccountRiskOut(BaseModel):
    """One line of the operator's table."""

    account_id: str
    nav_units: Units
    day_units: Units | None
    leverage: float
    value_at_risk: float | None
    open_orders: int
    tripped: bool
    stopped: str | None
    profile: str


class ProfileOut(BaseModel):
    """A risk profile that can be chosen, or a file that is none: then ``problem`` says why."""

    name: str
    version: int | None
    source: str
    sha256: str
    backtest_only: bool
    problem: str | None


class ProfileChangedOut(BaseModel):
    """By which profile an account was judged from a moment on, who said so, and the approval where there was one."""

    time_ns: TimeNs
    profile: str
    version: int
    actor: str
    approval_id: str


class ProfileChangeOut(BaseModel):
    """What another profile changes. Fields of ``looser`` allow more, and need a founder's approval.

    ``in_force`` is the whole profile that holds, as ``njord risk approve --after`` reads it from a file.
    """

    account_id: str
    before: str
    before_version: int
    after: str
    after_version: int
    looser: list[str]
    tighter: list[str]
    changed: dict[str, tuple[Any, Any]]
    in_force: dict[str, Any]


class ProfileIn(In):
    """The profile to judge by. ``approval`` is the text of a founder's signed approval, where it allows more."""

    profile: Name
    approval: Annotated[str, Field(max_length=16_384)] | None = None


class KillIn(In):
    """Stop trading: everything, one venue, or one strategy; of one account, or of all."""

    scope: Name = "global"
    reason: Text
    account_id: Name | None = None
    flatten: bool = False


class ClearIn(In):
    """Let trading go on."""

    scope: Name = "global"
    reason: Text
    account_id: Name | None = None


class LinkOut(BaseModel):
    """One link of a chain of causes."""

    sequence: int
    time: str
    what: str
    detail: str


class WhyOut(BaseModel):
    """Why an order or a fill happened, from the market event to the entry in the ledger."""

    subject: str
    order_id: str
    links: list[LinkOut]


class StepOut(BaseModel):
    """One step on record: the event, and what the engine decided."""

    sequence: int
    time_ns: TimeNs
    cause: str
    event: dict[str, Any] | None
    commands: list[dict[str, Any]]


class TimelineOut(BaseModel):
    """A piece of a session, and how long it is."""

    session_id: str
    first: int
    last: int
    steps: list[StepOut]


class AuditSessionOut(BaseModel):
    """A session on record."""

    session_id: str
    bytes: int
    complete: bool


class VerifyOut(BaseModel):
    """What came of verifying the account's ledger and journals."""

    ok: bool
    breaks: list[str]
    records: int


class BacktestIn(In):
    """A backtest of one strategy on the candles that were recorded of one instrument."""

    strategy: Name
    params: dict[str, bool | int | float | str] = Field(default_factory=dict)
    instrument_id: Name
    interval_s: int = 60
    cash: DecimalText = "1000000"
    taker_fee: DecimalText = "0.001"


class BacktestOut(BaseModel):
    """A backtest: running, done or failed."""

    backtest_id: str
    status: Literal["waiting", "running", "done", "failed"]
    progress: float
    strategy: str
    instrument_id: str
    params: dict[str, Any]
    error: str | None
    digest: str | None
    stats: dict[str, Any]
    report: bool
