"""What travels over HTTP and WebSocket, from which OpenAPI and the web app's types are made.

Fields may be added, never renamed. Money and times are text, since a browser's numbers end at 2^53: ``*_units`` are in
1e-18 of the asset, ``*_ns`` in nanoseconds UTC. Prices are whole ticks and quantities whole lots of an instrument.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Units = Annotated[str, Field(pattern=r"^-?\d{1,60}$", description="1e-18 of the asset")]
TimeNs = Annotated[str, Field(pattern=r"^-?\d{1,20}$", description="nanoseconds UTC")]
Level = tuple[int, int]  # price_ticks, lots
Name = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
DecimalText = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^-?\d+(\.\d+)?$")]


class In(BaseModel):
    """What comes from outside: nothing that is not expected."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why a request was refused. ``field`` names what is wrong in it, where one thing is."""

    error: str
    field: str | None = None
    retry_after_s: int | None = None


class Credentials(In):
    """Who logs in or registers."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class LogInTicket(In):
    """What the platform prints at its start: whoever sees its terminal may log in."""

    ticket: Annotated[str, Field(min_length=1, max_length=100)]


class NewPassword(In):
    """A change of one's own password."""

    current: Annotated[str, Field(min_length=1, max_length=256)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Reset(In):
    """A new password by a token."""

    token: Annotated[str, Field(min_length=1, max_length=100)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Me(BaseModel):
    """Who is logged in. ``csrf`` goes into the X-CSRF-Token header of every request that changes something."""

    name: str
    role: Literal["trader", "operator", "founder"]
    account_id: str
    csrf: str
    session_id: str


class SessionOut(BaseModel):
    """One log-in."""

    session_id: str
    agent: str
    address: str
    created_ns: TimeNs
    seen_ns: TimeNs
    ends_ns: TimeNs
    current: bool


class InstrumentOut(BaseModel):
    """An instrument. A price is ``ticks * price_tick``, a quantity ``lots * quantity_lot``."""

    instrument_id: str
    name: str
    sector: str
    kind: str
    liquidity: str
    over_the_counter: bool
    base: str
    quote: str
    price_tick: str
    quantity_lot: str
    multiplier: str
    paid_in_full: bool
    underlier: str | None
    expiry_ns: TimeNs | None
    strike: str | None
    right: str | None
    coupon_rate: str | None


class QuoteOut(BaseModel):
    """Best bid and ask. A side without liquidity has 0 lots."""

    instrument_id: str
    venue_time_ns: TimeNs
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    last_ticks: int | None = None
    open_ticks: int | None = None  # What the day, or our memory of it, began with
    halted: bool = False


class DepthOut(BaseModel):
    """A book, best levels first."""

    instrument_id: str
    time_ns: TimeNs
    bids: list[Level]
    asks: list[Level]


class TradeOut(BaseModel):
    """A trade. ``aggressor``: 1 a buyer crossed, -1 a seller, 0 an auction."""

    instrument_id: str
    venue_time_ns: TimeNs
    price_ticks: int
    quantity_lots: int
    aggressor: int


class CandleOut(BaseModel):
    """A candle that began at ``start_ns``. Prices and volume are numbers for drawing."""

    start_ns: TimeNs
    open: float
    high: float
    low: float
    close: float
    volume: float


class DealerQuoteOut(BaseModel):
    """One dealer's quote, good until it expires."""

    quote_id: str
    dealer: str
    instrument_id: str
    venue_time_ns: TimeNs
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    expires_ns: TimeNs


class OptionOut(BaseModel):
    """An option of a chain, with its model's value, volatility and greeks for one unit of the underlier."""

    instrument_id: str
    expiry_ns: TimeNs
    strike: str
    right: str
    fair: float
    volatility: float
    spot: float
    years: float
    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0


class CurveOut(BaseModel):
    """Zero rates, continuously compounded, at their times in years; and par rates at the risk buckets."""

    years: list[float]
    zeros: list[float]
    par: list[tuple[float, float]]


class ScenarioOut(BaseModel):
    """A scenario: what happens, and when after its start."""

    scenario_id: str
    name: str
    steps: list[dict[str, Any]]


class ScenarioIn(In):
    """A new scenario."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    steps: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]


class HealthOut(BaseModel):
    """How the platform is doing. ``stale`` instruments have been silent for too long."""

    ok: bool
    time_ns: TimeNs
    behind_ms: float
    events: int
    accounts: int
    stale: list[str]
    failure: str | None
    version: str
    world: str
