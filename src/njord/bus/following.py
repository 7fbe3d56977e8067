"""Following a stream as a member of a group until told to stop, whatever becomes of the bus meanwhile.

A message is acknowledged after its effect, so that whoever dies goes on with what it had not acknowledged; or before
it, where it is better not done than done twice. While the bus cannot be reached the follower waits and joins again.
"""

import threading
from collections.abc import Callable, Sequence

import msgspec

from njord.bus.codec import Envelope
from njord.bus.port import Bus, BusUnavailable, Member

WAIT_S = 0.5
RETRY_S = 0.5

Effect = Callable[[Sequence[Envelope]], None]


class Standing(msgspec.Struct):
    """How a follower is doing. ``lost`` and ``malformed`` count what a member of the port counts, over all joins."""

    handled: int = 0
    lost: int = 0
    malformed: int = 0
    trouble: str | None = None


def follow(
    bus: Bus, stream: str, name: str, effect: Effect, ending: threading.Event, standing: Standing, *,
    from_start: bool = True, once: bool = False,
) -> None:  # fmt: skip
    """Read as the only member of the group ``name`` and let ``effect`` happen, until ``ending``.

    ``once``: acknowledged before its effect. Raises what ``effect`` raises, except BusUnavailable, after which what was
    not acknowledged comes again.
    """
    reading: Member | None = None
    lost = malformed = 0
    while not ending.is_set():
        try:
            if reading is None:
                reading = bus.join(stream, name, name, from_start=from_start)
                lost, malformed = standing.lost, standing.malformed
            envelopes = reading.read(WAIT_S)
            standing.lost, standing.malformed = lost + reading.lost, malformed + reading.malformed
            if envelopes and once:
                reading.acknowledge(envelopes)
            if envelopes:
                effect(envelopes)
            if envelopes and not once:
                reading.acknowledge(envelopes)
        except BusUnavailable as error:
            standing.trouble = str(error)
            reading = None
            ending.wait(RETRY_S)
            continue
        standing.trouble = None
        standing.handled += len(envelopes)
