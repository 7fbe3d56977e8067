"""Which rows are good, and why the others are not: file, 1-based row and reason."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

REJECTS_LISTED_MAX = 1_000
TEXT_SHOWN_CHARS_MAX = 40

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]


class Reject(msgspec.Struct, frozen=True):
    """A row we do not believe. ``row`` counts from 1 and includes a header line."""

    file: str
    row: int
    reason: str


class Rejects:
    """All refusals of an import: counted without bound, listed up to REJECTS_LISTED_MAX."""

    def __init__(self) -> None:
        self.count = 0
        self.listed: list[Reject] = []

    def add(self, file: str, row: int, reason: str) -> None:
        self.count += 1
        if len(self.listed) < REJECTS_LISTED_MAX:
            self.listed.append(Reject(file, row, reason))


class Block(msgspec.Struct):
    """Some consecutive rows of a file, as text by our names; and times, where the file has them typed."""

    file: str
    rows: Ints
    text: dict[str, pa.Array]
    time_ns: Ints | None = None


class Sieve:
    """Collects what is wrong with the rows of a block. The first reason a row is given is the one reported."""

    def __init__(self, block: Block, rejects: Rejects) -> None:
        self.good: Mask = np.ones(len(block.rows), dtype=np.bool_)
        self._block, self._rejects = block, rejects
        self._reasons: list[tuple[Mask, Callable[[int], str]]] = []

    def refuse(self, bad: Mask, reason: Callable[[int], str]) -> None:
        """Refuse rows where ``bad``; ``reason`` is called with the position of each row that is listed."""
        fresh = bad & self.good
        if fresh.any():
            self._reasons.append((fresh, reason))
            self.good &= ~fresh

    def shown(self, name: str, position: int) -> str:
        """Return the text of a field, short enough for a message."""
        text = str(self._block.text[name][position].as_py())
        return repr(text if len(text) <= TEXT_SHOWN_CHARS_MAX else text[:TEXT_SHOWN_CHARS_MAX] + "…")

    def finish(self) -> Mask:
        """Report the refusals in the order of rows; return which rows are good."""
        for position in np.flatnonzero(~self.good).tolist():
            if len(self._rejects.listed) >= REJECTS_LISTED_MAX:
                self._rejects.count += int((~self.good[position:]).sum())
                break
            reason = next(reason for mask, reason in self._reasons if mask[position])
            self._rejects.add(self._block.file, int(self._block.rows[position]), reason(position))
        return self.good
