"""Repeat a run in fresh processes with other hash seeds, and see whether it is the same run.

What a process brings along, such as the order of a set of words, differs between them; a digest must not.
"""

import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from njord.engine.replay import first_divergence
from njord.ledger.journal import Record, digest

TIMES_MAX = 1_000
TIMEOUT_S = 3_600
HASH_SEED_MAX = 2**32 - 1
ERROR_CHARS_MAX = 500

# What a fresh process runs: a config from its folder, over a catalog, its journal into a file
_CHILD = """
import sys
from pathlib import Path
from njord.cli.backtest import load
from njord.market.catalog import Catalog
from njord.research.run import run
config, catalog, journal = map(Path, sys.argv[1:4])
result = run(load(config), Catalog(catalog), journal=journal, here=config.parent)
result.assembly.backtest.journal.close()
"""


class Repeat(msgspec.Struct, frozen=True):
    """What came of repeating a run. Where it differs: whose decision it was, and the journal line of both runs."""

    same: bool
    times: int
    digests: list[str]
    hash_seeds: list[int]
    strategy: str | None = None
    line: int | None = None
    first: str | None = None
    other: str | None = None

    @property
    def message(self) -> str:
        """Say in one sentence what was found."""
        if self.same:
            return f"{self.times} processes, one digest: {self.digests[0]}"
        who = f"strategy {self.strategy}" if self.strategy else "the run"
        return (
            f"{who} decides otherwise in another process: journal line {self.line}, first {self.first or '(ends)'},"
            f" then {self.other or '(ends)'}; PYTHONHASHSEED {self.hash_seeds[0]} and {self.hash_seeds[-1]}"
        )


class RepeatFailed(ValueError):
    """A process did not finish its run. The message has its last line."""


def repeat(
    config: Path, times: int = 3, *, catalog: Path, seed: int = 1, python: str = sys.executable,
    timeout_s: float = TIMEOUT_S,
) -> Repeat:  # fmt: skip
    """Run a config file ``times`` times, each in a fresh process with its own PYTHONHASHSEED drawn from ``seed``.

    Stops at the first run that differs. ``python`` may be another interpreter that has Njord. Raises RepeatFailed.
    """
    if not 2 <= times <= TIMES_MAX:
        raise ValueError(f"times must be 2 to {TIMES_MAX}, was {times}")
    drawn = random.Random(seed)  # noqa: S311 - not for secrets
    hash_seeds = drawn.sample(range(1, HASH_SEED_MAX + 1), times)
    digests: list[str] = []
    with tempfile.TemporaryDirectory(prefix="njord-repeat-") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        journals = [Path(folder) / f"{number}.ndjson" for number in range(times)]
        runs = [
            pool.submit(_run, config, catalog, journal, hash_seed, python, timeout_s)
            for journal, hash_seed in zip(journals, hash_seeds, strict=True)
        ]
        try:
            for number, run in enumerate(runs):
                run.result()
                digests.append(digest(journals[number]))
                if digests[-1] != digests[0]:
                    return _difference(journals[0], journals[number], digests, hash_seeds[: number + 1])
                if number:
                    journals[number].unlink()
        finally:
            pool.shutdown(cancel_futures=True)
    return Repeat(True, times, digests, hash_seeds)


def _run(config: Path, catalog: Path, journal: Path, hash_seed: int, python: str, timeout_s: float) -> None:
    command = [python, "-c", _CHILD, str(config.resolve()), str(catalog.resolve()), str(journal)]
    surroundings = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(  # noqa: S603 - our own interpreter, and paths we were given
        command, env=surroundings, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RepeatFailed(f"{config}: a fresh process failed: {lines[-1][:ERROR_CHARS_MAX]}")


def _difference(first: Path, other: Path, digests: list[str], hash_seeds: list[int]) -> Repeat:
    found = first_divergence(first, other)
    assert found is not None, digests
    strategy = _strategy(first, found.line) or _strategy(other, found.line)
    return Repeat(False, len(digests), digests, hash_seeds, strategy, found.line, found.recorded, found.replayed)


def _strategy(journal: Path, number: int) -> str | None:
    # Whose decision a line records; an entry or a snapshot is nobody's
    with journal.open("rb") as file:
        line = next((each for at, each in enumerate(file, start=1) if at == number), None)
    if line is None:
        return None
    command = msgspec.json.decode(line, type=Record).command
    strategy_id: str | None = getattr(command, "strategy_id", None)
    return strategy_id
