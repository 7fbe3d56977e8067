"""The L2 benchmark: Njord and hftbacktest over one generated tape, each task in a process of its own, by turns.

Run: python benchmarks/l2/run.py [--rows N] [--repeat N] [--python PATH] [--skip-install] [--json]. hftbacktest's
environment is made under out/peers from benchmarks/peers/hftbacktest.txt. What is measured, and what is not comparable,
is told in benchmarks/README.md. Ends with 1 where a task fails, or fills differ in a way that no rule explains.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import compare
import protocol
import tape as tapes

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
peers = importlib.import_module("peers")
OUT = HERE.parent.parent / "out" / "l2"
PEER = peers.Peer("hftbacktest", "hftbacktest", ())
RUN_S_MAX = 900
REPEAT = 3
TASKS = {
    "maker": "maker, 3 ticks from the mid",
    "busy": "maker, 1 tick from the mid",
    "feed": "maker, market data 1 ms late",
    "asked": "asked every 100 ms, no orders",
    "idle": "never asked",
    "catalog": "maker, from files in pieces",
}
# By turns, in this order: engine and task
PLAN = (
    *((engine, task) for task in ("maker", "busy", "feed", "asked", "idle") for engine in ("njord", "hftbacktest")),
    ("njord", "catalog"), ("hftbacktest", "maker_files"), ("hftbacktest", "maker_hash"), ("hftbacktest", "idle_hash"),
    ("njord", "ladder"),
)  # fmt: skip
FEEDBACK = {"schedule_1": False, "schedule_7": False, "maker": True}


def once(engine: str, task: str, folder: Path, file: Path | None = None, home: Path | None = None) -> dict[str, Any]:
    """Run one task in a process. Return what it found, or the reason under ``error``."""
    scripts = HERE if home is None or not (home / "scripts").exists() else home / "scripts"
    script = scripts / ("ladder.py" if task == "ladder" else f"{engine}_side.py")
    python = Path(sys.executable) if engine == "njord" else peers.python_of(PEER)
    if not python.exists():
        return {"error": "not installed; run without --skip-install"}
    command = [str(python), str(script), *(() if task == "ladder" else (task,)), str(folder)]
    # Without compiled files kept, whoever imports late would pay for compiling each time
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    settings["NJORD_HOME"] = str(home or OUT / "home")
    try:
        done = subprocess.run(
            [*command, *([str(file)] if file else [])], capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
            env=settings,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {RUN_S_MAX} s"}
    line = next((line for line in done.stdout.splitlines() if line.startswith(protocol.MARK)), None)
    if line is None:
        return {"error": " ".join(done.stderr.split()[-40:]) or f"ended with code {done.returncode}"}
    found: dict[str, Any] = json.loads(line.removeprefix(protocol.MARK))
    if found.get("code", 1) != 1:  # Its code for the end of the data
        return {**found, "error": f"stopped at {found['ended_ns']} with code {found['code']}"}
    return found


def measured(folder: Path, repeat: int) -> dict[str, dict[str, Any]]:
    """Run all tasks by turns, several times. Return the medians of each, memory the largest."""
    once("njord", "maker", folder)  # So that its code is in the cache
    once("njord", "idle", folder)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {each: [] for each in PLAN}
    for number in range(repeat):
        for each in PLAN:
            print(f"{number + 1}/{repeat} {' '.join(each)} ...", file=sys.stderr, flush=True)
            runs[each].append(once(*each, folder))
    found: dict[str, dict[str, Any]] = {}
    for each, rows in runs.items():
        failed = next((row for row in rows if "error" in row), None)
        found["/".join(each)] = failed or _median(rows)
    return found


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    # Of the figures that vary; the rest is the same in every run
    middle = {
        name: statistics.median(row[name] for row in rows)
        for name in ("run_cpu_s", "whole_cpu_s", "start_cpu_s", "bare_rate", "deltas_rate") if name in rows[0]
    }  # fmt: skip
    found = {**rows[0], **middle, "peak_mb": max(row["peak_mb"] for row in rows)}
    if "run_cpu_s" in found:
        found["rate"] = found["rows"] / found["run_cpu_s"]
        found["rates"] = sorted(found["rows"] / row["run_cpu_s"] for row in rows)
    return found


def starts(folder: Path) -> dict[str, float | str]:
    """Return the CPU seconds Njord takes to start with nothing in its cache, and after the strategy was edited."""
    found: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        for name in ("first_ever", "cached", "edited"):
            if name == "edited":
                shutil.copytree(HERE, home / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
                edited = home / "scripts" / "maker.py"
                text = edited.read_text(encoding="utf-8")
                assert "// 2\n" in text
                edited.write_text(text.replace("// 2\n", "// 2 + 0\n"), encoding="utf-8")
            row = once("njord", "maker", folder, home=home)
            found[name] = row.get("error") or row["start_cpu_s"]
    return found


def compared(folder: Path) -> dict[str, dict[str, Any]]:
    """Compare the fills of both engines, of orders on a schedule and of the maker's own."""
    found = {}
    for task, feedback in FEEDBACK.items():
        print(f"fills of {task} ...", file=sys.stderr, flush=True)
        files = [OUT / f"{engine}_{task}.npz" for engine in ("njord", "hftbacktest")]
        rows = [once(file.name.partition("_")[0], task, folder, file) for file in files]
        failed = next((row for row in rows if "error" in row), None)
        if failed is None:
            accounts = [compare.account(file) for file in files]
            found[task] = compare.compare(*accounts, tapes.load(folder), feedback).document()
        else:
            found[task] = {"error": failed["error"]}
    return found


