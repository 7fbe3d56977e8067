"""A session again, from its journal alone: the same boundary, the same events, and are the commands the same?

The proof is a tree of hashes. A step's is of what it decided; an hour's is of the hour before and of its steps; the
session's is of its manifest, its boundary and its last hour. So two sessions are equal where their roots are, and where
they differ the first hour that does, and in it the first step, are found and named.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_HOUR, iso
from njord.domain.command import Command
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument
from njord.engine import boundary, session_journal
from njord.engine import step as engine
from njord.engine.assemble import Parts, parts_of
from njord.engine.compiling import equip
from njord.engine.config import RunConfig, restore
from njord.engine.garbage import collected_seldom
from njord.engine.opening import MANIFEST, STRATEGY_FOLDER
from njord.engine.recorder import digested
from njord.engine.session_journal import Closed, Opened, Step, Steps
from njord.engine.state import State
from njord.ledger.chain import Broken
from njord.market.catalog import Dataset, DatasetId
from njord.strategies.port import Strategy

CHANGES_MAX = 100
_encode = msgspec.json.Encoder(order="sorted").encode


class Node(msgspec.Struct, frozen=True):
    """One hour of a session: how many of its steps decided something, and the hash of all up to its end."""

    hour: str
    steps: int
    sha256: str


class SessionDivergence(msgspec.Struct, frozen=True):
    """The first step that a replay did not repeat, and both sides of the first command in it that differs."""

    hour: str
    sequence: int
    cause: str
    command: int
    recorded: str
    replayed: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of replaying a session, or a part of it. ``changed`` names what differs between two configs."""

    ok: bool
    session_id: str
    world: str
    events: int
    steps: int
    complete: bool  # Whether the session ended in order; one that crashed has no digest of its own to compare with
    digest: str
    root: str
    hours: list[Node]
    first_divergence: SessionDivergence | None
    changed: list[str]
    notes: list[str]


class Listed:
    """Instruments, and no data of them: events come from elsewhere, a journal or a market that is alive."""

    def __init__(self, instruments: Mapping[InstrumentId, Instrument]) -> None:
        self._instruments = instruments

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Listed":
        """Return the instruments of a session's manifest."""
        found = msgspec.convert(manifest["instruments"], list[Instrument], strict=False)
        return cls({each.instrument_id: each for each in found})

    def instrument(self, instrument_id: InstrumentId, /) -> Instrument:
        return self._instruments[instrument_id]

    def dataset(self, dataset_id: DatasetId, /) -> Dataset | None:
        return Dataset(dataset_id, 0, -(2**62), 2**62, 0)

    def read(
        self, _dataset_id: DatasetId, _start_ns: int | None, _end_ns: int | None, _chunk_rows: int, /
    ) -> Iterator[dict[str, npt.NDArray[np.generic]]]:
        return iter(())

    def content_hash(self, _dataset_id: DatasetId, _start_ns: int | None, _end_ns: int | None, /) -> str:
        return ""


class _Tree:
    """The hashes of hours, one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._hour: int | None = None
        self._steps = 0
        self._hash = hashlib.sha256()

    def add(self, time_ns: int, decided: bytes) -> None:
        hour = time_ns // NS_PER_HOUR
        if hour != self._hour:
            self.close()
            self._hour = hour
        self._steps += 1
        self._hash.update(decided)

    def close(self) -> str:
        if self._hour is not None:
            digest = self._hash.hexdigest()
            self.nodes.append(Node(iso(self._hour * NS_PER_HOUR), self._steps, digest))
            self._hash = hashlib.sha256(digest.encode())
            self._hour, self._steps = None, 0
        return self.nodes[-1].sha256 if self.nodes else ""


def replay(
    folder: Path,
    *,
    config: RunConfig | None = None,
    given: list[tuple[str, Strategy]] | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Replayed:
    """Replay a session and compare every command, or those from ``start_ns`` up to ``end_ns``.

    ``config`` replays it with another one, to see what that would have changed; ``given`` are strategies that came as
    objects. Raises Broken where the journal was tampered with, ConfigError or NoStrategy.
    """
    opened = session_journal.opened(folder)
    notes = _manifest_notes(folder, opened)
    recorded = _config(opened.manifest, folder)
    parts = _parts(opened, config or recorded, folder, given)
    with collected_seldom():
        return _Replay(opened, parts, start_ns, end_ns, progress).run(folder, _changes(recorded, config), notes)


def tree(folder: Path) -> tuple[Opened, list[Node], str]:
    """Return how a session began, its hours, and its root: what ``replay`` must come to, read from the journal."""
    opened, found = session_journal.opened(folder), _Tree()
    for line in session_journal.read(folder):
        if isinstance(line, Steps):
            for step in line.steps:
                if step.commands:
                    found.add(step.time_ns, digested(step))
    return opened, found.nodes, root(opened, found.close())


def root(opened: Opened, last_hour: str) -> str:
    """Return a session's root hash."""
    inputs = hashlib.sha256(_encode(opened.manifest)).hexdigest(), hashlib.sha256(_encode(opened.boundary)).hexdigest()
    return hashlib.sha256("|".join([*inputs, last_hour]).encode()).hexdigest()


