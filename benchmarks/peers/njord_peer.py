"""Njord: the full engine, with risk, ledger, journal, digest and statistics, and the built-in strategy.

``run_cpu_s`` is the engine's run alone; the check of the frame, the hash of the data and the statistics are in
``whole_cpu_s``. Tasks that end in ``_catalog`` read Parquet as they go, from the catalog that ``catalog`` wrote.
"""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from protocol import CASH, FAST, FEE, SLOW, Tape, serve

from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.catalog import Catalog, DatasetId
from njord.research.benchmark import Watch
from njord.research.frames import Frames
from njord.research.notebook import backtest
from njord.research.result import Result
from njord.strategies.ema_cross import EmaCross
from njord.strategies.port import Strategy

NAME = InstrumentId("BTC/USD.BENCH")


def root() -> Path:
    """Where the catalog is: beside the tape."""
    return Path(sys.argv[1]).parent / "catalog"


def catalog(tape: Tape) -> Generator[None, None, dict[str, Any]]:
    """Write the tape into a catalog, for the tasks that read one."""
    frames = Frames()
    dataset_id = frames.add(NAME, tape)
    yield
    grid = 100
    store = Catalog(root())
    store.define(frames.instrument(NAME))
    names = ("open", "high", "low", "close")
    ticks = {f"{name}_ticks": (tape[name] * grid).round().astype("int64") for name in names}
    rows = store.write(dataset_id, {"start_ns": tape["ts"], **ticks, "volume": tape["volume"]}, replace=True)
    return {"rows": rows}


def settings(fill: str) -> dict[str, Any]:
    return {
        "instrument": NAME, "taker": FEE, "risk": "research", "latency_ms": 0,
        "fill": "next_open" if fill == "none" else fill,
    }  # fmt: skip


def outcome(result: Result) -> dict[str, Any]:
    found = result.document()
    return {
        "run_cpu_s": result.cpu_s, "orders": found["orders"], "fills": found["fills"],
        "equity": found["final_equity_exact"], "digest": found["digest"], "rejected": found["rejected"],
    }  # fmt: skip


def bars(tape: Tape, fill: str) -> Generator[None, None, dict[str, Any]]:
    strategy: Strategy = Watch() if fill == "none" else EmaCross(FAST, SLOW, 1.0)
    yield
    return outcome(backtest(strategy, tape, CASH, **settings(fill)))


def stored(tape: Tape, fill: str) -> Generator[None, None, dict[str, Any]]:
    strategy: Strategy = Watch() if fill == "none" else EmaCross(FAST, SLOW, 1.0)
    yield
    store = Catalog(root())
    dataset = store.dataset(DatasetId(NAME, Kind.BARS, 60_000_000_000))
    assert dataset is not None
    assert dataset.rows == tape["rows"], "the catalog is of another tape"
    data = (store, [{"instrument": NAME, "interval": "1m"}])
    return outcome(backtest(strategy, data, CASH, **settings(fill)))


def quotes(tape: Tape) -> Generator[None, None, dict[str, Any]]:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from quotes import watched

    yield
    result, strategy = watched(tape)
    assert abs(strategy.total - float((tape["ask_ticks"] - tape["bid_ticks"]).sum()) / 100) < 1e-3
    return {"run_cpu_s": result.cpu_s, "orders": 0, "seen": strategy.seen}


if __name__ == "__main__":
    serve(
        {
            "catalog": catalog,
            "none": lambda tape: bars(tape, "none"),
            "next_open": lambda tape: bars(tape, "next_open"),
            "same_close": lambda tape: bars(tape, "same_close"),
            "none_catalog": lambda tape: stored(tape, "none"),
            "next_open_catalog": lambda tape: stored(tape, "next_open"),
            "quotes": quotes,
        },
        "njord",
        own_data=("none_catalog", "next_open_catalog"),
    )
