"""Writing a data set: staged beside the catalog, merged with what is there, moved into place at the end.

Until ``commit`` nothing of it is visible. Each partition then appears whole, by a rename; a crash between two
renames leaves some partitions old and some new, and writing the same rows again finishes the job.
"""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from njord.domain.clock import iso
from njord.domain.instrument import Instrument
from njord.market.catalog.parquet import FileRange, PartitionWriter, read_groups, sync_folder
from njord.market.catalog.schema import (
    COLUMNS,
    KEYS,
    REPEATABLE,
    Array,
    CatalogError,
    Columns,
    DatasetId,
    Ints,
    checked,
    partition_name,
    partition_starts,
    time_column,
)


class Writer:
    """Takes rows in time order, in chunks, with memory bounded by one row group. A context manager.

    Leaving it normally commits; an exception, or ``abandon``, leaves the catalog as it was.
    """

    def __init__(
        self, root: Path, folder: Path, dataset_id: DatasetId, instrument: Instrument, *, replace: bool
    ) -> None:
        self.rows_written = 0
        self._root, self._folder = root, folder
        self._dataset_id, self._instrument, self._replace = dataset_id, instrument, replace
        self._staging: Path | None = None
        self._partition: PartitionWriter | None = None
        self._partition_start_ns = 0
        self._staged: list[Path] = []
        self._last_ns: int | None = None
        self._last_key: tuple[int, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()

    def write(self, columns: Columns) -> None:
        """Append rows. Raises CatalogError when they are earlier than rows before, or repeat a key."""
        rows = checked(self._dataset_id, columns)
        times = rows[time_column(self._dataset_id.kind)]
        if not len(times):
            return
        self._check_order(rows, times)
        starts = partition_starts(self._dataset_id.kind, times)
        edges = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(times)]
        for first, last in pairwise(edges):
            self._partition_of(int(starts[first])).write({name: array[first:last] for name, array in rows.items()})

    def commit(self) -> int:
        """Merge with what the catalog has and move into place; return how many rows are new."""
        try:
            self._close_partition()
            if self._staged:
                with _locked(self._root):
                    self._move_into_place()
        finally:
            self.abandon()
        return self.rows_written

    def abandon(self) -> None:
        """Forget all that was staged. Safe to call twice."""
        if self._partition is not None:
            self._partition.abandon()
            self._partition = None
        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)
            self._staging = None
        self._staged = []

    def _check_order(self, rows: dict[str, Array], times: Ints) -> None:
        back = np.flatnonzero(np.diff(times) < 0)
        if len(back) or (self._last_ns is not None and times[0] < self._last_ns):
            at = int(times[back[0] + 1]) if len(back) else int(times[0])
            raise CatalogError(f"{self._dataset_id}: rows must be in time order, {iso(at)} comes after a later one")
        self._last_ns = int(times[-1])
        if self._dataset_id.kind in REPEATABLE:
            return
        keys = np.stack([rows[name].astype(np.int64) for name in KEYS[self._dataset_id.kind]])
        same = np.flatnonzero((keys[:, 1:] == keys[:, :-1]).all(axis=0))
        if len(same) or tuple(keys[:, 0].tolist()) == self._last_key:
            at = int(times[same[0]]) if len(same) else int(times[0])
            raise CatalogError(f"{self._dataset_id}: two rows for {iso(at)}")
        self._last_key = tuple(keys[:, -1].tolist())

    def _partition_of(self, start_ns: int) -> PartitionWriter:
        if self._partition is not None and self._partition_start_ns == start_ns:
            return self._partition
        self._close_partition()
        if self._staging is None:
            self._root.mkdir(parents=True, exist_ok=True)
            self._staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self._root))
        path = self._staging / partition_name(self._dataset_id.kind, start_ns)
        self._partition = PartitionWriter(path, self._dataset_id, self._instrument)
        self._partition_start_ns = start_ns
        return self._partition

    def _close_partition(self) -> None:
        if self._partition is not None:
            self._partition.close()
            self._staged.append(self._partition.path)
            self._partition = None

    def _move_into_place(self) -> None:
        # All merges first: when the last partition contradicts the catalog, the first has not changed either
        moves: list[tuple[Path, Path]] = []
        for staged in self._staged:
            target = self._folder / staged.name
            incoming = FileRange(staged, self._dataset_id, self._instrument)
            if not target.exists():
                self.rows_written += incoming.rows
                moves.append((staged, target))
                continue
            existing = FileRange(target, self._dataset_id, self._instrument)
            merged, new = self._merge(existing, incoming)
            self.rows_written += new
            if merged is not None:
                moves.append((merged, target))
        self._folder.mkdir(parents=True, exist_ok=True)
        for source, target in moves:
            source.replace(target)
        sync_folder(self._folder)

    def _merge(self, existing: FileRange, incoming: FileRange) -> tuple[Path | None, int]:
        # Window by window, where no window holds more than about a row group of either file
        merged = incoming.path.with_suffix(".merged")
        writer = PartitionWriter(merged, self._dataset_id, self._instrument)
        edges = sorted({*existing.firsts, *incoming.firsts})
        new, changed = 0, False
        names, time_name = list(COLUMNS[self._dataset_id.kind]), time_column(self._dataset_id.kind)
        try:
            for start_ns, end_ns in zip(edges, [*edges[1:], None], strict=True):
                old = _concatenated(list(read_groups(existing, names, time_name, start_ns, end_ns)), names)
                fresh = _concatenated(list(read_groups(incoming, names, time_name, start_ns, end_ns)), names)
                rows, new_here, changed_here = merged_rows(self._dataset_id, old, fresh, replace=self._replace)
                new, changed = new + new_here, changed or changed_here
                if rows:
                    writer.write(rows)
        except BaseException:
            writer.abandon()
            raise
        writer.close()
        return (merged, new) if new or changed else (None, 0)


