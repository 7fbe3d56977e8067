"""A stream is one file of rows of one kind: where its columns are and how it tells the time."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from njord.domain.market import Kind
from njord.market.importers.files import csv_blocks, typed_blocks
from njord.market.importers.numbers import TimeRule, read_times
from njord.market.importers.sieve import Block, Ints, Rejects, Sieve

FIRST_ROWS = 1_000


class Stream(msgspec.Struct, kw_only=True):
    """How to read one file. ``columns`` are our names by position, '' for what is not wanted."""

    path: Path
    kind: Kind
    time: TimeRule
    interval_ns: int | None = None
    columns: tuple[str, ...] = ()
    header: bool = False
    renamed: dict[str, str] = {}  # Of a typed file: their name to ours. Empty for CSV
    constants: dict[str, str] = {}  # Columns the file does not have, and what they hold
    price_shift: int = 0  # Prices are integers of 10^-shift
    from_ns: int | None = None  # Rows outside belong to another instrument and are left out
    until_ns: int | None = None

    def blocks(self, rejects: Rejects) -> Iterator[Block]:
        """Yield the rows, refusing those of the wrong width."""
        if self.renamed:
            found = typed_blocks(self.path, self.renamed, "ts")
        else:
            found = csv_blocks(self.path, self.columns, header=self.header, rejects=rejects)
        for block in found:
            for name, text in self.constants.items():
                block.text[name] = pa.array([text] * len(block.rows), pa.string())
            yield block

    def first_times(self) -> Ints:
        """Return the good times of the first rows, to order files and to find an interval."""
        found: list[Ints] = []
        for block in self.blocks(Rejects()):
            if block.time_ns is not None:
                found.append(block.time_ns)
            else:
                sieve = Sieve(block, Rejects())
                found.append(read_times(sieve, block.text["ts"], self.time, "ts")[sieve.good])
            # A short file can come in several blocks: its last row may have no line end
            if sum(len(times) for times in found) >= FIRST_ROWS:
                break
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def usual_step_ns(times_ns: Ints) -> int | None:
    """Return the most frequent positive step between times, or None when there is none."""
    steps = np.diff(times_ns)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])
