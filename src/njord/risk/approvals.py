"""Founder approvals: an Ed25519 signature over what is allowed, after what, why and until when.

An approval names its subject by hash, so it allows exactly one version of one thing; the hash of the version before it,
so it cannot be used to go back; and a time in which it may be used. A changed byte anywhere makes it worthless.

What is signed is ``njord.approval.v1``, a zero byte and the fields as JSON with sorted keys; what a subject is hashed
from begins with ``njord.subject.v1`` and its kind: no signature or hash made for one purpose fits another.
Ed25519: RFC 8032. Its signatures need no dice, so all here is pure.
"""

import binascii
import enum
import hashlib
from collections.abc import Container, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

APPROVAL_PREFIX = b"njord.approval.v1\0"
SUBJECT_PREFIX = b"njord.subject.v1\0"
KEY_PREFIX = b"njord.key.v1\0"
assert len({APPROVAL_PREFIX, SUBJECT_PREFIX, KEY_PREFIX}) == 3

APPROVAL_BYTES_MAX = 16_384
REASON_CHARS_MAX = 1_000
FOUNDERS_MAX = 16
ID_CHARS = 32  # 128 bits of SHA-256


class SubjectKind(enum.StrEnum):
    """What an approval is about."""

    PROFILE = "profile"  # A RiskProfile
    VENUE_PROFILE = "venue_profile"  # A VenueProfile
    ALLOCATION = "allocation"  # Shares by strategy
    MODEL = "model"  # {"model_id": ..., "active": ...}


class ApprovalRefusal(enum.StrEnum):
    """Every reason an approval does not count. Closed list; the first in this order wins."""

    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_SUBJECT = "wrong_subject"
    WRONG_ACCOUNT = "wrong_account"  # It is for another account, or where there are many it names none
    STALE_PREDECESSOR = "stale_predecessor"  # What it follows is not what holds now
    REPLAYED = "replayed"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


class BadApproval(ValueError):
    """This is no approval, or no founder's key. The message says why."""


class Founder(msgspec.Struct, frozen=True):
    """Somebody whose signature counts."""

    name: str
    key_id: str
    key: Ed25519PublicKey


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One founder allows one change. Hashes, key id and signature are lower case hexadecimal.

    It counts from ``not_before_ns`` until before ``expires_ns``. ``previous_sha256`` is the hash of what held when it
    was signed, empty where there was nothing. ``account_id`` says for which account it counts; where a process has one
    account only, it is empty. Raises ValueError naming the field.
    """

    kind: SubjectKind
    name: str  # Of the subject, for people
    subject_sha256: str
    previous_sha256: str
    reason: str
    not_before_ns: int
    expires_ns: int
    key_id: str
    account_id: str = ""
    signature: str = ""

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > REASON_CHARS_MAX:
            raise ValueError(f"approval: reason must have 1 to {REASON_CHARS_MAX} characters")
        if not 0 <= self.not_before_ns < self.expires_ns:
            raise ValueError(f"approval: must expire after {self.not_before_ns}, was {self.expires_ns}")

    @property
    def approval_id(self) -> str:
        """Its name: of what was signed, so that the same approval has one name however often it is signed."""
        return hashlib.sha256(signed_bytes(self)).hexdigest()[:ID_CHARS]


def canonical(subject: Any) -> bytes:
    """Return the bytes a subject is hashed from: JSON, keys sorted, decimals without trailing zeros or exponent."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(subject, builtin_types=(Decimal,))), order="sorted")


def subject_sha256(kind: SubjectKind, subject: Any) -> str:
    """Return the hash by which an approval names a subject; a profile, a mapping of shares, a small mapping."""
    return hashlib.sha256(SUBJECT_PREFIX + kind.encode() + b"\0" + canonical(subject)).hexdigest()


def signed_bytes(approval: Approval) -> bytes:
    """Return what the signature of an approval is over: all of it but the signature."""
    fields = _fields(approval)
    del fields["signature"]
    return APPROVAL_PREFIX + msgspec.json.encode(fields, order="sorted")


def sign(approval: Approval, key: Ed25519PrivateKey) -> Approval:
    """Return the approval signed by a founder, whose key id it then has."""
    unsigned = msgspec.structs.replace(approval, key_id=key_id(key.public_key()), signature="")
    return msgspec.structs.replace(unsigned, signature=key.sign(signed_bytes(unsigned)).hex())


