"""The recorder: all that the market publishes, quotes, trades, books and dealers, on disk before it is acknowledged.

The tape is a folder for each hour of the market's time, ``2026-11-25T14``, with a chained file in it: each line has
messages of one stretch, ``[first, last, [envelope, ...]]``, with their numbers in the stream. Hours that are over are
compressed. A message that comes again, because a recorder died between the disk and its acknowledgement,
is not recorded again; one that never came is a hole in the numbers.
"""

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from njord.bus.codec import Envelope, canonical
from njord.bus.codec import envelope as parsed
from njord.domain.clock import NS_PER_S, iso
from njord.ledger import chain
from njord.ledger.chain import Broken, Chain
from njord.ledger.held_folder import HeldFolder

NAME = "tape"
HOUR_NS = 3_600 * NS_PER_S
LINE_MESSAGES_MAX = 1_024
_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d")

_line = msgspec.json.Decoder(tuple[int, int, list[msgspec.Raw]]).decode
_numbers = msgspec.json.Decoder(tuple[int, int, msgspec.Raw]).decode


class Recorder:
    """The writing end of a tape. One recorder a folder: a second is refused with InUse."""

    def __init__(self, folder: Path) -> None:
        """Go on where the tape ends. Raises Broken where that was tampered with, Unwritable without a disk."""
        self._folder = folder
        self._held = HeldFolder(folder, f"tape {folder}")
        self.last = 0  # The newest message on the tape
        self._hour = ""
        self._chain: Chain | None = None
        for hour in reversed(hours(folder)):
            for body in chain.read(folder / hour, NAME):
                self.last = _numbers(body)[1]
            if self.last:
                break
        if hours(folder):
            self._open(hours(folder)[-1])

    def record(self, envelopes: Sequence[Envelope]) -> None:
        """Put messages on the tape, and wait until the disk has them. Raises Unwritable; then none of it counts."""
        fresh = [each for each in envelopes if each.sequence > self.last]
        for hour, group in itertools.groupby(fresh, self._hour_of):
            self._open(hour)
            assert self._chain is not None
            for part in _parts(group):
                said = b",".join(canonical(each) for each in part)
                self._chain.append(b"[%d,%d,[%s]]" % (part[0].sequence, part[-1].sequence, said))
            self._chain.sync()
        if fresh:
            self.last = fresh[-1].sequence

    def close(self) -> None:
        """Let go of the files. Raises Unwritable where the disk does not take what is left: it comes again."""
        try:
            if self._chain is not None:
                self._chain.close()
        finally:
            self._held.release()

    def _hour_of(self, envelope: Envelope) -> str:
        # What comes late stays in the hour in which it came: hours do not go back
        time_ns: int = getattr(envelope.body, "venue_time_ns", 0)
        return max(self._hour, iso(time_ns)[:13])

    def _open(self, hour: str) -> None:
        if hour == self._hour:
            return
        if self._chain is not None:
            self._chain.close()
            for path in chain.segments(self._folder / self._hour, NAME):
                chain.archive(path)
        self._chain, self._hour = Chain(self._folder / hour, NAME), hour


def hours(folder: Path) -> list[str]:
    """Return the hours a tape has, in order."""
    return sorted(path.name for path in folder.iterdir() if _HOUR.fullmatch(path.name)) if folder.is_dir() else []


def read(folder: Path) -> Iterator[Envelope]:
    """Yield what is on a tape, in order, each line verified. Raises Broken naming the file and what is wrong."""
    last = 0
    for hour in hours(folder):
        for body in chain.read(folder / hour, NAME):
            first, end, messages = _line(body)
            if first <= last:
                raise Broken(f"{folder / hour}: message {first} comes after {last}")
            last = end
            yield from (parsed(bytes(each)) for each in messages)


class Contents(msgspec.Struct):
    """What is on a tape. ``digest`` is SHA-256 over the canonical bytes of all messages, each with a line feed."""

    messages: int = 0
    first: int = 0
    last: int = 0
    missing: int = 0  # Numbers between the first and the last
    first_ns: int = 0
    last_ns: int = 0
    by_kind: dict[str, int] = {}
    digest: str = ""


def contents(folder: Path) -> Contents:
    """Read a whole tape and say what is on it. Raises Broken."""
    found, digest = Contents(), hashlib.sha256()
    for envelope in read(folder):
        found.first = found.first or envelope.sequence
        found.last = envelope.sequence
        found.messages += 1
        time_ns: int = getattr(envelope.body, "venue_time_ns", 0)
        found.first_ns, found.last_ns = found.first_ns or time_ns, max(found.last_ns, time_ns)
        kind = envelope.topic.split(".")[1]
        found.by_kind[kind] = found.by_kind.get(kind, 0) + 1
        digest.update(canonical(envelope) + b"\n")
    found.missing = found.last - found.first + 1 - found.messages if found.messages else 0
    found.digest = digest.hexdigest()
    return found


def _parts(group: Iterator[Envelope]) -> Iterator[list[Envelope]]:
    while part := list(itertools.islice(group, LINE_MESSAGES_MAX)):
        yield part
