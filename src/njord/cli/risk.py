"""``njord risk``: risk and venue profiles, what a change of them allows, and founders' approvals of it."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import App, Parameter

from njord.cli.clock import now_ns
from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from decimal import Decimal

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from njord.domain.ids import StrategyId
    from njord.domain.profile import RiskProfile, VenueProfile
    from njord.risk.approvals import Approval, Founder

    Profile = RiskProfile | VenueProfile

FILE_BYTES_MAX = 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

app = App(name="risk", help="Risk and venue profiles, and founders' approvals of what loosens them.")

AfterOption = Annotated[
    str | None, Parameter(help="What holds now: a built-in name or a file. Without it: the default of its kind.")
]
KeyOption = Annotated[Path, Parameter(help="The founder's private key.")]
ReasonOption = Annotated[str, Parameter(help="Why; it stays on record.")]
ValidOption = Annotated[str, Parameter(help="How long it may be used: 7d, 12h.")]
AccountOption = Annotated[str, Parameter(help="For which account of a platform; a session of its own needs none.")]
AtOption = Annotated[str | None, Parameter(help="From when on; now unless said, as 2026-01-31T12:00:00Z.")]
SharesArgument = Annotated[list[str], Parameter(help="STRATEGY=SHARE of the equity, such as ema_cross=0.3.")]


class Signed(NamedTuple):
    """How an approval is to be signed: with what, why, for how long, from when and for which account."""

    key: Path
    reason: str
    valid: str
    at: str | None
    account: str = ""


@app.command
def profiles(*, json: JsonOption = False) -> None:
    """List the profiles that come with njord, and those in NJORD_HOME/profiles."""
    from njord.cli.paths import home
    from njord.domain.profile import ANYWHERE, PROFILES

    built_in: list[Profile] = [*PROFILES.values(), ANYWHERE]
    rows = [{"name": each.name, "kind": _kind(each), "source": "built in"} for each in built_in]
    for path in sorted((home() / "profiles").glob("*.yaml")):
        found = _read(path)
        rows.append({"name": found.name, "kind": _kind(found), "source": str(path)})
    if json:
        print_json({"profiles": rows})
        return
    for row in rows:
        print(f"{row['name']:20} {row['kind']:14} {row['source']}")


@app.command
def show(
    profile: Annotated[str, Parameter(name="PROFILE", help="A built-in name, or a file.")] = "capital_preserving",
    /,
    *,
    json: JsonOption = False,
) -> None:
    """Show every field of a profile, and the hash an approval would name it by."""
    found = _profile(profile)
    fields = _fields(found)
    if json:
        print_json({"kind": _kind(found), "sha256": _sha256(found), "profile": fields})
        return
    print(f"{_kind(found)} {found.name}, version {found.version}, sha256 {_sha256(found)}")
    for name, value in fields.items():
        if name not in ("name", "version"):
            print(f"{name:24} {_shown(value)}")


@app.command
def diff(
    old: Annotated[str, Parameter(name="OLD", help="A built-in name, or a file.")],
    new: Annotated[str, Parameter(name="NEW", help="A built-in name, or a file.")],
    /,
    *,
    json: JsonOption = False,
) -> None:
    """Say what NEW changes, and by which fields it allows more. Exit code 1 if by any: that needs an approval."""
    before, after = _profile(old), _profile(new)
    _same_kind(before, after)
    more = _looser(before, after)
    less = _looser(after, before)
    first, second = _fields(before), _fields(after)
    changed = [name for name in first if first[name] != second[name] and name not in ("name", "version")]
    if json:
        changes = {name: [first[name], second[name]] for name in changed}
        print_json({"old": before.name, "new": after.name, "looser": more, "tighter": less, "changed": changes})
    else:
        print(f"looser    {', '.join(more) or 'nothing'}")
        print(f"tighter   {', '.join(less) or 'nothing'}")
        for name in changed:
            print(f"{name}: {_shown(first[name])} -> {_shown(second[name])}")
        print("needs a founder's approval: njord risk approve" if more else "needs no approval")
    if more:
        raise SystemExit(1)


@app.command
def keygen(
    name: Annotated[str, Parameter(name="NAME", help="Of the founder.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="Where to write the private key; keep it off this machine.")],
    json: JsonOption = False,
) -> None:
    """Make a founder's key: the private half where you say, for you alone to read; the public one for njord."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    from njord.risk.approvals import key_id

    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: 1 to 32 lower case letters, digits, _ and -")
    public = _folder("founders") / f"{name}.pub"
    out = out.expanduser()
    for path in (public, out):
        if path.exists() or path.is_symlink():
            raise ValueError(f"{path}: is there already, and a key is never overwritten")
    key = Ed25519PrivateKey.generate()
    _write_new(out, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    document = {"name": name, "key_id": key_id(key.public_key()), "private": str(out), "public": str(public)}
    if json:
        print_json(document)
        return
    print(f"founder {name}, key {document['key_id']}")
    print(f"private {out}: move it where only you can read it; njord needs it only to approve")
    print(f"public  {public}")


@app.command
def approve(
    profile: Annotated[str, Parameter(name="PROFILE", help="A built-in name, or a file.")],
    /,
    *,
    key: KeyOption,
    reason: ReasonOption,
    valid: ValidOption = "7d",
    after: AfterOption = None,
    account: AccountOption = "",
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that this profile may follow the one that holds now. Writes NJORD_HOME/approvals/<id>.json."""
    found = _profile(profile)
    current = _current(found, after)
    signed = Signed(key, reason, valid, at, account)
    what = f"allows {found.name} version {found.version} to follow {current.name}"
    _sign(signed, _kind(found), found.name, found, current, _looser(current, found), what, json)


@app.command
def approve_shares(
    shares: SharesArgument,
    /,
    *,
    key: KeyOption,
    reason: ReasonOption,
    valid: ValidOption = "7d",
    after: Annotated[list[str] | None, Parameter(help="A share that holds now; once for each of them.")] = None,
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that strategies may have these shares of the equity after those. Writes NJORD_HOME/approvals/<id>.json."""
    from njord.risk.loosening import looser_shares

    found, current = read_shares(shares), read_shares(after or [])
    what = f"allows {' '.join(shares)} to follow {' '.join(after or ['nothing'])}"
    looser = looser_shares(current, found)
    _sign(Signed(key, reason, valid, at), "allocation", "shares", found, current, looser, what, json)


@app.command
def approve_model(
    model_id: Annotated[str, Parameter(name="MODEL")],
    /,
    *,
    key: KeyOption,
    reason: ReasonOption,
    valid: ValidOption = "7d",
    at: AtOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that a model's signals may be traded. Writes NJORD_HOME/approvals/<id>.json."""
    from njord.risk.loosening import looser_model

    found, current = ({"model_id": model_id, "active": active} for active in (True, False))
    looser = looser_model(was_active=False, active=True)
    what = f"allows what model {model_id} says to be traded"
    _sign(Signed(key, reason, valid, at), "model", model_id, found, current, looser, what, json)


@app.command
def check(
    approval: Annotated[Path, Parameter(name="APPROVAL")],
    profile: Annotated[Path | None, Parameter(name="PROFILE_FILE", help="What it should allow.")] = None,
    /,
    *,
    after: AfterOption = None,
    account: AccountOption = "",
    at: Annotated[str | None, Parameter(help="At which moment; now unless said.")] = None,
    json: JsonOption = False,
) -> None:
    """Check an approval: who signed it, whether it counts now and, with PROFILE_FILE, for that. Exit code 1 if not."""
    from njord.risk import approvals

    found = approvals.decode(_content(approval))
    founders = _founders()
    if profile is None:
        refusal = approvals.standing(found, founders, _moment_ns(at))
    else:
        subject = _read(profile)
        current = _current(subject, after)
        refusal = approvals.check(found, subject, current, founders, _moment_ns(at), account_id=account)
    known = founders.get(found.key_id)
    by = None if known is None else known.name
    if json:
        print_json({"approval_id": found.approval_id, "refusal": refusal, "founder": by, **_told(found)})
    else:
        print(f"{found.kind} {found.name}, by {by or 'nobody we know'}: {found.reason}")
        print(f"counts {_told(found)['from']} to {_told(found)['until']}")
        print("good" if refusal is None else f"does not count: {refusal}")
    if refusal is not None:
        raise SystemExit(1)


def _profile(said: str) -> "Profile":
    from njord.domain.profile import ANYWHERE, PROFILES
    from njord.domain.spelling import suggestion

    built_in: dict[str, Profile] = {**PROFILES, ANYWHERE.name: ANYWHERE}
    if said in built_in:
        return built_in[said]
    path = Path(said).expanduser()
    if not path.exists():
        raise ValueError(f"no profile {said!r}, and no such file{suggestion(said, built_in)}")
    return _read(path)


def read_risk_profile(path: Path) -> "RiskProfile":
    """Read a risk profile from a file. Raises BadProfile in one line."""
    from njord.domain.profile import RiskProfile
    from njord.risk.profile_files import BadProfile

    found = _read(path)
    if not isinstance(found, RiskProfile):
        raise BadProfile(f"{path}: a venue profile, where a risk profile is needed")
    return found


def read_shares(said: list[str]) -> "dict[StrategyId, Decimal]":
    """Return shares of the equity from STRATEGY=SHARE words. Raises ValueError in one line."""
    from decimal import Decimal

    from njord.domain.ids import StrategyId

    found: dict[StrategyId, Decimal] = {}
    for each in said:
        name, _, share = each.partition("=")
        try:
            found[StrategyId(name)] = Decimal(share)
        except ArithmeticError:
            raise ValueError(f"{each!r}: must be STRATEGY=SHARE, such as ema_cross=0.3") from None
    if not all(share.is_finite() and share >= 0 for share in found.values()) or sum(found.values()) > 1:
        raise ValueError(f"shares: each must be 0 or more and all together at most 1, were {', '.join(said)}")
    return found


def _sign(
    signed: Signed, kind: str, name: str, subject: Any, current: Any, looser: list[str], what: str, json: bool
) -> None:
    from njord.domain.clock import interval_ns
    from njord.risk.approvals import Approval, SubjectKind, encode, sign, subject_sha256

    start_ns, its = _moment_ns(signed.at), SubjectKind(kind)
    approval = sign(
        Approval(
            kind=its, name=name, subject_sha256=subject_sha256(its, subject),
            previous_sha256=subject_sha256(its, current), reason=signed.reason, not_before_ns=start_ns,
            expires_ns=start_ns + interval_ns(signed.valid), key_id="", account_id=signed.account,
        ),
        _private_key(signed.key),
    )  # fmt: skip
    if approval.key_id not in _founders():
        raise ValueError(f"{signed.key}: its public half is not among the founders in {_folder('founders')}")
    path = _folder("approvals") / f"{approval.approval_id}.json"
    if not path.exists():
        _write_new(path, encode(approval), 0o644)
    if json:
        print_json({"approval_id": approval.approval_id, "file": str(path), "looser": looser, **_told(approval)})
        return
    print(f"{path}")
    print(what)
    print(f"looser: {', '.join(looser) or 'nothing'}")
    print(f"counts {_told(approval)['from']} to {_told(approval)['until']}")


def _read(path: Path) -> "Profile":
    import yaml

    from njord.risk.profile_files import BadProfile, profile_from

    try:
        document = yaml.safe_load(_content(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadProfile(f"{path}: no YAML: {error}") from None
    return profile_from(document, str(path))


def _content(path: Path) -> bytes:
    path = path.expanduser()
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{path}: more than {FILE_BYTES_MAX} bytes")
    return content


def _current(found: "Profile", after: str | None) -> "Profile":
    default = "anywhere" if _kind(found) == "venue_profile" else "capital_preserving"
    current = _profile(after or default)
    _same_kind(current, found)
    return current


def _same_kind(first: "Profile", second: "Profile") -> None:
    if type(first) is not type(second):
        raise ValueError(
            f"{first.name} is a {_kind(first)} and {second.name} a {_kind(second)}: one cannot follow the other"
        )


def _kind(profile: "Profile") -> str:
    from njord.domain.profile import VenueProfile

    return "venue_profile" if isinstance(profile, VenueProfile) else "profile"


def _looser(old: "Profile", new: "Profile") -> list[str]:
    from njord.domain.profile import VenueProfile
    from njord.risk.loosening import looser, looser_venues

    if isinstance(old, VenueProfile):
        assert isinstance(new, VenueProfile), new
        return looser_venues(old, new)
    assert not isinstance(new, VenueProfile), new
    return looser(old, new)


def _sha256(profile: "Profile") -> str:
    from njord.risk.approvals import SubjectKind, subject_sha256

    return subject_sha256(SubjectKind(_kind(profile)), profile)


def _fields(profile: "Profile") -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(profile)
    return fields


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    if isinstance(value, list):
        return "; ".join(_shown(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _told(approval: "Approval") -> dict[str, Any]:
    from njord.domain.clock import iso

    return {
        "kind": approval.kind, "name": approval.name, "reason": approval.reason, "key_id": approval.key_id,
        "from": iso(approval.not_before_ns), "until": iso(approval.expires_ns),
    }  # fmt: skip


def _founders() -> "dict[str, Founder]":
    from njord.risk.approvals import load_founders

    return load_founders({path.stem: _content(path) for path in sorted(_folder("founders").glob("*.pub"))})


def _private_key(path: Path) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Nothing of what the file holds is repeated: it may be a secret
        raise ValueError(f"{path}: this is no unencrypted private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: the key must be of Ed25519")
    if path.expanduser().stat().st_mode & 0o077:
        print(f"warning: {path}: others on this machine can read it; chmod 600", file=sys.stderr)
    return key


def _folder(name: str) -> Path:
    from njord.cli.paths import home

    folder = home() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_new(path: Path, content: bytes, mode: int) -> None:
    # Created with its mode, and only if it is new: no moment in which others could read it, or it replaces something
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _moment_ns(said: str | None) -> int:
    from njord.domain.clock import time_ns

    # Somebody signs, or asks, at a moment of the world and not of an event
    return now_ns() if said is None else time_ns(said)
