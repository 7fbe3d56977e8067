"""The risk watcher: looks at every account's exposure from outside its engine, and stops what should not go on.

The engines refuse orders by their profiles. This watches their sum from another process, with limits of its own and
nothing shared with them but the bus, so that a defect in one is not a defect in the other. An account is stopped once
for each breach, and can breach again only after it has been within its limits.
"""

import collections
from collections.abc import Sequence

import msgspec

from njord.bus.codec import Envelope
from njord.bus.port import Bus
from njord.bus.topics import CONTROL, KILL, RISK
from njord.domain.clock import NS_PER_S
from njord.domain.exposure import Exposure
from njord.domain.governance import GLOBAL, Tripped, TripSource

ACTOR = "risk-watcher"
REMEMBERED_MAX = 100_000  # Exposures looked at again at the start
LOOKED_BACK = 1_000  # Trips among which one's own may be


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What no account may do. ``loss_share`` is of the highest NAV within the last ``window_s``."""

    leverage: float = 3.0
    loss_share: float = 0.25
    window_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("leverage", "loss_share", "window_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be above 0, was {getattr(self, name)}")


class Watcher:
    """Judges exposures in order; each once, however often it comes."""

    def __init__(self, bus: Bus, limits: Limits) -> None:
        self.trips = 0
        self.accounts: dict[str, Exposure] = {}
        self._bus, self._limits = bus, limits
        self._navs: dict[str, collections.deque[tuple[int, int]]] = {}  # Falling: the first is the highest
        self._over: dict[str, str] = {}
        self._last = 0

    def watch(self, envelopes: Sequence[Envelope]) -> None:
        """Look at exposures, and stop accounts that are over a limit. Raises BusUnavailable."""
        if self._last == 0:
            self._remember(before=envelopes[0].sequence)
        for envelope in envelopes:
            reason = self._judge(envelope)
            if reason is None:
                continue
            assert isinstance(envelope.body, Exposure)
            try:
                self._stop(envelope, envelope.body, reason)
            except BaseException:
                del self._over[envelope.body.account_id]  # It was not said: it comes again, and is judged again
                self._last = envelope.sequence - 1
                raise

    def _remember(self, before: int) -> None:
        # What an earlier watcher has acknowledged, it has also acted upon
        for envelope in self._bus.newest(RISK, REMEMBERED_MAX):
            if envelope.sequence < before:
                self._judge(envelope)

    def _stop(self, envelope: Envelope, body: Exposure, reason: str) -> None:
        topic, cause = f"{KILL}.{body.account_id}", str(envelope.sequence)
        if any(each.topic == topic and each.causation_id == cause for each in self._bus.newest(CONTROL, LOOKED_BACK)):
            return  # An earlier watcher said so, and was killed before it could acknowledge
        trip = Tripped(GLOBAL, TripSource.BUS, ACTOR, reason, False, body.time_ns, body.time_ns)
        self._bus.publish(topic, trip, causation_id=cause)
        self.trips += 1

    def _judge(self, envelope: Envelope) -> str | None:
        """Return why an account must stop, where it must and was not told so yet."""
        body = envelope.body
        if envelope.sequence <= self._last or not isinstance(body, Exposure):
            return None
        self._last = envelope.sequence
        self.accounts[body.account_id] = body
        reason = self._breach(body)
        told = self._over.get(body.account_id)
        if reason is None:
            self._over.pop(body.account_id, None)
            return None
        self._over[body.account_id] = reason
        return reason if told is None else None

    def _breach(self, body: Exposure) -> str | None:
        limits = self._limits
        navs = self._navs.setdefault(body.account_id, collections.deque())
        while navs and navs[-1][1] <= body.nav_units:
            navs.pop()
        navs.append((body.time_ns, body.nav_units))
        while navs[0][0] < body.time_ns - int(limits.window_s * NS_PER_S):
            navs.popleft()
        highest = navs[0][1]
        lost = (highest - body.nav_units) / highest if highest > 0 else 0.0
        if lost > limits.loss_share:
            return f"lost {lost:.1%} of its worth within {limits.window_s:g} s; {limits.loss_share:.1%} is the limit"
        if body.gross_units and (body.nav_units <= 0 or body.leverage > limits.leverage):
            return f"holds {body.leverage:.2f} times its worth; {limits.leverage:g} is the limit"
        return None
