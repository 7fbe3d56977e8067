"""The journal: every command of a run, in order, each chained to the one before. Its last link is the run's digest."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from njord.domain.command import Command

# Held in memory up to here, in a temporary file beyond, so a long run stays small
MEMORY_BYTES_MAX = 8 * 1024 * 1024
GENESIS = hashlib.sha256(b"njord journal 1").digest()


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
        self._link = GENESIS
        self._pending: list[bytes] = []
        self.records = 0

    def append(self, sequence: int, time_ns: int, cause: str, commands: Sequence[Command]) -> None:
        """Record what one event caused, before anybody acts on it."""
        pending = self._pending
        link = self._link
        for command in commands:
            line = _encode((sequence, time_ns, cause, command))
            link = hashlib.sha256(link + line).digest()
            pending.append(line)
        self._link = link
        self.records += len(commands)
        if len(pending) >= 1024:
            self.flush()

    def flush(self) -> None:
        """Hand what is pending to the file."""
        if self._pending:
            self._pending.append(b"")
            self._file.write(b"\n".join(self._pending))
            self._pending.clear()
        self._file.flush()

    @property
    def digest(self) -> str:
        """The SHA-256 chain over the canonical commands so far, in hexadecimal."""
        return self._link.hex()

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
        self.flush()
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """Read a journal file. Raises Broken naming the file and line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _decode(line)
            except msgspec.DecodeError as error:
                raise Broken(f"{path} line {number}: {error}") from error


def digest(lines: Iterator[bytes]) -> str:
    """Return the digest of recorded lines, computed again from nothing but them."""
    link = GENESIS
    for line in lines:
        link = hashlib.sha256(link + line).digest()
    return link.hex()
