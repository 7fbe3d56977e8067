"""Replay: the same events again, and the first place where what was decided then and now differs."""

import itertools
from pathlib import Path

import msgspec

LINE_CHARS_SHOWN = 600


class Divergence(msgspec.Struct, frozen=True):
    """The first line of a journal that a replay did not repeat; an empty side is a journal that ended before it."""

    line: int
    recorded: str
    replayed: str


def first_divergence(recorded: Path, replayed: Path) -> Divergence | None:
    """Compare two journals line by line. Return where they part, or None."""
    with recorded.open("rb") as then, replayed.open("rb") as now:
        for number, (old, new) in enumerate(itertools.zip_longest(then, now, fillvalue=b""), start=1):
            if old != new:
                return Divergence(number, _shown(old), _shown(new))
    return None


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace").rstrip("\n")
    return text if len(text) <= LINE_CHARS_SHOWN else text[:LINE_CHARS_SHOWN] + "…"