def check(
    approval: Approval,
    subject: Any,
    current: Any | None,
    founders: Mapping[str, Founder],
    time_ns: int,
    used: Container[str] = (),
    account_id: str = "",
) -> ApprovalRefusal | None:
    """Return why an approval does not allow ``subject`` to follow ``current`` now, or None if it does.

    ``founders`` are by key id; ``used`` holds the ids of approvals that were acted on already; ``account_id`` is whose
    change it would be, where there are several. The first reason wins.
    """
    return (
        _signature_refusal(approval, founders)
        or _subject_refusal(approval, subject, current, account_id)
        or (ApprovalRefusal.REPLAYED if approval.approval_id in used else None)
        or _time_refusal(approval, time_ns)
    )


def standing(approval: Approval, founders: Mapping[str, Founder], time_ns: int) -> ApprovalRefusal | None:
    """Return why an approval could not count now whatever it is for, or None: the checks that need no subject."""
    return _signature_refusal(approval, founders) or _time_refusal(approval, time_ns)


def encode(approval: Approval) -> bytes:
    """Return an approval as it is kept in a file: one line of JSON, keys sorted."""
    return msgspec.json.encode(_fields(approval), order="sorted") + b"\n"


def decode(content: bytes) -> Approval:
    """Return the approval in a file. Only the very bytes that ``encode`` writes count. Raises BadApproval."""
    if len(content) > APPROVAL_BYTES_MAX:
        raise BadApproval(f"approval: more than {APPROVAL_BYTES_MAX} bytes")
    try:
        found = msgspec.json.decode(content, type=Approval)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadApproval(f"approval: {error}") from None
    if encode(found) != content:
        raise BadApproval("approval: these are not the bytes it was written with")
    return found


def key_id(key: Ed25519PublicKey) -> str:
    """Return the short name of a public key: the first half of a SHA-256 of its 32 bytes."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(KEY_PREFIX + raw).hexdigest()[:ID_CHARS]


def load_founders(pems: Mapping[str, bytes]) -> dict[str, Founder]:
    """Return founders by key id, from each one's name and public key as PEM. Raises BadApproval naming the founder."""
    if len(pems) > FOUNDERS_MAX:
        raise BadApproval(f"founders: at most {FOUNDERS_MAX}, were {len(pems)}")
    found: dict[str, Founder] = {}
    for name, pem in pems.items():
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise BadApproval(f"founder {name}: this is no public key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise BadApproval(f"founder {name}: the key must be of Ed25519")
        founder = Founder(name, key_id(key), key)
        if founder.key_id in found:
            # Two names with one key would be one person with two voices
            raise BadApproval(f"founder {name}: has the same key as {found[founder.key_id].name}")
        found[founder.key_id] = founder
    return found


def _signature_refusal(approval: Approval, founders: Mapping[str, Founder]) -> ApprovalRefusal | None:
    founder = founders.get(approval.key_id)
    if founder is None:
        return ApprovalRefusal.UNKNOWN_KEY
    return None if _verified(approval, founder.key) else ApprovalRefusal.BAD_SIGNATURE


def _fields(approval: Approval) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(approval)
    if not approval.account_id:
        # What was signed before approvals could name an account keeps its bytes, and with them its id and signature
        del fields["account_id"]
    return fields


def _subject_refusal(approval: Approval, subject: Any, current: Any | None, account_id: str) -> ApprovalRefusal | None:
    if approval.subject_sha256 != subject_sha256(approval.kind, subject):
        return ApprovalRefusal.WRONG_SUBJECT
    if approval.account_id != account_id:
        return ApprovalRefusal.WRONG_ACCOUNT
    previous = "" if current is None else subject_sha256(approval.kind, current)
    return None if approval.previous_sha256 == previous else ApprovalRefusal.STALE_PREDECESSOR


def _time_refusal(approval: Approval, time_ns: int) -> ApprovalRefusal | None:
    if time_ns < approval.not_before_ns:
        return ApprovalRefusal.NOT_YET_VALID
    return ApprovalRefusal.EXPIRED if time_ns >= approval.expires_ns else None


def _verified(approval: Approval, key: Ed25519PublicKey) -> bool:
    try:
        signature = binascii.unhexlify(approval.signature)
    except ValueError:
        return False
    if signature.hex() != approval.signature:
        return False
    try:
        key.verify(signature, signed_bytes(approval))
    except InvalidSignature:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        # 0.20 and 0.2 are one limit, and must be one subject
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
