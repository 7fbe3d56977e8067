"""A paper session as a process: a config, a simulated exchange in a process of its own, and all that makes it safe."""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.governance import GLOBAL, TripSource
from njord.domain.ids import InstrumentId
from njord.domain.profile import RiskProfile
from njord.engine.assemble import Parts, Source
from njord.engine.config import RunConfig
from njord.engine.garbage import collected_seldom
from njord.engine.gate import Gate
from njord.engine.opening import AccountFolder, open_session
from njord.engine.recorder import Stopped
from njord.engine.session import Session
from njord.engine.state import State
from njord.ledger.port import Ledger
from njord.ops.control import ControlFolder, Founders, NewProfile, NewShares, Request, event_of
from njord.ops.kill_switch import KillFolder, KillWatch, TripFile
from njord.venues.port import Disconnected
from njord.venues.simulated.remote import RemoteVenue

# An exchange that says nothing for so long is gone, and with it the time by which anything is judged
SILENCE_S_MAX = 30.0


class Status(msgspec.Struct, frozen=True):
    """How a session is doing."""

    session_id: str
    time_ns: int
    events: int
    orders: int
    fills: int
    open_orders: int
    equity_units: int
    currency: str
    restricted: tuple[str, ...]
    tripped: tuple[str, ...]


class Folders(msgspec.Struct, frozen=True):
    """Where everything is kept."""

    home: Path

    @property
    def sessions(self) -> Path:
        return self.home / "sessions"

    @property
    def kill(self) -> Path:
        return self.home / "kill"

    def control(self, account_id: str) -> Path:
        """Return where people ask things of an account's session."""
        return self.home / "control" / account_id

    def founders(self) -> Founders:
        """Return who may allow more."""
        return Founders(self.home / "founders", self.home / "approvals")


def run_paper(
    config: RunConfig,
    source: Source,
    ledger: Ledger,
    folders: Folders,
    *,
    account_id: str,
    socket: Path,
    wall_ns: Callable[[], int],
    stopped: Callable[[], bool],
    told: Callable[[Status], None],
    here: Path | None = None,
    heartbeat: Path | None = None,
    heartbeat_s: float = 1.0,
) -> tuple[Session, str]:
    """Run a session until the market is over or it is told to stop. Return it and its digest.

    ``told`` hears how it is doing once a second. Raises what ``open_session`` does, Stopped, or VenueError where there
    is no exchange.
    """
    gate, founders, kill = Gate(), folders.founders(), KillFolder(folders.kill)
    account = AccountFolder(folders.sessions, account_id)
    clock = _Clock()
    try:
        with collected_seldom(), KillWatch(gate, kill, wall_ns, heartbeat=heartbeat, heartbeat_s=heartbeat_s):

            def venue(_parts: Parts, positions: Mapping[InstrumentId, int]) -> RemoteVenue:
                clock.venue = RemoteVenue(socket, dict(positions))
                clock.venue.truth()  # Whether it is there at all is known before anything is written
                return clock.venue

            def allowed(state: State, subject: Any) -> str:
                request = _request(subject)
                return getattr(event_of(request, state, founders, wall_ns=wall_ns(), time_ns=0), "approval_id", "")

            session = open_session(
                config, source, account, ledger, venue=venue, gate=gate, clock=clock.now_ns, wait=time.sleep,
                here=here, allowed=allowed,
            )  # fmt: skip
            control = ControlFolder(folders.control(account_id))

            def grant(request: Request) -> str:
                event = event_of(request, session.state, founders, wall_ns=wall_ns(), time_ns=clock.now_ns())
                session.handle([event])
                return getattr(event, "approval_id", "")

            next_s = 0.0
            while not session.ended and not stopped():
                session.turn()
                control.poll(grant)
                if clock.silent_s() > SILENCE_S_MAX:
                    raise Disconnected(f"{socket}: the exchange has said nothing for {SILENCE_S_MAX:.0f} s")
                if time.monotonic() >= next_s:
                    next_s = time.monotonic() + 1
                    told(status_of(session))
            return session, session.finish()
    except Stopped as error:
        # It could not be put on record any more, so the next session hears of it here
        actor = f"session of {account_id}"
        kill.trip(GLOBAL, TripFile(actor=actor, reason=str(error), source=TripSource.MONITOR), wall_ns())
        raise
    finally:
        if clock.venue is not None:
            clock.venue.close()
        account.release()


def status_of(session: Session) -> Status:
    """Return how a session is doing. Without prices of all it holds, its equity is what the last look saw."""
    state = session.state
    watch = state.watch
    equity = watch.marks.equity_units if watch is not None and watch.marks is not None else 0
    restricted = () if watch is None else tuple(f"{cause} {whose}".strip() for cause, whose in watch.restricted)
    return Status(
        session.session_id, state.time_ns, session.events, session.orders_sent, session.fills,
        len(state.orders.open), equity, state.portfolio.currency, restricted,
        tuple(str(scope) for scope in state.kill.tripped),
    )  # fmt: skip


class _Clock:
    """The exchange's time as last heard."""

    def __init__(self) -> None:
        self.venue: RemoteVenue | None = None

    def now_ns(self) -> int:
        return 0 if self.venue is None else self.venue.now_ns()

    def silent_s(self) -> float:
        return 0.0 if self.venue is None else self.venue.silent_s()


def _request(subject: Any) -> Request:
    if isinstance(subject, RiskProfile):
        return NewProfile(profile=subject, actor="config")
    assert all(isinstance(share, Decimal) for share in subject.values()), subject
    return NewShares(shares=subject, actor="config", reason="the config says so")
