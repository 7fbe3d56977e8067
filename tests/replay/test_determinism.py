"""One run, one digest: in fresh processes with other hash seeds, after other runs, on other Pythons."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import njord as nj
from njord.market.catalog import Catalog
from njord.research.frames import Frames
from njord.research.repeat import RepeatFailed, repeat
from njord.strategies.buy_and_hold import BuyAndHold
from njord.strategies.ema_cross import EmaCross

ROOT = Path(__file__).parents[2]
POINTS = ("open", "high", "low", "close")
HOUR_NS = 3_600_000_000_000
NAMES = ("BTC/USD.SIM", "ETH/USD.SIM", "SOL/USD.SIM")
DICE = """from njord.strategies.port import Strategy


class Dice(Strategy):
    def on_bar(self, bar, desk):
        if desk.rng.random() < 0.2:
            wanted = desk.rng.randint(-3, 3)
            desk.target(wanted, instrument=bar.instrument_id)
        desk.cancel_all()
"""
# Which of two words comes first out of a set differs from process to process
UNSTABLE = """from njord.strategies.port import Strategy


class Unstable(Strategy):
    def on_start(self, desk):
        self.row = 0

    def on_bar(self, bar, desk):
        self.row += 1
        words = {f"{word}{self.row}" for word in ("buy", "sell", "wait", "hold")}
        for word in words:
            desk.note(word)
"""
BROKEN = """raise RuntimeError("not today")
"""


def market(seed: int, rows: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = np.round(1_000 * np.exp(np.cumsum(rng.normal(0, 0.01, rows))), 2)
    opens = np.concatenate([[1_000.0], close[:-1]])
    return {
        "ts": np.arange(rows) * HOUR_NS + 1_704_067_200_000_000_000,
        "open": opens, "high": np.maximum(opens, close) + 1, "low": np.minimum(opens, close) - 1, "close": close,
        "volume": np.round(rng.exponential(10, rows), 3),
    }  # fmt: skip


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of three instruments."""
    root: Path = tmp_path_factory.mktemp("catalog")
    stored = Catalog(root)
    for seed, name in enumerate(NAMES):
        bars = market(seed)
        frames = Frames()
        dataset_id = frames.add(name, bars)
        stored.define(frames.instrument(dataset_id.instrument_id))
        ticks = {f"{point}_ticks": np.rint(bars[point] * 100).astype(np.int64) for point in POINTS}
        stored.write(dataset_id, {"start_ns": bars["ts"], **ticks, "volume": bars["volume"]})
    return root


def config(folder: Path, **files: str) -> Path:
    """Write a config of three built-in strategies and those in ``files``, over three instruments."""
    strategies: list[dict[str, Any]] = [
        {"name": "ema_cross", "params": {"fast": 5, "slow": 20, "quantity": 1, "short": True}},
        {"name": "rsi_tema_bb", "instruments": [NAMES[0]]},
        {"name": "ema_cross", "params": {"fast": 3, "slow": 9, "quantity": 2}, "instruments": [NAMES[2], NAMES[1]]},
    ]
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
        strategies.append({"file": f"{name}.py"})
    document = {
        "data": [{"instrument": name, "kind": "bars", "interval": "1h"} for name in NAMES],
        "strategies": strategies,
        "account": {"currency": "USD", "cash": 1_000_000},
        "venue": {"fill": "next_open", "fees": {"maker": 0.001, "taker": 0.002}, "latency_ms": 5},
        "risk": "research",
        "seed": 11,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_one_digest_in_fresh_processes(catalog: Path, tmp_path: Path) -> None:
    found = repeat(config(tmp_path, dice=DICE), 3, catalog=catalog)

    assert found.same, found.message
    assert len(set(found.hash_seeds)) == 3


@pytest.mark.slow
def test_one_digest_in_twenty_fresh_processes(catalog: Path, tmp_path: Path) -> None:
    found = repeat(config(tmp_path, dice=DICE), 20, catalog=catalog, seed=2)

    assert found.same, found.message
    assert len(set(found.digests)) == 1
    assert len(found.digests) == len(set(found.hash_seeds)) == 20


@pytest.mark.slow
def test_a_strategy_that_depends_on_the_process_is_named(catalog: Path, tmp_path: Path) -> None:
    found = repeat(config(tmp_path, unstable=UNSTABLE), 2, catalog=catalog)

    assert not found.same
    assert found.strategy == "unstable"
    assert found.line is not None
    assert "note" in (found.first or "")
    assert found.first != found.other
    assert found.message.startswith("strategy unstable decides otherwise in another process: journal line ")


@pytest.mark.slow
def test_a_process_that_fails_is_said_so(catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(RepeatFailed, match=r"a fresh process failed: .*broken.*RuntimeError: not today"):
        repeat(config(tmp_path, broken=BROKEN), 2, catalog=catalog)


def test_earlier_runs_do_not_change_later_ones() -> None:
    settings: dict[str, Any] = {"cash": 1_000_000, "taker": 0.001, "risk": "research"}
    strategy, bars = EmaCross(5, 20, 1.0), market(7)

    alone = nj.backtest(EmaCross(5, 20, 1.0), bars, **settings).digest
    nj.backtest([BuyAndHold(), EmaCross(3, 9, 2.0, short=True)], market(8), **{**settings, "seed": 5})
    after_others = nj.backtest(EmaCross(5, 20, 1.0), bars, **settings).digest
    same_object = [nj.backtest(strategy, bars, **settings).digest for _ in range(2)]

    assert after_others == alone
    assert same_object == [alone, alone]


def other_python() -> str | None:
    """Return an interpreter of another minor version that works here."""
    names = [os.environ.get("NJORD_OTHER_PYTHON"), *(shutil.which(f"python3.{minor}") for minor in (13, 12, 11))]
    for path in names:
        if path is None:
            continue
        asked = subprocess.run(
            [path, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip() != str(sys.version_info[:2]):
            return path
    return None


@pytest.mark.slow
def test_one_digest_on_another_python(catalog: Path, tmp_path: Path) -> None:
    python = other_python()
    if python is None:
        pytest.skip("no other Python here: name one in NJORD_OTHER_PYTHON")
    uv, folder = Path(sys.executable).parent / "uv", tmp_path / "other"
    subprocess.run([uv, "venv", "--quiet", "--python", python, folder], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements.lock"]
    subprocess.run([*install, *locked], check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "--editable", ROOT], check=True)
    run = config(tmp_path, dice=DICE)
    here = repeat(run, 2, catalog=catalog)
    there = repeat(run, 2, catalog=catalog, python=str(folder / "bin" / "python"))

    assert there.same, there.message
    assert there.digests[0] == here.digests[0]
