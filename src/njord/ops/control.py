"""What people ask of a running session, by files in a folder: another profile, allocations, a model, money paid in.

The session takes a request, judges it, and leaves its answer beside it. Tightening needs nobody's leave; what allows
more needs a founder's signed approval, which the session itself verifies, and an approval is used once.
"""

import contextlib
import os
from collections.abc import Callable, Container
from decimal import Decimal
from pathlib import Path

import msgspec

from njord.domain.event import Event, OrderCancelled
from njord.domain.governance import AllocationChanged, Deposited, ModelActivated, ProfileChanged
from njord.domain.ids import ClientOrderId, StrategyId
from njord.domain.money import units
from njord.domain.order import OrderStatus, Rejection
from njord.domain.profile import RiskProfile
from njord.engine.state import State
from njord.risk.approvals import Approval, SubjectKind, check, decode, load_founders
from njord.risk.loosening import looser, looser_model, looser_shares

REQUEST_BYTES_MAX = 262_144
REQUESTS_PER_POLL_MAX = 64


class NewProfile(msgspec.Struct, frozen=True, kw_only=True, tag="profile", forbid_unknown_fields=True):
    """Judge by this profile from now on."""

    profile: RiskProfile
    actor: str


class NewShares(msgspec.Struct, frozen=True, kw_only=True, tag="shares", forbid_unknown_fields=True):
    """Give strategies these shares of the equity from now on."""

    shares: dict[StrategyId, Decimal]
    actor: str
    reason: str


class Model(msgspec.Struct, frozen=True, kw_only=True, tag="model", forbid_unknown_fields=True):
    """Let a model's signals be traded, or no more."""

    model_id: str
    active: bool
    actor: str


class Payment(msgspec.Struct, frozen=True, kw_only=True, tag="payment", forbid_unknown_fields=True):
    """Money was paid in, or with a negative amount out."""

    payment_id: str
    asset: str
    amount: Decimal
    actor: str


class Resolve(msgspec.Struct, frozen=True, kw_only=True, tag="resolve", forbid_unknown_fields=True):
    """Take an order as over that the venue has lost: somebody has looked, and nothing of it will come any more."""

    order_id: ClientOrderId
    actor: str
    reason: str


Request = NewProfile | NewShares | Model | Payment | Resolve


class Answer(msgspec.Struct, frozen=True):
    """What became of a request, and why not where it was refused."""

    granted: bool
    reason: str
    approval_id: str = ""


class NotGranted(ValueError):
    """What was asked for allows more, and there is no approval of it. The message names the fields."""


class Founders:
    """Who may allow more, and what they have signed. Read anew at each question: keys and approvals come as files."""

    def __init__(self, keys: Path, approvals: Path) -> None:
        self._keys, self._approvals = keys, approvals

    def approval(
        self, kind: SubjectKind, subject: object, current: object, fields: list[str], used: Container[str], time_ns: int
    ) -> str:
        """Return the id of an approval of ``subject``. Raises NotGranted saying what is missing."""
        founders = load_founders({path.stem: path.read_bytes() for path in sorted(self._keys.glob("*.pub"))})
        refusals: list[str] = []
        for path in sorted(self._approvals.glob("*.json")):
            approval = _read(path)
            if approval is None or approval.kind is not kind:
                continue
            refusal = check(approval, subject, current, founders, time_ns, used)
            if refusal is None:
                return approval.approval_id
            refusals.append(f"{path.stem}: {refusal}")
        tried = f" ({'; '.join(refusals[:5])})" if refusals else ""
        raise NotGranted(f"{', '.join(fields)}: allows more, and needs a founder's approval{tried}")


def event_of(request: Request, state: State, founders: Founders, *, wall_ns: int, time_ns: int) -> Event:
    """Return the event a request becomes. ``wall_ns`` is when approvals must hold, ``time_ns`` the session's own time.

    Raises NotGranted.
    """
    used = state.approvals_used
    if isinstance(request, NewProfile):
        fields = looser(state.profile, request.profile)
        approval = _needed(founders, SubjectKind.PROFILE, request.profile, state.profile, fields, used, wall_ns)
        return ProfileChanged(request.profile, request.actor, approval, time_ns, time_ns)
    if isinstance(request, NewShares):
        before = {**state.shares, **state.shares_before_trip}
        fields = looser_shares(before, request.shares)
        approval = _needed(founders, SubjectKind.ALLOCATION, request.shares, before, fields, used, wall_ns)
        return AllocationChanged(request.shares, request.actor, approval, request.reason, time_ns, time_ns)
    if isinstance(request, Model):
        was = request.model_id in state.models
        fields = looser_model(was_active=was, active=request.active)
        subject = {"model_id": request.model_id, "active": request.active}
        current = {"model_id": request.model_id, "active": was}
        approval = _needed(founders, SubjectKind.MODEL, subject, current, fields, used, wall_ns)
        return ModelActivated(request.model_id, request.active, request.actor, approval, time_ns, time_ns)
    if isinstance(request, Resolve):
        tracked = state.orders.open.get(request.order_id)
        if tracked is None or tracked.status is not OrderStatus.UNKNOWN:
            raise NotGranted(f"order {request.order_id}: is not one of which nobody knows what became")
        return OrderCancelled(request.order_id, tracked.instrument_id, Rejection.ORDER_UNKNOWN, time_ns, time_ns)
    return Deposited(request.payment_id, request.asset, units(request.amount), time_ns, time_ns)


class ControlFolder:
    """Requests ``<id>.request`` and their answers ``<id>.answer``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def ask(self, request_id: str, request: Request) -> Path:
        """Put a request into the folder. Return where its answer will be. Raises FileExistsError for a used id."""
        answer = self.path / f"{request_id}.answer"
        place = self.path / f"{request_id}.request"
        if answer.exists() or place.exists():
            raise FileExistsError(f"{place}: was asked for already")
        self._write(place, request)
        return answer

    def answered(self, answer: Path) -> Answer | None:
        """Return the answer to a request, None while there is none."""
        try:
            return msgspec.json.decode(answer.read_bytes(), type=Answer)
        except FileNotFoundError:
            return None

    def poll(self, grant: Callable[[Request], str]) -> None:
        """Answer what was asked for. ``grant`` does it and returns the approval it used, or raises ValueError."""
        for place in sorted(self.path.glob("*.request"))[:REQUESTS_PER_POLL_MAX]:
            try:
                with place.open("rb") as file:
                    request = msgspec.json.decode(file.read(REQUEST_BYTES_MAX), type=Request)
                answer = Answer(True, "", grant(request))
            except (ValueError, OSError) as error:
                answer = Answer(False, " ".join(str(error).split()))
            self._write(place.with_suffix(".answer"), answer)
            place.unlink(missing_ok=True)

    def _write(self, place: Path, content: Request | Answer) -> None:
        partial = place.with_name(f".{place.name}.{os.getpid()}")
        partial.write_bytes(msgspec.json.encode(content) + b"\n")
        partial.rename(place)


def _needed(
    founders: Founders, kind: SubjectKind, subject: object, current: object, fields: list[str], used: Container[str],
    time_ns: int,
) -> str:  # fmt: skip
    return founders.approval(kind, subject, current, fields, used, time_ns) if fields else ""


def _read(path: Path) -> Approval | None:
    with contextlib.suppress(ValueError, OSError):  # What is no approval approves nothing
        return decode(path.read_bytes())
    return None
