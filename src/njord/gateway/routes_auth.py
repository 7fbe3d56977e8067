"""Registering, logging in and out, passwords and sessions."""

from typing import Any

from fastapi import APIRouter, Request, Response

from njord.domain.clock import NS_PER_S
from njord.gateway.access import COOKIE, Access, Founder, Refused, Trader, address_of, same_origin
from njord.gateway.models import Credentials, LogInTicket, Me, NewPassword, Problem, Reset, SessionOut
from njord.gateway.plain import plain
from njord.gateway.sessions import SESSION_NS
from njord.gateway.users import BadName, NameTaken, Role, User, WebSession
from njord.ops.desk.trading import TradingDesk

router = APIRouter(prefix="/auth", tags=["auth"])
_REFUSALS: dict[int | str, dict[str, Any]] = {429: {"model": Problem}, 403: {"model": Problem}}


def _me(session: WebSession) -> Me:
    user = session.user
    return Me(
        name=user.name, role=user.role.value, account_id=user.account_id, csrf=session.csrf,
        session_id=session.session_id,
    )  # fmt: skip


def _begin(request: Request, response: Response, user: User) -> Me:
    access: Access = request.app.state.access
    # A new token at every log-in: one that somebody else put there before opens nothing
    agent = request.headers.get("user-agent", "")
    token, session = access.users.log_in(user, agent, address_of(request), access.now_ns())
    access.set_cookie(response, token, SESSION_NS // NS_PER_S)
    return _me(session)


@router.post("/register", status_code=201, responses={409: {"model": Problem}, 422: {"model": Problem}, **_REFUSALS})
def register(given: Credentials, request: Request, response: Response) -> Me:
    """Register, receive the opening balance and log in."""
    same_origin(request)
    access: Access = request.app.state.access
    if not access.policy.registration:
        raise Refused(403, "registration is closed here")
    access.limit_registration(address_of(request))
    trading: TradingDesk = request.app.state.trading
    try:
        user = access.users.register(given.name, given.password, Role.TRADER, access.now_ns())
    except NameTaken as error:
        raise Refused(409, str(error), field="name") from None
    except BadName as error:
        raise Refused(422, str(error), field="password" if "password" in str(error) else "name") from None
    try:
        trading.open_account(user.account_id)
    except BaseException:
        access.users.drop(user.name)  # No user without an account
        raise
    return _begin(request, response, user)


@router.post("/login", responses={401: {"model": Problem}, **_REFUSALS})
def log_in(given: Credentials, request: Request, response: Response) -> Me:
    """Log in."""
    same_origin(request)
    access: Access = request.app.state.access
    access.limit_log_in(given.name, address_of(request))
    user = access.users.authenticated(given.name, given.password)
    if user is None:
        raise Refused(401, "no such user, or another password")
    access.logged_in(given.name)
    request.app.state.trading.open_account(user.account_id)  # Where a crash came between the user and the account
    return _begin(request, response, user)


@router.post("/ticket", responses={401: {"model": Problem}, **_REFUSALS})
def use_ticket(given: LogInTicket, request: Request, response: Response) -> Me:
    """Log in by the ticket that the platform printed when it was started on this machine."""
    same_origin(request)
    access: Access = request.app.state.access
    access.limit_log_in("ticket", address_of(request))
    user = access.user_of_ticket(given.ticket)
    if user is None:
        raise Refused(401, "no such ticket: it is of another start, or never was one")
    access.logged_in("ticket")
    return _begin(request, response, user)


@router.post("/logout", status_code=204)
def log_out(session: Trader, request: Request, response: Response) -> None:
    """End this session."""
    _end(request, session.user, session.session_id)
    response.delete_cookie(COOKIE, path="/")


@router.get("/me", responses={401: {"model": Problem}})
def me(session: Trader) -> Me:
    """Who is logged in."""
    return _me(session)


@router.get("/sessions")
def sessions(session: Trader, request: Request) -> list[SessionOut]:
    """List one's own sessions."""
    access: Access = request.app.state.access
    found = access.users.sessions(session.user, access.now_ns())
    return [
        SessionOut(
            current=each.session_id == session.session_id,
            **{key: value for key, value in plain(each).items() if key in SessionOut.model_fields},
        )
        for each in found
    ]


@router.delete("/sessions/{session_id}", status_code=204, responses={404: {"model": Problem}})
def end_session(session_id: str, session: Trader, request: Request) -> None:
    """End one of one's own sessions."""
    if not _end(request, session.user, session_id):
        raise Refused(404, "no such session")


@router.post("/password", status_code=204, responses={401: {"model": Problem}, 422: {"model": Problem}, **_REFUSALS})
def change_password(given: NewPassword, session: Trader, request: Request) -> None:
    """Change one's own password. All sessions end, this one too."""
    access: Access = request.app.state.access
    access.limit_log_in(session.user.name, address_of(request))
    if access.users.authenticated(session.user.name, given.current) is None:
        raise Refused(401, "the current password is another one", field="current")
    try:
        access.users.change_password(session.user, given.password, access.now_ns())
    except BadName as error:
        raise Refused(422, str(error), field="password") from None
    request.app.state.hub.end_account(session.user.account_id)


@router.post("/reset-token/{name}", responses={404: {"model": Problem}, **_REFUSALS})
def reset_token(name: str, session: Founder, request: Request) -> dict[str, str]:
    """Make a token for a user who forgot their password. It is good once, for an hour; hand it to nobody else."""
    access: Access = request.app.state.access
    user = access.users.named(name)
    if user is None:
        raise Refused(404, f"no user {name!r}")
    return {"token": access.users.reset_token(user, access.now_ns())}


@router.post("/reset", status_code=204, responses={401: {"model": Problem}, 422: {"model": Problem}, **_REFUSALS})
def reset(given: Reset, request: Request) -> None:
    """Set a new password by a token."""
    same_origin(request)
    access: Access = request.app.state.access
    access.limit_log_in("reset", address_of(request))
    try:
        user = access.users.reset(given.token, given.password, access.now_ns())
    except BadName as error:
        raise Refused(422, str(error), field="password") from None
    if user is None:
        raise Refused(401, "this token is spent, too old or never was one")
    request.app.state.hub.end_account(user.account_id)


def _end(request: Request, user: User, session_id: str) -> bool:
    access: Access = request.app.state.access
    ended = access.users.log_out(user, session_id, access.now_ns()) > 0
    if ended:
        request.app.state.end_session(session_id)
    return ended
