"""How a session begins: one start-up path, after a crash or a quiet night alike.

1. one process an account: whoever comes second is refused;
2. what the last journals have and the ledger lacks is put into the ledger;
3. the state is rebuilt from the ledger, and from nothing else;
4. a profile looser than the one on record needs an approval;
5. a new journal begins with all that goes into the session.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.governance import AllocationChanged, Deposited, ProfileChanged
from njord.domain.ids import InstrumentId, StrategyId
from njord.domain.money import units
from njord.engine import session_journal
from njord.engine.assemble import Parts, Source, parts_of
from njord.engine.boundary import boundary_of
from njord.engine.compiling import equip
from njord.engine.config import ConfigError, RunConfig
from njord.engine.gate import Gate
from njord.engine.loading import NoStrategy
from njord.engine.manifest import manifest
from njord.engine.restore import Irreconcilable, restore
from njord.engine.session import TICK_NS, Session
from njord.engine.session_journal import Opened, SessionJournal, Step, Steps, record_of
from njord.engine.state import State
from njord.engine.watching import watch_by
from njord.ledger.held_folder import HeldFolder
from njord.ledger.port import Head, Ledger
from njord.ledger.record import StepRecord
from njord.strategies.port import Memory, Strategy
from njord.venues.port import Venue

MANIFEST = "manifest.json"
STRATEGY_FOLDER = "strategies"
SESSIONS_MAX = 999_999
REDO_RECORDS_MAX = 256  # In one transaction


class AccountFolder:
    """Where an account's sessions are kept, held by one process at a time until ``release``."""

    def __init__(self, root: Path, account_id: str) -> None:
        """Raises InUse."""
        self.account_id = account_id
        self.path = root / account_id
        self._held = HeldFolder(self.path, f"account {account_id}")

    def sessions(self) -> list[Path]:
        """Return the folders of all sessions, the oldest first."""
        return sessions(self.path)

    def next_session(self) -> tuple[int, str]:
        """Return the number and the id of the session that comes next."""
        found = self.sessions()
        number = int(found[-1].name.rpartition("-")[2]) + 1 if found else 1
        if number > SESSIONS_MAX:
            raise ValueError(f"account {self.account_id}: more than {SESSIONS_MAX} sessions")
        return number, f"{self.account_id}-{number:06d}"

    def release(self) -> None:
        """Let another process have the account."""
        self._held.release()


def sessions(account: Path) -> list[Path]:
    """Return the folders of an account's sessions, the oldest first."""
    return sorted(path for path in account.glob(f"{account.name}-*") if path.is_dir())


def redo(account: AccountFolder, ledger: Ledger) -> int:
    """Put into the ledger what the journals have and it lacks. Return how many records that were.

    Raises Irreconcilable where the ledger has what no journal has, Broken for a journal that was tampered with.
    """
    head = ledger.head(account.account_id)
    folders = account.sessions()
    names = [folder.name for folder in folders]
    if head.position and head.session_id not in names:
        raise Irreconcilable(
            f"account {account.account_id}: the ledger ends in session {head.session_id}, which has no journal"
        )
    redone = 0
    pending: list[StepRecord] = []
    for folder in folders[names.index(head.session_id) if head.position else 0 :]:
        last = 0
        for line in session_journal.read(folder):
            if not isinstance(line, Steps):
                continue
            for step in line.steps:
                last = step.sequence
                if folder.name == head.session_id and step.sequence <= head.sequence:
                    continue
                record = record_of(step, account.account_id, folder.name)
                if record is not None:
                    pending.append(record)
            if len(pending) >= REDO_RECORDS_MAX:
                ledger.commit(pending)
                redone += len(pending)
                pending.clear()
        if folder.name == head.session_id and last < head.sequence:
            raise Irreconcilable(
                f"account {account.account_id}: the ledger ends at step {head.sequence} of session {folder.name}, its"
                f" journal at {last}: the journal was cut off"
            )
    if pending:
        ledger.commit(pending)
        redone += len(pending)
    return redone


