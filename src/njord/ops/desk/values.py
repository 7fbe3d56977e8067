"""What the desk is asked and what it answers. Numbers are the engine's: ticks, lots and units.

What an instrument's ticks and lots are is in its ``Listing``.
"""

from typing import Any

import msgspec

from njord.domain.ids import InstrumentId, StrategyId
from njord.domain.instrument import Instrument
from njord.domain.limits import Refusal
from njord.domain.market import Quote
from njord.engine.simulation.blotter import Note, OrderLine
from njord.market.synthetic.universe import Liquidity


class BadRequest(ValueError):
    """What was asked for cannot be. The message names the field."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field = field


class NotFound(LookupError):
    """There is no such thing."""


class Listing(msgspec.Struct, frozen=True):
    """An instrument as it is traded here."""

    instrument: Instrument
    name: str
    sector: str
    liquidity: Liquidity
    over_the_counter: bool
    underlier: str | None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as somebody wants it. Numbers are decimal text, in the instrument's own units; ``order_key`` is theirs:
    the same key twice is one order.
    """

    order_key: str
    instrument_id: str
    side: str
    quantity: str
    order_type: str = "market"
    limit_price: str | None = None
    stop_price: str | None = None
    time_in_force: str = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    quote_id: str | None = None


class Placed(msgspec.Struct, frozen=True):
    """What became of a wish at once: the order as it is now, and why it was refused, where it was."""

    client_order_id: str
    refusal: Refusal | None
    order: OrderLine | None


class StrategyState(msgspec.Struct, frozen=True):
    """One of an account's strategies, as it is now."""

    strategy_id: StrategyId
    name: str
    params: dict[str, Any]
    instruments: tuple[str, ...]
    stopped: str | None
    positions: dict[InstrumentId, int]
    realised_units: int
    unrealised_units: int
    open_orders: int
    fills: int
    note: Note | None


class StrategyKind(msgspec.Struct, frozen=True):
    """A strategy that can be started, and its parameters: name to (type, default)."""

    name: str
    about: str
    params: dict[str, tuple[str, Any]]


class QuoteLine(msgspec.Struct, frozen=True):
    """One line of a watch list: the newest quote, the last price, and what it was a day, or all we know, ago."""

    quote: Quote
    last_ticks: int | None
    open_ticks: int | None
    halted: bool


class AccountLine(msgspec.Struct, frozen=True):
    """One line of an operator's list."""

    account_id: str
    nav_units: int
    day_units: int | None
    leverage: float
    value_at_risk: float | None
    open_orders: int
    tripped: bool
    stopped: str | None
    profile: str


class Health(msgspec.Struct, frozen=True):
    """How the market's feed is doing."""

    time_ns: int
    behind_ms: float
    events: int
    accounts: int
    accounts_stopped: int
    stale: tuple[InstrumentId, ...]
    failure: str | None
