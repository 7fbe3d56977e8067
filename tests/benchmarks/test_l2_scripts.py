"""The L2 benchmark: what it says of fills that differ, its tables, and that Njord's side runs."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from njord.venues.simulated.kernels.layout import ASK, BID, CLEAR, LAST, TRADE_SELL, Tape

ROOT = Path(__file__).resolve().parents[2] / "benchmarks" / "l2"
MS = 1_000_000
SENT_NS = 10 * MS
FILLED, REJECTED, CANCELLED = 1, 2, 3
QUOTE_THROUGH, TRADE_THROUGH, TRADE_AT_LIMIT = 0, 1, 2
Order = tuple[int, ...]


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    paths, modules = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(ROOT), str(ROOT.parent)]
    yield {name: importlib.import_module(name) for name in ("protocol", "compare", "tape", "run")}
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if str(ROOT.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def tape(*rows: tuple[int, int, int, int]) -> Tape:
    """A book of 100 bid and 102 ask, 10 lots each, then rows of (milliseconds, what, price, lots)."""
    opening = [(0, CLEAR, 0, 0), (0, BID, 100, 10), (0, ASK, 102, 10)]
    times, what, price, lots = (np.array(column) for column in zip(*opening, *rows, strict=True))
    none = np.zeros(0, dtype=np.int64)
    what = (what | LAST).astype(np.uint8)
    return Tape(
        times.astype(np.int64) * MS, what, np.zeros(len(what), np.uint8), price, lots, np.arange(len(what)), none
    )


def bid(lots: int, fate: int, done_ms: int, number: int = 1) -> Order:
    return (number, SENT_NS, 1, 100, lots, fate, done_ms * MS)


def fill(at_ms: int, lots: int, why: int = -1) -> Order:
    return (1, at_ms * MS, 100, lots, why)


def compared(
    scripts: dict[str, ModuleType], rows: Any, ours: Any, theirs: Any, *, feedback: bool = False
) -> dict[str, Any]:
    protocol = scripts["protocol"]
    accounts = [
        {"orders": np.array(orders, protocol.ORDER), "fills": np.array(fills, protocol.FILL)}
        for orders, fills in (ours, theirs)
    ]
    found: dict[str, Any] = scripts["compare"].compare(*accounts, tape(*rows), feedback).document()
    return found


GONE = (15, BID, 100, 0)
ALL_OF_US = ([bid(5, FILLED, 20)], [fill(20, 5)])
CASES = {
    "locked": ([GONE, (20, ASK, 100, 3)], []),
    "at_limit": ([(20, TRADE_SELL, 100, 12)], [fill(20, 2, TRADE_AT_LIMIT)]),  # 10 stood ahead of us: 2 are left
    "beyond": ([(20, TRADE_SELL, 99, 3)], [fill(20, 3, TRADE_THROUGH)]),
    "quoted": ([GONE, (19, ASK, 100, 3), (20, ASK, 99, 1)], [fill(20, 4, QUOTE_THROUGH)]),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_difference_is_put_down_to_its_rule(scripts: dict[str, ModuleType], rule: str) -> None:
    rows, fills = CASES[rule]

    found = compared(scripts, rows, ([bid(5, CANCELLED, 60)], fills), ALL_OF_US)

    assert (found["rules"], found["unexplained"]) == ({rule: 1}, 0)


@pytest.mark.parametrize("rule", CASES)
def test_a_difference_the_tape_does_not_confirm_is_unexplained(scripts: dict[str, ModuleType], rule: str) -> None:
    rows, fills = CASES[rule]
    one_more = [fill(20, 1 + sum(each[3] for each in fills), fills[0][4] if fills else QUOTE_THROUGH)]

    wrong_lots = compared(scripts, rows, ([bid(5, CANCELLED, 60)], one_more), ALL_OF_US)
    wrong_moment = compared(scripts, [(25, *row[1:]) for row in rows], ([bid(5, CANCELLED, 60)], fills), ALL_OF_US)

    assert (wrong_lots["rules"], wrong_lots["unexplained"]) == ({}, 1)
    assert (wrong_moment["rules"], wrong_moment["unexplained"]) == ({}, 1)


def test_what_njord_fills_and_the_other_does_not_is_unexplained(scripts: dict[str, ModuleType]) -> None:
    ours = ([bid(2, FILLED, 20)], [fill(20, 2, TRADE_AT_LIMIT)])

    found = compared(scripts, [(20, TRADE_SELL, 100, 12)], ours, ([bid(2, CANCELLED, 60)], []))

    assert (found["rules"], found["unexplained"]) == ({}, 1)


def test_equal_accounts_are_counted_by_what_became_of_the_orders(scripts: dict[str, ModuleType]) -> None:
    same = ([bid(2, FILLED, 20), (2, SENT_NS, -1, 102, 2, CANCELLED, 60 * MS)], [fill(20, 2, TRADE_AT_LIMIT)])

    found = compared(scripts, [(20, TRADE_SELL, 100, 12)], same, same)

    assert found["equal"] == {"filled": 1, "cancelled": 1}
    assert (found["rules"], found["unexplained"], found["lots"]) == ({}, 0, (2, 2))


def test_an_order_that_meets_our_own(scripts: dict[str, ModuleType]) -> None:
    resting = (1, SENT_NS, -1, 100, 5, CANCELLED, 60 * MS)

    found = compared(
        scripts, [(20, TRADE_SELL, 99, 9)],
        ([resting, bid(5, REJECTED, 11, 2)], []),
        ([resting, bid(5, FILLED, 20, 2)], [(2, 20 * MS, 100, 5, -1)]),
    )  # fmt: skip
    alone = compared(scripts, [(20, TRADE_SELL, 99, 9)], ([bid(5, REJECTED, 11)], []), ALL_OF_US)

    assert (found["rules"], found["unexplained"]) == ({"own": 1}, 0)
    assert (alone["rules"], alone["unexplained"]) == ({}, 1)


def test_a_later_order_follows_from_an_earlier_difference_only_where_engines_knew_different_things(
    scripts: dict[str, ModuleType],
) -> None:
    rows, fills = CASES["beyond"]
    later = (2, 50 * MS, 1, 99, 5, CANCELLED, 90 * MS)
    ours = ([bid(5, CANCELLED, 60)], fills)
    theirs = ([bid(5, FILLED, 20), later], [fill(20, 5)])

    with_feedback = compared(scripts, rows, ours, theirs, feedback=True)
    without = compared(scripts, rows, ours, theirs)
    too_soon = compared(
        scripts, rows, ours, ([bid(5, FILLED, 20), (2, 12 * MS, *later[2:])], [fill(20, 5)]), feedback=True
    )

    assert (with_feedback["rules"], with_feedback["unexplained"]) == ({"beyond": 1, "history": 1}, 0)
    assert (without["rules"], without["unexplained"]) == ({"beyond": 1}, 1)
    assert (too_soon["rules"], too_soon["unexplained"]) == ({"beyond": 1}, 1)


def test_unexplained_fills_and_failed_tasks_end_with_their_reason(scripts: dict[str, ModuleType]) -> None:
    fills = {"schedule_1": {"unexplained": 1, "examples": ["an order"]}, "maker": {"unexplained": 0, "examples": []}}

    wrong = scripts["run"].failures({"tasks": {"njord/idle": {"error": "no numba"}, "x": {}}, "fills": fills})

    assert wrong == ["njord/idle: no numba", "fills of schedule_1: an order"]


def test_events_are_what_the_tape_says(scripts: dict[str, ModuleType]) -> None:
    events = scripts["tape"].events_of(tape((20, TRADE_SELL, 100, 12)))

    assert [hex(flags) for flags in events["ev"].tolist()] == ["0xc0000003", "0xe0000001", "0xd0000001", "0xd0000002"]
    assert events["px"][-1] == pytest.approx(10.0)
    assert events["qty"][-1] == pytest.approx(0.012)
    assert events["exch_ts"].tolist() == [0, 0, 0, 20 * MS]


@pytest.mark.parametrize("given", [["--rows", "10"], ["--repeat", "0"]])
def test_bad_arguments_are_refused(scripts: dict[str, ModuleType], given: list[str]) -> None:
    with pytest.raises(SystemExit):
        scripts["run"].arguments(given)


@pytest.mark.slow
def test_njords_side_runs_from_arrays_and_from_a_catalog(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    known = scripts["tape"].write(20_000, tmp_path / "tape")

    def side(*given: str, name: str = "njord_side.py") -> dict[str, Any]:
        command = [sys.executable, str(ROOT / name), *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1].removeprefix("RESULT "))
        return found

    arrays, stored = (side(task, str(tmp_path / "tape")) for task in ("maker", "catalog"))
    file = tmp_path / "orders.npz"
    listed = side("maker", str(tmp_path / "tape"), str(file))
    ladder = side(str(tmp_path / "tape"), name="ladder.py")

    assert known["rows"] == arrays["rows"] == ladder["rows"] == 20_000
    assert (arrays["orders"], arrays["fills"]) == (stored["orders"], stored["fills"])
    assert arrays["orders"] == listed["orders"] > 50
    account = scripts["compare"].account(file)
    same = scripts["compare"].compare(account, account, scripts["tape"].load(tmp_path / "tape"), False)
    assert sum(same.equal.values()) == same.orders == listed["orders"]
