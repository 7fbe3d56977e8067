"""The price chart: own working orders as lines that are dragged, and indicators."""

from decimal import Decimal

import pytest
from tests.e2e.conftest import PHONE, api, go

pytestmark = [pytest.mark.slow, pytest.mark.connects]
NAME = "SIF.SIM"


def order_below(page, quantity):
    """Send an order that rests where the chart shows it, below where the market is."""
    lows = [each["low"] for each in api(page, f"/market/candles?interval_s=60&instrument={NAME}")[-30:]]
    limit = Decimal(str(min(lows))).quantize(Decimal("0.01"))
    box = page.get_by_label("Order ticket")
    box.get_by_role("radio", name="Limit").click()
    box.get_by_label("Limit price").fill(str(limit))
    box.get_by_label("Quantity").fill(quantity)
    box.locator("button[type=submit]").click()
    box.locator("[data-status=accepted]").wait_for()
    return int(limit * 100)


def working(page):
    return api(page, "/orders?working=true")[0]["limit_ticks"]


def grip(page):
    """Put the pointer on the order's line; return where that is."""
    box = page.locator(".chart-box").bounding_box()
    x = box["x"] + box["width"] * 0.4
    for _ in range(3):
        for y in range(int(box["y"]) + 30, int(box["y"] + box["height"]) - 30, 4):
            page.mouse.move(x, y)
            if page.locator(".chart-box.near").count():
                return x, y
        page.wait_for_timeout(500)
    raise AssertionError("no line to drag")


def drag(page, by):
    x, y = grip(page)
    page.mouse.down()
    page.mouse.move(x, y + by / 2)
    page.mouse.move(x, y + by)
    return x, y + by


@pytest.fixture
def chart(trader, opened):
    go(trader, opened, f"/market?i={NAME}")
    trader.locator(".chart-box canvas").first.wait_for()
    yield trader
    for each in api(trader, "/orders?working=true"):
        row = trader.locator(f"tr[data-id='{each['client_order_id']}']")
        row.get_by_role("button", name="Cancel").click()
        row.wait_for(state="detached")


def test_an_order_is_moved_by_its_line(chart):
    placed = order_below(chart, "5")
    drag(chart, 24)
    with chart.expect_response(lambda answer: answer.request.method == "PATCH") as heard:
        chart.mouse.up()
    assert heard.value.status == 200
    asked = round(Decimal(heard.value.request.post_data_json["limit_price"]) * 100)
    assert asked < placed
    for _ in range(30):
        if working(chart) == asked:
            break
        chart.wait_for_timeout(100)
    assert working(chart) == asked


def test_esc_lets_go_of_a_line_and_nothing_is_sent(chart):
    placed = order_below(chart, "5")
    sent = []
    chart.on("request", lambda request: sent.append(request.method))
    drag(chart, 24)
    chart.keyboard.press("Escape")
    chart.mouse.up()
    chart.wait_for_timeout(500)
    assert "PATCH" not in sent
    assert working(chart) == placed


def test_a_refused_move_goes_back_and_says_why(chart):
    cash = int(api(chart, "/portfolio")["nav_units"]) / 10**18
    price = api(chart, f"/market/candles?interval_s=60&instrument={NAME}")[-1]["high"]
    placed = order_below(chart, str(int(cash * 0.999 / price)))
    _, y = grip(chart)
    drag(chart, chart.locator(".chart-box").bounding_box()["y"] + 3 - y)  # To where it would cost more than there is
    with chart.expect_response(lambda answer: answer.request.method == "PATCH") as heard:
        chart.mouse.up()
    assert heard.value.status == 409
    chart.locator(".toast", has_text=f"SIF stays where it was: {heard.value.json()['refusal']}").wait_for()
    assert working(chart) == placed
    grip(chart)


def test_indicators_are_chosen_and_remembered(chart, opened):
    names = chart.get_by_label("Indicators")
    for each in ("SMA", "EMA", "VWAP", "Bands"):
        names.get_by_role("button", name=each).click()
        assert names.get_by_role("button", name=each).get_attribute("aria-pressed") == "true"
    go(chart, opened, f"/market?i={NAME}")
    names.locator("[aria-pressed=true]").nth(3).wait_for()
    for each in ("SMA", "EMA", "VWAP", "Bands"):
        names.get_by_role("button", name=each).click()
    assert names.locator("[aria-pressed=true]").count() == 0


def test_a_finger_drags_a_line_too(browser, chart, opened):
    placed = order_below(chart, "5")
    context = browser.new_context(viewport=PHONE, has_touch=True, storage_state=chart.context.storage_state())
    phone = context.new_page()
    go(phone, opened, f"/market?i={NAME}")
    phone.get_by_label("Market", exact=True).get_by_role("tab", name="Chart").click()
    phone.locator(".chart-box canvas").first.wait_for()
    x, y = grip(phone)
    touch = context.new_cdp_session(phone)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for by in (10, 20, 30):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + by}]})
    with phone.expect_response(lambda answer: answer.request.method == "PATCH") as heard:
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert heard.value.status == 200
    assert round(Decimal(heard.value.request.post_data_json["limit_price"]) * 100) < placed
    context.close()
