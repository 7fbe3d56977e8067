"""Kernel strategies as text, and runs of them in processes of their own: for testing what is compiled, and when."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from ..parity.tapes import book, trade  # noqa: TID252 - tests are no package to import from

TAPES = Path(__file__).parents[1] / "parity"
QUOTER = """
from typing import Any

from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import cancel_all, note, quote


class Quoter(KernelStrategy):
    every_ms: float = 0.0
    notes = {1: "asked {value:.0f} times"}

    class State:
        asked: int = 0

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        state.asked += 1
        seen = view[0]
        if seen.guard:
            cancel_all(view, out, 0)
            return
        mid = (seen.bid_ticks + seen.ask_ticks) / 2 - seen.position_lots * 0.1
        quote(view, out, 0, int(mid - 1.2), 2, int(mid + 1.2), 2)
        if state.asked % 10 == 0:
            note(out, 0, 1, state.asked)
"""


def rows(count=200):
    found = [book(0, 1_000, [(999, 5), (998, 5)], [(1001, 5), (1002, 5)], snapshot=True, sequence=1)]
    for n in range(1, count):
        t, step = 1_000 + n * 700, (n * 7919) % 5 - 2
        if n % 3:
            found.append(book(0, t, [(998 + step % 2, n % 4)], [(1001 + step % 3, n % 5)], sequence=n + 1))
        else:
            found.append(trade(0, t, 1000 + step, n % 7 + 1, -1 if step < 0 else 1))
    return found


def written(folder, text, name="quoter.py"):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def script(text, home, **environment):
    """Run Python in a process of its own; return what it prints."""
    environment = {**os.environ, "NJORD_HOME": str(home), **environment}
    text = f"import sys\nsys.path.insert(0, {str(TAPES)!r})\n" + textwrap.dedent(text)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


RUN = """
from pathlib import Path
from tapes import Market, book, instruments, trade
from njord.engine.loading import from_file
from njord.venues.simulated.settings import VenueSettings
exec({rows!r})
market = Market(instruments(1), rows())
assembly = market.assembled(from_file(Path({path!r}))(), {{"X": VenueSettings(latency_ms=0.001)}})
assembly.run()
print(assembly.backtest.journal.digest, len(assembly.backtest.fills))
print(assembly.notices)
"""
