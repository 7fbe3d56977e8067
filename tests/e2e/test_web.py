"""The web app as a person uses it: a real platform, a real browser, and what the page says against the API."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest
from tests.e2e.conftest import PHONE, api, give_reason, go, page_of

pytestmark = [pytest.mark.slow, pytest.mark.connects]

FILLED = "[data-status=filled]"


def money(units):
    """Return units as the page prints them."""
    value = (Decimal(units) / 10**18).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{value:,}".replace("-", "\u2212")


def ticket(page):
    return page.get_by_label("Order ticket")


def buy(page, quantity):
    box = ticket(page)
    box.get_by_label("Quantity").fill(quantity)
    box.locator("button[type=submit]").click()


def test_a_ticket_logs_in_and_leaves_the_address(founder, opened):
    assert "ticket" not in founder.url
    assert founder.get_by_text("SIMULATED").is_visible()
    assert api(founder, "/auth/me")["role"] == "founder"


def test_a_share_is_bought_and_held(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    buy(trader, "7")
    ticket(trader).locator(FILLED).wait_for()
    trader.get_by_role("tab", name="Positions").click()
    trader.locator("tr[data-id='BRAGE.SIM']").wait_for()
    assert [each["lots"] for each in api(trader, "/portfolio")["positions"]] == [7]


def test_a_refusal_is_shown_word_for_word(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    with trader.expect_response(lambda answer: answer.request.method == "POST") as heard:
        buy(trader, "900000")
    refusal = heard.value.json()["refusal"]
    assert heard.value.status == 409
    assert ticket(trader).get_by_role("alert").inner_text() == refusal


def test_what_is_no_quantity_is_said_beside_it(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    with trader.expect_response(lambda answer: answer.request.method == "POST") as heard:
        buy(trader, "1.5")
    said = heard.value.json()
    assert said["field"] == "quantity"
    assert ticket(trader).locator(".field", has_text="Quantity").get_by_role("alert").inner_text() == said["error"]


def test_a_dealers_quote_is_lifted(trader, opened):
    go(trader, opened, "/market?i=NGB-10Y.SIM")
    trader.get_by_label("Size to deal").fill("3")
    for _ in range(3):  # A quote may end while we reach for it
        trader.get_by_role("button", name="Lift").last.click()
        trader.wait_for_timeout(1_500)
        held = {each["instrument_id"]: each["lots"] for each in api(trader, "/portfolio")["positions"]}
        if "NGB-10Y.SIM" in held:
            break
    assert held["NGB-10Y.SIM"] in (3, 6, 9)


def test_a_resting_order_is_cancelled(trader, opened):
    go(trader, opened, "/market?i=SKALD.SIM")
    box = ticket(trader)
    box.get_by_role("radio", name="Limit").click()
    low = api(trader, "/market/depth?instrument=SKALD.SIM")["bids"][0][0] - 100
    box.get_by_label("Limit price").fill(f"{Decimal(low) / 100}")
    buy(trader, "5")
    row = trader.locator("tr[data-id]", has_text="SKALD").first
    row.get_by_role("button", name="Cancel").click()
    row.wait_for(state="detached")
    assert api(trader, "/orders?working=true") == []


def test_the_portfolio_says_what_the_api_says(trader, opened):
    go(trader, opened, "/portfolio")
    figures = trader.get_by_test_id("figures")
    figures.wait_for()
    for _ in range(20):
        before, shown, after = api(trader, "/portfolio"), figures.inner_text(), api(trader, "/portfolio")
        # What moves is only comparable where it did not move meanwhile
        if before["nav_units"] == after["nav_units"] and money(before["nav_units"]) in shown:
            break
        trader.wait_for_timeout(150)
    assert money(before["nav_units"]) in shown
    assert money(before["cash_units"]["USD"]) in shown
    trader.get_by_role("button", name="NGB-10Y").wait_for()


def test_a_strategy_is_stopped_and_started(founder, opened):
    go(founder, opened, "/strategies")
    card = founder.get_by_label("grid_maker", exact=True)
    card.get_by_role("button", name="Stop", exact=True).click()
    give_reason(founder, "a look at its inventory", "Stop")
    card.get_by_text("a look at its inventory").wait_for()
    card.get_by_role("button", name="Start", exact=True).click()
    give_reason(founder, "it may go on", "Start")
    card.get_by_text("trading", exact=True).wait_for()


def test_a_scenario_happens(founder, opened):
    go(founder, opened, "/scenarios")
    founder.get_by_label("calm", exact=True).get_by_role("button", name="Run").click()
    give_reason(founder, "a quiet afternoon", "Run")
    founder.get_by_text("Since calm began").wait_for()


def test_the_kill_switch_is_held_and_cleared(trader, opened):
    go(trader, opened, "/market?i=BRAGE.SIM")
    kill = trader.locator("button.kill")
    kill.click()  # A short press does nothing
    assert api(trader, "/risk")["tripped"] == []
    kill.hover()
    trader.mouse.down()
    trader.wait_for_timeout(1_300)
    trader.mouse.up()
    trader.get_by_text("Trading of this account is stopped").wait_for()
    buy(trader, "1")
    ticket(trader).get_by_role("alert").wait_for()
    trader.locator(".banner").get_by_role("button", name="Clear").click()
    give_reason(trader, "looked at it", "Clear")
    trader.get_by_text("Trading of this account is stopped").wait_for(state="detached")
    assert api(trader, "/risk")["tripped"] == []


def test_why_an_order_happened_is_told(trader, opened):
    order = api(trader, "/orders")[0]["client_order_id"]
    go(trader, opened, f"/audit?why={order}")
    trader.get_by_label(f"Why {order}").get_by_role("listitem").first.wait_for()


def test_a_phone_is_enough_to_trade(browser, opened):
    page = page_of(browser, PHONE)
    page.goto(opened)
    page.get_by_role("option", name=re.compile("^HEIMDAL")).click()
    buy(page, "2")
    ticket(page).locator(FILLED).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("button.kill").is_visible()
    assert page.problems == []
    page.context.close()
