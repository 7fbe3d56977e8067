"""Changing an account's risk profile: tighter at once, looser with a founder's approval of exactly that, on record."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.gateway.conftest import Site, quoted

from njord.cli import risk as cli
from njord.cli.clock import now_ns
from njord.domain.clock import NS_PER_DAY
from njord.domain.governance import ProfileChanged
from njord.domain.profile import CAPITAL_PRESERVING, MARKET_MAKING
from njord.engine.opening import sessions
from njord.engine.session_replay import replay
from njord.gateway.users import Role
from njord.risk.approvals import Approval, SubjectKind, encode, sign, subject_sha256

pytestmark = pytest.mark.slow
ANN, STRANGER = Ed25519PrivateKey.from_private_bytes(b"a" * 32), Ed25519PrivateKey.from_private_bytes(b"s" * 32)
DESK = """
name: {name}
version: {version}
price_collar: 0.5
daily_loss_max: 0.05
drawdown_tiers:
  - {{drawdown: 0.1, size: 0.5}}
  - {{drawdown: 0.2, entries: false}}
severe_loss: {{drawdown: 0.25}}
breakers: {{reject_share: 0.5}}
order_notional_max: {notional}
"""


@pytest.fixture(scope="module")
def operator(site):
    keys = site.root / "founders"
    keys.mkdir()
    public = ANN.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (keys / "ann.pub").write_bytes(public)
    return site.user("operator", Role.OPERATOR)


def profile_file(site, name, version=1, notional=10_000):
    folder = site.root / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(DESK.format(name=name, version=version, notional=notional))


def account(site, browser):
    return site.users.named(browser.name).account_id


def approval(account_id, after=MARKET_MAKING, before=CAPITAL_PRESERVING, key=ANN, kind=SubjectKind.PROFILE, **more):
    now = now_ns()
    given = {
        "kind": kind, "name": after.name, "subject_sha256": subject_sha256(kind, after),
        "previous_sha256": subject_sha256(kind, before), "reason": "two sides of a book", "account_id": account_id,
        "not_before_ns": now - NS_PER_DAY, "expires_ns": now + NS_PER_DAY, "key_id": "",
    }  # fmt: skip
    return encode(sign(Approval(**(given | more)), key)).decode()


def put(operator, account_id, profile, signed=None):
    return operator.send("PUT", f"/operator/risk/{account_id}/profile", {"profile": profile, "approval": signed})


def on_record(site, account_id):
    return [record.event for record in site.ledger.records(account_id) if isinstance(record.event, ProfileChanged)]


def test_the_profiles_there_are_are_listed_and_a_bad_file_says_what_is_wrong(site, operator):
    profile_file(site, "tidy")
    (site.root / "profiles" / "wrong.yaml").write_text("name: wrong\nleverage_maxx: 3\n")
    found = {each["name"]: each for each in operator.get("/operator/profiles").json()}
    assert {"capital_preserving", "market_making", "research", "tidy"} <= set(found)
    assert found["research"]["backtest_only"]
    assert found["tidy"]["source"] == "tidy.yaml"
    assert "leverage_maxx" in found["wrong.yaml"]["problem"]
    assert put(operator, account(site, site.user()), "research").status_code == 422


def test_a_preview_says_what_would_be_looser_and_changes_nothing(site, operator):
    whose = account(site, site.user())
    said = operator.get(f"/operator/risk/{whose}/profile", profile="market_making").json()
    assert {"short_allowed", "leverage_max", "drawdown_tiers"} <= set(said["looser"])
    assert "price_collar" in said["tighter"]
    assert said["changed"]["leverage_max"] == ["1", "2"]
    assert said["in_force"]["name"] == "capital_preserving"
    assert operator.get(f"/operator/risk/{whose}").json()["profile"] == "capital_preserving"


def test_to_tighten_needs_nobodys_leave_and_is_on_record(site, operator):
    ann = site.user()
    whose = account(site, ann)
    profile_file(site, "desk")
    answer = put(operator, whose, "desk")
    assert (answer.status_code, answer.json()["looser"]) == (200, [])
    assert ann.get("/risk").json()["profile"] == "desk"
    assert ann.order("large", quantity="200").json()["refusal"] == "order_notional_too_large"
    event = on_record(site, whose)[-1]
    assert (event.profile.name, event.actor, event.approval_id) == ("desk", "operator", "")
    session = ann.get("/audit/sessions").json()[0]["session_id"]
    steps = ann.get("/audit/timeline", session_id=session, count=500).json()["steps"]
    changes = [each["event"] for each in steps if each["event"] and each["event"]["type"] == "profile_changed"]
    assert [each["actor"] for each in changes] == ["config", "operator"]
    assert ann.post("/audit/verify").json()["ok"]
    past = operator.get(f"/operator/risk/{whose}/profiles").json()
    assert [each["profile"] for each in past] == ["desk", "capital_preserving"]
    assert [each["actor"] for each in past] == ["operator", "config"]
    assert put(operator, whose, "desk").status_code == 422  # It is in force already


def test_what_allows_more_is_refused_without_an_approval(site, operator):
    whose = account(site, site.user())
    answer = put(operator, whose, "market_making")
    assert answer.status_code == 409
    assert answer.json()["field"] == "approval"
    assert "leverage_max" in answer.json()["error"]
    assert "needs a founder's approval" in answer.json()["error"]
    assert [each.profile.name for each in on_record(site, whose)] == ["capital_preserving"]


def test_a_genuine_approval_allows_it_once(site, operator):
    ann = site.user()
    whose = account(site, ann)
    signed = approval(whose)
    assert put(operator, whose, "market_making", f"\n{signed}\n\n").status_code == 200
    event = on_record(site, whose)[-1]
    assert (event.profile, event.actor) == (MARKET_MAKING, "operator")
    assert (site.root / "approvals" / f"{event.approval_id}.json").read_text() == signed
    assert ann.order("short", "sell", "3").json()["refusal"] is None
    assert put(operator, whose, "capital_preserving").status_code == 409  # A wider collar is looser
    back = approval(whose, CAPITAL_PRESERVING, MARKET_MAKING)
    assert put(operator, whose, "capital_preserving", back).status_code == 200
    assert "replayed" in put(operator, whose, "market_making", signed).json()["error"]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"key": STRANGER}, "unknown_key"),
        ({"after": CAPITAL_PRESERVING}, "wrong_subject"),
        ({"account_id": "user-somebody"}, "wrong_account"),
        ({"account_id": ""}, "wrong_account"),
        ({"before": MARKET_MAKING}, "stale_predecessor"),
        ({"not_before_ns": 1, "expires_ns": 2}, "expired"),
        ({"kind": SubjectKind.MODEL}, "another kind of change"),
    ],
)
def test_an_approval_that_is_not_for_exactly_this_is_refused(site, operator, change, refusal):
    whose = account(site, site.user())
    answer = put(operator, whose, "market_making", approval(**({"account_id": whose} | change)))
    assert answer.status_code == 409
    assert refusal in answer.json()["error"]
    assert len(on_record(site, whose)) == 1


def test_a_forged_approval_is_refused(site, operator):
    whose = account(site, site.user())
    forged = approval("user-somebody").replace("user-somebody", whose)
    assert "bad_signature" in put(operator, whose, "market_making", forged).json()["error"]
    for text in (b"{}", b"yes please", rb"\ud800"):
        answer = operator.http.put(
            f"/api/v1/operator/risk/{whose}/profile",
            headers={"X-CSRF-Token": operator.csrf, "content-type": "application/json"},
            content=b'{"profile": "market_making", "approval": "' + text + b'"}',
        )
        assert answer.status_code == 422, text
    assert len(on_record(site, whose)) == 1


def test_a_version_has_one_content(site, operator):
    whose = account(site, site.user())
    profile_file(site, "twice")
    assert put(operator, whose, "twice").status_code == 200
    profile_file(site, "twice", notional=9_000)
    assert "new version" in put(operator, whose, "twice").json()["error"]
    profile_file(site, "twice", version=2, notional=9_000)
    assert put(operator, whose, "twice").status_code == 200


def test_the_command_line_signs_what_the_page_asks_for(site, operator, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NJORD_HOME", str(site.root))
    whose = account(site, site.user())
    cli.keygen("ben", out=tmp_path / "ben.pem")
    capsys.readouterr()
    cli.approve("market_making", key=tmp_path / "ben.pem", reason="a maker", after="capital_preserving", account=whose)
    signed = (site.root / "approvals" / capsys.readouterr().out.splitlines()[0].rpartition("/")[2]).read_text()
    assert put(operator, whose, "market_making", signed).status_code == 200
    assert not list(site.root.rglob("*.pem"))  # The key was never there


def test_other_strategies_begin_another_session_and_keep_the_profile(site, operator):
    ann = site.user()
    whose = account(site, ann)
    profile_file(site, "kept")
    assert put(operator, whose, "kept").status_code == 200
    wanted = [{"name": "ema_cross", "params": {}, "instruments": ["BRAGE.SIM"]}]
    assert ann.send("PUT", "/strategies", wanted).status_code == 200
    assert ann.get("/risk").json()["profile"] == "kept"
    assert [each.profile.name for each in on_record(site, whose)] == ["capital_preserving", "kept"]
    assert len(operator.get(f"/operator/risk/{whose}/profiles").json()) == 2


def test_another_start_of_the_platform_keeps_it_and_the_session_replays(tmp_path):
    site = Site(tmp_path)
    try:
        operator, ann = site.user("operator", Role.OPERATOR), site.user("ann")
        whose = account(site, ann)
        profile_file(site, "kept")
        assert put(operator, whose, "kept").status_code == 200
        site.restart()
        (site.root / "profiles" / "kept.yaml").unlink()  # On record is all of it, and not where it came from
        site.restart()
        again = site.anybody()
        again.log_in("ann")
        quoted(site)
        assert again.get("/risk").json()["profile"] == "kept"
        assert again.order("large", quantity="200").json()["refusal"] == "order_notional_too_large"
        assert [each.profile.name for each in on_record(site, whose)] == ["capital_preserving", "kept"]
    finally:
        site.close()
    for folder in sessions(tmp_path / "platform" / "sessions" / whose):
        assert replay(folder).ok, folder.name
