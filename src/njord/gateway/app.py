"""The application: routes over the desk's services, one way to say what is wrong, headers that keep browsers safe."""

import dataclasses
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from njord import __version__
from njord.gateway import routes_auth, routes_backtests, routes_market, routes_operator, routes_trading, stream
from njord.gateway.access import Access, Policy
from njord.gateway.backtests import Backtests
from njord.gateway.broadcast import Views
from njord.gateway.hub import Hub
from njord.gateway.sessions import SessionsUnavailable
from njord.gateway.users import Users
from njord.ops.desk.desk import Desk
from njord.ops.desk.values import BadRequest, NotFound
from njord.ops.platform import Busy, Stopped

BODY_BYTES_MAX = 262_144
_PORT = re.compile(r":\d+$")
API = "/api/v1"
ROUTES = (routes_auth, routes_market, routes_trading, routes_backtests, routes_operator, stream)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEADERS = {
    # Charts draw on canvases and set styles from scripts; everything else comes from here
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclasses.dataclass
class Requests:
    """What was asked so far."""

    count: int = 0
    seconds: float = 0.0


def create_app(
    desk: Desk, views: Views, hub: Hub, users: Users, *, backtests: Path, policy: Policy | None = None,
    wall_ns: Callable[[], int], web: Path | None = None, hosts: tuple[str, ...] = (),
    bus_backlog: Callable[[], list[tuple[str, str, int]]] = list,
    kept_answers: Callable[[], list[tuple[str, int]]] = list,
) -> FastAPI:  # fmt: skip
    """Return the application over a platform, in this process or another. ``backtests`` is a folder for them.

    ``web`` is the built web app; ``hosts`` are the names it answers to, none: any. ``bus_backlog`` says how far each
    group on each stream of the bus is behind, ``kept_answers`` how often an answer was found in a cache, and not.

    A name that is not ours is refused, so that no other site can point its own name at us (DNS rebinding).
    """
    app = FastAPI(title="Njord", version=__version__, docs_url=None, redoc_url=None, openapi_url=f"{API}/openapi.json")
    state = app.state
    state.requests = Requests()
    state.access = Access(users, policy or Policy(), wall_ns)
    for service in dataclasses.fields(desk):
        setattr(state, service.name, getattr(desk, service.name))
    state.backtests = Backtests(desk.market, backtests)
    state.views, state.hub, state.bus_backlog, state.kept_answers = views, hub, bus_backlog, kept_answers
    state.end_session = hub.end_session
    api = APIRouter(prefix=API)
    for module in ROUTES:
        api.include_router(module.router)
    app.include_router(api)
    _say_what_is_wrong(app)
    if web is not None:
        _serve(app, web)
    app.add_middleware(_Guard, hosts=hosts, requests=state.requests)
    return app


def _say_what_is_wrong(app: FastAPI) -> None:
    def problem(status: int, error: str, field: str | None = None) -> JSONResponse:
        return JSONResponse({"error": error, "field": field, "retry_after_s": None}, status)

    @app.exception_handler(BadRequest)
    def bad_request(_request: Request, error: BadRequest) -> JSONResponse:
        return problem(422, str(error), error.field)

    @app.exception_handler(NotFound)
    def not_found(_request: Request, error: NotFound) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(Busy)
    def busy(_request: Request, error: Busy) -> JSONResponse:
        return problem(503, str(error))

    @app.exception_handler(Stopped)
    def stopped(_request: Request, error: Stopped) -> JSONResponse:
        return problem(503, str(error))

    @app.exception_handler(SessionsUnavailable)
    def sessions_gone(_request: Request, error: SessionsUnavailable) -> JSONResponse:
        return problem(503, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"][1:]] or [str(part) for part in first["loc"]]
        return problem(422, f"{'.'.join(place)}: {first['msg']}", ".".join(place))

    @app.exception_handler(HTTPException)
    def refused(_request: Request, error: HTTPException) -> JSONResponse:
        said: Any = error.detail  # Ours have a dict in it, the framework's own a text
        detail = said if isinstance(said, dict) else {"error": str(said), "field": None}
        return JSONResponse({"retry_after_s": None, **detail}, error.status_code, dict(error.headers or {}))


def _serve(app: FastAPI, web: Path) -> None:
    root = web.resolve()

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> FileResponse:
        found = (root / path).resolve()
        if path and found.is_relative_to(root) and found.is_file():
            fixed = "/assets/" in f"/{path}"  # Their names have a hash of what is in them
            age = "public, max-age=31536000, immutable" if fixed else "no-cache"
            return FileResponse(found, headers={"cache-control": age})
        if path.startswith("api/") or "." in path.rpartition("/")[2]:
            raise HTTPException(404, "there is nothing here")
        return FileResponse(root / "index.html", headers={"cache-control": "no-cache"})


class _Guard:
    """Around everything: whose name we answer to, how large a request may be, and the headers of every answer."""

    def __init__(self, app: Callable[..., Awaitable[None]], hosts: tuple[str, ...], requests: Requests) -> None:
        self._app, self._hosts, self._requests = app, hosts, requests
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = _PORT.sub("", headers.get(b"host", b"").decode(errors="replace"))
        length = headers.get(b"content-length", b"0")
        if self._hosts and host.strip("[]") not in self._hosts:
            await _plain(scope, send, 421, b"this is no name of ours")
            return
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            await _plain(scope, send, 413, b"a request has at most 256 KiB")
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        began_s, taken = time.perf_counter(), 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                return {"type": "http.disconnect"}
            return message

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                private = [] if _cached(message) else [(b"cache-control", b"no-store")]
                own = [name for name, _ in message.get("headers", ())]
                ours = [each for each in self._headers if each[0] not in own]
                message = {**message, "headers": [*message.get("headers", ()), *ours, *private]}
            await send(message)

        try:
            await self._app(scope, counted, with_headers)
        finally:
            self._requests.count += 1
            self._requests.seconds += time.perf_counter() - began_s


def _cached(message: MutableMapping[str, Any]) -> bool:
    return any(name.lower() == b"cache-control" for name, _ in message.get("headers", ()))


async def _plain(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})
