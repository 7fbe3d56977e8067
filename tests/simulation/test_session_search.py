"""Looking into a journal without decoding all of it finds what reading all of it finds."""

import itertools

import pytest

from njord.domain.fill import Fill
from njord.engine import session_journal
from njord.engine.opening import sessions
from njord.engine.session_journal import SessionJournal, Steps
from njord.engine.session_search import last_step, steps_about, steps_from
from njord.engine.why import NotOnRecord, why
from njord.ledger.chain import Broken, archive, segments
from njord.ledger.memory import MemoryLedger

from .test_crash import live
from .world import World, config

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """(a session's journal in many segments, all its steps)."""
    root = tmp_path_factory.mktemp("search")
    world = World(root, MemoryLedger(), rows=80, run=config("capital_preserving"))
    assert live(world, lambda _point: None) is not None
    world.account.release()
    lines = list(session_journal.read(sessions(root / "sessions" / "demo")[0]))
    again = SessionJournal(root / "again", segment_bytes_max=10_000)
    for line in lines:
        again.append(line)
        again.sync()
    again.close()
    assert len(segments(root / "again", "journal")) > 5
    return root / "again", [step for line in lines if isinstance(line, Steps) for step in line.steps]


@pytest.mark.parametrize("archived", [False, True])
def test_steps_from_anywhere_are_those_that_are_there(journal, archived):
    folder, steps = journal
    if archived:
        for path in segments(folder, "journal")[:2]:
            if path.suffix != ".gz":
                archive(path)
    last = steps[-1].sequence
    assert last_step(folder) == last
    for first in (0, 1, *range(2, last, 37), last - 1, last, last + 1, last + 10**6):
        found = list(itertools.islice(steps_from(folder, first), 50))
        assert found == [step for step in steps if step.sequence >= first][:50]


def test_why_of_what_concerns_an_order_is_why_of_all(journal):
    folder, steps = journal
    fills = [step.event for step in steps if isinstance(step.event, Fill)]
    assert len(fills) > 5
    for fill in fills[:: max(1, len(fills) // 8)]:
        for name in (fill.fill_id, f"fill:{fill.fill_id}", fill.client_order_id):
            assert why(steps_about(folder, name), name) == why(steps, name)
    for name in ("nobody", fills[0].instrument_id, "", '"', "client_order_id"):
        with pytest.raises(NotOnRecord):
            why(steps_about(folder, name), name)


def test_a_line_that_was_changed_is_named_from_wherever_it_is_read(journal, tmp_path):
    folder, steps = journal
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = segments(tmp_path, "journal")[-2]
    content = changed.read_bytes()
    place = content.index(b'"venue_time_ns":', len(content) // 2) + len(b'"venue_time_ns":')
    changed.write_bytes(content[:place] + b"9" + content[place + 1 :])
    with pytest.raises(Broken, match=changed.name):
        list(steps_from(tmp_path, steps[-1].sequence - 60))


def test_a_last_line_that_was_never_finished_is_passed_over(journal, tmp_path):
    folder, steps = journal
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    newest = segments(tmp_path, "journal")[-1]
    newest.write_bytes(newest.read_bytes()[:-20])
    assert 0 < last_step(tmp_path) <= steps[-1].sequence
    assert last_step(tmp_path) == list(steps_from(tmp_path, 0))[-1].sequence
    assert last_step(tmp_path / "nothing") == 0
