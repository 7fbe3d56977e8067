"""Retention by class on a clock of the test's own, and holds under which nothing goes."""

import os

import pytest

from njord.domain.clock import NS_PER_DAY
from njord.ledger import chain
from njord.ledger.chain import Chain
from njord.ops import retention
from njord.ops.retention import Keep, What

NOW_NS = 20_000 * NS_PER_DAY
PLACES = {
    "control/paper/1.answer": (Keep.DEV, 7, What.DELETE),
    "runs/abc": (Keep.OPS, 30, What.DELETE),
    "approvals/x.json": (Keep.COMPLIANCE, 365, What.DELETE),
    "sessions/paper/paper-000001/journal-000001.torn": (Keep.COMPLIANCE, 365, What.DELETE),
    "kill/kill-000001.ndjson": (Keep.JOURNAL, 90, What.ARCHIVE),
}


def aged(home, name, days):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.startswith("runs/"):
        path.mkdir(exist_ok=True)
        (path / "journal.ndjson").write_text("{}\n")
    else:
        path.write_text("{}\n")
    os.utime(path, ns=(NOW_NS - days * NS_PER_DAY,) * 2)
    return path


@pytest.mark.parametrize("name", PLACES)
def test_each_class_on_both_sides_of_its_age(name, tmp_path):
    keep, days, what = PLACES[name]

    aged(tmp_path, name, days - 1)
    assert retention.plan(tmp_path, NOW_NS) == []

    aged(tmp_path, name, days)
    [action] = retention.plan(tmp_path, NOW_NS)
    assert (action.what, action.path, action.keep, action.age_days) == (what, name, keep, days)


def test_what_is_due_goes_and_journals_are_compressed_and_still_verify(tmp_path):
    folder = tmp_path / "sessions" / "paper" / "paper-000001"
    with Chain(folder, "journal", segment_bytes_max=200) as made:
        for n in range(20):
            made.append(b'{"n":%d}' % n)
            made.sync()
    before = list(chain.read(folder, "journal"))
    for path in folder.iterdir():
        os.utime(path, ns=(NOW_NS - 5_000 * NS_PER_DAY,) * 2)  # However old, it is never deleted
    run = aged(tmp_path, "runs/abc", 31)
    young = aged(tmp_path, "runs/def", 3)

    done = retention.carry_out(tmp_path, retention.plan(tmp_path, NOW_NS))

    assert done == 1 + len(chain.segments(folder, "journal"))
    assert not run.exists()
    assert young.exists()
    assert all(path.suffix == ".gz" for path in chain.segments(folder, "journal"))
    assert list(chain.read(folder, "journal")) == before
    assert retention.plan(tmp_path, NOW_NS) == []


def test_nothing_goes_that_is_held_until_it_is_released(tmp_path):
    kept = aged(tmp_path, "runs/abc", 400)
    other = aged(tmp_path, "runs/abcd", 400)
    retention.hold(tmp_path, "runs/abc", "an inquiry")

    actions = retention.plan(tmp_path, NOW_NS)
    assert [action.held for action in actions] == ["an inquiry", ""]
    assert retention.carry_out(tmp_path, actions) == 1
    assert kept.exists()
    assert not other.exists()

    assert retention.release(tmp_path, "runs/abc") == []
    assert retention.carry_out(tmp_path, retention.plan(tmp_path, NOW_NS)) == 1
    assert not kept.exists()


def test_a_hold_that_cannot_be_or_be_read_stops_everything(tmp_path):
    for path, reason, said in [("/etc", "x", "NJORD_HOME"), ("../x", "x", "NJORD_HOME"), ("runs", " ", "reason")]:
        with pytest.raises(ValueError, match=said):
            retention.hold(tmp_path, path, reason)
    with pytest.raises(ValueError, match="under no hold"):
        retention.release(tmp_path, "runs")
    (tmp_path / "holds.json").write_text("nonsense")
    with pytest.raises(ValueError, match="nothing goes"):
        retention.plan(tmp_path, NOW_NS)
