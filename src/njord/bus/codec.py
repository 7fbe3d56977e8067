"""Messages as bytes.

Two forms, both deterministic: the same message gives the same bytes in every process and Python version.

- canonical: JSON with fields in the order of their definition. Journals and digests are made of it.
- wire: msgpack, compact. msgpack cannot name an integer beyond 64 bits, and money can be one, so such a message
  travels as canonical JSON; the first byte tells them apart, since a msgpack map never begins with ``{``.

Reading is lenient towards newer writers (unknown fields are ignored) and strict about everything else.
"""

import msgspec

from njord.bus.asking import Answered, Asked, Changed, Shown
from njord.domain.command import (
    Assessed,
    CancelOrder,
    Entry,
    Reallocated,
    Refused,
    ReplaceOrder,
    Restricted,
    SetTimer,
    Snapshot,
    StrategyNote,
    StrategyStopped,
)
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    TimerFired,
)
from njord.domain.exposure import Exposure
from njord.domain.fill import Fill
from njord.domain.governance import (
    AllocationChanged,
    Cleared,
    ClockTick,
    Deposited,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Tripped,
)
from njord.domain.instruction import Instructed
from njord.domain.market import (
    Bar,
    BookUpdate,
    DealerQuote,
    Dividend,
    Expiry,
    Funding,
    Quote,
    QuoteBar,
    Split,
    Trade,
    TradingStatus,
)
from njord.domain.order import NewOrder

Message = (
    Bar | QuoteBar | Quote | DealerQuote | Trade | BookUpdate | Funding | Split | Dividend | Expiry | TradingStatus
    | OrderAccepted | OrderRejected | OrderCancelled | OrderExpired | OrderReplaced | CancelRejected | Fill | TimerFired
    | OrderUnknown | ClockTick | Tripped | Cleared | ProfileChanged | AllocationChanged | ModelActivated
    | Deposited | Instructed | Exposure
    | NewOrder | CancelOrder | ReplaceOrder | Refused | SetTimer | StrategyStopped | StrategyNote | Entry
    | Restricted | Assessed | Snapshot | Reallocated
    | Asked | Answered | Shown | Changed
)  # fmt: skip

SCHEMA_VERSION = 1
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message on its way: what it is part of, and what made it.

    ``sequence`` counts up by one in each stream (``bus.topics``): a reader sees by it what it missed or had before.
    ``correlation_id`` is shared by all that one market event set off;
    ``causation_id`` names the message that directly caused this one, and is empty for market events.
    """

    topic: str
    sequence: int
    correlation_id: str
    causation_id: str
    body: Message
    version: int = SCHEMA_VERSION


class Malformed(ValueError):
    """Bytes that are no message of ours."""


_canonical = msgspec.json.Encoder()
_compact = msgspec.msgpack.Encoder()
_message_json = msgspec.json.Decoder(Message)
_message_msgpack = msgspec.msgpack.Decoder(Message)
_envelope_json = msgspec.json.Decoder(Envelope)
_envelope_msgpack = msgspec.msgpack.Decoder(Envelope)


def canonical(message: Message | Envelope) -> bytes:
    """Return the canonical bytes of a message."""
    return _canonical.encode(message)


def wire(message: Message | Envelope) -> bytes:
    """Return the compact bytes of a message."""
    try:
        return _compact.encode(message)
    except OverflowError:
        return _canonical.encode(message)


def message(data: bytes) -> Message:
    """Read a message in either form. Raises Malformed saying what is wrong and where."""
    try:
        read: Message = (_message_json if _checked(data)[0] == ord("{") else _message_msgpack).decode(data)
        return read
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"not a message: {error}") from error


def envelope(data: bytes) -> Envelope:
    """Read an envelope in either form. Raises Malformed saying what is wrong and where."""
    try:
        return (_envelope_json if _checked(data)[0] == ord("{") else _envelope_msgpack).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"not an envelope: {error}") from error


def _checked(data: bytes) -> bytes:
    if not 0 < len(data) <= MESSAGE_BYTES_MAX:
        raise Malformed(f"a message has 1 to {MESSAGE_BYTES_MAX} bytes, this has {len(data)}")
    return data
