"""The benchmark scripts' own logic: the plain loop they check against, their verdicts, their table and their gate."""

import importlib.util
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from njord.domain.profile import VarModel
from njord.research.notebook import backtest
from njord.strategies.ema_cross import EmaCross

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = script("peers")
gate = script("gate")
NJORD, NAUTILUS = peers.PEERS[0], peers.PEERS[1]
EXPECTED = {"next_open": (2, Decimal("10.00001")), "next_close": (2, Decimal("9.5")), "none": (0, Decimal(10))}


def found(orders: int, equity: str) -> dict[str, Any]:
    return {"orders": orders, "equity": equity}


@pytest.mark.parametrize("fill", ["next_open", "same_close"])
def test_engine_equals_the_plain_loop_to_the_last_digit(fill: str) -> None:
    tape = peers.bars_tape(3_000)

    result = backtest(
        EmaCross(10, 50, 1.0), tape, peers.CASH, taker=0.001, risk="research", fill=fill, latency_ms=0
    ).document()

    orders, equity = peers.reference(tape["open"].tolist(), tape["close"].tolist(), fill)
    assert orders > 50
    assert (result["orders"], Decimal(result["final_equity_exact"])) == (orders, equity)


def test_the_tape_tells_the_fills_apart() -> None:
    tape = peers.bars_tape(3_000)
    columns = tape["open"].tolist(), tape["close"].tolist()

    equities = {peers.reference(*columns, fill)[1] for fill in ("none", "next_open", "same_close", "next_close")}

    assert len(equities) == 4
    assert (tape["low"] <= np.minimum(tape["open"], tape["close"])).all()
    assert (tape["high"] >= np.maximum(tape["open"], tape["close"])).all()
    assert tape["volume"].min() >= 100


def test_plain_loop_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FAST", 1)
    monkeypatch.setattr(peers, "SLOW", 2)
    closes, opens = [10.0, 12.0, 8.0, 9.5], [10.0, 11.0, 12.5, 8.5]

    # Above at 12 (average 11), below at 8, above at 9.5, which only the last close can still fill
    assert peers.reference(opens, closes, "next_open") == (3, Decimal("1999995.979"))
    assert peers.reference(opens, closes, "same_close") == (3, Decimal("1999995.9705"))
    assert peers.reference(opens, closes, "none") == (0, Decimal(2_000_000))


@pytest.mark.parametrize(
    ("peer", "task", "outcome", "says"),
    [
        (NJORD, "next_open", found(2, "10.00001"), "equal, to the last digit"),
        (NJORD, "next_open_catalog", found(2, "10.00001"), "equal, to the last digit"),
        (NJORD, "next_open", found(2, "10.0000100001"), "DIFFERENT"),
        (NJORD, "next_open", found(3, "10.00001"), "DIFFERENT"),
        (NAUTILUS, "next_open", found(2, "10.0000105"), "equal"),
        (NAUTILUS, "next_open", found(2, "10.0000111"), "DIFFERENT"),
        (NAUTILUS, "next_open", found(2, "9.5"), "equal to the loop with next_close"),
        (NAUTILUS, "none", found(0, "9.5"), "DIFFERENT"),
        (NJORD, "quotes", {"seen": 7}, "equal"),
        (NJORD, "quotes", {"seen": 6}, "DIFFERENT"),
    ],
)
def test_verdict(peer: Any, task: str, outcome: dict[str, Any], says: str) -> None:
    assert peers.verdict(peer, task, outcome, EXPECTED, 7).startswith(says)


@pytest.mark.slow
def test_njord_as_a_peer(tmp_path: Path) -> None:
    tape = peers.bars_tape(2_000)
    file = tmp_path / "bars.npz"
    np.savez(file, **tape)

    assert peers.once(NJORD, "catalog", file, 2_000)["rows"] == 2_000
    row = peers.measured(NJORD, "next_open_catalog", file, 2_000, 1)

    expected = peers.reference(tape["open"].tolist(), tape["close"].tolist(), "next_open")
    assert peers.verdict(NJORD, "next_open_catalog", row, {"next_open": expected}, 2_000) == "equal, to the last digit"
    assert row["rate"] >= row["whole_rate"] > 0
    assert row["peak_mb"] >= row["loaded_mb"] > 0


def test_a_peer_that_fails_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "OUT", tmp_path)

    row = peers.measured(NAUTILUS, "none", tmp_path / "bars.npz", 100, 3)

    assert "not installed" in row["error"]
    lines = peers.table([{"peer": "nautilus", "label": "NautilusTrader", "task": "none", **row}])
    assert "not installed" in lines


def test_table_says_how_many_times_faster() -> None:
    base = {"rows": 1_000, "peak_mb": 1.0, "orders": 0, "verdict": "equal", "task": "none", "version": "1"}
    rows = [
        {**base, "peer": "njord", "label": "Njord", "rate": 900.0, "whole_rate": 500.0},
        {**base, "peer": "backtrader", "label": "backtrader", "rate": 30.0, "whole_rate": 20.0},
    ]

    lines = peers.table(rows).splitlines()

    assert "| backtrader 1 | 1,000 | 30 | 30x | 20 | 25x | 1 | 0 | equal |" in lines


@pytest.mark.parametrize("given", [["--only", "nobody"], ["--bars", "10"], ["--repeat", "0"]])
def test_bad_arguments_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit):
        peers.arguments(given)


def test_gate_says_what_became_slower() -> None:
    stored = {"bars": 1.0, "orders": 2.0}

    assert gate.slower({"bars": 1.09, "orders": 1.0}, stored) == []
    (line,) = gate.slower({"bars": 1.11, "orders": 2.0}, stored)
    assert line.startswith("bars: 1.110")
    assert "+11.0 %" in line
    assert gate.slower({"books": 1.0}, stored) == ["books: nothing stored; run with --update"]


def test_every_peer_has_its_pins_and_its_file() -> None:
    for peer in peers.PEERS[1:]:
        assert (ROOT / "peers" / f"{peer.name}.txt").exists()
        assert (ROOT / "peers" / f"{peer.name}_peer.py").exists()


def test_quotes_script_prints_a_line_of_figures() -> None:
    code = "import quotes; quotes.QUOTES, quotes.RUNS = 2_000, 1; quotes.main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "quotes_per_cpu_s_p50" in done.stdout


def test_value_at_risk_is_timed_over_a_full_window():
    bench = script("value_at_risk")
    var, names = bench.made(VarModel.HISTORICAL)
    assert len(var.dump()["returns"][names[0]]) == bench.INTERVALS
    assert var.before() > 0
    assert len(bench.order_times_us(VarModel.PARAMETRIC, 3, filled=True)) == 3
