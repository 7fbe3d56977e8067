"""One partition file: writing it so that it is whole or absent, reading it one row group at a time."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from njord.domain.instrument import Instrument
from njord.market.catalog.schema import (
    COLUMNS,
    Array,
    CatalogError,
    Columns,
    DatasetId,
    arrow_schema,
    check_metadata,
    time_column,
)

# 128 Ki rows of 7 columns are 7 MB in memory: what one read holds. Larger groups compress hardly better.
GROUP_ROWS = 131_072


class FileRange:
    """What a footer says about a file: rows, and the first and last time of each row group."""

    def __init__(self, path: Path, dataset_id: DatasetId, instrument: Instrument | None) -> None:
        try:
            metadata = pq.read_metadata(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise CatalogError(f"{path}: not a readable Parquet file ({error})") from None
        if instrument is not None:
            check_metadata(metadata.metadata, dataset_id, instrument)
        position = list(COLUMNS[dataset_id.kind]).index(time_column(dataset_id.kind))
        groups = [metadata.row_group(index).column(position).statistics for index in range(metadata.num_row_groups)]
        self.path = path
        self.rows: int = metadata.num_rows
        self.firsts: list[int] = [group.min for group in groups]
        self.lasts: list[int] = [group.max for group in groups]

    @property
    def first_ns(self) -> int:
        return self.firsts[0]

    @property
    def last_ns(self) -> int:
        return self.lasts[-1]


class PartitionWriter:
    """Writes one file in time order, as row groups of GROUP_ROWS. ``close`` makes it durable."""

    def __init__(self, path: Path, dataset_id: DatasetId, instrument: Instrument) -> None:
        self.path = path
        self.rows = 0
        self._schema = arrow_schema(dataset_id, instrument)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        floats = [field.name for field in self._schema if field.type == pa.float64()]
        integers = [field.name for field in self._schema if field.type in (pa.int64(), pa.int8())]
        # Delta packing turns times and ticks into a few bits each; a byte split puts like bytes of floats together
        encoding = {name: "DELTA_BINARY_PACKED" for name in integers if self._schema.field(name).type == pa.int64()}
        encoding |= dict.fromkeys(floats, "BYTE_STREAM_SPLIT")
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=[name for name in self._schema.names if name not in encoding],
            column_encoding=encoding,
            write_statistics=True,
        )

    def write(self, columns: Columns) -> None:
        """Append rows, which must not be earlier than those before."""
        table = to_table(columns, self._schema)
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        while self._pending_rows >= GROUP_ROWS:
            whole = pa.concat_tables(self._pending)
            self._writer.write_table(whole.slice(0, GROUP_ROWS), row_group_size=GROUP_ROWS)
            # A copy: a slice would keep all of what it was cut from alive
            rest = whole.slice(GROUP_ROWS)
            self._pending, self._pending_rows = [rest], rest.num_rows

    def close(self) -> None:
        if self._pending_rows:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=GROUP_ROWS)
        self._pending = []
        self._writer.close()
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def abandon(self) -> None:
        self._pending = []
        self._writer.close()


def read_groups(
    found: FileRange, kind_columns: list[str], time_name: str, start_ns: int | None, end_ns: int | None
) -> Iterator[dict[str, Array]]:
    """Yield the rows with start <= time < end, one row group at a time. The file is open only while this runs."""
    wanted = [
        index
        for index, (first, last) in enumerate(zip(found.firsts, found.lasts, strict=True))
        if (start_ns is None or last >= start_ns) and (end_ns is None or first < end_ns)
    ]
    if not wanted:
        return
    with pq.ParquetFile(found.path, memory_map=False, pre_buffer=False, buffer_size=1 << 16) as file:
        for index in wanted:
            table = file.read_row_group(index, columns=kind_columns, use_threads=False)
            columns = {name: to_array(table.column(name)) for name in kind_columns}
            del table
            times = columns[time_name]
            first = 0 if start_ns is None else int(np.searchsorted(times, start_ns, "left"))
            last = len(times) if end_ns is None else int(np.searchsorted(times, end_ns, "left"))
            if (first, last) != (0, len(times)):
                columns = {name: array[first:last] for name, array in columns.items()}
            if first < last:
                yield columns


def to_table(columns: Columns, schema: pa.Schema) -> pa.Table:
    """Return arrays as an Arrow table of the schema."""
    arrays = [
        pa.array(columns[field.name].tolist() if field.type == pa.string() else columns[field.name], type=field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def to_array(column: pa.ChunkedArray) -> Array:
    """Return an Arrow column as a NumPy array; text as fixed-width unicode."""
    if column.type == pa.string():
        return np.array(column.to_pylist(), dtype=np.str_)
    # By DLPack, chunk by chunk: Arrow's own conversion of a chunked column imports all of pandas
    chunks: list[Array] = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    if not chunks:
        return np.empty(0, dtype=column.type.to_pandas_dtype())
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
