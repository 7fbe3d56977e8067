"""The house: a simulated exchange and all the accounts that trade on it, each a session with a record of its own.

One thread drives it. For each moment: the market moves, reports are put on the exchange's record and handed out, then
each account's engine decides, and what it wants reaches the market at that same moment. An account whose session stops
takes no other down.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from njord.domain.clock import NS_PER_S
from njord.domain.command import OrderCommand, Refused
from njord.domain.governance import ProfileChanged, Scope
from njord.domain.ids import InstrumentId, StrategyId
from njord.domain.instruction import BY_HAND, Instructed
from njord.domain.instrument import Instrument
from njord.domain.market import Kind
from njord.engine.assemble import Parts, unique_id
from njord.engine.config import AccountSpec, DataSpec, RunConfig, StrategySpec
from njord.engine.gate import Gate, Trip
from njord.engine.marketplace import Marketplace, PublicEvent
from njord.engine.opening import AccountFolder, open_session
from njord.engine.recorder import Stopped
from njord.engine.session import Session
from njord.engine.session_journal import Step
from njord.engine.session_replay import Listed
from njord.engine.simulation.blotter import Blotter
from njord.engine.simulation.candles import Candles
from njord.engine.simulation.floor import Floor, Line
from njord.engine.simulation.record import ExchangeRecord
from njord.engine.state import State
from njord.ledger.port import Ledger
from njord.ledger.record import StepRecord
from njord.strategies.by_hand import ByHand
from njord.strategies.port import Memory
from njord.venues.simulated.settings import Fees, VenueSettings

ACCOUNTS_MAX = 10_000
CANDLES_NS = (10 * NS_PER_S, 60 * NS_PER_S, 300 * NS_PER_S, 3600 * NS_PER_S)
TICK_NS = NS_PER_S  # How often an idle account looks at itself
WORLD = "simulate"


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account begins with and trades by. Each strategy says which instruments it is for.

    ``risk`` is the profile it begins with. From then on the one on record holds, as people change it.
    """

    cash: Decimal
    currency: str = "USD"
    risk: str = "capital_preserving"
    strategies: tuple[StrategySpec, ...] = ()


class Account:
    """An account that is open: its session, its line, and what a person sees of it."""

    def __init__(self, account_id: str, plan: Plan, folder: AccountFolder) -> None:
        self.account_id, self.plan = account_id, plan
        self.gate = Gate()
        self.blotter = Blotter()
        self.profiles: list[ProfileChanged] = []  # By which it was judged, the one in force last
        self.stopped: str | None = None  # Why its session cannot go on
        self.folder = folder
        self.session: Session | None = None
        self.line: Line | None = None


class UnknownAccount(KeyError):
    """There is no such account, or it is not open."""