def table(document: dict[str, Any]) -> str:
    """Return what was found as Markdown."""
    return "\n".join([*_speeds(document), *_costs(document), *_fills(document["fills"])])


def _speeds(document: dict[str, Any]) -> list[str]:
    found = document["tasks"]
    lines = [
        "### Million rows a CPU second",
        "",
        "| task | Njord | hftbacktest | Njord is | its hash map | orders | fills |",
    ]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for task, title in TASKS.items():
        other = "maker_files" if task == "catalog" else task
        rows = [found[f"njord/{task}"], found[f"hftbacktest/{other}"], found.get(f"hftbacktest/{task}_hash", {})]
        cells = [_millions(row) for row in rows]
        times = f"{rows[0]['rate'] / rows[1]['rate']:.2f}x" if all("rate" in row for row in rows[:2]) else ""
        counts = [" and ".join(f"{row[name]:,}" for row in rows[:2] if name in row) for name in ("orders", "fills")]
        lines.append(f"| {title} | {cells[0]} | {cells[1]} | {times} | {cells[2]} | {counts[0]} | {counts[1]} |")
    stored = found["njord/catalog"]
    if "error" not in stored:
        lines.append(
            f"| the same, with ledger and journal | {stored['rows'] / stored['whole_cpu_s'] / 1e6:.1f} | | | | | |"
        )
    ladder = found["njord/ladder"]
    if "error" not in ladder:
        bare, deltas = (f"{ladder[name] / 1e6:.0f}" for name in ("bare_rate", "deltas_rate"))
        lines += ["", f"A bare ladder over the same tape: {bare} million rows a CPU second; `apply_deltas`: {deltas}."]
    return [*lines, ""]


def _millions(row: dict[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    return f"{row['rate'] / 1e6:.1f}" if row else ""


def _costs(document: dict[str, Any]) -> list[str]:
    found, tape = document["tasks"], document["tape"]
    lines = [
        "### Start and memory",
        "",
        "| | task | start, CPU-s | peak MB | of it the tape |",
        "|---|---|---:|---:|---:|",
    ]
    for engine, task, held in (
        ("njord", "maker", "tape_mb"), ("hftbacktest", "maker", "events_mb"), ("njord", "idle", "tape_mb"),
        ("hftbacktest", "idle", "events_mb"), ("njord", "catalog", ""), ("hftbacktest", "maker_files", ""),
    ):  # fmt: skip
        row = found[f"{engine}/{task}"]
        title = TASKS["catalog" if task == "maker_files" else task]
        if "error" in row:
            lines.append(f"| {engine} | {title} | {row['error']} | | |")
            continue
        of_tape = f"{tape[held]:,.0f}" if held else "in pieces"
        lines.append(f"| {engine} | {title} | {row['start_cpu_s']:.2f} | {row['peak_mb']:,.0f} | {of_tape} |")
    words = [f"{name.replace('_', ' ')} {_seconds(value)}" for name, value in document["starts"].items()]
    return [*lines, "", f"Njord's start, the maker's, from an empty cache on: {', '.join(words)}.", ""]


def _seconds(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f} CPU-s"


def _fills(found: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["### Fills, order by order", "", f"| | {' | '.join(found)} |", f"|---|{'---:|' * len(found)}"]
    errors = [str(each["error"]) for each in found.values() if "error" in each]
    if errors:
        return [*lines, *errors]

    def row(name: str, values: list[Any]) -> None:
        lines.append(f"| {name} | {' | '.join(f'{value:,}' for value in values)} |")

    row("orders", [each["orders"] for each in found.values()])
    for fate in ("filled", "cancelled", "rejected"):
        row(f"{fate} in both, alike", [each["equal"].get(fate, 0) for each in found.values()])
    for name in compare.RULES:
        row(f"differ: {name}", [each["rules"].get(name, 0) for each in found.values()])
    row("differ, unexplained", [each["unexplained"] for each in found.values()])
    for name in ("fills", "lots"):
        for at, engine in enumerate(("Njord", "hftbacktest")):
            row(f"{name}, {engine}", [each[name][at] for each in found.values()])
    return [*lines, "", *(f"- {name}: {what}." for name, what in compare.RULES.items())]


def failures(document: dict[str, Any]) -> list[str]:
    """Return what went wrong, a line each."""
    wrong = [f"{name}: {row['error']}" for name, row in document["tasks"].items() if "error" in row]
    for name, row in document["fills"].items():
        if "error" in row or row["unexplained"]:
            wrong.append(f"fills of {name}: {row.get('error') or '; '.join(row['examples'])}")
    return wrong


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Njord and hftbacktest over one L2 tape.")
    parser.add_argument("--rows", type=int, default=tapes.ROWS, help=f"of the tape (default {tapes.ROWS:,})")
    parser.add_argument("--repeat", type=int, default=REPEAT, help="processes of each task; the median counts")
    parser.add_argument("--python", default=sys.executable, help="interpreter of hftbacktest (default: this one)")
    parser.add_argument("--skip-install", action="store_true", help="take its environment as it is")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    found = parser.parse_args(given)
    if found.rows < 10_000 or found.repeat < 1:
        parser.error("too few rows or runs")
    return found


def main() -> int:
    options = arguments()
    reason = None if options.skip_install else peers.install(PEER, options.python)
    if reason:
        print(f"hftbacktest {reason}", file=sys.stderr)
        return 1
    folder = OUT / "tape"
    known = tapes.write(options.rows, folder)
    document = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "tape": known, "fills": compared(folder), "tasks": measured(folder, options.repeat), "starts": starts(folder),
    }  # fmt: skip
    (OUT / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document) if options.json else table(document))
    wrong = failures(document)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
