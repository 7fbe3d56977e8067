"""What a gateway in another process and the platform say to each other: questions, answers, and what viewers see.

``payload`` and what is shown are JSON, made once by whoever knows and passed on as bytes.
"""

import enum

import msgspec


class Failing(enum.StrEnum):
    """Why a question has no answer. Closed list."""

    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    NOT_GRANTED = "not_granted"
    BUSY = "busy"
    STOPPED = "stopped"
    FAILED = "failed"  # A defect: its trace is where the platform runs


class Asked(msgspec.Struct, frozen=True, gc=False, tag="asked"):
    """A question to one of the platform's services. One that comes too late is not acted on."""

    question: str
    gateway: str
    service: str
    method: str
    payload: bytes
    asked_ns: int


class Answered(msgspec.Struct, frozen=True, gc=False, tag="answered"):
    """The answer, or why there is none: then ``payload`` is empty, and ``field`` names what was wrong, if one was."""

    question: str
    payload: bytes = b""
    failing: Failing | None = None
    field: str = ""
    what: str = ""


class MarketStatus(msgspec.Struct, frozen=True, gc=False):
    """How the market is doing."""

    time_ns: int
    behind_ms: float
    stale: int
    tripped: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """What happened in the market within a moment, by instrument, as messages for viewers.

    ``life`` is another after each start of the platform: what was asked of an earlier one is not answered any more.
    """

    time_ns: int
    quotes: dict[str, bytes] = {}
    trades: dict[str, tuple[bytes, ...]] = {}
    books: dict[str, bytes] = {}
    status: MarketStatus | None = None
    life: int = 0


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """What happened to an account, as messages for its owner: each with its number, which has no gaps.

    ``resync`` is a number up to which changes are not told any more: their owner reads it all anew.
    """

    account_id: str
    changes: tuple[tuple[int, bytes], ...] = ()
    resync: int | None = None
    portfolio: bytes = b""
