"""What one user can reach of another: nothing, on any endpoint and any stream."""

import json
import time

import pytest
from tests.gateway.conftest import SHARE, quoted

from njord.gateway.users import Role


def routes(site):
    return [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in site.app.openapi()["paths"].items()
        for method in methods
    ]


OPEN_TO_ALL = {
    ("POST", "/auth/register"), ("POST", "/auth/login"), ("POST", "/auth/ticket"), ("POST", "/auth/reset"),
    ("GET", "/health"), ("GET", "/metrics"), ("GET", "/stream/schema"),
}  # fmt: skip


@pytest.mark.slow
def test_without_a_session_nothing_answers_but_what_is_meant_to(site):
    nobody = site.anybody()
    for method, path in routes(site):
        answer = nobody.send(method, path.replace("{", "").replace("}", ""), {})
        if (method, path) not in OPEN_TO_ALL:
            assert answer.status_code == 401, (method, path)


@pytest.mark.slow
def test_a_trader_may_not_do_what_operators_do(site):
    ann = site.user()
    mine = [
        (m, p) for m, p in routes(site) if "/operator/" in p or p.endswith("/run") or (m, p) == ("POST", "/scenarios")
    ]
    assert len(mine) >= 5
    for method, path in mine:
        body = {"reason": "because", "name": "x", "steps": [{"at_s": 0, "action": {"type": "halt"}}]}
        answer = ann.send(method, path.replace("{account_id}", "user-x").replace("{scenario_id}", "x"), body)
        assert answer.status_code == 403, (method, path, answer.text)


@pytest.mark.slow
def test_no_endpoint_shows_or_touches_what_is_anothers(site):
    quoted(site)
    ann, eve = site.user("secret-ann"), site.user("curious-eve")
    ann.order("canary-7331", quantity="3")
    ann.until("canary-7331", "filled")
    low = site.platform.house.floor.quotes[SHARE].bid_ticks - 400
    ann.order("canary-rest", order_type="limit", limit_price=f"{low / 100:.2f}")
    ann.until("canary-rest", "accepted")
    session = ann.get("/auth/sessions").json()[0]["session_id"]
    fills = [fill["fill_id"] for fill in ann.get("/fills").json()]
    own = ann.get("/audit/sessions").json()[0]["session_id"]
    secrets = ["canary-7331", "canary-rest", "secret-ann", session, own, *fills]
    guesses = ["by_hand:canary-7331", "by_hand:canary-rest", *fills, "user-secret-ann", "secret-ann", session, own]
    asked = 0
    for method, path in routes(site):
        if path.startswith("/auth/log") or path in ("/auth/register", "/auth/password", "/strategies"):
            continue
        for guess in guesses:
            filled = path
            for name in ("order_id", "account_id", "session_id", "strategy_id", "scenario_id", "name"):
                filled = filled.replace(f"{{{name}}}", guess)
            query = f"?name={guess}&session_id={guess}&instrument={guess}&underlier={guess}&account_id={guess}"
            body = {"reason": "x", "limit_price": "1", "account_id": "user-secret-ann"}
            answer = eve.send(method, filled + query, body)
            asked += 1
            assert answer.status_code < 500, (method, path, answer.text)
            echoed = answer.text.replace(guess, "") if answer.status_code >= 400 else answer.text
            assert not [each for each in secrets if each in echoed], (method, path, guess)
            if "{" not in path:
                break
    assert asked > 60
    assert ann.until("canary-rest", "accepted")
    assert ann.get("/auth/me").status_code == 200


@pytest.mark.slow
def test_what_is_on_record_of_an_account_is_its_owners_and_the_operators(site):
    quoted(site)
    ann, eve, olga = site.user(), site.user(), site.user(role=Role.OPERATOR)
    ann.order("hers", quantity="3")
    ann.until("hers", "filled")
    whose = ann.get("/auth/me").json()["account_id"]
    own = ann.get("/audit/sessions", account_id=whose).json()
    assert own == ann.get("/audit/sessions").json()
    asked = [
        ("GET", f"/audit/sessions?account_id={whose}"),
        ("GET", f"/audit/timeline?account_id={whose}&session_id={own[0]['session_id']}"),
        ("GET", f"/audit/why?account_id={whose}&name=by_hand:hers"), ("POST", f"/audit/verify?account_id={whose}"),
    ]  # fmt: skip
    for method, path in asked:
        assert eve.send(method, path).status_code == 403, path
        hers, theirs = ann.send(method, path), olga.send(method, path)
        assert (hers.status_code, theirs.status_code) == (200, 200), path
        assert olga.send(method, path.replace(whose, "user-nobody")).status_code == 404, path
        assert olga.send(method, path.replace(whose, "..%2F..")).status_code == 404, path
    assert "hers" in olga.send(*asked[2]).text


