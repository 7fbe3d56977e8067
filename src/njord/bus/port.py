"""The port of buses. Adapters: ``bus.memory`` in one process, ``bus.redis_streams`` between processes and machines.

One contract suite (tests/contract/test_bus.py) holds for all of them.

- A message belongs to a topic, a topic to a stream (``bus.topics``). Each stream counts its messages from 1.
- ``publish`` is for what many may say now and then. A stream that has one writer, and much to say, is written through
  ``append`` with numbers of the writer's own: to append them again after a lost connection doubles nothing.
- ``subscribe`` hears what is published from now on, or not at all: for live views.
- ``join`` makes a member of a group. Each message goes to one member, which acknowledges it when its effect is durable.
  A member that comes back under its name is given again what it had not acknowledged: at least once, in order.
- A stream keeps its newest messages, and what a group had not read by then is lost to it: counted, never silent. Nobody
  waits for a slow reader, the writer least of all.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from njord.bus.codec import Envelope, Message

STREAM_MESSAGES_MAX = 200_000
QUEUE_MESSAGES_MAX = 65_536
READ_MESSAGES_MAX = 4_096


class BusUnavailable(OSError):
    """The bus cannot be reached now. The same call may succeed later; ``append`` doubles nothing then."""


class QueueFull(RuntimeError):
    """A reader fell so far behind that its queue is full. Nothing was queued for anybody: the publisher decides."""


class AnotherWriter(RuntimeError):
    """Somebody else appends to this stream: it must have one writer."""


class Subscription(Protocol):
    """Iterating takes what is there now, in order, and stops."""

    def __iter__(self) -> Iterator[Envelope]: ...


class Member(Protocol):
    """One member of a group on one stream."""

    @property
    def lost(self) -> int:
        """How many messages were gone before this member could read them."""

    @property
    def malformed(self) -> int:
        """How many messages were none of ours. They are acknowledged and passed over."""

    def read(self, wait_s: float = 0.0, messages_max: int = READ_MESSAGES_MAX) -> list[Envelope]:
        """Return what comes next, waiting for it if need be; first of all what was read before and not acknowledged."""

    def acknowledge(self, envelopes: Sequence[Envelope]) -> None:
        """Say that these have had their effect. They do not come again."""

    def behind(self) -> int:
        """Return how many messages are not acknowledged yet, those not read included."""


class Bus(Protocol):
    """Every method raises BusUnavailable when the bus cannot be reached."""

    def publish(self, topic: str, body: Message, *, correlation_id: str = "", causation_id: str = "") -> Envelope:
        """Number a message and make it known. Return it as its readers see it."""

    def append(self, stream: str, envelopes: Sequence[Envelope]) -> None:
        """Make known what its only writer has numbered, in order. Raises AnotherWriter where the numbers are taken."""

    def newest(self, stream: str, messages_max: int) -> list[Envelope]:
        """Return the newest messages of a stream, oldest first."""

    def subscribe(self, topic: str) -> Subscription:
        """Return what is published to a topic from now on; ``*`` at its end stands for all that start like it."""

    def join(self, stream: str, group: str, member: str, *, from_start: bool = True) -> Member:
        """Become a member of a group. A group that is new begins with what the stream still has, or with what comes."""

    def backlog(self, stream: str) -> dict[str, int]:
        """Return how many messages each group of a stream has not acknowledged yet, those not read included."""

    def close(self) -> None:
        """Let go of connections."""
