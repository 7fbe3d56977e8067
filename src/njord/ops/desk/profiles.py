"""By which risk profile an account is judged: those there are, what another one would change, and changing it.

To tighten needs nobody's leave. To loosen needs a founder's signed approval for that account, which is verified here
and counts once; the founder's key is never here. The account's own engine puts the change on record.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from njord.domain.governance import ProfileChanged
from njord.domain.profile import PROFILES, RiskProfile
from njord.engine.state import State
from njord.ledger.rows import on_record
from njord.ops.control import NotGranted
from njord.ops.desk.trading import TradingDesk
from njord.ops.desk.values import BadRequest, NotFound
from njord.ops.platform import Platform
from njord.risk.approvals import (
    Approval,
    BadApproval,
    Founder,
    SubjectKind,
    check,
    decode,
    encode,
    load_founders,
    subject_sha256,
)
from njord.risk.loosening import looser
from njord.risk.profile_files import BadProfile, risk_profile_from

FILES_MAX = 200
FILE_BYTES_MAX = 262_144
BUILT_IN = "built in"


class Offered(msgspec.Struct, frozen=True):
    """A profile that can be chosen, or a file that is none and why."""

    name: str
    source: str
    profile: RiskProfile | None
    sha256: str
    problem: str | None


class ProfileChange(msgspec.Struct, frozen=True):
    """What another profile would change for an account. ``changed`` is by field: before and after."""

    account_id: str
    before: RiskProfile
    after: RiskProfile
    looser: list[str]
    tighter: list[str]
    changed: dict[str, tuple[Any, Any]]


class ProfilesDesk:
    """Profiles and changes of them. ``home`` has folders of profiles, of founders' public keys and of approvals."""

    def __init__(self, platform: Platform, trading: TradingDesk, home: Path, wall_ns: Callable[[], int]) -> None:
        self._platform, self._trading, self._home, self._wall_ns = platform, trading, home, wall_ns

    def offered(self) -> list[Offered]:
        """Return the profiles that come with njord, then those in the folder, by name."""
        found = {name: Offered(name, BUILT_IN, each, _sha256(each), None) for name, each in PROFILES.items()}
        for path in sorted((self._home / "profiles").glob("*.yaml"))[:FILES_MAX]:
            try:
                profile = _read(path)
            except (BadProfile, OSError) as error:
                found[path.name] = Offered(path.name, path.name, None, "", str(error))
                continue
            if profile.name in found:
                what = f"{path.name}: a profile {profile.name} is there already: {found[profile.name].source}"
                found[path.name] = Offered(path.name, path.name, None, "", what)
                continue
            found[profile.name] = Offered(profile.name, path.name, profile, _sha256(profile), None)
        return list(found.values())

    def history(self, account_id: str) -> list[ProfileChanged]:
        """Return by which profiles an account was judged, the one in force last."""
        account = self._trading.account(account_id)
        return self._platform.call(lambda: list(account.profiles))

    def preview(self, account_id: str, name: str) -> ProfileChange:
        """Return what a profile would change for an account, without changing it. Raises NotFound or BadRequest."""
        profile = self._named(name)
        state = self._state(account_id)
        return _change(account_id, self._platform.call(lambda: state.profile), profile)

    def apply(self, account_id: str, actor: str, name: str, approval: str | None) -> ProfileChange:
        """Judge an account by a profile from now on. ``approval`` is the text of a signed approval.

        Raises NotFound, BadRequest, or NotGranted for what allows more and is not approved.
        """
        profile = self._named(name)
        signed = _decoded(approval)
        account = self._trading.account(account_id)
        self._state(account_id)
        done: list[ProfileChange] = []

        def change(state: State) -> ProfileChanged:
            found = _change(account_id, state.profile, profile)
            _recordable(profile, account.profiles)
            used = self._approved(found, signed, state) if found.looser else ""
            done.append(found)
            now_ns = self._platform.now_ns
            return ProfileChanged(profile, actor, used, now_ns, now_ns)

        self._platform.call(lambda: self._platform.house.change_profile(account_id, change))
        return done[0]

    def _approved(self, change: ProfileChange, approval: Approval | None, state: State) -> str:
        what = f"{', '.join(change.looser)}: allows more"
        if approval is None:
            raise NotGranted(f"{what}, and needs a founder's approval")
        if approval.kind is not SubjectKind.PROFILE:
            raise NotGranted(f"{what}, and the approval is for another kind of change: {approval.kind}")
        refusal = check(
            approval, change.after, change.before, self._founders(), self._wall_ns(), state.approvals_used,
            change.account_id,
        )  # fmt: skip
        if refusal is not None:
            raise NotGranted(f"{what}, and the approval does not count: {refusal}")
        _keep(self._home / "approvals", approval)
        return approval.approval_id

    def _founders(self) -> dict[str, Founder]:
        keys = sorted((self._home / "founders").glob("*.pub"))
        try:
            return load_founders({path.stem: path.read_bytes() for path in keys})
        except BadApproval as error:
            raise NotGranted(str(error)) from None

    def _named(self, name: str) -> RiskProfile:
        for each in self.offered():
            if each.name == name:
                if each.profile is None:
                    raise BadRequest("profile", each.problem or "cannot be read")
                if each.profile.backtest_only:
                    raise BadRequest("profile", f"{name} is for backtests only")
                return each.profile
        raise NotFound(f"no profile {name!r}")

    def _state(self, account_id: str) -> State:
        account = self._trading.account(account_id)
        if account.session is None or account.stopped is not None:
            raise BadRequest("account_id", f"{account_id} does not trade: {account.stopped or 'it has no session'}")
        return account.session.state


def _change(account_id: str, before: RiskProfile, after: RiskProfile) -> ProfileChange:
    if before == after:
        raise BadRequest("profile", f"{after.name} version {after.version} is in force already")
    first, second = msgspec.to_builtins(before), msgspec.to_builtins(after)
    changed = {
        name: (first[name], second[name])
        for name in first
        if first[name] != second[name] and name not in ("name", "version")
    }
    return ProfileChange(account_id, before, after, looser(before, after), looser(after, before), changed)


def _recordable(profile: RiskProfile, before: list[ProfileChanged]) -> None:
    # The ledger holds one content for a name and version, and would stop the session that brings it another
    for event in before:
        known = event.profile
        if (known.name, known.version) == (profile.name, profile.version) and on_record(known) != on_record(profile):
            raise BadRequest(
                "profile", f"{profile.name} version {profile.version} is on record with other content: give it a new"
                " version",
            )  # fmt: skip


def _decoded(text: str | None) -> Approval | None:
    if text is None or not text.strip():
        return None
    try:
        # What is pasted has lost the end of its last line, or has more of them
        return decode(text.strip().encode(errors="replace") + b"\n")
    except BadApproval as error:
        raise BadRequest("approval", str(error).partition(": ")[2] or str(error)) from None


def _keep(folder: Path, approval: Approval) -> None:
    # On record is its id alone; whoever wants to verify it later needs all of it
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{approval.approval_id}.json"
    if path.exists():
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(encode(approval))
    partial.rename(path)


def _read(path: Path) -> RiskProfile:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise BadProfile(f"{path.name}: more than {FILE_BYTES_MAX} bytes")
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadProfile(f"{path.name}: no YAML: {' '.join(str(error).split())}") from None
    if isinstance(document, dict) and "venues" in document:
        raise BadProfile(f"{path.name}: a venue profile, where a risk profile is needed")
    return risk_profile_from(document, path.name)


def _sha256(profile: RiskProfile) -> str:
    return subject_sha256(SubjectKind.PROFILE, profile)
