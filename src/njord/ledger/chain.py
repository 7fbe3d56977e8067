"""Chained files: append-only lines of JSON, each with the hash of all before it, in segments.

A line is ``["<hash>",<body>]``: SHA-256 over the hash of the line before and this line's body, in hexadecimal. So a
changed, deleted, inserted or moved line is found and named, and what is left of a file cut off anywhere is every line
that was complete. Each segment begins with a line that names it, and the chain goes on from one to the next.

Nothing is acknowledged before ``sync`` has returned: until then a line may only be in the system's memory.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

GENESIS = "0" * 64
SEGMENT_BYTES_MAX = 64 * 1024 * 1024
LINE_BYTES_MAX = 64 * 1024 * 1024
SEGMENTS_MAX = 999_999

_HASH_END = 66  # ["<64 characters>
_FOLLOWED = re.compile(rb'"previous":"([0-9a-f]{64})"')
_SEGMENT = re.compile(r"-(\d{6})\.ndjson(\.gz)?")


class Broken(ValueError):
    """A chained file is not what was written. The message names the file and the line."""


class Unwritable(OSError):
    """What must be recorded cannot be: a full disk, a lost file. Nothing of it counts as recorded."""


class Chain:
    """The writing end of one chain, ``<name>-000001.ndjson`` and so on in a folder. One writer at a time.

    Opening cuts off a last line that was not finished, keeping the piece beside it as ``.torn``, and goes on after the
    last complete one. Raises Broken where complete lines do not verify, Unwritable where the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str, *, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._folder, self._name = folder, name
        self._segment_bytes_max = segment_bytes_max
        self._file: io.FileIO | None = None  # Unbuffered: nothing is written after it failed, or was given up
        self.head = GENESIS
        self.position = 0  # Lines so far, those that begin segments not counted
        self._segment = 0
        self._good_bytes = 0  # Of the current segment: what is known to be whole
        self._pending: list[bytes] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._recover()
        except OSError as error:
            raise Unwritable(error.errno, error.strerror, str(folder)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The segment that is being written."""
        return self._folder / segment_name(self._name, self._segment)

    def append(self, body: bytes) -> str:
        """Add a line to what the next ``sync`` writes. Return its hash. A body is one line of JSON."""
        assert b"\n" not in body, body[:100]
        assert len(body) <= LINE_BYTES_MAX, len(body)
        self.head = _linked(self.head, body)
        self.position += 1
        self._pending.append(b'["%s",%s]\n' % (self.head.encode(), body))
        return self.head

    def write(self) -> None:
        """Hand what was appended to the system. Raises Unwritable; then call it again: nothing is lost or doubled."""
        if not self._pending:
            return
        data = b"".join(self._pending)
        try:
            if self._file is None:
                self._reopen()
            assert self._file is not None
            _write_all(self._file, data)
        except OSError as error:
            self._drop_file()
            raise Unwritable(error.errno, error.strerror, str(self.path)) from error
        self._good_bytes += len(data)
        self._pending.clear()

    def sync(self) -> None:
        """Write, and wait until the disk has it. Raises Unwritable; then call it again."""
        self.write()
        if self._file is None:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unwritable(error.errno, error.strerror, str(self.path)) from error
        if self._good_bytes >= self._segment_bytes_max:
            self._rotate()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        if self._file is not None or self._pending:
            self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _recover(self) -> None:
        found = segments(self._folder, self._name)
        for path in found:
            tail = 0
            for number, line, end in _lines(path):
                self.head, body = _checked(path, number, self.head, line)
                self.position += not _names_segment(body)
                tail = end
            self._segment = _number(path)
            self._good_bytes = tail
        if not found:
            self._begin(1)
            return
        if found[-1].suffix == ".gz":
            self._begin(self._segment + 1)
            return
        self._reopen()
        if self._good_bytes == 0:  # Torn before its first line was whole
            self._drop_file()
            self._begin(self._segment)

    def _begin(self, number: int) -> None:
        assert number <= SEGMENTS_MAX, number
        self._segment, self._good_bytes = number, 0
        body = b'{"segment":%d,"previous":"%s"}' % (number, self.head.encode())
        head = _linked(self.head, body)
        line = b'["%s",%s]\n' % (head.encode(), body)
        self._file = self.path.open("wb", buffering=0)
        _write_all(self._file, line)
        os.fsync(self._file.fileno())
        _sync_folder(self._folder)
        self.head, self._good_bytes = head, len(line)

    def _rotate(self) -> None:
        self._drop_file()
        number, good_bytes = self._segment, self._good_bytes
        try:
            self._begin(number + 1)
        except OSError as error:
            # The old segment goes on until there is room for a new one
            self._drop_file()
            self.path.unlink(missing_ok=True)
            self._segment, self._good_bytes = number, good_bytes
            raise Unwritable(error.errno, error.strerror, str(self.path)) from error

    def _reopen(self) -> None:
        # A write that failed half-way may have left a piece of a line behind
        path = self.path
        size = path.stat().st_size
        if size > self._good_bytes:
            with path.open("rb") as file:
                file.seek(self._good_bytes)
                torn = file.read(LINE_BYTES_MAX)
            with contextlib.suppress(OSError):  # Worth keeping, but no reason to stop
                path.with_suffix(".torn").write_bytes(torn)
        self._file = path.open("rb+", buffering=0)
        self._file.truncate(self._good_bytes)
        self._file.seek(self._good_bytes)

    def _drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def segment_name(name: str, number: int) -> str:
    """Return the file name of a segment."""
    return f"{name}-{number:06d}.ndjson"


def segments(folder: Path, name: str) -> list[Path]:
    """Return a chain's segments in order, archived ones too. Raises Broken where one is missing."""
    found = {}
    for path in folder.glob(f"{name}-*.ndjson*"):
        matched = _SEGMENT.fullmatch(path.name[len(name) :])
        if matched:
            found[int(matched[1])] = path
    for expected, number in enumerate(sorted(found), start=1):
        if number != expected:
            raise Broken(f"{folder / segment_name(name, expected)}: missing, and there is a later one")
    return [found[number] for number in sorted(found)]


def read(folder: Path, name: str, *, expected: Sequence[str] = (), first_segment: int = 1) -> Iterator[bytes]:
    """Yield the bodies of a chain, each verified. A last line that was never finished is passed over.

    ``expected`` are hashes that somebody else took note of: each must be one of the chain's. From a later segment on,
    lines are held against the hash that it says it follows. Raises Broken naming file and line.
    """
    head, wanted = GENESIS, set(expected)
    for path in segments(folder, name)[first_segment - 1 :]:
        for number, line, _ in _lines(path):
            if number == 1 and _number(path) == first_segment > 1:
                head = _followed(line)
            head, body = _checked(path, number, head, line)
            wanted.discard(head)
            if not _names_segment(body):
                yield body
    if wanted:
        raise Broken(f"{folder}: {name}: does not have what was recorded elsewhere: it ends early, or is another one")


def first(path: Path) -> bytes | None:
    """Return the first body of a segment, not verified; None where there is none yet."""
    for number, line, _ in _lines(path):
        if number == 2:
            return line[_HASH_END + 2 : -2]
    return None


def last(folder: Path, name: str) -> bytes | None:
    """Return the newest body of a chain, not verified; None where there is none yet."""
    for path in reversed(segments(folder, name)):
        if path.suffix == ".gz":
            body = None
            for number, line, _ in _lines(path):
                body = line[_HASH_END + 2 : -2] if number > 1 else None
        else:
            body = _tail(path)
        if body is not None:
            return body
    return None


def _tail(path: Path) -> bytes | None:
    # Read from the end, further and further back, until a whole line is there
    with path.open("rb") as file:
        size, span = file.seek(0, os.SEEK_END), 65_536
        while True:
            file.seek(max(0, size - span))
            whole = file.read(min(span, size)).rpartition(b"\n")[0]
            _, newline, line = whole.rpartition(b"\n")
            if newline or span >= size:
                body = line[_HASH_END + 2 : -1]
                return None if not body or _names_segment(body) else body
            span *= 8


def archive(path: Path) -> Path:
    """Compress a segment that is no longer written, byte for byte. Return its new path."""
    packed = path.with_name(path.name + ".gz")
    partial = packed.with_suffix(".partial")
    with path.open("rb") as source, gzip.GzipFile(partial, "wb", mtime=0) as target:
        while data := source.read(1 << 20):
            target.write(data)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(packed)
    path.unlink()
    _sync_folder(path.parent)
    return packed


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    # Line number, the whole line, and where it ends; the piece of a line at the very end is left out
    end = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield number, line, end


def _checked(path: Path, number: int, head: str, line: bytes) -> tuple[str, bytes]:
    body = line[_HASH_END + 2 : -2]
    if line[:2] != b'["' or line[_HASH_END : _HASH_END + 2] != b'",' or line[-2:] != b"]\n":
        raise Broken(f"{path} line {number}: not a line of a chain")
    linked = _linked(head, body)
    if linked.encode() != line[2:_HASH_END]:
        raise Broken(
            f"{path} line {number}: does not follow from the line before: it was changed, or one here was removed,"
            " added or moved"
        )
    if number == 1 and not body.startswith(b'{"segment":%d,' % _number(path)):
        raise Broken(f"{path} line 1: names another segment, or none")
    return linked, body


def _followed(line: bytes) -> str:
    # What the line that begins a segment says it follows; a line that says nothing of the kind will not verify
    found = _FOLLOWED.search(line)
    return GENESIS if found is None else found[1].decode()


def _linked(head: str, body: bytes) -> str:
    return hashlib.sha256(head.encode() + body).hexdigest()


def _names_segment(body: bytes) -> bool:
    return body.startswith(b'{"segment":')


def _number(path: Path) -> int:
    matched = _SEGMENT.search(path.name)
    assert matched is not None, path
    return int(matched[1])


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        written = file.write(left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]


def _sync_folder(folder: Path) -> None:
    # A new name is only safe when its folder is
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
