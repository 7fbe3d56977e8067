"""Scenarios of one's own: made on the page, by operators, and refused in the server's words."""

import pytest
from tests.e2e.conftest import api, go

pytestmark = [pytest.mark.slow, pytest.mark.connects]


def test_a_scenario_is_made_and_what_makes_no_sense_is_refused(founder, opened):
    go(founder, opened, "/scenarios")
    founder.get_by_role("button", name="New scenario").click()
    form = founder.get_by_role("dialog")
    form.get_by_label("Name").fill("a-nervous-hour")
    first = form.get_by_label("Step 1", exact=True)
    first.get_by_label("Times").fill("99")
    with founder.expect_response(lambda answer: answer.url.endswith("/scenarios")) as heard:
        form.get_by_role("button", name="Keep it").click()
    assert heard.value.status == 422
    assert form.get_by_role("alert").inner_text() == heard.value.json()["error"]
    first.get_by_label("Times").fill("2.5")
    first.get_by_label("Underliers").fill("BRAGE")
    form.get_by_role("button", name="Add a step").click()
    second = form.get_by_label("Step 2", exact=True)
    second.get_by_label("After, s").fill("3600")
    second.get_by_label("What happens").select_option("halt")
    second.get_by_label("Instruments").fill("BRAGE, SKALD")
    form.get_by_role("button", name="Keep it").click()
    form.wait_for(state="detached")
    founder.get_by_label("a-nervous-hour", exact=True).get_by_text("volatility: scale 2.5, underliers BRAGE").wait_for()
    kept = next(each for each in api(founder, "/scenarios") if each["name"] == "a-nervous-hour")
    assert kept["steps"][1] == {"at_s": 3600.0, "action": {"type": "halt", "instruments": ["BRAGE.SIM", "SKALD.SIM"]}}
    founder.get_by_role("button", name="Copy a-nervous-hour").click()
    assert form.get_by_label("Step 2", exact=True).get_by_label("Instruments").input_value() == "BRAGE, SKALD"
    founder.keyboard.press("Escape")
    form.wait_for(state="detached")


def test_traders_make_no_scenarios(trader, opened):
    go(trader, opened, "/scenarios")
    trader.get_by_label("calm", exact=True).wait_for()
    assert trader.get_by_role("button", name="New scenario").count() == 0
