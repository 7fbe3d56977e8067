"""Njord and its peers on the same tape, each in its own environment and process, one after the other.

Run: python benchmarks/peers.py [--bars N] [--only njord,nautilus] [--python PATH] [--skip-install] [--repeat N]
[--json]. Environments are made under out/peers with uv, from the pins in benchmarks/peers. What is compared, and what
is not comparable, is told in benchmarks/README.md. Every run's orders and final equity are checked against a plain
loop.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from njord.research.benchmark import minute_bars

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "out" / "peers"
BARS = 1_000_000
CASH, FAST, SLOW = 2_000_000, 10, 50
REPEAT = 3
# A task that has taken this long is not repeated: its noise is small against it
REPEAT_CPU_S_MAX = 60.0
RUN_S_MAX = 1_800
TOLERANCE = Decimal("0.000001")
MARK = "RESULT "

COLUMNS = (
    "engine", "events", "events/CPU-s", "Njord is", "with loading", "Njord is", "peak MB", "orders", "result",
)  # fmt: skip
TASKS = {
    "none": "both averages on every bar, no orders",
    "next_open": "EMA cross, filled at the next open",
    "same_close": "EMA cross, filled at the close of its bar",
    "quotes": "a Python strategy on every quote, no orders",
}


@dataclass(frozen=True)
class Peer:
    """Who takes part, in which tasks, and where it is known to do something else than asked."""

    name: str
    label: str
    tasks: tuple[str, ...]
    remark: str = ""
    differs: dict[str, tuple[str, str]] = field(default_factory=dict)  # Task: what it does instead, and why


PEERS = (
    Peer(
        "njord", "Njord", ("none", "none_catalog", "next_open", "next_open_catalog", "same_close", "quotes"),
        "risk, ledger, journal, digest on",
    ),
    Peer(
        "nautilus", "NautilusTrader", ("none", "next_open", "same_close", "quotes"), "event-driven",
        {"next_open": ("next_close", "has no fill at the next open; with 1 ns of latency: the close of the next bar")},
    ),
    Peer("backtrader", "backtrader", ("none", "next_open", "same_close"), "event-driven"),
    Peer("backtesting", "backtesting.py", ("none", "next_open", "same_close"), "averages computed in advance"),
    Peer("vectorbt", "vectorbt", ("next_open", "same_close"), "vectorised: no strategy is called"),
)  # fmt: skip


def bars_tape(bars: int) -> dict[str, np.ndarray]:
    """Return the generated bars, with opens up to 5 cents off the close before, so that the two fills differ.

    Volumes are raised above 100, so that no engine splits an order of 1.
    """
    tape = minute_bars(bars)
    rng = np.random.default_rng(11)
    tape["open"] = np.round(tape["open"] + rng.integers(-5, 6, bars) / 100, 2)
    tape["high"], tape["low"] = np.maximum(tape["high"], tape["open"]), np.minimum(tape["low"], tape["open"])
    tape["volume"] = tape["volume"] + 100
    return tape


def ema(values: list[float], period: int) -> Iterator[float]:
    """Yield the average at each value, NaN before it is seeded."""
    total, last = 0.0, float("nan")
    for count, value in enumerate(values, 1):
        if count <= period:
            total += value
            last = total / period if count == period else last
        else:
            last = last + 2.0 / (period + 1) * (value - last)
        yield last


def reference(opens: list[float], closes: list[float], fill: str) -> tuple[int, Decimal]:
    """Return orders and final equity, in whole hundred-thousandths of a dollar: a cent is 1,000, its fee of 0.1 % 1."""
    prices = {"next_open": [*opens[1:], None], "next_close": [*closes[1:], None]}.get(fill, closes)
    cash, held, orders, was_above = CASH * 100_000, 0, 0, False
    for fast, slow, price in zip(ema(closes, FAST), ema(closes, SLOW), prices, strict=True):
        if fill != "none" and (fast > slow) is not was_above:
            was_above, orders, side = not was_above, orders + 1, -1 if was_above else 1
            if price is not None:  # What is sent on the last bar finds no next one
                cash -= (1000 * side + 1) * round(price * 100)
                held += side
    return orders, Decimal(cash + held * 1000 * round(closes[-1] * 100)) / 100_000


def verdict(peer: Peer, task: str, found: dict[str, Any], expected: dict[str, tuple[int, Decimal]], rows: int) -> str:
    """Say whether a run came to what it should: ``equal``, ``equal to ...`` with the reason, or the difference."""
    if task == "quotes":
        return "equal" if found["seen"] == rows else f"DIFFERENT: saw {found['seen']} of {rows}"
    fill = task.removesuffix("_catalog")
    exact = peer.name == "njord"
    if _same(found, expected[fill], exact):
        return "equal, to the last digit" if exact else "equal"
    other, why = peer.differs.get(fill, ("", ""))
    if other and _same(found, expected[other], exact):
        return f"equal to the loop with {other}: {why}"
    orders, equity = expected[fill]
    return f"DIFFERENT: orders {found['orders']} for {orders}, equity {found['equity']} for {equity}"


def _same(found: dict[str, Any], expected: tuple[int, Decimal], exact: bool) -> bool:
    orders, equity = expected
    off = abs(Decimal(found["equity"]) - equity)
    return found["orders"] == orders and (off == 0 if exact else off <= TOLERANCE)


def install(peer: Peer, python: str) -> str | None:
    """Make a peer's environment. Return the reason where that cannot be done."""
    uv = next((str(p) for p in (Path(sys.executable).parent / "uv",) if p.exists()), None) or shutil.which("uv")
    if uv is None:
        return "uv was not found, neither beside this Python nor on the path"
    home = OUT / peer.name
    commands = (
        [uv, "venv", "--quiet", "--clear", "--python", python, str(home)],
        [uv, "pip", "install", "--quiet", "--python", str(python_of(peer)), "--only-binary", ":all:",
         "--requirement", str(HERE / "peers" / f"{peer.name}.txt")],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
        if done.returncode:
            return f"cannot be installed: {' '.join(done.stderr.split())[:300]}"
    return None


def python_of(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment."""
    if peer.name == "njord":
        return Path(sys.executable)
    folder = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return OUT.joinpath(peer.name, *folder)


def once(peer: Peer, task: str, tape: Path, rows: int) -> dict[str, Any]:
    """Run one task once in a process of its own. Return its result, or the reason under ``error``."""
    if not python_of(peer).exists():
        return {"error": "not installed; run without --skip-install"}
    script = HERE / "peers" / f"{peer.name}_peer.py"
    command = [str(python_of(peer)), str(script), str(tape), task, str(rows)]
    # Without compiled files kept, whoever imports late would pay for compiling each time
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX, check=False, env=settings)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {RUN_S_MAX} s"}
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if line is None:
        return {"error": " ".join(done.stderr.split()[-40:]) or f"ended with code {done.returncode}"}
    found: dict[str, Any] = json.loads(line.removeprefix(MARK))
    return found


def measured(peer: Peer, task: str, tape: Path, rows: int, repeat: int) -> dict[str, Any]:
    """Run one task several times. Return the run of median CPU time, with the rates of all."""
    runs: list[dict[str, Any]] = []
    spent_s = 0.0
    while len(runs) < repeat and spent_s < REPEAT_CPU_S_MAX:
        runs.append(once(peer, task, tape, rows))
        if "error" in runs[-1]:
            return runs[-1]
        spent_s += runs[-1]["whole_cpu_s"]
    middle = sorted(runs, key=lambda run: run["run_cpu_s"])[(len(runs) - 1) // 2]
    return {
        **middle,
        "runs": len(runs),
        "rows": rows,
        "rate": rows / statistics.median(run["run_cpu_s"] for run in runs),
        "rates": [rows / run["run_cpu_s"] for run in runs],
        "whole_rate": rows / statistics.median(run["whole_cpu_s"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
    }


def tapes(bars: int, chosen: list[Peer]) -> tuple[dict[str, Path], dict[str, tuple[int, Decimal]]]:
    """Write the tapes once, and the catalog. Return their files and what each fill must come to."""
    sys.path.insert(0, str(HERE))
    from quotes import tape as quotes_tape

    OUT.mkdir(parents=True, exist_ok=True)
    files = {"bars": OUT / "bars.npz", "quotes": OUT / "quotes.npz"}
    columns = bars_tape(bars)
    np.savez(files["bars"], **columns)
    np.savez(files["quotes"], **quotes_tape(bars))
    if any(peer.name == "njord" for peer in chosen):
        shutil.rmtree(OUT / "catalog", ignore_errors=True)
        written = once(PEERS[0], "catalog", files["bars"], bars)
        assert "error" not in written, written
    opens, closes = columns["open"].tolist(), columns["close"].tolist()
    fills = ("none", "next_open", "same_close", "next_close")
    return files, {fill: reference(opens, closes, fill) for fill in fills}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as Markdown, a table a task, with each rate as a multiple of the peer's."""
    parts = []
    for task, title in TASKS.items():
        own = [row for row in rows if row["task"].removesuffix("_catalog") == task]
        if not own:
            continue
        njord = next((row for row in own if row["peer"] == "njord" and "error" not in row), None)
        parts.append(f"\n### {task}: {title}\n")
        parts.append(f"| {' | '.join(COLUMNS)} |")
        parts.append("|---|---:|---:|---:|---:|---:|---:|---:|---|")
        for row in own:
            name = f"{row['label']} {row.get('version', '')}".strip()
            name += ", from Parquet" if row["task"].endswith("_catalog") else ""
            if "error" in row:
                parts.append(f"| {name} | | | | | | | | {row['error']} |")
                continue
            ratio, whole = (_times(njord, row, rate) for rate in ("rate", "whole_rate"))
            parts.append(
                f"| {name} | {row['rows']:,} | {row['rate']:,.0f} | {ratio} | {row['whole_rate']:,.0f} |"
                f" {whole} | {row['peak_mb']:,.0f} | {row['orders']:,} | {row['verdict']} |"
            )
    return "\n".join(parts)


def kept(bars: int, chosen: list[Peer]) -> list[dict[str, Any]]:
    """Return the results of the last run on as many bars, of those who are not run now."""
    path = OUT / "results.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"bars": None}
    if document["bars"] != bars:
        return []
    names = {peer.name for peer in chosen}
    return [row for row in document["results"] if row["peer"] not in names]


def _times(njord: dict[str, Any] | None, row: dict[str, Any], rate: str) -> str:
    return f"{njord[rate] / row[rate]:.2g}x" if njord and row["peer"] != "njord" else ""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Njord and its peers on the same tape.")
    parser.add_argument("--bars", type=int, default=BARS, help="bars, and quotes (default 1,000,000)")
    parser.add_argument("--only", default=",".join(peer.name for peer in PEERS), help="peers, by comma")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peers (default: this one)")
    parser.add_argument("--skip-install", action="store_true", help="take the environments as they are")
    parser.add_argument("--repeat", type=int, default=REPEAT, help="runs of each task; the median counts")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    found = parser.parse_args(given)
    found.only = [name.strip() for name in found.only.split(",")]
    unknown = set(found.only) - {peer.name for peer in PEERS}
    if unknown or found.bars < SLOW or found.repeat < 1:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}" if unknown else "too few bars or runs")
    return found


def main() -> int:
    options = arguments()
    chosen = [peer for peer in PEERS if peer.name in options.only]
    files, expected = tapes(options.bars, chosen)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    rows = kept(options.bars, chosen)
    if rows:
        others = ", ".join(dict.fromkeys(row["peer"] for row in rows))
        print(f"of an earlier run on the same tape, and not run now: {others}", file=sys.stderr)
    for peer in chosen:
        reason = None if options.skip_install or peer.name == "njord" else install(peer, options.python)
        for task in peer.tasks:
            print(f"{peer.name} {task} ...", file=sys.stderr, flush=True)
            tape = files["quotes" if task == "quotes" else "bars"]
            found = {"error": reason} if reason else measured(peer, task, tape, options.bars, options.repeat)
            row = {"peer": peer.name, "label": peer.label, "task": task, "remark": peer.remark, "date": today, **found}
            if "error" not in row:
                row["verdict"] = verdict(peer, task, found, expected, options.bars)
            rows.append(row)
    order = [peer.name for peer in PEERS]
    rows.sort(key=lambda row: order.index(row["peer"]))
    document = {
        "date": today,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "bars": options.bars,
        "expected": {fill: {"orders": orders, "equity": str(equity)} for fill, (orders, equity) in expected.items()},
        "results": rows,
    }
    (OUT / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document) if options.json else table(rows))
    return 1 if any("DIFFERENT" in row.get("verdict", "") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
