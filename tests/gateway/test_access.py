"""Who gets in, and what becomes of those who should not."""

import time

import pytest
from starlette.websockets import WebSocketDisconnect
from tests.gateway.conftest import BASE, PASSWORD, SHARE, Site

from njord.cli.clock import now_ns
from njord.domain.clock import NS_PER_S
from njord.domain.governance import Deposited
from njord.engine.garbage import collected_seldom
from njord.engine.simulation.house import Plan
from njord.gateway.access import COOKIE, Policy
from njord.gateway.users import HASHER, RESET_NS, BadName, OtherSchema, Role, Users
from njord.ops.desk.trading import DEFAULT_CASH


def test_passwords_are_argon2id_with_these_parameters():
    assert (HASHER.type.name, HASHER.time_cost, HASHER.memory_cost, HASHER.parallelism) == ("ID", 3, 65_536, 4)


@pytest.mark.parametrize("name", ["a", "Ann", "ann smith", "../etc", "1ann", "ann" * 20, "änn", ""])
def test_names_that_cannot_be(name, tmp_path):
    users = Users(f"sqlite:///{tmp_path / 'users.sqlite'}")
    with pytest.raises(BadName):
        users.register(name, PASSWORD, Role.TRADER, 1)
    users.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def users_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'users.sqlite'}"
    return request.getfixturevalue("postgres_url")


def test_a_session_ends_by_time_by_log_out_and_by_another_password(users_url):
    users = Users(users_url)
    ann = users.register("ann", PASSWORD, Role.TRADER, 0)
    token, session = users.log_in(ann, "agent", "here", 0)
    assert users.session(token, 1).user == ann
    assert users.session(token, session.ends_ns) is None
    other, _ = users.log_in(ann, "agent", "there", 1)
    assert users.log_out(ann, session.session_id, 2) == 1
    assert users.session(token, 2) is None
    assert users.session(other, 2) is not None
    users.change_password(ann, "another good one", 3)
    assert users.session(other, 3) is None
    assert users.authenticated("ann", PASSWORD) is None
    assert users.authenticated("ann", "another good one") == ann
    users.close()


def test_a_reset_token_is_good_once_and_for_an_hour(users_url):
    users = Users(users_url)
    ann = users.register("ann", PASSWORD, Role.TRADER, 0)
    late = users.reset_token(ann, 0)
    assert not users.reset(late, "a new password", RESET_NS)
    first, second = users.reset_token(ann, 0), users.reset_token(ann, 0)
    assert not users.reset(first, "a new password", 1)  # A later one took its place
    assert users.reset(second, "a new password", 1)
    assert not users.reset(second, "and another one", 2)
    assert users.authenticated("ann", "a new password") == ann
    users.close()


def test_a_stolen_database_holds_no_key(tmp_path):
    users = Users(f"sqlite:///{tmp_path / 'users.sqlite'}")
    ann = users.register("ann", PASSWORD, Role.TRADER, 0)
    token, _ = users.log_in(ann, "agent", "here", 0)
    reset = users.reset_token(ann, 0)
    users.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (PASSWORD, token, reset):
        assert secret.encode() not in stored


def test_users_of_another_version_are_refused_in_one_line(tmp_path):
    url = f"sqlite:///{tmp_path / 'users.sqlite'}"
    users = Users(url)
    with users._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE gateway_schema SET version = 99")
    users.close()
    with pytest.raises(OtherSchema, match="version 99"):
        Users(url)


@pytest.mark.slow
def test_registering_pays_in_once_and_the_name_is_taken(site):
    ann = site.user("ann-once")
    assert ann.get("/portfolio").json()["capital_units"] == str(10**24)
    again = site.anybody().register("ann-once")
    assert (again.status_code, again.json()["field"]) == (409, "name")
    site.app.state.trading.open_account("user-ann-once")
    assert ann.get("/portfolio").json()["capital_units"] == str(10**24)
    short = site.anybody().register("bob-short", "short")
    assert (short.status_code, short.json()["field"]) == (422, "password")


@pytest.mark.slow
def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(site):
    answer = site.user().log_in(f"user{next(site.names) - 1}")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for flag in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert flag.lower() in cookie.lower()
    assert "secure" not in cookie.lower()  # On loopback there is no TLS; elsewhere the policy says secure
    for header in ("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"):
        assert header in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.slow
def test_a_session_that_was_fixed_before_the_log_in_opens_nothing(site):
    site.user("fixed")
    victim = site.anybody()
    victim.http.cookies.set(COOKIE, "chosen-by-somebody-else")
    victim.log_in("fixed")
    tokens = [cookie.value for cookie in victim.http.cookies.jar if cookie.name == COOKIE]
    assert "chosen-by-somebody-else" not in tokens[-1:]
    thief = site.anybody()
    thief.http.cookies.set(COOKIE, "chosen-by-somebody-else")
    assert thief.get("/auth/me").status_code == 401


