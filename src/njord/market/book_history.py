"""Stored books: their updates in order, and the book as it was at any moment."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate, Kind
from njord.market.book import Book
from njord.market.catalog import Catalog, Columns, DatasetId


def updates(instrument_id: InstrumentId, chunks: Iterable[Columns]) -> Iterator[BookUpdate]:
    """Yield book updates from columns of a book data set. Rows of one (sequence, venue_time_ns) are one update."""
    rows = (row for chunk in chunks for row in zip(*(chunk[name].tolist() for name in _BOOK_COLUMNS), strict=True))
    for (sequence, venue_time_ns, snapshot), group in groupby(rows, key=_update_key):
        bids: list[tuple[int, int]] = []
        asks: list[tuple[int, int]] = []
        known_ns = 0
        for _, local_time_ns, _, _, side, ticks, lots in group:
            known_ns = local_time_ns
            (bids if side > 0 else asks).append((ticks, lots))
        yield BookUpdate(instrument_id, venue_time_ns, known_ns, sequence, bool(snapshot), tuple(bids), tuple(asks))


def book_at(catalog: Catalog, instrument_id: InstrumentId, time_ns: int) -> Book:
    """Rebuild the book as it was at a venue time, with all updates of that moment applied."""
    ((_, book),) = books_at(catalog, instrument_id, [time_ns])
    return book


def books_at(catalog: Catalog, instrument_id: InstrumentId, times_ns: list[int]) -> Iterator[tuple[int, Book]]:
    """Yield (time, book) for each time, ascending, in one pass. The book is the same object, moved on each time."""
    dataset_id = DatasetId(instrument_id, Kind.BOOK)
    wanted = sorted(times_ns)
    if not wanted:
        return
    book = Book(instrument_id)
    start_ns = _last_snapshot_ns(catalog, dataset_id, wanted[0])
    position = 0
    for update in updates(instrument_id, catalog.read(dataset_id, start_ns, wanted[-1] + 1)):
        while position < len(wanted) and wanted[position] < update.venue_time_ns:
            yield wanted[position], book
            position += 1
        book.apply(update)
    for time_ns in wanted[position:]:
        yield time_ns, book


_BOOK_COLUMNS = (
    "venue_time_ns", "local_time_ns", "sequence", "snapshot", "side", "price_ticks", "quantity_lots",
)  # fmt: skip


def _update_key(row: tuple[int, ...]) -> tuple[int, int, int]:
    return row[2], row[0], row[3]


def _last_snapshot_ns(catalog: Catalog, dataset_id: DatasetId, time_ns: int) -> int | None:
    found: int | None = None
    for chunk in catalog.read(dataset_id, None, time_ns + 1, columns=("snapshot",)):
        at = np.flatnonzero(chunk["snapshot"])
        if len(at):
            found = int(chunk["venue_time_ns"][at[-1]])
    return found
