"""Files as blocks of rows: plain, gzip or zip, CSV, feather or Parquet, never more than a few megabytes in memory."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from njord.market.importers.sieve import Block, Ints, Rejects

BLOCK_BYTES = 4 << 20
LINE_BYTES_MAX = 16 << 20
TYPED_ROWS = 65_536

BytesRead = Callable[[int], None]


def opened(path: Path) -> IO[bytes]:
    """Open a plain, gzip or zip file for reading its text. Raises ValueError of one line when that cannot be."""
    if not path.exists():
        raise ValueError(f"file {path}: not found")
    if path.is_dir():
        raise ValueError(f"file {path}: is a folder; name the files in it")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ValueError(f"file {path}: cannot be read ({error.strerror})") from None
    if not magic:
        raise ValueError(f"file {path}: is empty")
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if magic == b"PK\x03\x04":
        return _zip_member(path)
    return path.open("rb")


def line_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first row, whole lines) of a text file, some megabytes at a time.

    Raises ValueError naming the row after which a compressed stream breaks off.
    """
    row, rest = 1, b""
    with opened(path) as file:
        while True:
            chunk = _read(file, path, row, rest)
            if not chunk:
                break
            lines, newline, tail = (rest + chunk).rpartition(b"\n")
            if not newline:
                rest = tail
                if len(rest) > LINE_BYTES_MAX:
                    raise ValueError(
                        f"file {path}: row {row} is longer than {LINE_BYTES_MAX >> 20} MiB: not a text file"
                    )
                continue
            # Blank lines at the very end are no rows; whether these are the last shows only with the next chunk
            body = lines.rstrip(b"\r\n")
            blank = lines[len(body) :]
            if body and b"\n" in blank:
                block, rest = body + b"\n", blank.partition(b"\n")[2] + newline + tail
            else:
                block, rest = lines + newline, tail
            yield row, block
            row += block.count(b"\n")
    last = rest.rstrip(b"\r\n")
    if last:
        yield row, last + b"\n"
    elif row == 1:
        raise ValueError(f"file {path}: is empty")


def first_fields(path: Path) -> list[str]:
    """Return the fields of a CSV file's first row."""
    return first_rows(path, 1)[0]


def first_rows(path: Path, count: int) -> list[list[str]]:
    """Return the fields of a CSV file's first rows, at least one."""
    with opened(path) as file:
        try:
            raw = b"".join(file.readline(LINE_BYTES_MAX) for _ in range(count))
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
            raise ValueError(f"file {path}: {_broken(path)} within the first {count} rows") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"file {path}: the first rows are not text") from None
    if not text.strip():
        raise ValueError(f"file {path}: is empty")
    return [[field.strip() for field in fields] for fields in csv.reader(io.StringIO(text)) if fields]


def csv_blocks(path: Path, columns: tuple[str, ...], *, header: bool, rejects: Rejects) -> Iterator[Block]:
    """Yield a CSV file as blocks of text columns; ``columns`` names them by position, '' for those not wanted.

    Rows of another width are refused here.
    """
    names = [name or f"_{index}" for index, name in enumerate(columns)]
    wanted = [name for name in columns if name]
    for first_row, raw in line_blocks(path):
        block, row = raw, first_row
        if row == 1:
            block = block.removeprefix(b"\xef\xbb\xbf")
            if header:
                block, row = block.partition(b"\n")[2], 2
        if block:
            yield _parsed(path, block, row, names, wanted, rejects)


def typed_blocks(path: Path, renamed: dict[str, str], time_name: str) -> Iterator[Block]:
    """Yield a feather or Parquet file as blocks. Numbers become the shortest text that reads back as the same."""
    row = 1
    for batch in _batches(path):
        text, time_ns = {}, None
        for theirs, ours in renamed.items():
            column = batch.column(batch.schema.get_field_index(theirs))
            if ours == time_name and pa.types.is_temporal(column.type):
                time_ns = _nanoseconds(path, column)
            else:
                text[ours] = pc.fill_null(pc.cast(column, pa.string()), "")
        yield Block(path.name, np.arange(row, row + batch.num_rows), text, time_ns)
        row += batch.num_rows


def typed_names(path: Path) -> list[str]:
    """Return the column names of a feather or Parquet file."""
    opened(path).close()
    try:
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names)
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
            return list(reader.schema.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"file {path}: not a readable {path.suffix[1:]} file ({error})") from None


def is_typed(path: Path) -> bool:
    """Return whether a file carries its own column types: feather, Arrow or Parquet."""
    return path.suffix in (".feather", ".parquet", ".arrow")


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(TYPED_ROWS, use_threads=False)
        return
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


def _nanoseconds(path: Path, column: pa.Array) -> Ints:
    if column.null_count:
        raise ValueError(f"file {path}: a time is missing in one of rows 1 to {len(column)}")
    moments = pc.cast(column, pa.timestamp("ns", getattr(column.type, "tz", None)))
    values: Ints = pc.cast(moments, pa.int64()).to_numpy()
    return values


def _parsed(path: Path, block: bytes, row: int, names: list[str], wanted: list[str], rejects: Rejects) -> Block:
    wrong: list[int] = []

    def refuse(bad: "pyarrow.csv.InvalidRow") -> str:
        wrong.append(bad.number - 1)
        rejects.add(path.name, row + bad.number - 1, f"{bad.actual_columns} columns, expected {bad.expected_columns}")
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(block),
            # One block and no threads: only then does a bad row say its number
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=refuse, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, include_columns=wanted
            ),
        )
    except pa.ArrowInvalid as error:
        raise ValueError(f"file {path}: not CSV text after row {row - 1} ({error})") from None
    rows = np.arange(row, row + table.num_rows + len(wrong))
    rows = np.delete(rows, wrong) if wrong else rows
    return Block(path.name, rows, {name: _one_array(table.column(name)) for name in wanted})


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _read(file: IO[bytes], path: Path, row: int, rest: bytes) -> bytes:
    # read1: what has been decompressed before a stream breaks off still counts
    chunks: list[bytes] = []
    size = 0
    read = getattr(file, "read1", file.read)
    try:
        while size < BLOCK_BYTES:
            chunk = read(1 << 18)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
        whole = row - 1 + (rest + b"".join(chunks)).count(b"\n")
        raise ValueError(f"file {path}: {_broken(path)} after row {whole}") from None
    return b"".join(chunks)


def _broken(path: Path) -> str:
    return "zip archive is damaged" if path.suffix == ".zip" else "gzip stream ends early"


def _zip_member(path: Path) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"file {path}: zip archive is damaged ({error})") from None
    members = [member for member in archive.namelist() if not member.endswith("/")]
    if len(members) != 1:
        raise ValueError(f"file {path}: holds {len(members)} files, expected 1")
    return archive.open(members[0])
