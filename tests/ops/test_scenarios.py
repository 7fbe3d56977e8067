"""Scenarios that people keep: on disk under the id of their content, and read back or named."""

import concurrent.futures

import pytest

from njord.market.synthetic.scenarios import NAMED, Drift, Scenario, Step, decode
from njord.ops.desk import scenarios as module
from njord.ops.desk.scenarios import OtherScenario, Scenarios
from njord.ops.desk.values import BadRequest, NotFound
from njord.ops.platform import Busy


def scenario(name="a drift", shift=1.5):
    return Scenario(name, (Step(0.0, Drift(shift)),))


def test_what_is_kept_is_there_after_a_restart_under_its_id(tmp_path):
    first = Scenarios(tmp_path / "scenarios")
    ids = [first.keep(scenario(f"number {at}")) for at in (3, 1, 2)]
    again = Scenarios(tmp_path / "scenarios")
    assert [each.scenario_id for each in again.all()] == [*(each.scenario_id for each in NAMED.values()), *ids]
    assert again.named(ids[0]) == scenario("number 3")
    with pytest.raises(NotFound):
        again.named("0" * 64)


def test_the_same_one_twice_at_once_is_one(tmp_path):
    kept = Scenarios(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(kept.keep, [scenario()] * 64))
    assert ids == {scenario().scenario_id}
    assert [path.name for path in tmp_path.iterdir()] == [f"{scenario().scenario_id}.json"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": "x", "steps": []}', b'{"name": "x"}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path, body):
    (tmp_path / f"{scenario().scenario_id}.json").write_bytes(body)
    with pytest.raises(OtherScenario, match=rf"{scenario().scenario_id}\.json: .*; move it away"):
        Scenarios(tmp_path)


def test_a_file_that_was_changed_is_not_that_scenario_any_more(tmp_path):
    scenario_id = Scenarios(tmp_path).keep(scenario())
    path = tmp_path / f"{scenario_id}.json"
    path.write_text(path.read_text().replace("1.5", "2.5"))
    with pytest.raises(OtherScenario, match=f"was changed, and is {decode(path.read_bytes()).scenario_id}"):
        Scenarios(tmp_path)


def test_there_are_at_most_so_many_and_a_full_disk_loses_none(tmp_path, monkeypatch):
    kept = Scenarios(tmp_path)
    monkeypatch.setattr(module, "SCENARIOS_MAX", len(NAMED) + 1)

    def full(_path, _parts):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_whole", full)
        with pytest.raises(Busy, match="could not be kept: No space left"):
            kept.keep(scenario())
    kept.keep(scenario())
    with pytest.raises(BadRequest, match="already"):
        kept.keep(scenario("another"))
    assert kept.keep(scenario()) == scenario().scenario_id