class _Replay:
    def __init__(
        self, opened: Opened, parts: Parts, start_ns: int | None, end_ns: int | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:  # fmt: skip
        self._opened = opened
        self._state = parts.state
        self._start_ns = start_ns if start_ns is not None else -(2**62)
        self._end_ns = end_ns if end_ns is not None else 2**62
        self._progress = progress
        self._tree = _Tree()
        self._digest = hashlib.sha256()
        self._decided = 0

    def run(self, folder: Path, changed: list[str], notes: list[str]) -> Replayed:
        events, ended, divergence = 0, None, None
        for line in session_journal.read(folder):
            if isinstance(line, Closed):
                ended = line
            if not isinstance(line, Steps):
                continue
            for step in line.steps:
                if step.time_ns >= self._end_ns:
                    break
                divergence = self._again(step)
                events += 1
                if divergence is not None:
                    break
            else:
                if self._progress is not None:
                    self._progress(events, self._state.time_ns)
                continue
            break
        digest = self._digest.hexdigest()
        whole = self._start_ns < 0 and self._end_ns == 2**62
        if ended is not None and whole and divergence is None and digest != ended.digest:
            notes = [*notes, f"the journal says its digest is {ended.digest}"]
        ok = divergence is None and (ended is None or not whole or digest == ended.digest)
        return Replayed(
            ok=ok and not notes, session_id=self._opened.session_id, world=self._opened.world, events=events,
            steps=self._decided, complete=ended is not None, digest=digest,
            root=root(self._opened, self._tree.close()), hours=self._tree.nodes, first_divergence=divergence,
            changed=changed, notes=notes,
        )  # fmt: skip

    def _again(self, step: Step) -> SessionDivergence | None:
        state, event = self._state, step.event
        if event is not None:
            commands = engine.step(state, event)
        else:
            state.sequence += 1
            state.time_ns = step.time_ns
            commands = (engine.start if step.cause == "start" else engine.finish)(state)
        if state.closed:
            state.closed.clear()
        if not commands and not step.commands:
            return None
        if step.time_ns >= self._start_ns:
            if tuple(commands) != step.commands or state.sequence != step.sequence:
                return _divergence(step, tuple(commands))
            decided = digested(step)
            self._decided += 1
            self._digest.update(decided)
            self._tree.add(step.time_ns, decided)
        return None


def _divergence(step: Step, commands: tuple[Command, ...]) -> SessionDivergence:
    both = zip(step.commands, commands, strict=False)
    first = next((at for at, (then, now) in enumerate(both) if then != now), min(len(step.commands), len(commands)))

    def shown(side: tuple[Command, ...]) -> str:
        return msgspec.json.encode(side[first]).decode() if first < len(side) else ""

    hour = iso(step.time_ns // NS_PER_HOUR * NS_PER_HOUR)
    return SessionDivergence(hour, step.sequence, step.cause, first, shown(step.commands), shown(commands))


def _parts(opened: Opened, config: RunConfig, folder: Path, given: list[tuple[str, Strategy]] | None) -> Parts:
    parts = parts_of(config, Listed.of(opened.manifest), here=folder, given=given, shares_books=False)
    equip(parts.strategies, parts.notices)
    state: State = parts.state
    state.go_on_record()
    number = int(opened.session_id.rpartition("-")[2])
    state.order_prefix = f"{number}."
    boundary.load(state, opened.boundary)
    return parts


def _config(manifest: Mapping[str, Any], folder: Path) -> RunConfig:
    document = msgspec.json.decode(msgspec.json.encode(manifest["config"]))
    for spec in document["strategies"]:
        if spec.get("file"):
            # The copy that was kept with the session, whatever has become of the original
            spec["file"] = str((folder / STRATEGY_FOLDER / Path(spec["file"]).name).resolve())
    return restore(document, str(folder / MANIFEST))


def _manifest_notes(folder: Path, opened: Opened) -> list[str]:
    # The manifest beside the journal is for people; what counts is in the journal, and the two must be the same
    path = folder / MANIFEST
    try:
        beside = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise Broken(f"{path}: {error}") from error
    return [f"{MANIFEST} was changed: {change}" for change in differences(opened.manifest, beside)]


def _changes(recorded: RunConfig, config: RunConfig | None) -> list[str]:
    if config is None:
        return []
    return differences(msgspec.to_builtins(recorded), msgspec.to_builtins(config))


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Name every place in which two documents differ, with both sides, CHANGES_MAX at most."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found: list[str] = []
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            found += differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else str(key))
        return found[:CHANGES_MAX]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [each for at, (one, other) in pairs for each in differences(one, other, f"{path}[{at}]")][:CHANGES_MAX]
    return [] if ours == theirs else [f"{path}: {ours!r} is now {theirs!r}"]
