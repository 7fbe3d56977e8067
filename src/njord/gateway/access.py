"""Who is asking, and may they: sessions by cookie, roles, CSRF tokens, rate limits. Nothing here trusts the client."""

import dataclasses
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request, Response

from njord.gateway.throttle import Throttle
from njord.gateway.users import Role, User, Users, WebSession, same

COOKIE = "njord_session"
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Refused(HTTPException):
    """A request that is not allowed, with the problem in one line."""

    def __init__(self, status: int, error: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        super().__init__(status, {"error": error, "field": field, "retry_after_s": retry_after_s}, headers)


@dataclasses.dataclass(frozen=True)
class Policy:
    """How strict to be. The defaults are for 127.0.0.1."""

    secure_cookies: bool = False  # On wherever the platform is served over TLS
    registration: bool = True
    requests_per_s: float = 40.0
    requests_burst: int = 200
    log_ins_per_s: float = 0.1
    log_ins_burst: int = 8
    addresses_log_in_burst: int = 60
    registrations_per_s: float = 0.05
    registrations_burst: int = 20


class Access:
    """Decides on every request. One for each application."""

    def __init__(self, users: Users, policy: Policy, now_ns: Callable[[], int]) -> None:
        self.users, self.policy, self.now_ns = users, policy, now_ns
        self._tickets: dict[str, str] = {}  # User names by the tickets' hashes
        self._requests = Throttle(policy.requests_per_s, policy.requests_burst)
        self._names = Throttle(policy.log_ins_per_s, policy.log_ins_burst)
        self._addresses = Throttle(policy.log_ins_per_s * 4, policy.addresses_log_in_burst)
        self._registrations = Throttle(policy.registrations_per_s, policy.registrations_burst)

    def session_of(self, token: str | None) -> WebSession | None:
        """Return the session of a cookie."""
        return None if not token or len(token) > 100 else self.users.session(token, self.now_ns())

    def ticket_for(self, user: User) -> str:
        """Return a ticket that logs a user in for as long as this process runs. For the terminal it was started in."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[hashlib.sha256(ticket.encode()).hexdigest()] = user.name
        return ticket

    def user_of_ticket(self, ticket: str) -> User | None:
        """Return whom a ticket logs in."""
        name = self._tickets.get(hashlib.sha256(ticket.encode()).hexdigest())
        return None if name is None else self.users.named(name)

    def limit(self, caller: str) -> None:
        """Raise 429 where a caller asks too often."""
        self._take(self._requests, caller, "too many requests")

    def limit_log_in(self, name: str, address: str) -> None:
        """Raise 429 where somebody tries too many passwords, for one name or from one address."""
        self._take(self._addresses, address, "too many log-ins from here")
        self._take(self._names, name, "too many log-ins by this name")

    def limit_registration(self, address: str) -> None:
        """Raise 429 where too many users come from one address."""
        self._take(self._registrations, address, "too many registrations from here")

    def logged_in(self, name: str) -> None:
        """Forget the passwords a user mistyped."""
        self._names.forgive(name)

    def set_cookie(self, response: Response, token: str, max_age_s: int) -> None:
        """Hand out a session."""
        response.set_cookie(
            COOKIE, token, max_age=max_age_s, path="/", httponly=True, samesite="strict",
            secure=self.policy.secure_cookies,
        )  # fmt: skip

    def _take(self, throttle: Throttle, caller: str, what: str) -> None:
        wait_s = throttle.wait_s(caller, time.monotonic())
        if wait_s > 0:
            raise Refused(429, what, retry_after_s=int(wait_s) + 1)


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client is not None else ""


def same_origin(request: Request) -> None:
    """Raise 403 where a browser says that another site's page sends this. For requests that have no session yet."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    host = request.headers.get("host", "")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or site in ("cross-site", "same-site"):
        raise Refused(403, "this request comes from another site")


def current(request: Request) -> WebSession:
    """Return the session of a request. Raises 401 without one, 403 without its CSRF token, 429 for too many."""
    access: Access = request.app.state.access
    session = access.session_of(request.cookies.get(COOKIE))
    if session is None:
        access.limit(f"address:{address_of(request)}")
        raise Refused(401, "log in first")
    access.limit(f"user:{session.user.name}")
    if request.method not in _SAFE:
        same_origin(request)
        if not same(request.headers.get(CSRF_HEADER, ""), session.csrf):
            raise Refused(403, "the X-CSRF-Token header is missing, or not this session's")
    return session


Trader = Annotated[WebSession, Depends(current)]


def _at_least(role: Role) -> Callable[[WebSession], WebSession]:
    def check(session: Trader) -> WebSession:
        if not session.user.role.includes(role):
            raise Refused(403, f"this needs the role {role}")
        return session

    return check


Operator = Annotated[WebSession, Depends(_at_least(Role.OPERATOR))]


def whose(session: Trader, account_id: Annotated[str | None, Query(min_length=1, max_length=80)] = None) -> str:
    """Return the account that is asked about: one's own where none is named. Only operators may name another."""
    own = session.user.account_id
    if account_id is not None and account_id != own and not session.user.role.includes(Role.OPERATOR):
        raise Refused(403, f"to look into another account needs the role {Role.OPERATOR}")
    return own if account_id is None else account_id


Whose = Annotated[str, Depends(whose)]
Founder = Annotated[WebSession, Depends(_at_least(Role.FOUNDER))]
