"""The kill switch's buttons: a folder to put a file into, a signal, a message on the bus, a heartbeat that stops.

In the folder, ``<scope>.trip`` stops a scope for as long as it is there; ``touch global.trip`` is enough. A clear is a
``<scope>.clear`` with who asked for it and why; the session that holds the account takes it, or the next one at its
start. Every trip and clear made here is a line of the folder's own chained log.

What cannot be watched is taken to be bad news: a folder that cannot be read, a watcher that stands still.
"""

import contextlib
import fcntl
import getpass
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple, Self

import msgspec

from njord.bus.port import Subscription
from njord.bus.topics import KILL
from njord.domain.governance import GLOBAL, Cleared, Scope, ScopeKind, Tripped, TripSource
from njord.engine.gate import Gate, Trip
from njord.ledger.chain import Chain
from njord.risk.kill_switch import REASON_CHARS_MIN, ClearRefusal

POLL_S = 0.01
# After so long without a look nobody may send anything before somebody has looked
SILENCE_S_MAX = 0.06
# A look that another thread has begun is waited for so long; then it stands still, and that is bad news
STUCK_S_MAX = 1.0
# Two heartbeats may pass without one before everything stands still; the rest is for the stop itself
HEARTBEATS_MAX = 1.9
LOG = "kill"
ACTORS_MAX = 16
REQUEST_BYTES_MAX = 65_536
assert POLL_S < SILENCE_S_MAX
assert SILENCE_S_MAX < 0.1, "an order may not leave 100 ms after a trip"


class TripFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a ``.trip`` file, where anything is."""

    actor: str = "file"
    reason: str = "a file was put here"
    source: TripSource = TripSource.FILE
    flatten: bool = False


class Seen(NamedTuple):
    """A ``.trip`` file as it was seen: what is in it, and which file, written when. To touch it again is a new trip."""

    trip: TripFile
    mark: tuple[int, int]


class ClearFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a ``.clear`` file: everybody who asked for it, and why."""

    actors: tuple[str, ...]
    reason: str


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log: what was done, by whom, and when, in nanoseconds UTC."""

    what: str
    scope: str
    actor: str
    user: str
    reason: str
    time_ns: int


class KillFolder:
    """The folder, and what may be done in it. Several processes may at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def trip(self, scope: Scope, trip: TripFile, time_ns: int) -> None:
        """Stop a scope: whoever watches sees it within POLL_S. The log comes second: it must not delay the stop."""
        try:
            self._write(_name(scope, "trip"), trip)
        except OSError:
            (self.path / _name(scope, "trip")).touch()  # A full disk has room for a name
        self.refused(scope)  # Who asked for a clear before did not know of this
        self._log("trip", scope, trip.actor, trip.reason, time_ns)

    def tripped(self) -> dict[Scope, TripFile]:
        """Return what is stopped. A file that cannot be read or named stops everything."""
        return {scope: seen.trip for scope, seen in self.seen().items()}

    def seen(self) -> dict[Scope, Seen]:
        """Return what is stopped, and by which files."""
        found: dict[Scope, Seen] = {}
        for path in sorted(self.path.glob("*.trip")):
            mark = (0, 0)
            try:
                mark = _mark(path)  # First: what is written after it is another trip
                scope, trip = _scope(path), _trip(path)
            except (ValueError, OSError) as error:
                scope, trip = GLOBAL, TripFile(reason=f"{path.name}: {error}", source=TripSource.MONITOR)
            found.setdefault(scope, Seen(trip, mark))
        return found

    def ask_clear(self, scope: Scope, actor: str, reason: str, time_ns: int) -> ClearFile:
        """Ask that a scope may start again, beside whoever asked before. Raises ValueError.

        What a session has stopped by itself is not in this folder, so any scope may be asked for.
        """
        if len(reason.strip()) < REASON_CHARS_MIN:
            raise ValueError(f"reason: a clear needs one of at least {REASON_CHARS_MIN} characters, was {reason!r}")
        if not actor.strip():
            raise ValueError("by: a clear needs the name of who asks for it")
        with self._locked():
            before = self.asked().get(scope)
            actors = () if before is None else before.actors
            if actor not in actors:
                actors = (*actors, actor)[-ACTORS_MAX:]
            asked = ClearFile(actors=actors, reason=reason)
            self._write(_name(scope, "clear"), asked)
        self._log("ask clear", scope, actor, reason, time_ns)
        return asked

    def asked(self) -> dict[Scope, ClearFile]:
        """Return the clears that were asked for. One that cannot be read counts for nothing."""
        found: dict[Scope, ClearFile] = {}
        for path in sorted(self.path.glob("*.clear")):
            with contextlib.suppress(ValueError, OSError, msgspec.DecodeError):
                found[_scope(path)] = msgspec.json.decode(_bounded(path), type=ClearFile)
        return found

    def cleared(self, scope: Scope, asked: ClearFile, time_ns: int, seen: Seen | None) -> None:
        """Take away a scope's files: it has been cleared, and that is on record.

        ``seen`` is the file that stopped it, where one did. Another one came meanwhile and stays: a new trip.
        """
        self.refused(scope)
        name = _name(scope, "trip")
        aside = self.path / f".{name}.cleared"
        with contextlib.suppress(FileNotFoundError):
            (self.path / name).rename(aside)  # First, or it could be another one by the time it is taken away
            if seen is not None and _mark(aside) == seen.mark:
                aside.unlink()
            else:
                aside.rename(self.path / name)
        self._log("cleared", scope, " and ".join(asked.actors), asked.reason, time_ns)

    def refused(self, scope: Scope) -> None:
        """Take away a clear that was not granted, so that it is asked for anew."""
        (self.path / _name(scope, "clear")).unlink(missing_ok=True)

    def _write(self, name: str, content: TripFile | ClearFile) -> None:
        partial = self.path / f".{name}.{os.getpid()}.{threading.get_ident()}"
        partial.write_bytes(msgspec.json.encode(content) + b"\n")
        partial.rename(self.path / name)

    def _log(self, what: str, scope: Scope, actor: str, reason: str, time_ns: int) -> None:
        line = Logged(
            what=what, scope=str(scope), actor=actor, user=getpass.getuser(), reason=reason, time_ns=time_ns
        )  # fmt: skip
        with self._locked(), Chain(self.path, LOG) as log:
            log.append(msgspec.json.encode(line))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.path / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class KillWatch:
    """Watch all buttons in a thread of its own, and close the gate when one is pressed. Use it as a context.

    ``clock`` gives nanoseconds UTC, for the log. ``heartbeat`` is a file that somebody must touch at least every
    ``heartbeat_s`` seconds: before two have passed without one, everything stops.
    """

    def __init__(
        self, gate: Gate, folder: KillFolder, clock: Callable[[], int], *, bus: Subscription | None = None,
        heartbeat: Path | None = None, heartbeat_s: float = 1.0, signals: bool = True,
    ) -> None:  # fmt: skip
        self._gate, self._folder, self._clock = gate, folder, clock
        self._bus = bus
        self._heartbeat, self._heartbeat_s = heartbeat, heartbeat_s
        self._signals = signals
        self._beat: tuple[int, float] | None = None
        self._known: dict[Scope, Seen] = {}
        self._looking = threading.Lock()
        self._asked: dict[Scope, ClearFile] = {}
        self._looked_s = time.monotonic()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kill-watch", daemon=True)
        self._before: object = None

    def __enter__(self) -> Self:
        self.look()  # What is stopped already is so before anything begins
        if self._signals and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGUSR1, self._on_signal)
        self._gate.checks.append(self.alive)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._gate.checks.remove(self.alive)
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)  # type: ignore[arg-type]  # What it gave, it takes

    def alive(self) -> Trip | None:
        """Return a trip where nobody has looked at the buttons for too long; looks itself first."""
        if self._silent_s() <= SILENCE_S_MAX:
            return None
        if not self._thread.is_alive():
            return Trip(GLOBAL, TripSource.MONITOR, "kill-watch", "nobody watches the kill switch any more")
        # To wait lets the watcher's thread run. Where it cannot, such as on a disk that does not answer, nor could we
        if not self._looking.acquire(timeout=STUCK_S_MAX):
            return Trip(GLOBAL, TripSource.MONITOR, "kill-watch", "a look at the kill switch does not end")
        self._looking.release()
        if self._silent_s() > SILENCE_S_MAX:
            self.look()
        return None

    def _silent_s(self) -> float:
        return time.monotonic() - self._looked_s

    def look(self) -> None:
        """Look at every button once. Whatever goes wrong in looking stops everything."""
        with self._looking:
            began_s = time.monotonic()  # What came while we were looking may not have been seen
            try:
                self._look_at_folder()
                self._look_at_bus()
                self._look_at_heartbeat()
            except Exception as error:  # noqa: BLE001 - what cannot be watched is bad news, whatever it is
                self._found(TripSource.MONITOR, "kill-watch", f"{type(error).__name__}: {error}")
            self._looked_s = began_s

    def _found(self, source: TripSource, actor: str, reason: str) -> None:
        # What is still so at the next look is said again only when somebody has cleared it meanwhile
        if not self._gate.closed(GLOBAL):
            self._gate.trip(Trip(GLOBAL, source, actor, reason))

    def _run(self) -> None:
        while not self._ending.wait(POLL_S):
            self.look()

    def _look_at_folder(self) -> None:
        folder = self._folder
        for scope, refusal in self._gate.answered():
            asked = self._asked.get(scope)
            if asked is None or refusal is ClearRefusal.NEEDS_SECOND_PERSON:
                continue  # It stays there for the second person to add to
            del self._asked[scope]
            if refusal is None:
                folder.cleared(scope, asked, self._clock(), self._known.pop(scope, None))
            else:
                folder.refused(scope)
        if not folder.path.is_dir():
            raise FileNotFoundError(f"{folder.path}: the folder of the kill switch is gone")
        found = folder.seen()
        for scope, seen in found.items():
            known, trip = self._known.get(scope), seen.trip
            if known is None or known.mark != seen.mark:
                if self._asked.pop(scope, None) is not None:
                    folder.refused(scope)  # Whoever asked before did not know of this
                self._gate.trip(Trip(scope, trip.source, trip.actor, trip.reason, flatten=trip.flatten))
        self._known = found
        for scope, asked in folder.asked().items():
            if self._asked.get(scope) != asked:
                self._asked[scope] = asked
                self._gate.ask_clear(scope, asked.actors, asked.reason)

    def _look_at_bus(self) -> None:
        for envelope in self._bus or ():
            body = envelope.body
            if isinstance(body, Tripped):
                self._gate.trip(Trip(body.scope, TripSource.BUS, body.actor, body.reason, flatten=body.flatten))
            elif isinstance(body, Cleared):
                with contextlib.suppress(ValueError):  # Without a name or a reason it counts for nothing
                    for actor in body.actors:
                        self._folder.ask_clear(body.scope, actor, body.reason, body.local_time_ns)
            else:
                raise TypeError(f"{KILL}: a {type(body).__name__} is no trip and no clear")

    def _look_at_heartbeat(self) -> None:
        if self._heartbeat is None:
            return
        touched_ns, now_s = self._heartbeat.stat().st_mtime_ns, time.monotonic()
        if self._beat is None or touched_ns != self._beat[0]:
            self._beat = (touched_ns, now_s)
        elif now_s - self._beat[1] > HEARTBEATS_MAX * self._heartbeat_s:
            why = f"{self._heartbeat.name} was not touched for {now_s - self._beat[1]:.2f} s"
            self._found(TripSource.HEARTBEAT, "heartbeat", why)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._gate.trip(Trip(GLOBAL, TripSource.SIGNAL, f"signal {number}", "a signal was sent to this process"))


def _name(scope: Scope, kind: str) -> str:
    return f"{scope.kind}.{kind}" if scope.kind is ScopeKind.GLOBAL else f"{scope.kind}={scope.name}.{kind}"


def _scope(path: Path) -> Scope:
    kind, _, name = path.name.rpartition(".")[0].partition("=")
    if kind not in ScopeKind.__members__.values():
        raise ValueError("names no scope: global, venue=NAME or strategy=NAME")
    return Scope(ScopeKind(kind), name)


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _trip(path: Path) -> TripFile:
    content = _bounded(path)
    if not content.strip():
        return TripFile()
    try:
        return msgspec.json.decode(content, type=TripFile)
    except (msgspec.DecodeError, ValueError):
        # Somebody wrote a sentence into it: that is the reason
        return TripFile(reason=" ".join(content.decode(errors="replace").split())[:1_000])


def _bounded(path: Path) -> bytes:
    # Without waiting: somebody may have put a pipe here that nobody ever writes to
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123 - Path has no flags
        return file.read(REQUEST_BYTES_MAX) or b""
