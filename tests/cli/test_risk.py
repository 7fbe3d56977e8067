"""``njord risk``: profiles are shown and compared, keys are made and never overwritten, approvals count or do not."""

import stat
from decimal import Decimal
from pathlib import Path

import pytest

from njord.domain.clock import time_ns
from njord.ops.control import Founders, NotGranted
from njord.risk.approvals import SubjectKind

VENUES = Path(__file__).parents[2] / "examples" / "venues"
AT = "2026-03-01T00:00:00Z"
DESK = """name: desk
version: 2
leverage_max: 1.5
price_collar: 0.4
short_allowed: true
daily_loss_max: 0.05
drawdown_tiers: [{drawdown: 0.1, size: 0.5}, {drawdown: 0.2, entries: false}]
severe_loss: {drawdown: 0.25}
breakers: {reject_share: 0.5}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("NJORD_HOME", str(folder))
    return folder


@pytest.fixture
def desk(tmp_path):
    path = tmp_path / "desk.yaml"
    path.write_text(DESK)
    return path


def made_key(njord, tmp_path, name="ann"):
    path = tmp_path / f"{name}.pem"
    said = njord("risk", "keygen", name, "--out", path, "--json")
    assert said.code == 0, said.err
    return path, said.document


def approved(njord, key, desk, *words):
    said = njord("risk", "approve", desk, "--key", key, "--reason", "we hedge", "--at", AT, "--json", *words)
    assert said.code == 0, said.err
    return said.document


def test_profiles_built_in_and_of_ones_own(njord, home, desk):
    (home / "profiles").mkdir(parents=True)
    (home / "profiles" / "desk.yaml").write_text(DESK)

    rows = njord("risk", "profiles", "--json").document["profiles"]

    assert [(row["name"], row["kind"]) for row in rows] == [
        ("capital_preserving", "profile"), ("market_making", "profile"), ("research", "profile"),
        ("anywhere", "venue_profile"), ("desk", "profile"),
    ]  # fmt: skip
    assert "capital_preserving" in njord("risk", "profiles").out


def test_show(njord, home, desk):
    said = njord("risk", "show")
    assert said.code == 0
    assert "leverage_max             1\n" in said.out
    assert "short_allowed            false\n" in said.out
    assert njord("risk", "show", desk, "--json").document["profile"]["leverage_max"] == "1.5"
    venues = njord("risk", "show", VENUES / "no_binance.yaml", "--json").document
    assert venues["kind"] == "venue_profile"
    assert len(venues["sha256"]) == 64
    assert "BINANCE deny" in njord("risk", "show", VENUES / "no_binance.yaml").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "capital_preservin"], "no profile 'capital_preservin', and no such file; did you mean"),
        (["diff", "research", "anywhere"], "research is a profile and anywhere a venue_profile"),
        (["keygen", "Ann", "--out", "x"], "name 'Ann': 1 to 32 lower case letters"),
        (["keygen", "../x", "--out", "x"], "name '../x'"),
        (["check", "nowhere.json"], "nowhere.json: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(njord, home, words, message):
    said = njord("risk", *words)
    assert said.code == 1
    assert message in said.err
    assert said.err.count("\n") == 1


def test_a_broken_file_is_named(njord, home, tmp_path):
    bad = tmp_path / "bad.yaml"
    for text, message in (("name: [", "no YAML"), ("name: x\nleverage: 2", "leverage: no such field"), ("3", "mapping"),
                          ("#" * 2**20 + "#", "more than")):  # fmt: skip
        bad.write_text(text)
        said = njord("risk", "show", bad)
        assert said.code == 1
        assert message in said.err
        assert str(bad) in said.err


def test_diff_says_what_is_looser_and_exits_with_it(njord, home, desk):
    said = njord("risk", "diff", "capital_preserving", desk, "--json")
    assert said.code == 1
    assert said.document["looser"] == ["short_allowed", "leverage_max"]
    assert said.document["tighter"] == ["price_collar"]
    assert said.document["changed"]["leverage_max"] == ["1", "1.5"]
    told = njord("risk", "diff", "capital_preserving", desk)
    assert told.code == 1
    assert "looser    short_allowed, leverage_max\n" in told.out
    assert "needs a founder's approval" in told.out

    same = njord("risk", "diff", "market_making", "market_making")
    assert same.code == 0
    assert "needs no approval" in same.out
    assert njord("risk", "diff", "anywhere", VENUES / "us_and_fx.yaml").code == 0
    assert njord("risk", "diff", VENUES / "us_and_fx.yaml", VENUES / "no_binance.yaml").code == 1


def test_a_key_is_for_its_owner_and_is_never_overwritten(njord, home, tmp_path):
    path, document = made_key(njord, tmp_path)
    content = path.read_bytes()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in content
    assert (home / "founders" / "ann.pub").read_bytes().startswith(b"-----BEGIN PUBLIC KEY")
    assert len(document["key_id"]) == 32

    for words in (["ann", "--out", tmp_path / "other.pem"], ["ben", "--out", path]):
        said = njord("risk", "keygen", *words)
        assert said.code == 1
        assert "never overwritten" in said.err
    assert path.read_bytes() == content
    assert not (tmp_path / "other.pem").exists()
    assert not (home / "founders" / "ben.pub").exists()
    told = njord("risk", "keygen", "cid", "--out", tmp_path / "cid.pem")
    assert told.code == 0
    secret = (tmp_path / "cid.pem").read_text().splitlines()[1]
    assert secret not in told.out + told.err


def test_an_approval_counts_for_what_it_names_and_when(njord, home, tmp_path, desk):
    key, made = made_key(njord, tmp_path)

    document = approved(njord, key, desk)

    file = Path(document["file"])
    assert file == home / "approvals" / f"{document['approval_id']}.json"
    assert document["looser"] == ["short_allowed", "leverage_max"]
    assert document["until"] == "2026-03-08T00:00:00Z"
    assert document["key_id"] == made["key_id"]

    def judged(*words):
        said = njord("risk", "check", file, *words, "--json")
        assert said.code == (0 if said.document["refusal"] is None else 1)
        return said.document["refusal"]

    assert judged("--at", AT) is None
    assert judged("--at", "2026-02-28T23:59:59Z") == "not_yet_valid"
    assert judged("--at", "2026-03-08") == "expired"
    assert judged(desk, "--at", AT) is None
    assert judged(desk, "--after", "market_making", "--at", AT) == "stale_predecessor"
    other = tmp_path / "other.yaml"
    other.write_text(DESK.replace("leverage_max: 1.5", "leverage_max: 1.6"))
    assert judged(other, "--at", AT) == "wrong_subject"
    assert judged("--at", "2026-03-08") == "expired"
    told = njord("risk", "check", file, "--at", AT)
    assert "profile desk, by ann: we hedge" in told.out
    assert told.out.endswith("good\n")

    (home / "founders" / "ann.pub").unlink()
    assert judged("--at", AT) == "unknown_key"
    assert "nobody we know" in njord("risk", "check", file, "--at", AT).out


def test_the_same_approval_twice_is_one_file(njord, home, tmp_path, desk):
    key, _ = made_key(njord, tmp_path)
    assert approved(njord, key, desk) == approved(njord, key, desk)
    assert len(list((home / "approvals").iterdir())) == 1
    assert approved(njord, key, desk, "--valid", "12h")["until"] == "2026-03-01T12:00:00Z"
    assert len(list((home / "approvals").iterdir())) == 2


def test_an_altered_approval_does_not_count(njord, home, tmp_path, desk):
    key, _ = made_key(njord, tmp_path)
    file = Path(approved(njord, key, desk)["file"])
    file.write_text(file.read_text().replace("we hedge", "we hedgy"))
    assert njord("risk", "check", file, "--at", AT, "--json").document["refusal"] == "bad_signature"
    file.write_text(file.read_text() + "\n")
    said = njord("risk", "check", file, "--at", AT)
    assert said.code == 1
    assert "not the bytes" in said.err


def test_venue_profiles_are_approved_too(njord, home, tmp_path):
    key, _ = made_key(njord, tmp_path)
    document = approved(njord, key, VENUES / "no_binance.yaml", "--after", VENUES / "us_and_fx.yaml")
    assert document["kind"] == "venue_profile"
    assert document["looser"] == ["venues.COINBASE", "venues.GEMINI", "venues.MEXC", "venues.GATE"]


def test_shares_and_models_are_approved_for_the_session_that_asks(njord, home, tmp_path):
    key, _ = made_key(njord, tmp_path)
    words = ("--key", key, "--reason", "it has proven itself", "--at", AT, "--json")
    shares = njord("risk", "approve-shares", "maker=0.5", "trend=0.2", "--after", "maker=0.3", *words).document
    first = njord("risk", "approve-shares", "maker=0.1", *words).document
    model = njord("risk", "approve-model", "net-4", *words).document
    assert shares["looser"] == ["total", "shares.maker", "shares.trend"]
    assert first["looser"] == ["total", "shares.maker"]
    assert model["looser"] == ["active"]

    founders = Founders(home / "founders", home / "approvals")  # As a session asks them
    asked = [
        (SubjectKind.ALLOCATION, {"maker": Decimal("0.5"), "trend": Decimal("0.20")}, {"maker": Decimal("0.3")}),
        (SubjectKind.ALLOCATION, {"maker": Decimal("0.1")}, {}),
        (SubjectKind.MODEL, {"model_id": "net-4", "active": True}, {"model_id": "net-4", "active": False}),
    ]
    ids = [each["approval_id"] for each in (shares, first, model)]
    assert [founders.approval(*each, ["total"], (), time_ns(AT)) for each in asked] == ids
    with pytest.raises(NotGranted, match="stale_predecessor"):
        founders.approval(asked[0][0], asked[0][1], {"maker": Decimal("0.4")}, ["total"], (), time_ns(AT))
    with pytest.raises(NotGranted, match="replayed"):
        founders.approval(*asked[2], ["active"], ids, time_ns(AT))


@pytest.mark.parametrize("word", ["maker", "maker=a lot", "maker=-0.1", "maker=1.1", "maker=nan"])
def test_what_is_no_share_is_one_line(njord, home, tmp_path, word):
    key, _ = made_key(njord, tmp_path)
    said = njord("risk", "approve-shares", word, "--key", key, "--reason", "x")
    assert said.code == 1
    assert len(said.err.strip().splitlines()) == 1
    assert word.partition("=")[0] in said.err
    assert not list((home / "approvals").glob("*"))


def test_what_is_no_founders_key_signs_nothing(njord, home, tmp_path, desk):
    stranger, _ = made_key(njord, tmp_path, "eve")
    (home / "founders" / "eve.pub").unlink()
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("secret words")
    for key, message in ((stranger, "not among the founders"), (nonsense, "no unencrypted private key")):
        said = njord("risk", "approve", desk, "--key", key, "--reason", "x")
        assert said.code == 1
        assert message in said.err
        assert "secret words" not in said.err
    assert not list((home / "approvals").glob("*"))


def test_a_key_that_others_can_read_is_warned_about(njord, home, tmp_path, desk):
    key, _ = made_key(njord, tmp_path)
    key.chmod(0o640)
    said = njord("risk", "approve", desk, "--key", key, "--reason", "x", "--valid", "1h")
    assert said.code == 0
    assert "others on this machine can read it" in said.err
    assert "counts 20" in said.out


def test_a_reason_is_needed(njord, home, tmp_path, desk):
    key, _ = made_key(njord, tmp_path)
    assert njord("risk", "approve", desk, "--key", key).code == 2
    assert "reason" in njord("risk", "approve", desk, "--key", key, "--reason", " ").err