class House:
    """All accounts on one floor. ``changed`` is told which account something happened to."""

    def __init__(
        self, marketplace: Marketplace, ledger: Ledger, root: Path, *,
        seen: Callable[[PublicEvent], None] = lambda _event: None,
        changed: Callable[[str, Step], None] = lambda _account, _step: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.marketplace = marketplace
        self.candles = Candles(CANDLES_NS)
        self.record = ExchangeRecord(root / "exchange")
        self.floor = Floor(marketplace, self.record, self.candles, seen)
        self.accounts: dict[str, Account] = {}
        self.tripped: dict[Scope, Trip] = {}  # For all accounts, those to come as well
        self._ledger, self._root = ledger, root
        self._changed, self._wait = changed, wait

    @property
    def now_ns(self) -> int:
        """The exchange's time, which is every account's."""
        return self.marketplace.now_ns

    def open(self, account_id: str, plan: Plan, memories: Mapping[StrategyId, Memory] | None = None) -> Account:
        """Begin an account's session. Its opening cash is paid in once, however often this is called.

        ``memories`` are what its strategies take over from those they replace.

        Raises InUse, ConfigError, NoStrategy, BadParameter, Irreconcilable, Broken, Unwritable or LedgerRefused.
        """
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise ValueError(f"the house has {ACCOUNTS_MAX} accounts already")
        folder = AccountFolder(self._root / "sessions", account_id)
        account = Account(account_id, plan, folder)
        try:
            account.session = self._session(account, memories or {})
        except BaseException:
            folder.release()
            raise
        self.accounts[account_id] = account
        for trip in self.tripped.values():
            account.gate.trip(trip)
        return account

    def begin(self) -> None:
        """All accounts of before are open again: from here on this run's record is the one that counts."""
        self.record.begin(set(self.accounts))

    def instruct(self, account_id: str, intent: OrderCommand, actor: str) -> Refused | None:
        """Do by hand what an account's owner wants. Return the risk engine's refusal, where it refuses.

        Raises UnknownAccount, and Stopped where the account's session cannot go on.
        """
        account = self._open(account_id)
        session, line = account.session, account.line
        assert session is not None, account_id
        assert line is not None, account_id
        line.look(intent.instrument_id)  # Judged by a price of now, though nobody listened to it before
        now_ns = self.now_ns
        self._guarded(
            account, lambda: session.handle([*line.receive(), Instructed(intent, actor, now_ns, now_ns)])
        )  # fmt: skip
        desk = session.state.slots[BY_HAND].strategy
        assert isinstance(desk, ByHand), desk
        return desk.refusals.pop(intent.client_order_id, None)

    def change_profile(self, account_id: str, change: Callable[[State], ProfileChanged]) -> None:
        """Judge an account by another profile. ``change`` sees the account as it is then, and raises where it may not.

        Raises UnknownAccount, and Stopped where the account's session cannot go on.
        """
        account = self._open(account_id)
        session, line = account.session, account.line
        assert session is not None, account_id
        assert line is not None, account_id
        event = change(session.state)
        self._guarded(account, lambda: session.handle([*line.receive(), event]))

    def turn(self, until_ns: int) -> None:
        """Let time pass, and every account react."""
        self.floor.advance(until_ns)
        for account in self.accounts.values():
            session = account.session
            if session is not None and account.stopped is None:
                self._guarded(account, session.turn)

    def trip(self, trip: Trip, account_id: str | None = None) -> None:
        """Stop trading in a scope, of one account or of all."""
        if account_id is not None:
            self._open(account_id).gate.trip(trip)
            return
        self.tripped[trip.scope] = trip
        for account in self.accounts.values():
            account.gate.trip(trip)

    def clear(self, scope: Scope, actors: tuple[str, ...], reason: str, account_id: str | None = None) -> None:
        """Ask that trading in a scope may go on: each account's engine decides, by its profile."""
        if account_id is None:
            self.tripped.pop(scope, None)
        for account in self.accounts.values():
            if account_id in (None, account.account_id):
                account.gate.ask_clear(scope, actors, reason)

    def reopen(self, account_id: str, plan: Plan) -> Account:
        """End an account's session in order and begin another by a new plan. Orders by hand stay at the exchange.

        Strategies that go on under their name, on the same instruments, take over what they have learned.
        """
        account = self.close_account(account_id)
        memories = _memories(account, plan)
        try:
            return self.open(account_id, plan, memories)
        except ValueError:
            self.open(account_id, account.plan, memories)
            raise

    def close_account(self, account_id: str) -> Account:
        """End an account's session in order."""
        account = self._open(account_id)
        if account.session is not None and account.stopped is None:
            self._guarded(account, account.session.finish)
        del self.accounts[account_id]
        self.floor.leave(account_id)
        account.folder.release()
        return account

    def close(self) -> None:
        """End all sessions in order, and the exchange's record."""
        for account_id in list(self.accounts):
            self.close_account(account_id)
        self.floor.settle()
        self.record.close()

    def _open(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise UnknownAccount(account_id)
        return account

    def _guarded(self, account: Account, act: Callable[[], object]) -> None:
        if account.stopped is not None:
            raise Stopped(account.stopped)
        try:
            act()
        except Stopped as error:
            account.stopped = str(error)
            if account.line is not None:
                account.line.cancel_all()

    def _session(self, account: Account, memories: Mapping[StrategyId, Memory]) -> Session:
        config = config_of(account.plan, self.marketplace.instruments)

        def venue(parts: Parts, positions: Mapping[InstrumentId, int]) -> Line:
            state = parts.state
            held = {name: None for (_, name), each in state.portfolio.holdings.items() if each.lots}
            line = account.line = self.floor.join(account.account_id, dict(positions), held)

            def marked() -> Iterator[InstrumentId]:
                for name, lots in state.portfolio.lots.items():
                    if lots or state.orders.buys.get(name) or state.orders.sells.get(name):
                        yield name

            heard = {kind: dict.fromkeys(names) for kind, names in state.listeners.items() if names}
            line.listen(heard, marked)
            for name in positions:
                line.look(name)
            return line

        def seen(step: Step | StepRecord) -> None:
            account.blotter.apply(step.time_ns, step.event, step.commands, step.closed)
            if isinstance(step.event, ProfileChanged):
                account.profiles.append(step.event)

        def reached(point: str) -> None:
            if point == "redone":  # Only now the ledger has all that is on record, whatever ended the last session
                for record in self._ledger.records(account.account_id):
                    seen(record)

        def observed(step: Step) -> None:
            seen(step)
            self._changed(account.account_id, step)

        return open_session(
            config, Listed(self.marketplace.instruments), account.folder, self._ledger, venue=venue,
            gate=account.gate, clock=lambda: self.now_ns, wait=self._wait, world=WORLD, tick_ns=TICK_NS,
            observed=observed, reached=reached, keep_profile=True, memories=memories,
        )  # fmt: skip


def _memories(account: Account, plan: Plan) -> dict[StrategyId, Memory]:
    # What each strategy of a plan takes over: from one of its name, on the same instruments
    session = account.session
    if session is None or account.stopped is not None:
        return {}
    slots = [slot for name, slot in session.state.slots.items() if name != BY_HAND]
    before = list(zip(slots, account.plan.strategies, strict=False))
    found: dict[StrategyId, Memory] = {}
    taken: dict[StrategyId, None] = {}
    for spec in plan.strategies:
        strategy_id = unique_id(spec.name or "", taken)
        taken[strategy_id] = None
        same = [pair for pair in before if (pair[1].name, pair[1].instruments) == (spec.name, spec.instruments)]
        if same:
            before.remove(same[0])
            memory = same[0][0].strategy.remember()
            if memory is not None:
                found[strategy_id] = memory
    return found


def config_of(plan: Plan, instruments: Mapping[InstrumentId, Instrument]) -> RunConfig:
    """Return the config of an account's session: prices of everything, and more of what its strategies trade."""
    data = [DataSpec(instrument=name, kind=Kind.QUOTES) for name in instruments]
    traded = dict.fromkeys(name for spec in plan.strategies for name in spec.instruments or ())
    for name in traded:
        data += [DataSpec(instrument=name, kind=kind) for kind in (Kind.BOOK, Kind.TRADES)]
        data.append(DataSpec(instrument=name, kind=Kind.BARS, interval=f"{CANDLES_NS[0] // NS_PER_S}s"))
    fees = Fees(maker=Decimal(0), taker=Decimal(0))
    return RunConfig(
        data=data, strategies=[StrategySpec(name=BY_HAND), *plan.strategies],
        account=AccountSpec(currency=plan.currency, cash=plan.cash), venue=VenueSettings(fees=fees, latency_ms=0),
        risk=plan.risk,
    )  # fmt: skip
