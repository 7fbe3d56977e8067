"""What an import is asked to do, and what it says it did."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.market.importers.sieve import Reject

# (name of the file being read, share of all bytes read so far 0..1)
Progress = Callable[[str, float], None]


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller knows better than the files. None: found out from the files, and reported."""

    interval_ns: int | None = None
    columns: dict[str, str] = {}  # Ours to theirs: {"ts": "date"}
    timezone: str | None = None  # An offset such as +03:00, or a zone such as America/New_York
    time_unit: str | None = None  # s, ms, us, ns or iso
    price_tick: Decimal | None = None
    quantity_lot: Decimal | None = None
    multiplier: Decimal | None = None
    kind: InstrumentKind | None = None
    skip_bad: bool = False
    replace: bool = False
    quote_size: Decimal = Decimal(1_000_000)  # For dealers' quotes that state no size


class DatasetReport(msgspec.Struct, frozen=True):
    """One data set of an import: rows read and, of these, rows the catalog did not have before."""

    kind: str
    interval: str | None
    rows: int
    rows_new: int
    first_ns: int | None
    last_ns: int | None


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did. ``written`` is false when rows were refused and skipping them was not asked for."""

    instrument: InstrumentId
    format: str
    kind: str
    rows: int
    rows_new: int
    first_ns: int | None
    last_ns: int | None
    written: bool
    datasets: list[DatasetReport]
    rejected: list[Reject]  # The first REJECTS_LISTED_MAX
    rejected_count: int
    quality: dict[str, Any]
    notes: list[str]
    definition: Instrument
    ticker_changes: list[dict[str, str]] = []
