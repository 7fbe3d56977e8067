"""Guard for event streams: times never go back, book sequences go up. What breaks that is set aside and counted."""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from njord.domain.market import Kind
from njord.market.catalog import Columns
from njord.market.catalog.schema import Array, time_column

INT64_MIN = -(2**63)


class Quarantine(msgspec.Struct):
    """What was set aside: rows by reason, and the first of them."""

    time_back: int = 0
    sequence_back: int = 0
    first_ns: int | None = None

    @property
    def count(self) -> int:
        return self.time_back + self.sequence_back


class Guarded:
    """Yields chunks of one data set without the rows out of order. ``quarantine`` counts those, while reading."""

    def __init__(self, kind: Kind, chunks: Iterable[Columns]) -> None:
        self.kind = kind
        self.quarantine = Quarantine()
        self._chunks = chunks
        self._time_ns = INT64_MIN
        self._sequence = INT64_MIN
        self._moment_ns = INT64_MIN

    def __iter__(self) -> Iterator[dict[str, Array]]:
        for chunk in self._chunks:
            kept = self._kept(chunk)
            if kept.all():
                yield dict(chunk)
            elif kept.any():
                yield {name: array[kept] for name, array in chunk.items()}

    def _kept(self, chunk: Columns) -> Array:
        times = chunk[time_column(self.kind)]
        kept = np.ones(len(times), dtype=np.bool_)
        if not len(times):
            return kept
        back = times < running_max(times, self._time_ns)
        self.quarantine.time_back += int(back.sum())
        kept &= ~back
        if self.kind is Kind.BOOK:
            fine = self._in_sequence(chunk, kept)
            self.quarantine.sequence_back += int((kept & ~fine).sum())
            kept &= fine
        if not kept.all() and self.quarantine.first_ns is None:
            self.quarantine.first_ns = int(times[np.flatnonzero(~kept)[0]])
        self._time_ns = max(self._time_ns, int(times.max()))
        return kept

    def _in_sequence(self, chunk: Columns, kept: Array) -> Array:
        # Rows of one (sequence, time) are one update. A snapshot may begin a new count
        fine = np.ones(len(kept), dtype=np.bool_)
        sequence, times, snapshot = chunk["sequence"], chunk["venue_time_ns"], chunk["snapshot"]
        positions = np.flatnonzero(kept)
        if not len(positions):
            return fine
        turns = np.flatnonzero(np.diff(snapshot[positions])) + 1
        for part in np.split(positions, turns):
            numbers, moments = sequence[part], times[part]
            if snapshot[part[0]]:
                self._sequence, self._moment_ns = int(numbers[-1]), int(moments[-1])
                continue
            before = running_max(numbers, self._sequence)
            fresh = numbers > before
            # The row that brought the highest number so far: those which share its moment are of one update
            leader = np.maximum.accumulate(np.where(fresh, np.arange(len(part)), -1))
            leader_ns = np.where(leader >= 0, moments[leader], self._moment_ns)
            joins = (numbers == before) & ((moments == leader_ns) | (numbers == 0))
            fine[part] = fresh | joins
            if leader[-1] >= 0:
                self._sequence, self._moment_ns = int(numbers[leader[-1]]), int(moments[leader[-1]])
        return fine


def running_max(values: Array, start: int) -> Array:
    """Return for each value the largest of ``start`` and those before it."""
    highest: Array = np.maximum.accumulate(np.concatenate([[start], values]))[:-1]
    return highest
