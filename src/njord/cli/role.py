"""``njord role``: processes beside the platform, on a bus they share with it."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from njord.cli import serving
from njord.cli.clock import now_ns
from njord.cli.logs import begin, say

if TYPE_CHECKING:
    from njord.bus.following import Standing
    from njord.bus.port import Bus

SAY_S = 10.0
PLATFORM_S_MAX = 60.0

app = App(name="role", help="Processes beside the platform: njord run --bus URL, and these with the same URL.")


@app.command
def recorder(
    *, bus: serving.BusOption = None,
    folder: Annotated[Path | None, Parameter(help="Where the tape is; NJORD_HOME/tape if not given.")] = None,
) -> None:  # fmt: skip
    """Put every quote, trade and book the market publishes on a tape: chained files, on disk before acknowledged."""
    from njord.bus.topics import MARKET
    from njord.cli.paths import home
    from njord.ops.roles.recorder import Recorder

    begin()
    with _bus(bus) as connected:
        tape = Recorder(folder or home() / "tape")
        try:
            _run("recorder", connected, MARKET, tape.record, lambda: {"on_tape_to": tape.last})
        finally:
            tape.close()


@app.command
def watcher(
    *, bus: serving.BusOption = None,
    leverage: Annotated[float, Parameter(help="The most an account may hold, in times of its worth.")] = 3.0,
    loss_share: Annotated[float, Parameter(help="The most of its worth an account may lose within the window.")] = 0.25,
    window_s: Annotated[float, Parameter(help="The window, in seconds of the market.")] = 60.0,
) -> None:  # fmt: skip
    """Watch every account's exposure from outside its engine, and stop accounts that are over a limit."""
    from njord.bus.topics import RISK
    from njord.ops.roles.watcher import Limits, Watcher

    begin()
    limits = Limits(leverage=leverage, loss_share=loss_share, window_s=window_s)
    with _bus(bus) as connected:
        made = Watcher(connected, limits)
        _run("watcher", connected, RISK, made.watch, lambda: {"accounts": len(made.accounts), "stopped": made.trips})


@app.command
def platform(
    *,
    bus: serving.BusOption = None,
    seed: serving.SeedOption = 7,
    speed: serving.SpeedOption = 1.0,
    home: serving.HomeOption = None,
    url: serving.UrlOption = None,
) -> None:
    """The market, the exchange and all accounts, for gateways in other processes."""
    from njord.engine.garbage import collected_seldom

    begin()
    ending = _until_told()
    _named(bus)
    with serving.opened(serving.home_of(home), url, bus, seed, speed) as (made, _desk, _bus_of):
        say("platform.running", "platform: running", accounts=len(made.plans))
        with collected_seldom():
            while not ending.wait(0.2) and made.failure is None:
                pass


@app.command
def gateway(
    *, bus: serving.BusOption = None, port: serving.PortOption = serving.PORT, host: serving.HostOption = "127.0.0.1",
    name: Annotated[str, Parameter(help="A name that no other gateway on this bus has.")] = "gateway",
    home: serving.HomeOption = None, users_url: serving.UsersOption = None, demo: serving.DemoOption = True,
    registration: serving.RegistrationOption = True, origin: serving.OriginOption = (),
) -> None:  # fmt: skip
    """The API and the web app, in front of a platform in another process."""
    from njord.cli.demo import welcomed
    from njord.gateway.apart import GatewayEnd
    from njord.gateway.app import create_app
    from njord.ops.platform import Busy, Stopped

    begin()
    root = serving.home_of(home)
    with (
        serving.listener_at(host, port) as listener, _bus(bus) as connected,
        serving.users_at(users_url, root, bus) as users, serving.cache_at(bus) as cache,
        contextlib.ExitStack() as closing,
    ):  # fmt: skip
        end = GatewayEnd(connected, name, now_ns, cache)
        closing.callback(end.close)
        app = create_app(
            end.desk, end.views, end.hub, users, backtests=root / "backtests",
            policy=serving.policy_of(host, registration=registration), wall_ns=now_ns, web=serving.web_app(),
            hosts=serving.hosts_of(host, origin), bus_backlog=serving.backlog_of(connected), kept_answers=cache.counts,
        )  # fmt: skip
        closing.callback(app.state.backtests.close)
        place = f"http://{host}:{listener.getsockname()[1]}"
        said = f"\n  open   {place}\n"
        if demo and _heard(end.alive):
            try:
                said = welcomed(app, users, place)
            except (Busy, Stopped) as error:
                say("demo.missing", f"no demo account: {error}")
        print(said, flush=True)
        serving.serve(app, listener, lambda: f"{name}: {end.hub.clients} viewers", lambda: False)


@contextlib.contextmanager
def _bus(option: str | None) -> Iterator["Bus"]:
    with serving.bus_at(_named(option)) as bus:
        assert bus is not None, option
        yield bus


def _named(option: str | None) -> str:
    url = serving.bus_url(option)
    if url is None:
        raise ValueError(f"--bus: a role needs a bus: name a Redis, or set {serving.BUS_VARIABLE}")
    return url


def _run(name: str, bus: "Bus", stream: str, effect: Any, figures: Callable[[], dict[str, Any]]) -> None:
    from njord.bus.following import Standing, follow

    ending, standing = _until_told(), Standing()
    threading.Thread(target=_say, args=(name, standing, figures, ending), daemon=True).start()
    say("role.reading", f"{name}: reading {stream}", role=name, stream=stream)
    follow(bus, stream, name, effect, ending, standing)
    _say_standing(name, standing, figures)


def _until_told() -> threading.Event:
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ending.set())
    return ending


def _heard(alive: Callable[[], bool]) -> bool:
    # A gateway may come up before its platform does; then it is there all the same
    until_s = time.monotonic() + PLATFORM_S_MAX
    while not alive():
        if time.monotonic() > until_s:
            say("platform.missing", "the platform is not there yet: what needs it says so until it is")
            return False
        time.sleep(0.1)
    return True


def _say(name: str, standing: "Standing", figures: Callable[[], dict[str, Any]], ending: threading.Event) -> None:
    # A line now and then, and one whenever something goes wrong or right again
    trouble, said_s = standing.trouble, time.monotonic()
    while not ending.wait(0.2):
        if standing.trouble != trouble or time.monotonic() - said_s > SAY_S:
            trouble, said_s = standing.trouble, time.monotonic()
            _say_standing(name, standing, figures)


def _say_standing(name: str, standing: "Standing", figures: Callable[[], dict[str, Any]]) -> None:
    found = {**figures(), "handled": standing.handled, "lost": standing.lost, "malformed": standing.malformed}
    if standing.trouble is not None:
        say("role.trouble", f"{name}: {standing.trouble}", role=name, **found)
        return
    said = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in found.items())
    say("role.standing", f"{name}: {said}", role=name, **found)
