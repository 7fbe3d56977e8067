"""The journal: every command of a run, in order, as lines of canonical JSON.

The digest of a run is SHA-256 over these lines, each ended by a newline: what ``sha256sum`` says of the file. SHA-256
takes its input block by block, each block's state going into the next, so it is a chain, and a prefix has its own.
"""

import hashlib
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from njord.domain.command import Command

# Held in memory up to here, in a temporary file beyond, so a long run stays small
MEMORY_BYTES_MAX = 8 * 1024 * 1024
# Commands are values that never change, so they can wait to be written out
PENDING_RECORDS_MAX = 1024


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One line of a journal: the event that caused it, by number, name and time, and what was decided."""

    sequence: int
    time_ns: int
    cause: str
    command: Command


class Broken(ValueError):
    """A journal does not verify, or cannot be read."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class Journal:
    """Append-only. ``path`` keeps it as a file of JSON lines; without one it lives as long as the object."""

    def __init__(self, path: Path | None = None) -> None:
        self._file: IO[bytes] = (
            path.open("wb+") if path is not None else tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX)  # noqa: SIM115 - it lives as long as the journal
        )
        # Notebooks drop results without a word, and the file goes with them
        self._release = weakref.finalize(self, self._file.close)
        self._hash = hashlib.sha256()
        self._pending: list[tuple[int, int, str, Command]] = []
        self._records = 0

    def append(self, sequence: int, time_ns: int, cause: str, commands: Sequence[Command]) -> None:
        """Record what one event caused, before anybody acts on it."""
        pending = self._pending
        for command in commands:
            pending.append((sequence, time_ns, cause, command))
        if len(pending) >= PENDING_RECORDS_MAX:
            self._hand_over()

    def flush(self) -> None:
        """Hand what is pending to the file."""
        self._hand_over()
        self._file.flush()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical commands so far, in hexadecimal."""
        self._hand_over()
        return self._hash.hexdigest()

    @property
    def records(self) -> int:
        """How many commands are recorded."""
        return self._records + len(self._pending)

    def _hand_over(self) -> None:
        if self._pending:
            self._records += len(self._pending)
            # Many at once: a tight loop over them is twice as fast as one here and one there
            data = b"\n".join([*map(_encode, self._pending), b""])
            self._pending.clear()
            self._hash.update(data)
            self._file.write(data)

    def lines(self) -> Iterator[bytes]:
        """Read the recorded lines back, from the first."""
        self.flush()
        position = self._file.tell()
        self._file.seek(0)
        for line in self._file:
            yield line.rstrip(b"\n")
        self._file.seek(position)

    def close(self) -> None:
        """Write out what is pending and let go of the file."""
        if self._release.alive:
            self.flush()
            self._release()


def read(path: Path) -> Iterator[Record]:
    """Read a journal file. Raises Broken naming the file and line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _decode(line)
            except msgspec.DecodeError as error:
                raise Broken(f"{path} line {number}: {error}") from error


def digest(path: Path) -> str:
    """Return the digest of a journal file, computed again from nothing but its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