@pytest.mark.slow
def test_another_site_cannot_make_a_browser_act(site):
    ann = site.user()
    body = {"order_key": "x", "instrument_id": SHARE, "side": "buy", "quantity": "1"}
    for headers in (
        {}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": ann.csrf, "Origin": "https://evil.example"},
        {"X-CSRF-Token": ann.csrf, "Sec-Fetch-Site": "cross-site"},
    ):  # fmt: skip
        assert ann.post("/orders", body, headers).status_code == 403
    assert (
        ann.post("/auth/login", {"name": "a", "password": "b"}, {"Origin": "https://evil.example"}).status_code == 403
    )
    assert ann.post("/orders", body, {"X-CSRF-Token": ann.csrf, "Origin": BASE}).status_code == 201
    rebound = ann.http.get("/api/v1/health", headers={"host": "evil.example"})
    assert rebound.status_code == 421


@pytest.mark.slow
def test_guessing_passwords_is_slowed_and_the_owner_gets_in(tmp_path):
    site = Site(tmp_path, Policy(log_ins_burst=5, log_ins_per_s=0.2))
    try:
        site.user("victim")
        thief = site.anybody()
        answers = [thief.log_in("victim", f"guess number {n}") for n in range(14)]
        codes = [answer.status_code for answer in answers]
        assert codes[:5] == [401] * 5
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) > 4
        assert int(refused[-1].headers["retry-after"]) >= 1
        nobody = site.anybody().log_in("nobody-at-all", "a long password")
        assert nobody.json()["error"] == answers[0].json()["error"]  # It does not say which of the two was wrong
        for _ in range(40):
            owner = site.anybody().log_in("victim")
            if owner.status_code == 200:
                break
            time.sleep(0.5)
        assert owner.status_code == 200
    finally:
        site.close()


@pytest.mark.slow
def test_too_many_requests_are_told_when_to_come_again(tmp_path):
    site = Site(tmp_path, Policy(requests_per_s=1.0, requests_burst=10))
    try:
        ann = site.user()
        answers = [ann.get("/auth/me") for _ in range(30)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 15
        assert refused[0].json()["retry_after_s"] >= 1
    finally:
        site.close()


@pytest.mark.slow
def test_sessions_can_be_seen_and_ended_and_a_ticket_logs_in(site):
    ann = site.user("many")
    other = site.anybody()
    other.log_in("many")
    listed = ann.get("/auth/sessions").json()
    assert len(listed) == 2
    foreign = next(each for each in listed if not each["current"])
    assert ann.send("DELETE", f"/auth/sessions/{foreign['session_id']}").status_code == 204
    assert other.get("/auth/me").status_code == 401
    ticket = site.app.state.access.ticket_for(site.users.named("many"))
    held = site.anybody()
    assert held.post("/auth/ticket", {"ticket": ticket}).json()["name"] == "many"
    assert held.post("/auth/ticket", {"ticket": "made up"}).status_code == 401
    changed = ann.post("/auth/password", {"current": PASSWORD, "password": "another good one"})
    assert changed.status_code == 204
    assert ann.get("/auth/me").status_code == 401


@pytest.mark.slow
def test_a_founder_hands_out_a_reset_and_a_trader_cannot(site):
    founder, ann = site.user("founder1", Role.FOUNDER), site.user("forgot")
    assert ann.post("/auth/reset-token/forgot").status_code == 403
    token = founder.post("/auth/reset-token/forgot").json()["token"]
    nobody = site.anybody()
    with ann.stream() as stream:  # Somebody who got in is put out, of what is open as well
        stream.send_json({"op": "subscribe", "instruments": [SHARE]})
        stream.receive_json()
        assert nobody.post("/auth/reset", {"token": token, "password": "a new password"}).status_code == 204
        with pytest.raises(WebSocketDisconnect):
            [stream.receive_json() for _ in range(200)]
    assert nobody.post("/auth/reset", {"token": token, "password": "a new password"}).status_code == 401
    assert nobody.log_in("forgot", "a new password").status_code == 200


@pytest.mark.slow
def test_a_stream_ends_when_its_session_does(site, monkeypatch):
    monkeypatch.setattr("njord.gateway.users.SESSION_NS", 6 * NS_PER_S)
    ann = site.user()
    with ann.stream() as stream:
        stream.send_json({"op": "subscribe", "instruments": [SHARE]})
        assert stream.receive_json()
        with pytest.raises(WebSocketDisconnect):
            [stream.receive_json() for _ in range(2_000)]
    assert ann.get("/auth/me").status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize("until", ["user", "ledger", "plan"])
def test_a_registration_that_was_cut_short_is_completed_by_the_next_log_in(tmp_path, until):
    """User and account are in databases of their own: whichever was last, it ends as one account with exact cash."""
    with collected_seldom():
        site = Site(tmp_path)
        try:
            user = site.users.register("ann", PASSWORD, Role.TRADER, now_ns())
            if until == "ledger":
                plan = Plan(cash=DEFAULT_CASH, risk="capital_preserving")
                site.platform.call(lambda: site.platform.house.open(user.account_id, plan))
            elif until == "plan":
                site.app.state.trading.open_account(user.account_id)
            site.restart()
            assert site.anybody().register("ann").status_code == 409
            for _ in range(2):
                ann = site.anybody()
                assert ann.log_in("ann").status_code == 200
                assert ann.get("/portfolio").json()["capital_units"] == str(10**24)
            paid = [record for record in site.ledger.records(user.account_id) if isinstance(record.event, Deposited)]
            assert len(paid) == 1
        finally:
            site.close()
