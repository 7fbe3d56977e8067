"""What is on record of one account: its sessions, step by step, causes, and whether the chains hold."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from njord.engine import session_journal
from njord.engine.opening import sessions
from njord.engine.session_journal import Closed, Step
from njord.engine.session_search import last_step, steps_about, steps_from
from njord.engine.why import NotOnRecord, Why, why
from njord.ledger.chain import Broken
from njord.ledger.port import Ledger
from njord.ops.desk.values import NotFound
from njord.ops.platform import Platform

STEPS_MAX = 500
SEARCHED_BYTES_MAX = 2 * 1024**3  # Of the newest sessions; njord why looks into all


class SessionOnRecord(msgspec.Struct, frozen=True):
    """A session of an account."""

    session_id: str
    bytes: int
    complete: bool


class RecordedStep(msgspec.Struct, frozen=True):
    """One step, as plain data."""

    sequence: int
    time_ns: int
    cause: str
    event: Any
    commands: list[Any]


class Timeline(msgspec.Struct, frozen=True):
    """A piece of a session."""

    session_id: str
    first: int
    last: int
    steps: list[RecordedStep]


class Verified(msgspec.Struct, frozen=True):
    """Whether an account's chains hold."""

    ok: bool
    breaks: list[str]
    records: int


class AuditDesk:
    """Looks at journals and the ledger; changes nothing."""

    def __init__(self, platform: Platform, ledger: Ledger) -> None:
        self._platform, self._ledger = platform, ledger

    def sessions(self, account_id: str) -> list[SessionOnRecord]:
        """Return the account's sessions, the newest first."""
        return [
            SessionOnRecord(folder.name, _bytes_of(folder), _is_complete(folder))
            for folder in reversed(sessions(self._folder(account_id)))
        ]

    def timeline(self, account_id: str, session_id: str, first: int, count: int) -> Timeline:
        """Return steps of a session from a sequence on, those that were more than a price. Raises NotFound."""
        folder = self._session(account_id, session_id)
        with _unbroken(folder):
            told = itertools.islice(filter(_tells, steps_from(folder, first)), min(count, STEPS_MAX))
            steps = [
                RecordedStep(
                    step.sequence, step.time_ns, step.cause, msgspec.to_builtins(step.event, str_keys=True),
                    [msgspec.to_builtins(each, str_keys=True) for each in step.commands],
                )
                for step in told
            ]  # fmt: skip
            last = last_step(folder)
        return Timeline(session_id, steps[0].sequence if steps else first, last, steps)

    def why(self, account_id: str, name: str) -> Why:
        """Explain one of the account's orders or fills. Raises NotFound."""
        left = SEARCHED_BYTES_MAX
        for folder in reversed(sessions(self._folder(account_id))):
            left -= _bytes_of(folder)
            if left < 0:
                break
            with contextlib.suppress(NotOnRecord), _unbroken(folder):
                return why(steps_about(folder, name), name)
        raise NotFound(f"nothing on record is called {name!r}")

    def verify(self, account_id: str) -> Verified:
        """Verify the account's chain in the ledger."""
        self._folder(account_id)  # Of an account that there is
        breaks = self._platform.call(lambda: self._ledger.verify(account_id), 120.0)
        return Verified(not breaks, [str(each) for each in breaks], self._ledger.head(account_id).position)

    def _folder(self, account_id: str) -> Path:
        if account_id not in self._platform.house.accounts:
            raise NotFound(f"no account {account_id!r}")
        return self._platform.root / "sessions" / account_id

    def _session(self, account_id: str, session_id: str) -> Path:
        for folder in sessions(self._folder(account_id)):
            if folder.name == session_id:
                return folder
        raise NotFound(f"no session {session_id!r}")


@contextlib.contextmanager
def _unbroken(folder: Path) -> Iterator[None]:
    try:
        yield
    except Broken as error:
        raise NotFound(f"the journal of {folder.name} does not verify: {error}") from None


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("journal-*"))


def _tells(step: Step) -> bool:
    return bool(step.commands) or (step.event is not None and type(step.event) not in session_journal.UNKEPT)


def _is_complete(folder: Path) -> bool:
    last = b""
    for path in sorted(folder.glob("journal-*.ndjson")):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4_096))
            last = file.read()
    return f'"{Closed.__struct_config__.tag}"'.encode() in last.rstrip().rpartition(b"\n")[2]
