"""The WebSocket: a session's cookie opens it, from the same origin; frames are JSON arrays of messages."""

import asyncio
import contextlib
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.gateway.access import COOKIE, Access
from njord.gateway.broadcast import Views
from njord.gateway.hub import Client, Full, Hub
from njord.gateway.sessions import SessionsUnavailable
from njord.gateway.stream_models import StreamRequest, StreamSchema
from njord.gateway.throttle import Throttle
from njord.ops.desk.market import MarketDesk
from njord.ops.platform import Busy, Stopped

router = APIRouter(tags=["stream"])

REQUEST_BYTES_MAX = 65_536
REQUESTS_PER_S, REQUESTS_BURST = 20.0, 100
RESUME_WAIT_S = 0.5  # How long a client may take to say where it resumes
Known = dict[str, InstrumentId]

_POLICY, _BUSY, _SLOW = 1008, 1013, 4408


@router.get("/stream/schema", response_model=StreamSchema)
def schema() -> Any:
    """Return the messages of the WebSocket at ``/api/v1/stream`` as JSON schema, for those who make types of them."""
    return JSONResponse(StreamSchema.model_json_schema())


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Hear of the market one subscribed to, and of one's own account."""
    access: Access = socket.app.state.access
    hub: Hub = socket.app.state.hub
    views: Views = socket.app.state.views
    market: MarketDesk = socket.app.state.market
    origin = socket.headers.get("origin")
    try:
        session = await asyncio.to_thread(access.session_of, socket.cookies.get(COOKIE))
    except SessionsUnavailable:
        await socket.close(_BUSY)
        return
    if session is None or (origin is not None and origin.partition("://")[2] != socket.headers.get("host")):
        await socket.close(_POLICY)
        return
    await socket.accept()
    client = Client(session.user.account_id, session.session_id, asyncio.get_running_loop())
    first = await _first(socket)
    try:
        after = first.after if first is not None and first.op == "resume" else None
        known = await asyncio.to_thread(_names, market)
        await asyncio.to_thread(hub.join, client, after, views)
    except (Full, Busy, Stopped):
        await socket.close(_BUSY)
        return
    reading = asyncio.create_task(_read(socket, client, hub, views, known, first))
    left_s = max(0.0, (session.ends_ns - access.now_ns()) / NS_PER_S)
    ending = asyncio.get_running_loop().call_later(left_s, client.close)  # Whoever stays logs in again
    try:
        await _write(socket, client)
    finally:
        ending.cancel()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
            await reading
        hub.leave(client)


async def _first(socket: WebSocket) -> StreamRequest | None:
    # Whoever resumes says so at once, so that nothing is sent twice
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, ValidationError):
        text = await asyncio.wait_for(socket.receive_text(), RESUME_WAIT_S)
        return StreamRequest.model_validate_json(text[:REQUEST_BYTES_MAX])
    return None


async def _write(socket: WebSocket, client: Client) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # Gone: there is nobody left to tell
        while True:
            frame = await client.frames.get()
            if frame is None:
                await socket.close(_SLOW)
                return
            await socket.send_text(frame.decode())


def _names(market: MarketDesk) -> dict[str, InstrumentId]:
    return {str(each.instrument.instrument_id): each.instrument.instrument_id for each in market.instruments()}


async def _read(
    socket: WebSocket, client: Client, hub: Hub, views: Views, known: Known, first: StreamRequest | None
) -> None:
    throttle = Throttle(REQUESTS_PER_S, REQUESTS_BURST)
    loop = asyncio.get_running_loop()
    try:
        if first is not None:
            await _do(first, client, hub, views, known)
        while True:
            text = await socket.receive_text()
            if throttle.wait_s("", loop.time()) > 0:
                _say(client, "too many requests")
                continue
            if len(text) > REQUEST_BYTES_MAX:
                _say(client, f"a request has at most {REQUEST_BYTES_MAX} bytes")
                continue
            try:
                request = StreamRequest.model_validate_json(text)
            except ValidationError as error:
                _say(client, f"not a request: {error.errors()[0]['msg']}")
                continue
            await _do(request, client, hub, views, known)
    except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: bytes where text belongs
        client.close()


async def _do(request: StreamRequest, client: Client, hub: Hub, views: Views, known: Known) -> None:
    names = [known[name] for name in request.instruments if name in known]
    unknown = [name for name in request.instruments if name not in known]
    if unknown:
        _say(client, f"no instrument {unknown[0]!r}")
    try:
        if request.op == "subscribe":
            hub.subscribe(client, names)
        elif request.op == "unsubscribe":
            hub.unsubscribe(client, names)
        elif request.op == "depth":
            await asyncio.to_thread(hub.show_depth, client, names[0] if names else None, views)
    except (Busy, Stopped) as error:
        _say(client, str(error))


def _say(client: Client, error: str) -> None:
    client.hand([msgspec.json.encode({"t": "error", "error": error})], own=False)
