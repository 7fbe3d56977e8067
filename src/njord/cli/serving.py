"""What ``njord run`` and the roles share: a platform that is opened and ends in order, and a server in front of it."""

import contextlib
import importlib.util
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from njord.cli.clock import now_ns
from njord.cli.logs import as_json, say

if TYPE_CHECKING:
    from fastapi import FastAPI

    from njord.bus.hot import HotCache
    from njord.bus.port import Bus
    from njord.gateway.access import Policy
    from njord.gateway.users import Users
    from njord.ops.desk.desk import Desk
    from njord.ops.platform import Platform

PORT = 8787
BUS_VARIABLE = "NJORD_BUS_URL"
USERS_VARIABLE = "NJORD_USERS_URL"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

PortOption = Annotated[int, Parameter(help="Where the web app and the API listen.")]
HostOption = Annotated[str, Parameter(help="The address. Anything but 127.0.0.1 lets others in: think first.")]
SeedOption = Annotated[int, Parameter(help="Of a new market.")]
SpeedOption = Annotated[float, Parameter(help="Seconds of market in one second.")]
HomeOption = Annotated[Path | None, Parameter(help="Where to keep it; NJORD_HOME/platform if not given.")]
UrlOption = Annotated[
    str | None, Parameter(help="The ledger; else NJORD_LEDGER_URL, else a file in the home.")
]  # fmt: skip
UsersOption = Annotated[str | None, Parameter(help="The users; else NJORD_USERS_URL, else a file in the home.")]
BusOption = Annotated[
    str | None, Parameter(help="A Redis for roles, redis://127.0.0.1:6379/0; else what NJORD_BUS_URL says.")
]  # fmt: skip
DemoOption = Annotated[bool, Parameter(help="A demo account whose strategies trade.")]
RegistrationOption = Annotated[bool, Parameter(help="Whether anybody may register.")]
OriginOption = Annotated[tuple[str, ...], Parameter(help="Further host names it answers to, behind a proxy.")]


class Opened(NamedTuple):
    """A platform that runs, its services, and the bus it is on."""

    platform: "Platform"
    desk: "Desk"
    bus: "Bus | None"


def home_of(option: Path | None) -> Path:
    """Return the platform's folder, made."""
    from njord.cli.paths import home

    root = option if option is not None else home() / "platform"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextlib.contextmanager
def bus_at(option: str | None) -> Iterator["Bus | None"]:
    """Open the bus that was named, or none. Raises ValueError for a URL that is none, OSError where nothing answers."""
    url = bus_url(option)
    if not url:
        yield None
        return
    from njord.bus.redis_streams import RedisBus
    from njord.bus.topics import VIEW

    bus = RedisBus(url)
    try:
        bus.newest(VIEW, 1)  # Which every role may read
        yield bus
    finally:
        bus.close()


@contextlib.contextmanager
def cache_at(option: str | None) -> Iterator["HotCache"]:
    """Open the cache of answers on the bus that was named."""
    from njord.bus.hot import HotCache

    url = bus_url(option)
    assert url is not None, option
    cache = HotCache(url)
    try:
        yield cache
    finally:
        cache.close()


def bus_url(option: str | None) -> str | None:
    """Return which Redis was named, if any. Raises ValueError where its client is missing."""
    url = option or os.environ.get(BUS_VARIABLE)
    if url and importlib.util.find_spec("redis") is None:
        raise ValueError("--bus: needs Redis' client: pip install 'njord[bus]'")
    return url or None


def backlog_of(bus: "Bus | None") -> Callable[[], list[tuple[str, str, int]]]:
    """Return what says, of each stream and group of a bus, how many messages it is behind."""
    from njord.bus.port import BusUnavailable
    from njord.bus.topics import STREAMS

    def look() -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        if bus is None:
            return found
        for stream in STREAMS:
            with contextlib.suppress(BusUnavailable):  # It is gone, or not ours to look at
                found += [(stream, *each) for each in sorted(bus.backlog(stream).items())]
        return found

    return look


