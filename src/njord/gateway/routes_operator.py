"""For operators: every account's risk, the kill switch, and what is on record. And health and metrics, for machines."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse

from njord import __version__
from njord.gateway import account_models, models
from njord.gateway.access import Operator, Refused, Whose
from njord.gateway.metrics import exposition
from njord.gateway.models import Problem
from njord.gateway.plain import plain
from njord.ops.control import NotGranted
from njord.ops.desk.profiles import ProfileChange, ProfilesDesk

router = APIRouter()
_REFUSALS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}


@router.get("/operator/risk", response_model=list[account_models.AccountRiskOut], tags=["operator"])
def accounts(request: Request, session: Operator) -> Any:
    """Return one line for each account."""
    return [plain(each) for each in request.app.state.trading.accounts()]


@router.get(
    "/operator/risk/{account_id}", response_model=account_models.RiskOut, responses=_REFUSALS, tags=["operator"]
)
def account_risk(account_id: str, request: Request, session: Operator) -> Any:
    """Return the risk of any account."""
    return request.app.state.risk.risk(account_id)


@router.get("/operator/profiles", response_model=list[account_models.ProfileOut], tags=["operator"])
def profiles(request: Request, session: Operator) -> Any:
    """List the risk profiles there are: built in, and in the folder of profiles."""
    return [
        {
            "name": each.name, "source": each.source, "sha256": each.sha256, "problem": each.problem,
            "version": None if each.profile is None else each.profile.version,
            "backtest_only": each.profile is not None and each.profile.backtest_only,
        }
        for each in _profiles(request).offered()
    ]  # fmt: skip


@router.get(
    "/operator/risk/{account_id}/profiles", response_model=list[account_models.ProfileChangedOut],
    responses=_REFUSALS, tags=["operator"],
)  # fmt: skip
def profile_history(account_id: str, request: Request, session: Operator) -> Any:
    """Return by which profiles an account was judged, the one in force first."""
    return [
        {
            "time_ns": str(each.local_time_ns), "profile": each.profile.name, "version": each.profile.version,
            "actor": each.actor, "approval_id": each.approval_id,
        }
        for each in reversed(_profiles(request).history(account_id))
    ]  # fmt: skip


@router.get(
    "/operator/risk/{account_id}/profile", response_model=account_models.ProfileChangeOut, responses=_REFUSALS,
    tags=["operator"],
)  # fmt: skip
def preview_profile(
    account_id: str, request: Request, session: Operator, profile: Annotated[str, Query(min_length=1, max_length=64)]
) -> Any:
    """Say what a profile would change for an account, and by which fields it would allow more."""
    return _told(_profiles(request).preview(account_id, profile))


@router.put(
    "/operator/risk/{account_id}/profile", response_model=account_models.ProfileChangeOut,
    responses={**_REFUSALS, 409: {"model": Problem}}, tags=["operator"],
)  # fmt: skip
def set_profile(account_id: str, given: account_models.ProfileIn, request: Request, session: Operator) -> Any:
    """Judge an account by another profile from now on. One that allows more needs a founder's signed approval."""
    try:
        return _told(_profiles(request).apply(account_id, session.user.name, given.profile, given.approval))
    except NotGranted as error:
        raise Refused(409, str(error), field="approval") from None


def _profiles(request: Request) -> ProfilesDesk:
    found: ProfilesDesk = request.app.state.profiles
    return found


def _told(change: ProfileChange) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "account_id": change.account_id, "before": before.name, "before_version": before.version, "after": after.name,
        "after_version": after.version, "looser": change.looser, "tighter": change.tighter, "changed": change.changed,
        "in_force": msgspec.to_builtins(before),
    }  # fmt: skip


@router.post("/operator/kill", status_code=204, responses=_REFUSALS, tags=["operator"])
def kill(given: account_models.KillIn, request: Request, session: Operator) -> None:
    """Stop trading: of everything, one venue or one strategy; of one account or of all."""
    request.app.state.control.trip(
        session.user.name, given.scope, given.reason, given.account_id, flatten=given.flatten
    )


@router.post("/operator/clear", status_code=204, responses=_REFUSALS, tags=["operator"])
def clear(given: account_models.ClearIn, request: Request, session: Operator) -> None:
    """Let trading go on. A profile may ask for a second person."""
    request.app.state.control.clear(session.user.name, given.scope, given.reason, given.account_id)


@router.get("/audit/sessions", response_model=list[account_models.AuditSessionOut], responses=_REFUSALS, tags=["audit"])
def audit_sessions(request: Request, account_id: Whose) -> Any:
    """List the sessions of an account that are on record: of one's own; operators may name another."""
    return [plain(each) for each in request.app.state.audit.sessions(account_id)]


@router.get("/audit/timeline", response_model=account_models.TimelineOut, responses=_REFUSALS, tags=["audit"])
def timeline(
    request: Request, account_id: Whose, session_id: Annotated[str, Query(min_length=1, max_length=64)],
    first: Annotated[int, Query(ge=0)] = 0, count: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:  # fmt: skip
    """Return a piece of a session, step by step: those that decided something, or were more than a price."""
    return plain(request.app.state.audit.timeline(account_id, session_id, first, count))


@router.get("/audit/why", response_model=account_models.WhyOut, responses=_REFUSALS, tags=["audit"])
def why(request: Request, account_id: Whose, name: Annotated[str, Query(min_length=1, max_length=100)]) -> Any:
    """Say why an order or a fill happened: the chain from the market event to the ledger."""
    return plain(request.app.state.audit.why(account_id, name))


@router.post("/audit/verify", response_model=account_models.VerifyOut, responses=_REFUSALS, tags=["audit"])
def verify(request: Request, account_id: Whose) -> Any:
    """Verify the hash chains of an account in the ledger."""
    return plain(request.app.state.audit.verify(account_id))


@router.get("/health", response_model=models.HealthOut, tags=["health"])
def health(request: Request) -> Any:
    """How the platform is doing. Open to all: it says nothing of anybody."""
    found = request.app.state.market.health()
    return {
        "ok": found.failure is None, **plain(found), "version": __version__, "world": "SIMULATED",
    }  # fmt: skip


@router.get("/metrics", response_class=PlainTextResponse, tags=["health"])
def metrics(request: Request) -> str:
    """Figures for Prometheus."""
    return exposition(request.app.state)
