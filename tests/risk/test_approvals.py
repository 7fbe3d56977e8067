"""Approvals: what is forged, altered, expired, early, replayed or about something else does not count."""

from decimal import Decimal

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.profile import RiskProfile
from njord.risk.approvals import (
    APPROVAL_BYTES_MAX,
    Approval,
    ApprovalRefusal,
    BadApproval,
    SubjectKind,
    canonical,
    check,
    decode,
    encode,
    key_id,
    load_founders,
    sign,
    signed_bytes,
    standing,
    subject_sha256,
)

ANN, BEN = (Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in (1, 2))
OLD = RiskProfile(name="desk", leverage_max=Decimal(1))
NEW = RiskProfile(name="desk", version=2, leverage_max=Decimal(2))


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def founders():
    return load_founders({"ann": pem(ANN)})


def approval(key=ANN, **changes):
    fields = {
        "kind": SubjectKind.PROFILE, "name": "desk", "subject_sha256": subject_sha256(SubjectKind.PROFILE, NEW),
        "previous_sha256": subject_sha256(SubjectKind.PROFILE, OLD), "reason": "the spread pays for it",
        "not_before_ns": 100, "expires_ns": 200, "key_id": "",
    }  # fmt: skip
    return sign(Approval(**(fields | changes)), key)


GOOD = approval()


def judged(found, subject=NEW, current=OLD, time_ns=150, used=()):
    return check(found, subject, current, founders(), time_ns, used)


@pytest.mark.parametrize(
    ("time_ns", "expected"),
    [(99, ApprovalRefusal.NOT_YET_VALID), (100, None), (199, None), (200, ApprovalRefusal.EXPIRED)],
)
def test_it_counts_in_its_time_and_only_then(time_ns, expected):
    assert judged(GOOD, time_ns=time_ns) is expected
    assert standing(GOOD, founders(), time_ns) is expected
    assert standing(approval(BEN), founders(), time_ns) is ApprovalRefusal.UNKNOWN_KEY
    altered = msgspec.structs.replace(GOOD, reason="x")
    assert standing(altered, founders(), time_ns) is ApprovalRefusal.BAD_SIGNATURE


def test_somebody_else_cannot_approve():
    assert judged(approval(BEN)) is ApprovalRefusal.UNKNOWN_KEY
    forged = msgspec.structs.replace(approval(BEN), key_id=GOOD.key_id)
    assert judged(forged) is ApprovalRefusal.BAD_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [{"kind": SubjectKind.MODEL}, {"name": "x"}, {"subject_sha256": "0" * 64}, {"previous_sha256": ""}, {"reason": "x"},
     {"not_before_ns": 99}, {"expires_ns": 201}, {"signature": ""}, {"signature": "zz"}, {"signature": "00" * 64},
     {"signature": GOOD.signature.upper()}, {"signature": GOOD.signature + "00"}, {"signature": GOOD.signature + " "},
     {"signature": "\u00e9"}],
)  # fmt: skip
def test_no_field_can_be_altered(change):
    assert judged(msgspec.structs.replace(GOOD, **change)) is ApprovalRefusal.BAD_SIGNATURE


@pytest.mark.parametrize("bit", [1, 2, 4, 8, 16, 32, 64, 128])
def test_every_flipped_bit_of_the_file_is_found(bit):
    content = encode(GOOD)
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= bit
        try:
            found = decode(bytes(altered))
        except BadApproval:
            continue
        assert judged(found) in (ApprovalRefusal.BAD_SIGNATURE, ApprovalRefusal.UNKNOWN_KEY), place


def test_it_allows_one_version_of_one_thing():
    other = msgspec.structs.replace(NEW, leverage_max=Decimal(3))
    assert judged(GOOD, subject=other) is ApprovalRefusal.WRONG_SUBJECT
    assert judged(GOOD, subject=OLD) is ApprovalRefusal.WRONG_SUBJECT
    model = approval(kind=SubjectKind.MODEL)
    assert judged(model) is ApprovalRefusal.WRONG_SUBJECT  # The same hash, of another kind


def test_it_follows_what_held_when_it_was_signed():
    assert judged(GOOD, current=NEW) is ApprovalRefusal.STALE_PREDECESSOR
    assert judged(GOOD, current=None) is ApprovalRefusal.STALE_PREDECESSOR
    first = approval(previous_sha256="")
    assert judged(first, current=None) is None
    assert judged(first) is ApprovalRefusal.STALE_PREDECESSOR


def test_it_is_used_once():
    assert judged(GOOD, used={"another"}) is None
    assert judged(GOOD, used={GOOD.approval_id}) is ApprovalRefusal.REPLAYED
    # To sign it again does not make another of it
    assert approval().approval_id == GOOD.approval_id
    assert approval(reason="again").approval_id != GOOD.approval_id


def test_the_first_reason_wins():
    wrong = msgspec.structs.replace(approval(BEN), reason="x")
    assert judged(wrong, subject=OLD, time_ns=999) is ApprovalRefusal.UNKNOWN_KEY
    used = {GOOD.approval_id}
    altered = msgspec.structs.replace(GOOD, reason="x")
    assert judged(altered, OLD, NEW, 999, used) is ApprovalRefusal.BAD_SIGNATURE
    assert judged(GOOD, OLD, NEW, 999, used) is ApprovalRefusal.WRONG_SUBJECT
    assert judged(GOOD, NEW, NEW, 999, used) is ApprovalRefusal.STALE_PREDECESSOR
    assert judged(GOOD, NEW, OLD, 999, used) is ApprovalRefusal.REPLAYED