def open_session(
    config: RunConfig,
    source: Source,
    account: AccountFolder,
    ledger: Ledger,
    *,
    venue: Callable[[Parts, Mapping[InstrumentId, int]], Venue],
    gate: Gate,
    clock: Callable[[], int],
    wait: Callable[[float], None],
    world: str = "paper",
    here: Path | None = None,
    given: list[tuple[str, Strategy]] | None = None,
    allowed: Callable[[State, Any], str] = lambda _state, _subject: "",
    keep_profile: bool = False,
    reached: Callable[[str], None] = lambda _point: None,
    observed: Callable[[Step], None] = lambda _step: None,
    tick_ns: int = TICK_NS,
    memories: Mapping[StrategyId, Memory] | None = None,
) -> Session:
    """Begin a session and start it. ``venue`` makes the venue, told what the account holds; ``memories`` are what its
    strategies take over from those they replace.

    ``allowed`` is asked when the config has another profile, or other shares, than what is on record: it returns the id
    of a signed approval where they allow more, or raises. With ``keep_profile`` the config's profile is only what an
    account begins with, and the one on record holds. Raises ConfigError, CatalogError, NoStrategy, Irreconcilable,
    Broken, Unwritable or LedgerRefused.
    """
    if config.profile.backtest_only:
        raise ConfigError(f"risk: profile {config.profile.name} is for backtests only, and this is a session")
    redo(account, ledger)
    reached("redone")
    parts = parts_of(config, source, here=here, given=given, shares_books=False)
    for name, reason in equip(parts.strategies, parts.notices).items():
        raise NoStrategy(f"strategy {name}: {reason}")
    state = parts.state
    state.go_on_record()
    state.memories = dict(memories or {})
    known = state.profile
    restore(state, ledger.records(account.account_id))
    if state.watch is None:
        watch_by(state, always=True)
    number, session_id = account.next_session()
    state.order_prefix = f"{number}."
    folder = account.path / session_id
    head = ledger.head(account.account_id)
    journal = _begin(parts, source, folder, head, account.account_id, world, here)
    reached("opened")
    positions = {name: lots for name, lots in state.portfolio.lots.items() if lots}
    session = Session(
        account_id=account.account_id, session_id=session_id, state=state, venue=venue(parts, positions),
        journal=journal, ledger=ledger, gate=gate, clock=clock, wait=wait, reached=reached,
        observed=observed, tick_ns=tick_ns,
    )  # fmt: skip
    now_ns = max(clock(), state.time_ns)
    if head.position == 0:
        currency = config.account.currency
        paid = Deposited(f"{account.account_id}:opening", currency, units(config.account.cash), now_ns, now_ns)
        session.handle([ProfileChanged(known, "config", "", now_ns, now_ns), paid])
    elif known != state.profile and not keep_profile:
        session.handle([ProfileChanged(known, "config", allowed(state, known), now_ns, now_ns)])
    shares = {name: spec.share for name, spec in zip(parts.strategies, config.strategies, strict=True) if spec.share}
    if shares and shares != {**state.shares, **state.shares_before_trip}:
        approval = allowed(state, shares) if state.shares else ""
        session.handle([AllocationChanged(shares, "config", approval, "the config says so", now_ns, now_ns)])
    session.start()
    return session


def _begin(
    parts: Parts, source: Source, folder: Path, head: Head, account_id: str, world: str, here: Path | None
) -> SessionJournal:
    folder.mkdir()
    made_of = {"world": world, "session_id": folder.name, "account_id": account_id, **manifest(parts, source)}
    for spec in parts.config.strategies:
        if spec.file is not None:
            kept = folder / STRATEGY_FOLDER
            kept.mkdir(exist_ok=True)
            path = Path(spec.file).expanduser()
            shutil.copyfile(path if here is None or path.is_absolute() else here / path, kept / path.name)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(made_of), indent=2) + b"\n")
    journal = SessionJournal(folder)
    journal.append(
        Opened(
            session_id=folder.name, account_id=account_id, world=world, manifest=made_of,
            boundary=boundary_of(parts.state), ledger_position=head.position, ledger_chain=head.chain,
        )
    )  # fmt: skip
    journal.sync()
    return journal
