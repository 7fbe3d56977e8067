"""The port of ledgers: where records are kept for good. Append-only, chained by hash, one transaction a call.

Adapters: ``ledger.memory``, and ``ledger.sql`` on SQLite and PostgreSQL. One contract suite holds for all of them.
"""

import enum
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from njord.ledger.record import StepRecord


class Head(msgspec.Struct, frozen=True):
    """Where an account's ledger ends: so many records, the last of this session and sequence, and the chain so far."""

    position: int  # 0: empty
    session_id: str
    sequence: int
    chain: str  # SHA-256 in hexadecimal; 64 zeros when empty


class BreakKind(enum.StrEnum):
    """What is wrong with a record or a row. Closed list."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"
    OUT_OF_ORDER = "out_of_order"
    UNBALANCED = "unbalanced"
    UNREADABLE = "unreadable"


class Break(msgspec.Struct, frozen=True):
    """One thing a verification found: which table and record, and both sides where there are two."""

    kind: BreakKind
    account_id: str
    table: str
    position: int
    detail: str


class LedgerRefused(ValueError):
    """The ledger did not take a record: it breaks a rule the database itself holds. Nothing was written."""


class LedgerUnavailable(OSError):
    """The ledger cannot be reached or written now. Nothing was written; the same call may succeed later."""


class Ledger(Protocol):
    """One writer an account at a time. Every method raises LedgerUnavailable when the store cannot be reached."""

    def head(self, account_id: str) -> Head: ...

    def commit(self, records: Sequence[StepRecord]) -> Head:
        """Append records of one account, all or none, in one transaction. Return the new head.

        Records that are there already (same session and sequence, same content) are passed over, so that a call may be
        repeated after a crash. Raises LedgerRefused for one that is there with other content, that comes before the
        last, that carries an identifier (of an order, fill, entry, signal) used before, or that breaks a limit.
        """

    def records(self, account_id: str, after: int = 0) -> Iterator[StepRecord]:
        """Yield an account's records in order, from the one after a position."""

    def accounts(self) -> list[str]: ...

    def verify(self, account_id: str | None = None) -> list[Break]:
        """Recompute every hash, chain and row, of one account or of all. Return what does not hold, in order."""

    def close(self) -> None: ...
