"""The platform at work: one thread that lets the simulated market live, and everybody else asking it things.

``call`` runs a function between two moments of the market and returns what it returns: the market, the accounts and
their engines are touched by that thread alone, so nothing in them needs a lock. What the market and the accounts do is
handed to listeners, which must be quick: they run in that thread too.

The market's clock goes on only while the platform runs. What must survive is on disk when it matters: accounts in their
ledger and the exchange's record, the market itself every SAVE_S, so that after a crash prices are some seconds older.
"""

import collections
import concurrent.futures
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from njord.bus.port import Bus
from njord.bus.topics import KILL
from njord.domain.clock import NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from njord.domain.command import Snapshot
from njord.domain.ids import InstrumentId
from njord.domain.market import Bar, Trade
from njord.engine.gate import Gate
from njord.engine.marketplace import Marketplace, PublicEvent
from njord.engine.marketplace_state import MarketplaceState
from njord.engine.session_journal import Step
from njord.engine.simulation.appraisal import Appraiser, PortfolioView
from njord.engine.simulation.candles import decode
from njord.engine.simulation.house import CANDLES_NS, House, Plan
from njord.engine.simulation.past import lived
from njord.ledger.held_folder import HeldFolder
from njord.ledger.port import Ledger
from njord.market.synthetic.listing import default_universe
from njord.ops.kill_switch import KillFolder, KillWatch
from njord.ops.whole_files import write_whole

SLICE_NS = 50 * NS_PER_MS
CALLS_WAITING_MAX = 10_000
CALLS_A_SLICE_MAX = 500
APPRAISE_NS = NS_PER_S
SAVE_S = 10.0
CANDLES_SAVE_S = 300.0
TAPE_MAX = 500  # Trades of each instrument that are shown
HISTORY_MAX = 7_200  # Points of NAV: two hours of seconds
BEHIND_NS_MAX = 5 * NS_PER_S  # A market that has fallen further behind skips what it missed
CALL_S_MAX = 10.0
PAST_NS = NS_PER_DAY  # What a new market has lived already

T = TypeVar("T")


class Busy(RuntimeError):
    """Too much is waiting to be done; try again."""


class Stopped(RuntimeError):
    """The platform is not running any more."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The market as it was, for the next start."""

    version: int = 1
    seed: int
    start_ns: int
    state: MarketplaceState


class OtherMarket(ValueError):
    """What is on disk is of another version. The message says what to do."""


Listener = Callable[[list[PublicEvent]], None]