def merged_rows(
    dataset_id: DatasetId, old: dict[str, Array], fresh: dict[str, Array], *, replace: bool
) -> tuple[dict[str, Array], int, bool]:
    """Return the rows of both, in time order, how many are new, and whether an old one was replaced.

    Raises CatalogError naming the time where a row has the key of a stored one and says something else.
    """
    if not old or not fresh:
        return (fresh or old), len(next(iter(fresh.values()))) if fresh else 0, False
    old_keys, fresh_keys = _keys(dataset_id, old), _keys(dataset_id, fresh)
    order = np.argsort(old_keys)
    place = np.minimum(np.searchsorted(old_keys[order], fresh_keys), len(order) - 1)
    partner = order[place]
    known = old_keys[partner] == fresh_keys
    differs = known & np.logical_or.reduce([fresh[name] != old[name][partner] for name in fresh])
    if differs.any() and not replace:
        at = int(fresh[time_column(dataset_id.kind)][np.flatnonzero(differs)[0]])
        raise CatalogError(
            f"{dataset_id}: {int(differs.sum())} rows differ from what is stored, the first at {iso(at)};"
            " use replace to overwrite them"
        )
    out: dict[str, Array] = {}
    for name, array in old.items():
        base = array.astype(np.result_type(array, fresh[name])) if array.dtype.kind == "U" else array.copy()
        base[partner[differs]] = fresh[name][differs]
        out[name] = np.concatenate([base, fresh[name][~known]])
    by_time = np.argsort(out[time_column(dataset_id.kind)], kind="stable")
    return {name: array[by_time] for name, array in out.items()}, int((~known).sum()), bool(differs.any())


def _keys(dataset_id: DatasetId, rows: dict[str, Array]) -> Array:
    # One structured value per row: the key columns, and which of the rows with that key it is
    names = KEYS[dataset_id.kind]
    parts = [rows[name].astype(np.int64) for name in names]
    keys = np.zeros(len(parts[0]), dtype=[(name, np.int64) for name in (*names, "n")])
    for name, part in zip(names, parts, strict=True):
        keys[name] = part
    if dataset_id.kind in REPEATABLE:
        order = np.lexsort((np.arange(len(parts[0])), *reversed(parts)))
        grouped = np.stack([part[order] for part in parts])
        fresh = np.concatenate([[True], (grouped[:, 1:] != grouped[:, :-1]).any(axis=0)])
        positions = np.arange(len(order))
        keys["n"][order] = positions - np.maximum.accumulate(np.where(fresh, positions, 0))
    return keys


def _concatenated(chunks: list[dict[str, Array]], names: list[str]) -> dict[str, Array]:
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in names} if chunks else {}


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    # Two imports into one partition at once would lose the rows of the first to finish
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