@pytest.mark.slow
def test_what_a_client_claims_of_itself_is_ignored_or_refused(site):
    ann = site.user()
    for more in (
        {"account_id": "user-other"}, {"price": "0.01"}, {"balance": "1e9"}, {"strategy_id": "ema_cross"},
        {"filled_lots": 5}, {"role": "founder"},
    ):  # fmt: skip
        answer = ann.order("claimed", **more)
        assert (answer.status_code, answer.json()["field"]) == (422, next(iter(more)))
    refused = ann.order("huge", quantity="99999999")
    assert refused.json()["refusal"] in ("leverage_too_high", "insufficient_cash")
    again = ann.order("huge", quantity="1")  # The same key is the same order, whatever else is said
    assert (again.status_code, again.json()) == (409, refused.json())
    assert ann.order("half", quantity="0.5").json()["field"] == "quantity"
    assert ann.order("off", order_type="limit", limit_price="100.001").json()["field"] == "limit_price"


def gathered(stream, seconds):
    found = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found += json.loads(stream.receive_text())
    return found


@pytest.mark.slow
def test_streams_tell_only_of_what_was_subscribed_and_of_ones_own_account(site):
    quoted(site)
    ann, eve = site.user(), site.user()
    with ann.stream() as mine, eve.stream() as theirs:
        for each in (mine, theirs):
            each.send_text(json.dumps({"op": "resume", "after": 0}))
        mine.send_text(json.dumps({"op": "subscribe", "instruments": [SHARE]}))
        theirs.send_text(json.dumps({"op": "subscribe", "instruments": ["IDUN.SIM"]}))
        ann.order("told")
        ann.until("told", "filled")
        heard, overheard = gathered(mine, 2), gathered(theirs, 2)
    assert {m["instrument_id"] for m in heard if m["t"] in ("quote", "trade")} == {SHARE}
    assert {m["instrument_id"] for m in overheard if m["t"] in ("quote", "trade")} == {"IDUN.SIM"}
    numbers = [m["number"] for m in heard if m["t"] in ("order", "fill")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "filled" in [m["order"]["status"] for m in heard if m["t"] == "order"]
    assert not [m for m in overheard if m["t"] in ("order", "fill")]
    accounts = {m["portfolio"]["account_id"] for m in overheard if m["t"] == "portfolio"}
    assert accounts == {f"user-{eve.name}"}
    assert f"user-{ann.name}" not in json.dumps(overheard)


@pytest.mark.slow
def test_a_stream_resumes_without_a_gap(site):
    quoted(site)
    ann = site.user()
    ann.order("one")
    ann.until("one", "filled")
    with ann.stream() as stream:
        stream.send_text(json.dumps({"op": "resume", "after": 0}))
        last = [m["number"] for m in gathered(stream, 1) if m["t"] in ("order", "fill")][-1]
    ann.order("two")
    ann.until("two", "filled")
    with ann.stream() as stream:
        stream.send_text(json.dumps({"op": "resume", "after": last}))
        numbers = [m["number"] for m in gathered(stream, 1) if m["t"] in ("order", "fill")]
    assert numbers[0] == last + 1
    assert numbers == list(range(last + 1, last + 1 + len(numbers)))
    with ann.stream() as stream:
        stream.send_text(json.dumps({"op": "resume", "after": 10**9}))
        assert any(m["t"] == "resync" for m in gathered(stream, 1))


@pytest.mark.slow
def test_a_stream_from_another_site_or_without_a_session_is_closed(site):
    from starlette.websockets import WebSocketDisconnect

    ann = site.user()
    cookies = "; ".join(f"{key}={value}" for key, value in ann.http.cookies.items())
    for headers in ({"cookie": cookies, "origin": "https://evil.example"}, {"cookie": "njord_session=x"}):
        with pytest.raises(WebSocketDisconnect), ann.http.websocket_connect("/api/v1/stream", headers=headers):
            pass


@pytest.mark.slow
def test_the_kill_switch_and_scenarios_for_operators(site):
    quoted(site)
    operator, ann = site.user("operator1", Role.OPERATOR), site.user()
    low = site.platform.house.floor.quotes[SHARE].bid_ticks - 400
    ann.order("rest", order_type="limit", limit_price=f"{low / 100:.2f}")
    ann.until("rest", "accepted")
    assert operator.post("/operator/kill", {"reason": "a drill"}).status_code == 204
    ann.until("rest", "cancelled")
    refused = ann.order("late")
    assert (refused.status_code, refused.json()["refusal"]) == (409, "halted")
    assert ann.post("/risk/clear", {"reason": "I want to"}).status_code == 422  # Somebody else stopped it
    assert operator.post("/operator/clear", {"reason": "it was one"}).status_code == 204
    time.sleep(0.5)
    assert ann.order("again").status_code == 201
    named = {each["name"]: each["scenario_id"] for each in operator.get("/scenarios").json()}
    assert len(named) >= 5
    before = site.platform.call(lambda: site.platform.market.curve.zeros.mean())
    rates = next(scenario for name, scenario in named.items() if "100" in name)
    assert operator.post(f"/scenarios/{rates}/run").status_code == 200
    time.sleep(0.5)
    after = site.platform.call(lambda: site.platform.market.curve.zeros.mean())
    assert after - before == pytest.approx(0.01, abs=0.002)