class Platform:
    """See the module. ``root`` is where the market and the sessions are kept.

    ``kill`` is the kill switch's folder; a ``bus`` brings trips from elsewhere. Raises InUse where another process has
    ``root``, OtherMarket, or what opening an account raises.
    """

    def __init__(
        self, root: Path, ledger: Ledger, kill: Path, *, seed: int, wall_ns: Callable[[], int], speed: float = 1.0,
        bus: Bus | None = None,
    ) -> None:  # fmt: skip
        self.root = root
        self.portfolios: dict[str, PortfolioView] = {}
        self.history: dict[str, collections.deque[tuple[int, int]]] = {}
        self.tape: dict[InstrumentId, collections.deque[Trade]] = {}
        self.heard_ns: dict[InstrumentId, int] = {}
        self.failure: str | None = None
        self.market_listeners: list[Listener] = []
        self.account_listeners: list[Callable[[str], None]] = []
        self.portfolio_listeners: list[Callable[[Sequence[PortfolioView]], None]] = []
        self.behind_ns = 0
        self.events = 0
        self._wall_ns, self._speed = wall_ns, speed
        self._calls: queue.Queue[tuple[Callable[[], Any], concurrent.futures.Future[Any]]] = queue.Queue(
            CALLS_WAITING_MAX
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="market", daemon=True)
        self._events: list[PublicEvent] = []
        self._changed: dict[str, None] = {}
        self._gate = Gate()  # What watchers of the kill folder close: handed on to every account
        self._kill = KillWatch(self._gate, KillFolder(kill), wall_ns, bus=None if bus is None else bus.subscribe(KILL))
        self._held = HeldFolder(root, f"platform {root}")
        try:
            self._bring_back(root, ledger, seed)
        except BaseException:
            self._held.release()
            raise

    def _bring_back(self, root: Path, ledger: Ledger, seed: int) -> None:
        saved = self._load()
        self.seed = seed if saved is None else saved.seed
        self.start_ns = self._wall_ns() // NS_PER_MINUTE * NS_PER_MINUTE - PAST_NS if saved is None else saved.start_ns
        runs = len(list((root / "exchange").glob("run-*"))) if (root / "exchange").is_dir() else 0
        universe, past = default_universe(self.start_ns), None
        bars: list[Bar] = []
        if saved is None:
            until_ns = self.start_ns + PAST_NS
            past, bars = lived(universe, self.seed, until_ns, CANDLES_NS)
        self.market = Marketplace(universe, self.seed, fill_prefix=f"{runs + 1}.", begun=past)
        if saved is not None:
            self.market.restore(saved.state)
        self.house = House(self.market, ledger, root, seen=self._seen, changed=self._account_changed)
        self.house.candles.add(bars)
        self._restore_candles()
        self.appraiser = Appraiser(self.market.world)
        self.appraiser.remember(self.house.candles)
        self.plans: dict[str, Plan] = self._load_plans()
        for account_id, plan in self.plans.items():
            self._begin(account_id, plan, ledger)
        self.house.begin()

    @property
    def now_ns(self) -> int:
        """The market's time."""
        return self.market.now_ns

    def start(self) -> None:
        """Let the market live."""
        self._save(candles=True)  # Killed before its first ten seconds are over, it is still this market
        self._kill.__enter__()
        self._thread.start()

    def call(self, act: Callable[[], T], timeout_s: float = CALL_S_MAX) -> T:
        """Run something between two moments of the market. Raises what it raises, Busy, or Stopped."""
        if self._stopping.is_set() or self.failure is not None:
            raise Stopped(self.failure or "the platform is stopping")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        try:
            self._calls.put_nowait((act, future))
        except queue.Full:
            raise Busy(f"more than {CALLS_WAITING_MAX} requests are waiting") from None
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise Busy(f"the market did not get to it within {timeout_s:.0f} s") from None

    def open(self, account_id: str, plan: Plan) -> None:
        """Open an account, or open it again by another plan. To be called through ``call``."""
        if account_id in self.house.accounts:
            self.house.reopen(account_id, plan)
        else:
            self.house.open(account_id, plan)
            self.history.setdefault(account_id, collections.deque(maxlen=HISTORY_MAX))
        self.plans[account_id] = plan
        write_whole(self.root / "plans.json", [msgspec.json.encode(self.plans)])

    def stop(self) -> None:
        """End everything in order."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(60)
        self._kill.__exit__()
        self._save(candles=True)
        self.house.close()
        self._held.release()

    def _run(self) -> None:
        try:
            self._live()
        except Exception as error:
            self.failure = f"the market stopped: {type(error).__name__}: {error}"
            while not self._calls.empty():
                self._calls.get_nowait()[1].set_exception(Stopped(self.failure))
            raise

    def _live(self) -> None:
        begun_ns, from_ns = time.monotonic_ns(), self.market.now_ns
        appraise_ns, save_s, candles_s = from_ns, time.monotonic() + SAVE_S, time.monotonic() + CANDLES_SAVE_S
        while not self._stopping.is_set():
            due_ns = from_ns + int((time.monotonic_ns() - begun_ns) * self._speed)
            due_ns -= due_ns % NS_PER_MS
            self.behind_ns = due_ns - self.market.now_ns
            if self.behind_ns > BEHIND_NS_MAX:
                begun_ns, from_ns = time.monotonic_ns(), self.market.now_ns  # Rather late than in a rush
                continue
            self._stop_where_told()
            self.house.turn(max(due_ns, self.market.now_ns))
            if self.market.now_ns >= appraise_ns:
                appraise_ns = self.market.now_ns + APPRAISE_NS
                self._appraise()
            self._publish()
            if time.monotonic() >= save_s:
                save_s = time.monotonic() + SAVE_S
                self._save(candles=time.monotonic() >= candles_s)
                candles_s = candles_s if time.monotonic() < candles_s else time.monotonic() + CANDLES_SAVE_S
            self._answer(begun_ns + int((self.market.now_ns - from_ns + SLICE_NS) / self._speed))

    def _answer(self, until_ns: int) -> None:
        # What people ask is done while the market waits for its next moment
        for _ in range(CALLS_A_SLICE_MAX):
            left_s = (until_ns - time.monotonic_ns()) / NS_PER_S
            try:
                act, future = self._calls.get(timeout=max(0.001, left_s))
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(act())
                except Exception as error:  # noqa: BLE001 - it is the caller's
                    future.set_exception(error)
            if self._changed:
                self._publish()

    def _appraise(self) -> None:
        self.appraiser.look(self.market.now_ns)
        accounts = list(self.house.accounts.values())
        views = self.appraiser.portfolios(accounts)
        for told in self.portfolio_listeners:
            told(views)
        for view in views:
            self.portfolios[view.account_id] = view
            self.history[view.account_id].append((view.time_ns, view.nav_units))
            self._changed.setdefault(view.account_id)

    def _publish(self) -> None:
        events, self._events = self._events, []
        if events:
            self.events += len(events)
            for listener in self.market_listeners:
                listener(events)
        changed, self._changed = self._changed, {}
        for account_id in changed:
            for told in self.account_listeners:
                told(account_id)

    def _seen(self, event: PublicEvent) -> None:
        self._events.append(event)
        self.heard_ns[event.instrument_id] = event.venue_time_ns
        if isinstance(event, Trade):
            self.tape.setdefault(event.instrument_id, collections.deque(maxlen=TAPE_MAX)).append(event)

    def _account_changed(self, account_id: str, _step: Step) -> None:
        self._changed.setdefault(account_id)

    def _stop_where_told(self) -> None:
        for trip in self._gate.taken():
            self.house.trip(trip)
        for clear in self._gate.asked():
            self._gate.open(clear.scope)
            self.house.clear(clear.scope, clear.actors, clear.reason)
            self._gate.answer(clear.scope, None)

    def _begin(self, account_id: str, plan: Plan, ledger: Ledger) -> None:
        self.house.open(account_id, plan)
        history = self.history[account_id] = collections.deque(maxlen=HISTORY_MAX)
        for record in ledger.records(account_id):
            for command in record.commands:
                if isinstance(command, Snapshot):
                    history.append((command.time_ns, command.equity_units))

    # On disk

    def _load(self) -> Saved | None:
        path = self.root / "market.mp"
        if not path.exists():
            return None
        try:
            return msgspec.msgpack.decode(path.read_bytes(), type=Saved)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise OtherMarket(
                f"{path}: is of another version of njord, or damaged ({error}); move it away to begin a new market"
            ) from None

    def _load_plans(self) -> dict[str, Plan]:
        path = self.root / "plans.json"
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Plan]) if path.exists() else {}

    def _save(self, *, candles: bool) -> None:
        saved = Saved(seed=self.seed, start_ns=self.start_ns, state=self.market.agents_only())
        write_whole(self.root / "market.mp", [msgspec.msgpack.encode(saved)])
        if candles:
            write_whole(self.root / "candles.mp", self.house.candles.encoded())

    def _restore_candles(self) -> None:
        path = self.root / "candles.mp"
        if path.exists():
            with contextlib.suppress(msgspec.DecodeError, ValueError):  # Charts can begin anew
                self.house.candles.restore(decode(path.read_bytes()), self.market.now_ns)
