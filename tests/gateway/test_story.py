"""From nothing to a portfolio, and the same one after everything was started again."""

import time

import pytest
from tests.gateway.conftest import BOND, PASSWORD, SHARE, WHERE, Site, quoted


@pytest.mark.slow
@pytest.mark.parametrize("where", WHERE)
def test_register_trade_log_out_restart_and_find_the_same_book(tmp_path, capfd, where, request):
    space = request.getfixturevalue("redis_space") if where == "apart" else None
    site = Site(tmp_path, speed=1.0, space=space)  # A dealer's quote lasts for seconds
    try:
        quoted(site), quoted(site, BOND)
        ann = site.anybody()
        me = ann.register("ann")
        assert me.status_code == 201
        assert me.json()["role"] == "trader"
        assert ann.get("/portfolio").json()["cash_units"] == {"USD": str(10**24)}
        assert ann.order("share", quantity="10").status_code == 201
        tick = next(each for each in ann.get("/instruments").json() if each["instrument_id"] == BOND)["price_tick"]
        for attempt in range(20):  # A quote may be gone, or another one in its place, before we take it
            dealer = ann.get("/market/dealers", instrument=BOND).json()[0]
            ann.order(
                f"bond{attempt}", quantity="20", instrument=BOND, order_type="limit", time_in_force="fok",
                limit_price=str(round(dealer["ask_ticks"] * float(tick), 6)), quote_id=dealer["quote_id"],
            )  # fmt: skip
            if ann.until(f"bond{attempt}", "filled", "rejected")["status"] == "filled":
                break
        ann.until("share", "filled")
        below = site.platform.house.floor.quotes[SHARE].bid_ticks - 500
        assert ann.order("rest", order_type="limit", limit_price=f"{below / 100:.2f}").status_code == 201
        ann.until("rest", "accepted")
        time.sleep(2.5)  # Accounts are looked at once a second
        before = held(ann)
        assert before["positions"] == {SHARE: 10, BOND: 20}
        assert before["delta"] == pytest.approx(10.0)
        assert 10 < before["dv01"] < 20  # 20 bonds of 1,000, some 7.5 years long
        nav = int(ann.get("/portfolio").json()["nav_units"])
        assert abs(nav / 10**24 - 1) < 0.01
        assert ann.post("/auth/logout").status_code == 204
        assert ann.get("/portfolio").status_code == 401
        site.restart()
        again = site.anybody()
        assert again.log_in("ann", PASSWORD).status_code == 200
        quoted(site)
        time.sleep(2.5)
        after = held(again)
        assert after["positions"] == before["positions"]
        assert after["cash"] == before["cash"]
        assert after["dv01"] == pytest.approx(before["dv01"], rel=0.05)
        assert again.until("rest", "accepted")
        secrets = [PASSWORD, *(cookie.value for browser in (ann, again) for cookie in browser.http.cookies.jar)]
        secrets += [ann.csrf] if ann.csrf else []
        assert len(again.get("/fills").json()) == len(before["fills"])
    finally:
        site.close()
    said = capfd.readouterr()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            # Of a session's CSRF token the database of sessions alone knows; of password and cookie nothing does
            assert not [s for s in secrets if s.encode() in content and (s != ann.csrf or "users" not in path.name)], (
                path
            )
    assert not [s for s in secrets if s in said.out + said.err]


def held(browser):
    view = browser.get("/portfolio").json()
    return {
        "positions": {each["instrument_id"]: each["lots"] for each in view["positions"]},
        "cash": view["cash_units"],
        "delta": view["greeks"]["BRAGE"]["delta"],
        "dv01": sum(view["dv01"]),
        "fills": browser.get("/fills").json(),
    }


@pytest.mark.slow
def test_two_users_cross_each_other_and_hear_of_it(site):
    ann, bob = site.user(), site.user()
    bob.order("first", quantity="7")
    bob.until("first", "filled")
    quote = quoted(site)
    price = f"{max(quote.bid_ticks + 1, quote.ask_ticks - 1) / 100:.2f}"
    bob.order("sell", "sell", "7", order_type="limit", limit_price=price)
    ann.order("buy", "buy", "7", order_type="limit", limit_price=price)
    for browser, key in ((bob, "sell"), (ann, "buy")):
        assert browser.until(key, "filled")["filled_lots"] == 7
