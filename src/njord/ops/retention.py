"""How long what Njord keeps is kept, by class; and a legal hold, under which nothing goes.

| class | kept | what |
|---|---|---|
| dev | 7 days | answers to requests of running sessions |
| ops | 30 days | backtests |
| compliance | 1 year | approvals, pieces of lines that a crash tore |
| journal | for ever | journals of sessions, the log of the kill switch; compressed at 90 days |

Nothing here happens by itself: a plan is made, looked at and carried out.
"""

import enum
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from njord.domain.clock import NS_PER_DAY
from njord.ledger import chain

HOLDS = "holds.json"
HOLDS_MAX = 10_000
ARCHIVED_AFTER_DAYS = 90


class Keep(enum.StrEnum):
    """The classes of what is kept."""

    DEV = "dev"
    OPS = "ops"
    COMPLIANCE = "compliance"
    JOURNAL = "journal"


KEPT_DAYS: dict[Keep, int | None] = {Keep.DEV: 7, Keep.OPS: 30, Keep.COMPLIANCE: 365, Keep.JOURNAL: None}
# Where each class is, from NJORD_HOME
_PLACES: tuple[tuple[Keep, str], ...] = (
    (Keep.DEV, "control/*/*.answer"),
    (Keep.OPS, "runs/*"),
    (Keep.COMPLIANCE, "approvals/*.json"),
    (Keep.COMPLIANCE, "sessions/*/*/*.torn"),
    (Keep.COMPLIANCE, "kill/*.torn"),
    (Keep.JOURNAL, "sessions/*/*/*.ndjson"),
    (Keep.JOURNAL, "kill/*.ndjson"),
)


class What(enum.StrEnum):
    """What is done with something that is old enough."""

    DELETE = "delete"
    ARCHIVE = "archive"


class Action(msgspec.Struct, frozen=True):
    """One thing to do. ``path`` is from NJORD_HOME; ``held`` says why it is not done."""

    what: What
    path: str
    keep: Keep
    age_days: int
    held: str = ""


class Hold(msgspec.Struct, frozen=True):
    """Nothing at or below ``path`` goes, for this reason."""

    path: str
    reason: str


def holds(home: Path) -> list[Hold]:
    """Return the legal holds. Raises ValueError where they cannot be read: then nothing may go."""
    file = home / HOLDS
    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Hold])
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: {error}; nothing goes while it cannot be read") from None


def hold(home: Path, path: str, reason: str) -> list[Hold]:
    """Put a path, from NJORD_HOME, under legal hold. Raises ValueError."""
    if not reason.strip():
        raise ValueError("reason: a hold needs one")
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"path {path!r}: must be from NJORD_HOME, such as sessions/paper")
    found = [*(each for each in holds(home) if each.path != path), Hold(path, reason)]
    if len(found) > HOLDS_MAX:
        raise ValueError(f"holds: at most {HOLDS_MAX}")
    _write(home, found)
    return found


def release(home: Path, path: str) -> list[Hold]:
    """Lift a hold. Raises ValueError where there is none."""
    found = holds(home)
    left = [each for each in found if each.path != path]
    if len(left) == len(found):
        raise ValueError(f"path {path!r}: is under no hold")
    _write(home, left)
    return left


def plan(home: Path, now_ns: int) -> list[Action]:
    """Return what is old enough to go or to be compressed, in the order of its path. Held things are listed as such."""
    held = holds(home)
    return [_with_hold(action, held) for action in sorted(_due(home, now_ns), key=lambda action: action.path)]


def carry_out(home: Path, actions: Sequence[Action]) -> int:
    """Do what a plan says, less what is held. Return how many things that were."""
    done = 0
    for action in actions:
        path = home / action.path
        if action.held or not path.exists():
            continue
        if action.what is What.ARCHIVE:
            chain.archive(path)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        done += 1
    return done


def _due(home: Path, now_ns: int) -> Iterator[Action]:
    for keep, pattern in _PLACES:
        for path in home.glob(pattern):
            age_days = (now_ns - path.stat().st_mtime_ns) // NS_PER_DAY
            limit = KEPT_DAYS[keep]
            name = path.relative_to(home).as_posix()
            if limit is not None and age_days >= limit:
                yield Action(What.DELETE, name, keep, age_days)
            elif limit is None and age_days >= ARCHIVED_AFTER_DAYS:
                yield Action(What.ARCHIVE, name, keep, age_days)


def _with_hold(action: Action, held: list[Hold]) -> Action:
    for each in held:
        if action.path == each.path or action.path.startswith(each.path.rstrip("/") + "/"):
            return msgspec.structs.replace(action, held=each.reason)
    return action


def _write(home: Path, found: list[Hold]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    partial = home / f".{HOLDS}"
    partial.write_bytes(msgspec.json.encode(found) + b"\n")
    partial.rename(home / HOLDS)
