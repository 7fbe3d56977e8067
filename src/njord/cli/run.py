"""``njord run``: the whole platform in one process, on the embedded default or on databases of one's own."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from njord.cli import serving
from njord.cli.clock import now_ns
from njord.cli.logs import begin

if TYPE_CHECKING:
    from njord.gateway.hub import Hub
    from njord.ops.platform import Platform


def run(
    *,
    port: serving.PortOption = serving.PORT,
    host: serving.HostOption = "127.0.0.1",
    seed: serving.SeedOption = 7,
    speed: serving.SpeedOption = 1.0,
    home: serving.HomeOption = None,
    url: serving.UrlOption = None,
    users_url: serving.UsersOption = None,
    bus: serving.BusOption = None,
    demo: serving.DemoOption = True,
    registration: serving.RegistrationOption = True,
    origin: serving.OriginOption = (),
) -> None:
    """Start the platform: a living market, accounts, strategies, API and web app. Ctrl-C ends it in order.

    The same accounts and the same market go on at the next start. With --bus, roles can run beside it: njord role.
    """
    from njord.cli.demo import welcomed
    from njord.engine.garbage import collected_seldom
    from njord.gateway.app import create_app
    from njord.gateway.broadcast import Broadcast
    from njord.gateway.hub import Hub

    begin()
    root = serving.home_of(home)
    with (
        serving.listener_at(host, port) as listener,
        serving.users_at(users_url, root, bus) as users,
        serving.opened(root, url, bus, seed, speed) as (platform, desk, connected),
        contextlib.ExitStack() as closing,
    ):
        hub = Hub("here", leased=False)
        app = create_app(
            desk, Broadcast(platform, desk.market, hub.show, hub.tell), hub, users, backtests=root / "backtests",
            policy=serving.policy_of(host, registration=registration), wall_ns=now_ns, web=serving.web_app(),
            hosts=serving.hosts_of(host, origin), bus_backlog=serving.backlog_of(connected),
        )  # fmt: skip
        closing.callback(app.state.backtests.close)
        place = f"http://{host}:{listener.getsockname()[1]}"
        print(welcomed(app, users, place) if demo else f"\n  open   {place}\n", flush=True)
        with collected_seldom():
            serving.serve(app, listener, _status(platform, hub), lambda: platform.failure is not None)


def _status(platform: "Platform", hub: "Hub") -> Callable[[], str]:
    from njord.cli.demo import NAME
    from njord.domain.clock import iso

    events = [platform.events]

    def line() -> str:
        events.append(platform.events)
        view = platform.portfolios.get(f"user-{NAME}")
        nav = "" if view is None else f"  demo NAV {view.nav_units / 10**18:,.2f}"
        rate = events[-1] - events.pop(0)
        accounts = len(platform.house.accounts)
        return f"{iso(platform.now_ns)[:19]}  {rate:,} events/s  {accounts} accounts  {hub.clients} viewers{nav}"

    return line
