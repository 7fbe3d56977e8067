"""A gateway and the platform in processes of their own: both ends of what is between them on the bus."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from njord.bus.asking import Changed, Shown
from njord.bus.codec import Envelope
from njord.bus.following import RETRY_S, Standing, follow
from njord.bus.outbox import Outbox
from njord.bus.port import Bus
from njord.bus.topics import VIEW
from njord.gateway.broadcast import METHODS, SERVICE, Broadcast, Views
from njord.gateway.hub import Hub
from njord.ops.desk.desk import ASKABLE, SERVICES, Desk
from njord.ops.desk.hot import Cache, Keeping
from njord.ops.desk.remote import Answerer, Asker
from njord.ops.platform import Busy, Platform, Stopped

HEARD_S_MAX = 10.0  # The market is shown ten times a second; after so long without, it does not answer
RENEW_S = 5.0
CLOSE_S_MAX = 5.0


class PlatformEnd:
    """Shows a platform on a bus and answers what gateways ask."""

    def __init__(
        self, platform: Platform, desk: Desk, bus: Bus, wall_ns: Callable[[], int], cache: Cache | None = None
    ) -> None:
        """``cache`` is where gateways find answers of a moment ago. Raises BusUnavailable."""
        self._view, life = Outbox(bus, VIEW), wall_ns()
        broadcast = Broadcast(
            platform, desk.market,
            show=lambda shown: self._view.put([(f"{VIEW}.market", shown, "", "")]), life=life,
            tell=lambda changed: self._view.put([(f"{VIEW}.account", changed, "", "")]),
        )  # fmt: skip
        keeping = None
        if cache is not None:
            keeping = Keeping(cache)
            platform.account_listeners.append(keeping.touched)
        services = {name: (getattr(desk, name), kind, ASKABLE[name]) for name, kind in SERVICES.items()}
        self._answerer = Answerer(bus, {**services, SERVICE: (broadcast, Broadcast, METHODS)}, wall_ns, keeping)

    def close(self) -> None:
        """Show and answer nothing more."""
        self._answerer.close()
        self._view.close()


class GatewayEnd:
    """A platform from afar: its desk, its views, and a hub that is shown what it shows."""

    def __init__(self, bus: Bus, gateway: str, wall_ns: Callable[[], int], cache: Cache | None = None) -> None:
        """``gateway`` is a name that no other gateway has. Raises BusUnavailable."""
        self.hub = Hub(gateway, leased=True)
        self._bus, self._gateway = bus, gateway
        self._heard_s, self._life = 0.0, 0
        self._standing, self._lost = Standing(), 0
        self._stranger = threading.Event()  # The platform does not know yet who looks at what here
        self._asker = Asker(bus, gateway, wall_ns, self.alive, cache)
        services: dict[str, Any] = {
            name: self._asker.service(name, kind, ASKABLE[name]) for name, kind in SERVICES.items()
        }
        self.desk = Desk(**services)
        self.views: Views = self._asker.service(SERVICE, Broadcast, METHODS)
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=act, name=name, daemon=True)
            for act, name in ((self._look, "view"), (self._renew, "interest"))
        ]
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        """Return whether the platform was heard of just now."""
        return time.monotonic() - self._heard_s < HEARD_S_MAX

    def close(self) -> None:
        """Hear nothing more."""
        self._ending.set()
        self._stranger.set()
        for thread in self._threads:
            thread.join(CLOSE_S_MAX)
        self._asker.close()

    def _look(self) -> None:
        name = f"gateway-{self._gateway}"
        follow(self._bus, VIEW, name, self._take, self._ending, self._standing, from_start=False, once=True)

    def _take(self, envelopes: Sequence[Envelope]) -> None:
        if self._standing.lost != self._lost:
            self._lost = self._standing.lost
            self.hub.resync()
        for envelope in envelopes:
            self._heard_s = time.monotonic()
            if isinstance(envelope.body, Shown):
                self._begin(envelope.body.life)
                self.hub.show(envelope.body)
            elif isinstance(envelope.body, Changed):
                self.hub.tell(envelope.body)

    def _begin(self, life: int) -> None:
        # A platform that was started again knows nothing of us, and may have done what our clients were not told
        if life != self._life:
            if self._life:
                self._asker.give_up("the platform was started again; what was asked may have been done, or not")
            self._life = life
            self._stranger.set()

    def _renew(self) -> None:
        while not self._ending.is_set():
            stranger = self._stranger.wait(RENEW_S)
            self._stranger.clear()
            try:
                if self.alive():
                    self.hub.say_interest(self.views)
                    if stranger:
                        self.hub.resync()
            except (Busy, Stopped):
                self._ending.wait(RETRY_S)
                self._stranger.set()
