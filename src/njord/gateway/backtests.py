"""Backtests that people start from a page: one at a time, in a process of its own, on candles the market has made.

The market goes on meanwhile. What was run is kept with its report, the newest BACKTESTS_MAX of each account.
"""

import concurrent.futures
import multiprocessing
import signal
import threading
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.instrument import Instrument
from njord.domain.market import Bar
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.values import BadRequest, NotFound

BACKTESTS_MAX = 50
WAITING_MAX = 20
RUN_S_MAX = 300.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run. It travels to another process."""

    strategy: str
    params: dict[str, Any]
    instrument: Instrument
    cash: str
    taker_fee: str
    bars: dict[str, list[float]]
    report: str


class Backtest(msgspec.Struct, kw_only=True):
    """A backtest of an account, and where it is."""

    backtest_id: str
    account_id: str
    strategy: str
    instrument_id: str
    params: dict[str, Any]
    status: str = "waiting"
    progress: float = 0.0
    error: str | None = None
    digest: str | None = None
    stats: dict[str, Any] = {}
    report: bool = False


class Backtests:
    """All backtests of the platform. Safe to use from many threads."""

    def __init__(self, market: MarketDesk, folder: Path) -> None:
        self._market, self._folder = market, folder
        self._known: dict[str, Backtest] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def start(
        self, account_id: str, strategy: str, params: Mapping[str, Any], instrument_id: str, interval_s: int,
        cash: str, taker_fee: str,
    ) -> Backtest:  # fmt: skip
        """Queue a backtest. Raises BadRequest naming the field, NotFound for an instrument."""
        from njord.engine.loading import NoStrategy, built_in
        from njord.strategies import registry

        try:
            registry.build(built_in(strategy), strategy, params)
        except (NoStrategy, registry.BadParameter) as error:
            raise BadRequest("strategy", str(error)) from None
        listing = self._market.listing(instrument_id)
        bars = self._market.candles(instrument_id, interval_s)[:-1]  # The last one still burns
        if len(bars) < 2:
            raise BadRequest("interval_s", f"{instrument_id} has {len(bars)} candles of {interval_s} s so far")
        with self._lock:
            waiting = [each for each in self._known.values() if each.status in ("waiting", "running")]
            if len(waiting) >= WAITING_MAX:
                raise BadRequest("strategy", f"{WAITING_MAX} backtests are waiting already")
            self._count += 1
            made = Backtest(
                backtest_id=f"bt-{self._count}", account_id=account_id, strategy=strategy,
                instrument_id=instrument_id, params=dict(params),
            )  # fmt: skip
            self._known[made.backtest_id] = made
            self._forget(account_id)
        folder = self._folder / account_id
        folder.mkdir(parents=True, exist_ok=True)
        wanted = Wanted(
            strategy=strategy, params=dict(params), instrument=listing.instrument, cash=cash, taker_fee=taker_fee,
            bars=_columns(bars), report=str(folder / f"{made.backtest_id}.html"),
        )  # fmt: skip
        future = self._started().submit(run_wanted, msgspec.msgpack.encode(wanted))
        made.status = "running"
        future.add_done_callback(lambda done: _ended(made, done))
        return made

    def all(self, account_id: str) -> list[Backtest]:
        """Return an account's backtests, the newest first."""
        return [each for each in reversed(list(self._known.values())) if each.account_id == account_id]

    def one(self, account_id: str, backtest_id: str) -> Backtest:
        """Return one of an account's backtests. Raises NotFound."""
        found = self._known.get(backtest_id)
        if found is None or found.account_id != account_id:
            raise NotFound(f"no backtest {backtest_id!r}")
        return found

    def report(self, account_id: str, backtest_id: str) -> Path:
        """Return the report of a backtest that is done. Raises NotFound."""
        found = self.one(account_id, backtest_id)
        if not found.report:
            raise NotFound(f"backtest {backtest_id} has no report: it is {found.status}")
        return self._folder / account_id / f"{backtest_id}.html"

    def close(self) -> None:
        """Let go of the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> concurrent.futures.ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=_ignore_interrupts)
        return self._pool

    def _forget(self, account_id: str) -> None:
        theirs = [each for each in self._known.values() if each.account_id == account_id]
        for each in theirs[:-BACKTESTS_MAX]:
            del self._known[each.backtest_id]
            (self._folder / account_id / f"{each.backtest_id}.html").unlink(missing_ok=True)


def _ignore_interrupts() -> None:
    # Ctrl-C is for the platform, which ends this process in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_wanted(data: bytes) -> dict[str, Any]:
    """Run a backtest in this process and write its report. Return its figures."""
    from njord.engine.loading import built_in
    from njord.research.notebook import backtest
    from njord.strategies import registry

    wanted = msgspec.msgpack.decode(data, type=Wanted)
    strategy = registry.build(built_in(wanted.strategy), wanted.strategy, wanted.params)
    result = backtest(
        strategy, wanted.bars, Decimal(wanted.cash), instrument=wanted.instrument.instrument_id,
        definition=wanted.instrument, taker=Decimal(wanted.taker_fee),
    )  # fmt: skip
    result.report(wanted.report)
    return result.document()


def _ended(made: Backtest, done: "concurrent.futures.Future[dict[str, Any]]") -> None:
    made.progress = 1.0
    error = done.exception() if not done.cancelled() else concurrent.futures.CancelledError("the platform stopped")
    if error is not None:
        made.error, made.status = f"{type(error).__name__}: {error}", "failed"
        return
    document = done.result()
    made.digest, made.report = document["digest"], True
    made.stats = {key: value for key, value in document.items() if isinstance(value, (int, float, str))}
    made.status = "done"


def _columns(bars: list[Bar]) -> dict[str, list[float]]:
    names = ("open", "high", "low", "close", "volume")
    starts = [float(bar.venue_time_ns - bar.interval_ns) for bar in bars]
    return {"ts": starts, **{name: [getattr(bar, name) for bar in bars] for name in names}}
