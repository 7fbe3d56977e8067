"""A bus inside one process: topics, bounded queues, no sockets."""

import collections
from collections.abc import Iterator

from njord.bus.codec import Envelope, Message

QUEUE_MESSAGES_MAX = 65_536
TOPICS_MAX = 10_000


class QueueFull(RuntimeError):
    """A reader fell so far behind that its queue is full. Nothing was queued for anybody: the publisher decides."""


class Subscription:
    """One reader's queue. Iterating takes what is there now, in order, and stops."""

    def __init__(self, queue_messages_max: int) -> None:
        self._messages_max = queue_messages_max
        self._queue: collections.deque[Envelope] = collections.deque()

    def __iter__(self) -> Iterator[Envelope]:
        while self._queue:
            yield self._queue.popleft()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        return len(self._queue) >= self._messages_max

    def put(self, envelope: Envelope) -> None:
        self._queue.append(envelope)


class MemoryBus:
    """Deliver every message of a topic to each of its readers, in order, once.

    A topic ends with its own name (``fills.new``) or with ``*``, which reads all that start like it (``md.trades.*``).
    """

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}
        self._subscriptions: list[tuple[str, Subscription]] = []

    def subscribe(self, topic: str, queue_messages_max: int = QUEUE_MESSAGES_MAX) -> Subscription:
        """Return a queue of all that is published to ``topic`` from now on."""
        subscription = Subscription(queue_messages_max)
        self._subscriptions.append((topic, subscription))
        return subscription

    def publish(self, topic: str, body: Message, *, correlation_id: str = "", causation_id: str = "") -> Envelope:
        """Number the message and queue it for every reader, or for none: raises QueueFull naming the topic."""
        readers = [subscription for wanted, subscription in self._subscriptions if _matches(wanted, topic)]
        if any(reader.full for reader in readers):
            raise QueueFull(f"topic {topic}: a reader is {QUEUE_MESSAGES_MAX} messages behind")
        if topic not in self._sequences and len(self._sequences) >= TOPICS_MAX:
            raise QueueFull(f"topic {topic}: there are {TOPICS_MAX} topics already")
        sequence = self._sequences[topic] = self._sequences.get(topic, 0) + 1
        envelope = Envelope(topic, sequence, correlation_id, causation_id, body)
        for reader in readers:
            reader.put(envelope)
        return envelope


def _matches(wanted: str, topic: str) -> bool:
    return topic.startswith(wanted[:-1]) if wanted.endswith("*") else wanted == topic
