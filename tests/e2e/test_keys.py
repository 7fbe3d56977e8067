"""The web app without a mouse: a key for each main action, Esc out of everything, and the focus where it was."""

from decimal import Decimal

import pytest
from tests.e2e.conftest import api, go

pytestmark = [pytest.mark.slow, pytest.mark.connects]
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
RING = "getComputedStyle(document.activeElement).outlineStyle"


def test_the_keys_are_a_question_mark_away_and_each_main_action_is_among_them(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    trader.keyboard.press("?")
    dialog = trader.get_by_role("dialog", name="Keys")
    said = dialog.inner_text()
    for action in ("Buy", "Sell", "Cancel all", "Kill switch", "Search"):
        assert action in said
    trader.keyboard.press("Escape")
    dialog.wait_for(state="detached")


@pytest.mark.parametrize(
    ("path", "opener", "key"),
    [
        ("/market?i=BRAGE.SIM", "Search", None),
        ("/market?i=BRAGE.SIM", "Search", "Control+k"),
        ("/market?i=BRAGE.SIM", "Search", "?"),
        ("/market?i=BRAGE.SIM", "Search", "x"),
        ("/strategies", "Add a strategy", None),
        ("/risk", "Stop trading", None),
        ("/risk", "Risk profile of user-demo", None),
        ("/scenarios", "New scenario", None),
        ("/scenarios", "Copy calm", None),
    ],
)
def test_esc_closes_what_is_open_and_the_focus_is_back_and_seen(founder, opened, path, opener, key):
    go(founder, opened, path)
    button = founder.get_by_role("button", name=opener, exact=True)
    button.click(trial=True)  # Some wait for what the server has to say
    button.focus()
    founder.keyboard.press(key or "Enter")
    dialog = founder.get_by_role("dialog")
    dialog.wait_for()
    assert founder.evaluate("!!document.activeElement.closest('[role=dialog]')")
    founder.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    founder.wait_for_function(f"({FOCUSED}) === {opener!r}")
    assert founder.evaluate(RING) == "solid"


def test_esc_leaves_a_field_so_that_keys_act_again(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    box = trader.get_by_label("Order ticket")
    box.get_by_role("radio", name="Sell").wait_for()
    trader.keyboard.press("s")
    assert box.get_by_role("radio", name="Sell").get_attribute("aria-checked") == "true"
    trader.keyboard.press("Escape")
    trader.keyboard.press("b")
    assert box.get_by_role("radio", name="Buy").get_attribute("aria-checked") == "true"
    trader.keyboard.press("Escape")
    trader.keyboard.press("k")
    assert trader.evaluate("document.activeElement.classList.contains('kill')")
    trader.keyboard.press("6")
    trader.wait_for_url("**/risk")


def test_all_orders_by_hand_are_cancelled_by_key(trader, opened):
    go(trader, opened, "/market?i=SKALD.SIM")
    box = trader.get_by_label("Order ticket")
    box.get_by_role("radio", name="Limit").click()
    low = api(trader, "/market/depth?instrument=SKALD.SIM")["bids"][0][0] - 100
    for ticks in (low, low - 1):
        box.get_by_label("Limit price").fill(f"{Decimal(ticks) / 100}")
        box.get_by_label("Quantity").fill("5")
        box.locator("button[type=submit]").click()
    trader.locator("tr[data-id]", has_text="SKALD").nth(1).wait_for()
    trader.keyboard.press("Escape")
    trader.keyboard.press("x")
    dialog = trader.get_by_role("dialog", name="Cancel all orders")
    dialog.get_by_text("Cancels 2 orders sent by hand").wait_for()
    trader.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    trader.locator("tr[data-id]").first.wait_for(state="detached")
    assert api(trader, "/orders?working=true") == []
