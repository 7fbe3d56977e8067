"""The catalog as its users see it: define instruments, write and read data sets, say what is there."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from njord.domain.clock import interval_ns
from njord.domain.ids import InstrumentId, instrument_id, venue_of
from njord.domain.instrument import Instrument
from njord.domain.market import Kind
from njord.domain.spelling import suggestion
from njord.market.catalog.parquet import FileRange, read_groups, sync_folder
from njord.market.catalog.schema import (
    COLUMNS,
    PRICELESS,
    SCHEMA_VERSION,
    Array,
    CatalogError,
    Columns,
    DatasetId,
    check_id,
    checked,
    partition_name,
    partition_starts,
    path_safe,
    time_column,
)
from njord.market.catalog.writing import Writer

CHUNK_ROWS = 65_536


class Dataset(msgspec.Struct, frozen=True):
    """What the catalog has of one data set. Times are of the first and last row, nanoseconds UTC."""

    id: DatasetId
    rows: int
    first_ns: int
    last_ns: int
    bytes: int


class Catalog:
    """Market data under one folder, which is created by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def define(self, instrument: Instrument) -> None:
        """Store the definition of an instrument. Raises CatalogError when stored data is on another grid."""
        path = self._home(instrument.instrument_id) / "instrument.json"
        if path.exists():
            known = self.instrument(instrument.instrument_id)
            if known == instrument:
                return
            same_grid = (known.price_tick, known.quantity_lot) == (instrument.price_tick, instrument.quantity_lot)
            if not same_grid and not self._is_gridless(path.parent):
                raise CatalogError(
                    f"{instrument.instrument_id}: has data with tick {known.price_tick} and lot {known.quantity_lot},"
                    f" cannot become tick {instrument.price_tick} and lot {instrument.quantity_lot}"
                )
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}.tmp")
        with staged.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(instrument), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        sync_folder(path.parent)

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """Return an instrument's definition. Raises CatalogError, with a suggestion, when it is not known."""
        path = self._home(instrument_id) / "instrument.json"
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise CatalogError(self._unknown(instrument_id)) from None
        try:
            return msgspec.json.decode(text, type=Instrument)
        except msgspec.MsgspecError as error:
            raise CatalogError(f"{path}: not an instrument definition ({error})") from None

    def is_priceless(self, instrument_id: InstrumentId) -> bool:
        """Whether there is data of an instrument, but none that depends on its grid, such as funding alone."""
        home = self._home(instrument_id)
        return any(home.glob("*/*.parquet")) and self._is_gridless(home)

    def instruments(self) -> list[Instrument]:
        """Return all instruments, by id."""
        found = [msgspec.json.decode(path.read_bytes(), type=Instrument) for path in self._definitions()]
        return sorted(found, key=lambda instrument: instrument.instrument_id)

    def datasets(self) -> list[Dataset]:
        """Return what there is, by instrument, kind and interval. Reads footers only."""
        found: list[Dataset] = []
        for definition in self._definitions():
            instrument = msgspec.json.decode(definition.read_bytes(), type=Instrument)
            for folder in sorted(path for path in definition.parent.iterdir() if path.is_dir()):
                kind, _, interval = folder.name.partition("-")
                dataset_id = DatasetId(
                    instrument.instrument_id, Kind(kind), interval_ns(interval) if interval else None
                )
                dataset = self.dataset(dataset_id)
                if dataset is not None:
                    found.append(dataset)
        return sorted(
            found, key=lambda dataset: (dataset.id.instrument_id, dataset.id.kind, dataset.id.interval_ns or 0)
        )

    def dataset(self, dataset_id: DatasetId) -> Dataset | None:
        """Return what there is of one data set, or None."""
        paths = self._partitions(dataset_id)
        if not paths:
            return None
        ranges = [FileRange(path, dataset_id, None) for path in paths]
        size = sum(path.stat().st_size for path in paths)
        rows = sum(each.rows for each in ranges)
        return Dataset(dataset_id, rows, ranges[0].first_ns, ranges[-1].last_ns, size)

    def read(
        self,
        dataset_id: DatasetId,
        start_ns: int | None = None,
        end_ns: int | None = None,
        chunk_rows: int = CHUNK_ROWS,
        columns: tuple[str, ...] | None = None,
    ) -> Iterator[dict[str, Array]]:
        """Yield rows with start <= time < end in time order, as columns of at most ``chunk_rows`` rows.

        One file is open at a time, and one row group of it in memory. ``columns`` names those wanted, all by default.
        Raises CatalogError, before the first chunk, when there is no such data set.
        """
        assert chunk_rows > 0, chunk_rows
        check_id(dataset_id)
        instrument = self.instrument(dataset_id.instrument_id)
        paths = self._partitions(dataset_id)
        if not paths:
            raise CatalogError(self._nothing(dataset_id))
        return self._chunks(dataset_id, instrument, paths, start_ns, end_ns, chunk_rows, columns)

    def write(self, dataset_id: DatasetId, columns: Columns, *, replace: bool = False) -> int:
        """Store rows, in any order, and return how many are new.

        The same rows again change nothing. Raises CatalogError when a row contradicts a stored one, unless ``replace``.
        """
        rows = checked(dataset_id, columns)
        order = np.argsort(rows[time_column(dataset_id.kind)], kind="stable")
        with self.writer(dataset_id, replace=replace) as writer:
            writer.write({name: array[order] for name, array in rows.items()})
        return writer.rows_written

    def writer(self, dataset_id: DatasetId, *, replace: bool = False, instrument: Instrument | None = None) -> Writer:
        """Return a writer for rows in time order, in chunks. Nothing is visible until it commits.

        ``instrument`` is for one that the catalog does not know yet; define it before the writer commits.
        """
        check_id(dataset_id)
        known = instrument or self.instrument(dataset_id.instrument_id)
        return Writer(self.root, self._folder(dataset_id), dataset_id, known, replace=replace)

    def content_hash(self, dataset_id: DatasetId, start_ns: int | None = None, end_ns: int | None = None) -> str:
        """Return SHA-256 of the rows in a range: the same rows give the same hash, however they are stored."""
        names = list(COLUMNS[dataset_id.kind])
        digests = {name: hashlib.sha256() for name in names}
        for chunk in self.read(dataset_id, start_ns, end_ns):
            for name in names:
                digests[name].update(_canonical(chunk[name]))
        whole = hashlib.sha256(f"njord {SCHEMA_VERSION} {dataset_id}\n".encode())
        for name, digest in digests.items():
            whole.update(f"{name} {digest.hexdigest()}\n".encode())
        return whole.hexdigest()

    def _chunks(
        self,
        dataset_id: DatasetId,
        instrument: Instrument,
        paths: list[Path],
        start_ns: int | None,
        end_ns: int | None,
        chunk_rows: int,
        columns: tuple[str, ...] | None,
    ) -> Iterator[dict[str, Array]]:
        time_name = time_column(dataset_id.kind)
        wanted = [name for name in COLUMNS[dataset_id.kind] if columns is None or name in (*columns, time_name)]
        for path in _within(paths, dataset_id.kind, start_ns, end_ns):
            found = FileRange(path, dataset_id, instrument)
            for rows in read_groups(found, wanted, time_name, start_ns, end_ns):
                length = len(rows[time_name])
                for first in range(0, length, chunk_rows):
                    yield {name: array[first : first + chunk_rows] for name, array in rows.items()}

    def _home(self, instrument: InstrumentId) -> Path:
        symbol = instrument_id(instrument).rpartition(".")[0]
        return self.root / venue_of(instrument) / path_safe(symbol)

    def _folder(self, dataset_id: DatasetId) -> Path:
        return self._home(dataset_id.instrument_id) / dataset_id.folder

    def _partitions(self, dataset_id: DatasetId) -> list[Path]:
        return sorted(self._folder(dataset_id).glob("*.parquet"))

    def _definitions(self) -> list[Path]:
        return sorted(self.root.glob("*/*/instrument.json"))

    def _is_gridless(self, home: Path) -> bool:
        return all(path.parent.name in PRICELESS for path in home.glob("*/*.parquet"))

    def _unknown(self, wanted: InstrumentId) -> str:
        names = [instrument.instrument_id for instrument in self.instruments()]
        if not names:
            return f"instrument {wanted!r}: the catalog {self.root} is empty; import data first"
        return f"instrument {wanted!r}: not in the catalog {self.root}{suggestion(wanted, names)}"

    def _nothing(self, wanted: DatasetId) -> str:
        there = [str(each.id.folder) for each in self.datasets() if each.id.instrument_id == wanted.instrument_id]
        return f"{wanted}: no such data in the catalog; there is {', '.join(there) or 'none of this instrument'}"


def _within(paths: list[Path], kind: Kind, start_ns: int | None, end_ns: int | None) -> list[Path]:
    # By name, so that partitions outside the range are not even opened
    def name_of(time_ns: int) -> str:
        return partition_name(kind, int(partition_starts(kind, np.array([time_ns]))[0]))

    first = "" if start_ns is None else name_of(start_ns)
    last = "\x7f" if end_ns is None else name_of(end_ns)
    return [path for path in paths if first <= path.name <= last]


def _canonical(array: Array) -> bytes:
    if array.dtype.kind == "U":
        return b"".join(text.encode() + b"\0" for text in array.tolist())
    if array.dtype.kind == "f":
        array = array + 0.0  # -0.0 becomes 0.0: they are the same volume
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