@contextlib.contextmanager
def opened(root: Path, url: str | None, bus: str | None, seed: int, speed: float) -> Iterator[Opened]:
    """Open a platform and let it live; end it in order. On a bus it tells what it does and answers gateways."""
    from njord.cli.db import ledger_or_new
    from njord.cli.paths import home
    from njord.gateway.apart import PlatformEnd
    from njord.ops.announcing import Announcing
    from njord.ops.desk.desk import Desk
    from njord.ops.platform import Platform

    if not 0 < speed <= 100:
        raise ValueError(f"--speed: must be above 0 and at most 100, was {speed}")
    ledger_url = url or os.environ.get("NJORD_LEDGER_URL") or f"sqlite:///{root / 'ledger.sqlite'}"
    with contextlib.ExitStack() as closing:
        ledger = closing.enter_context(ledger_or_new(ledger_url))
        connected = closing.enter_context(bus_at(bus))
        last = closing.enter_context(contextlib.ExitStack())  # What is told of how it ended comes after the end
        say("platform.starting", "starting the market", seed=seed, speed=speed)
        platform = Platform(root, ledger, home() / "kill", seed=seed, wall_ns=now_ns, speed=speed, bus=connected)
        closing.callback(platform.stop)
        desk = Desk.of(platform, ledger, home(), now_ns)
        if connected is not None:
            announcing = Announcing(platform, connected, last.enter_context(ledger_or_new(ledger_url)))
            last.callback(announcing.close)
            cache = closing.enter_context(cache_at(bus))
            closing.callback(PlatformEnd(platform, desk, connected, now_ns, cache).close)
        platform.start()
        yield Opened(platform, desk, connected)
        say("platform.stopping", "stopping: accounts, market and exchange go to disk")
        if platform.failure is not None:
            raise ValueError(platform.failure)


@contextlib.contextmanager
def users_at(option: str | None, root: Path, bus: str | None) -> Iterator["Users"]:
    """Open the users' database. Where there is a bus, their sessions are in its Redis, for all gateways."""
    from njord.gateway.users import Users

    sessions, redis_url = None, bus_url(bus)
    if redis_url is not None:
        from njord.gateway.redis_sessions import RedisSessions

        sessions = RedisSessions(redis_url)
    users = Users(option or os.environ.get(USERS_VARIABLE) or f"sqlite:///{root / 'users.sqlite'}", sessions)
    try:
        yield users
    finally:
        users.close()


def policy_of(host: str, *, registration: bool) -> "Policy":
    """Return how strict a gateway is at an address."""
    from njord.gateway.access import Policy

    return Policy(registration=registration, secure_cookies=host not in LOOPBACK)


def hosts_of(host: str, origin: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names a gateway answers to; none: any."""
    return (*LOOPBACK, host, *origin) if host in LOOPBACK or origin else ()


@contextlib.contextmanager
def listener_at(host: str, port: int) -> Iterator[socket.socket]:
    """Take a port. Raises ValueError in one line where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"--port {port}: cannot listen on {host}: {error.strerror}; is njord running already? try --port 0"
            ) from None
        listener.listen(1_024)
        yield listener


def web_app() -> Path | None:
    """Return the built web app; say so where there is none."""
    import njord.gateway

    built = Path(njord.gateway.__file__).parent / "static"
    if (built / "index.html").is_file():
        return built
    say("web.missing", "the web app is not built: make web, with Node 20 or newer. The API is there.")
    return None


def serve(app: "FastAPI", listener: socket.socket, status: Callable[[], str], failed: Callable[[], bool]) -> None:
    """Serve until somebody ends it, or what it serves has failed. ``status`` is a line for whoever looks on."""
    import uvicorn

    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="off",
        ws_max_size=65_536, ws_ping_interval=20.0, timeout_graceful_shutdown=3,
    )  # fmt: skip
    server = uvicorn.Server(config)
    if sys.stderr.isatty() and not as_json():
        threading.Thread(target=_status_line, args=(status, server), daemon=True).start()
    threading.Thread(target=_end_with, args=(failed, server), daemon=True).start()
    # The server takes a signal, ends in order and raises it once more: as an interruption, so that all else ends so too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        server.run([listener])


def _end_with(failed: Callable[[], bool], server: Any) -> None:
    while not failed() and not server.should_exit:
        time.sleep(0.5)
    server.should_exit = True


def _status_line(status: Callable[[], str], server: Any) -> None:
    while not server.should_exit:
        time.sleep(1)
        print(f"\r\x1b[K{status()}", end="", file=sys.stderr, flush=True)