def test_what_is_signed_says_what_it_is_for():
    assert signed_bytes(GOOD).startswith(b'njord.approval.v1\0{"expires_ns":200,"key_id":"')
    assert b"signature" not in signed_bytes(GOOD)
    assert GOOD.signature == ANN.sign(signed_bytes(GOOD)).hex()
    # A signature over the same fields for another purpose is none
    bare = msgspec.structs.replace(GOOD, signature=ANN.sign(signed_bytes(GOOD)[18:]).hex())
    assert judged(bare) is ApprovalRefusal.BAD_SIGNATURE


def test_the_hash_of_a_subject_is_of_what_it_means():
    same = msgspec.structs.replace(NEW, leverage_max=Decimal("2.00"))
    assert subject_sha256(SubjectKind.PROFILE, same) == subject_sha256(SubjectKind.PROFILE, NEW)
    assert canonical({"b": Decimal("1E+3"), "a": [Decimal("0.10"), Decimal("-0"), None, True]}) == (
        b'{"a":["0.1","0",null,true],"b":"1000"}'
    )
    assert subject_sha256(SubjectKind.MODEL, {"model_id": "m", "active": True}) != subject_sha256(
        SubjectKind.ALLOCATION, {"model_id": "m", "active": True}
    )
    # Pinned: a hash that changes with the software makes every approval on record worthless
    assert subject_sha256(SubjectKind.ALLOCATION, {"a": Decimal("0.5")}) == (
        "a0eb335b138cdf953e351f1fcaa1e43cadebf77bfc8f8d61b87e2bf4db556dcf"
    )


@given(st.dictionaries(st.text(max_size=5), st.decimals(0, 10, places=4), max_size=5))
def test_the_order_of_a_mapping_does_not_matter(shares):
    backwards = dict(reversed(shares.items()))
    assert canonical(shares) == canonical(backwards)


@pytest.mark.parametrize(
    "change", [{"reason": ""}, {"reason": " "}, {"reason": "x" * 1_001}, {"expires_ns": 100}, {"not_before_ns": -1}]
)
def test_an_approval_needs_a_reason_and_an_end(change):
    with pytest.raises(ValueError, match="approval"):
        approval(**change)
    assert approval(reason="x" * 1_000, expires_ns=101)


def test_it_is_kept_in_one_form_only():
    content = encode(GOOD)
    assert decode(content) == GOOD
    assert content.endswith(b"}\n")
    for other in (content[:-1], content + b"\n", content.replace(b":", b": "), b"", b"[]", b"{}", b"\xff",
                  content.replace(b'{"', b'{"x":1,"', 1)):  # fmt: skip
        with pytest.raises(BadApproval):
            decode(other)
    with pytest.raises(BadApproval, match="more than"):
        decode(b" " * (APPROVAL_BYTES_MAX + 1))


def test_to_sign_again_gives_the_same_approval():
    assert sign(GOOD, ANN) == approval() == GOOD
    assert judged(approval()) is None
    other = sign(GOOD, BEN)
    assert other.key_id == key_id(BEN.public_key())
    assert check(other, NEW, OLD, load_founders({"ben": pem(BEN)}), 150) is None


def test_it_may_count_from_the_beginning_of_time():
    assert judged(approval(not_before_ns=0), time_ns=0) is None


def test_what_is_wrong_with_a_file_is_said():
    for content, message in ((b"{", "approval: "), (encode(GOOD) + b" ", "these are not the bytes")):
        with pytest.raises(BadApproval, match=message):
            decode(content)
    with pytest.raises(BadApproval, match="approval: "):
        decode(b" " * APPROVAL_BYTES_MAX)


def test_as_many_founders_as_there_may_be():
    keys = {str(each): Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in range(1, 17)}
    assert len(load_founders({name: pem(key) for name, key in keys.items()})) == 16


def test_founders_are_loaded_by_key():
    found = load_founders({"ann": pem(ANN), "ben": pem(BEN)})
    assert [each.name for each in found.values()] == ["ann", "ben"]
    assert list(found) == [key_id(ANN.public_key()), key_id(BEN.public_key())]
    assert len(key_id(ANN.public_key())) == 32
    assert load_founders({}) == {}


@pytest.mark.parametrize(
    ("pems", "message"),
    [
        ({"eve": b"nonsense"}, "founder eve: this is no public key"),
        ({"eve": pem(generate_private_key(SECP256R1()))}, "founder eve: the key must be of Ed25519"),
        ({"ann": pem(ANN), "eve": pem(ANN)}, "founder eve: has the same key as ann"),
        ({str(each): b"" for each in range(17)}, "founders: at most 16, were 17"),
    ],
)
def test_what_is_no_founder_is_refused(pems, message):
    with pytest.raises(BadApproval, match=message):
        load_founders(pems)


def test_an_approval_is_for_its_account_and_for_no_other():
    ours = approval(ANN, account_id="user-ann")
    assert check(ours, NEW, OLD, founders(), 150, account_id="user-ann") is None
    assert check(ours, NEW, OLD, founders(), 150, account_id="user-ben") is ApprovalRefusal.WRONG_ACCOUNT
    assert check(ours, NEW, OLD, founders(), 150) is ApprovalRefusal.WRONG_ACCOUNT
    assert check(GOOD, NEW, OLD, founders(), 150, account_id="user-ann") is ApprovalRefusal.WRONG_ACCOUNT
    renamed = msgspec.structs.replace(ours, account_id="user-ben")
    assert check(renamed, NEW, OLD, founders(), 150, account_id="user-ben") is ApprovalRefusal.BAD_SIGNATURE


def test_an_approval_without_an_account_has_the_bytes_it_always_had():
    assert b"account_id" not in encode(GOOD)
    assert decode(encode(GOOD)) == GOOD
