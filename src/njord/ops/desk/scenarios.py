"""The scenarios there are: those that come with Njord, and those that people keep, a file each.

A kept scenario is its canonical JSON under its id, which is of its content. So it is the same scenario after a restart,
on another machine and in a later version; a file that was changed is not it any more, and is named.
"""

import threading
from pathlib import Path

from njord.market.synthetic.scenarios import NAMED, Scenario, decode, encode
from njord.ops.desk.values import BadRequest, NotFound
from njord.ops.platform import Busy
from njord.ops.whole_files import write_whole

SCENARIOS_MAX = 1_000


class OtherScenario(ValueError):
    """A file is not the scenario that its name says. The message says which and what to do."""


class Scenarios:
    """All scenarios by id. ``folder`` keeps those of people: at most SCENARIOS_MAX are taken, none is forgotten.

    Safe to use from many threads.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OtherScenario."""
        self._folder, self._lock = folder, threading.Lock()
        self._known = {each.scenario_id: each for each in NAMED.values()}
        for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            self._known[path.stem] = _read(path)

    def all(self) -> list[Scenario]:
        """Return them, Njord's own first, then the oldest."""
        return list(self._known.values())

    def named(self, scenario_id: str) -> Scenario:
        """Return one. Raises NotFound."""
        found = self._known.get(scenario_id)
        if found is None:
            raise NotFound(f"no scenario {scenario_id!r}")
        return found

    def keep(self, scenario: Scenario) -> str:
        """Put a scenario on disk. Return its id; the same one again changes nothing. Raises BadRequest or Busy."""
        scenario_id = scenario.scenario_id
        with self._lock:
            if scenario_id in self._known:
                return scenario_id
            if len(self._known) >= SCENARIOS_MAX:
                raise BadRequest("scenario", f"there are {SCENARIOS_MAX} already")
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_whole(self._folder / f"{scenario_id}.json", [encode(scenario)])
            except OSError as error:
                raise Busy(f"the scenario could not be kept: {error.strerror}") from error
            self._known[scenario_id] = scenario
        return scenario_id


def _read(path: Path) -> Scenario:
    try:
        found = decode(path.read_bytes())
    except ValueError as error:
        raise OtherScenario(f"{path}: {error}; move it away to start without it") from None
    if found.scenario_id != path.stem:
        raise OtherScenario(f"{path}: was changed, and is {found.scenario_id}.json now; rename it, or move it away")
    return found
