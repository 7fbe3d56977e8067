"""Commands: all that a step of the engine decides. Their canonical bytes, chained, are the digest of a run."""

import msgspec

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


OrderCommand = NewOrder | CancelOrder | ReplaceOrder
Command = NewOrder | CancelOrder | ReplaceOrder | Refused | SetTimer | StrategyStopped | StrategyNote | Entry
