"""The web app on a phone: each page within its width, with what matters in reach of a thumb."""

import pytest
from tests.e2e.conftest import PHONE, go, page_of, site

pytestmark = [pytest.mark.slow, pytest.mark.connects]

PAGES = ("market", "portfolio", "strategies", "backtests", "scenarios", "risk", "audit", "settings")
# What reaches beyond the screen, unless it is in a box of its own that is swiped, such as a wide table
BEYOND = """() => {
  const found = [];
  for (const each of document.querySelectorAll("body *")) {
    const box = each.getBoundingClientRect();
    if (!box.width || !box.height || (box.right <= innerWidth + 1 && box.left >= -1)) continue;
    let outer = each.parentElement;
    while (outer && !/auto|scroll|hidden/.test(getComputedStyle(outer).overflowX)) outer = outer.parentElement;
    if (!outer || outer === document.body || outer.matches("main, .shell, .status, .login")) {
      found.push(`${each.tagName}.${each.className} ends at ${box.right}`);
    }
  }
  for (const name of ["main", ".status", ".rail"]) {
    const part = document.querySelector(name);
    if (part && part.scrollWidth > part.clientWidth) found.push(`${name} is ${part.scrollWidth} wide`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the screen");
  return found;
}"""


@pytest.fixture(scope="module")
def phone(browser, opened):
    page = page_of(browser, PHONE)
    page.goto(opened)
    page.locator(".status").wait_for()
    yield page
    assert page.problems == []
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_a_phone(phone, opened, name):
    go(phone, opened, f"/{name}")
    phone.locator("main .panel").first.wait_for()
    assert phone.evaluate(BEYOND) == []
    assert phone.locator("button.kill").is_visible()


@pytest.mark.parametrize("tab", ["Watch", "Chart", "Trade", "Orders"])
def test_each_part_of_the_market_is_no_wider_than_a_phone(phone, opened, tab):
    go(phone, opened, "/market?i=BRAGE.SIM")
    phone.get_by_label("Market", exact=True).get_by_role("tab", name=tab).click()
    phone.locator("main .panel").last.wait_for()
    assert phone.evaluate(BEYOND) == []


def test_logging_in_fits_a_phone(browser, opened):
    page = page_of(browser, PHONE)
    page.goto(site(opened))
    page.get_by_label("Password").wait_for()
    assert page.evaluate(BEYOND) == []
    page.context.close()


def test_search_is_in_reach_on_a_phone(phone, opened):
    go(phone, opened, "/risk")
    phone.get_by_role("button", name="Search").click()
    phone.get_by_placeholder("Instrument, page or command").fill("skald")
    phone.get_by_role("option", name="SKALD Skald").click()
    phone.wait_for_url("**/market?i=SKALD.SIM")


def test_times_are_utc_in_24_hours(phone, opened):
    go(phone, opened, "/portfolio")
    phone.locator(".u-legend").wait_for()
    plot = phone.locator(".u-over")
    box = plot.bounding_box()
    for _ in range(20):  # The curve begins with the second valuation
        phone.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40)
        said = phone.locator(".u-legend .u-value").first.inner_text()
        if said != "\u2013":
            break
        phone.wait_for_timeout(500)
        box = plot.bounding_box()
    shown, _, clock = said.partition(" ")
    assert len(shown) == 10
    apart = abs(minutes(clock) - minutes(phone.evaluate("new Date().toISOString().slice(11, 19)")))
    assert min(apart, 1_440 - apart) < 10  # Midnight may lie between


def minutes(clock):
    hours, minute, _ = clock.split(":")
    return int(hours) * 60 + int(minute)
