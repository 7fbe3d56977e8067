"""A bus inside one process: topics, streams, groups, bounded queues, no sockets."""

import collections
import threading
import time
from collections.abc import Iterator, Sequence

from njord.bus.codec import Envelope, Message
from njord.bus.port import (
    QUEUE_MESSAGES_MAX,
    READ_MESSAGES_MAX,
    STREAM_MESSAGES_MAX,
    AnotherWriter,
    QueueFull,
)
from njord.bus.topics import KEPT_MAX, matches, stream_of


class MemorySubscription:
    """One reader's queue."""

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
        """Whether there is no room for another message."""
        return len(self._queue) >= self._messages_max

    def put(self, envelope: Envelope) -> None:
        """Queue a message."""
        self._queue.append(envelope)


class _Stream:
    def __init__(self, messages_max: int) -> None:
        self.last = 0
        self.kept: collections.deque[Envelope] = collections.deque(maxlen=messages_max)
        self.groups: dict[str, _Group] = {}

    def after(self, sequence: int, messages_max: int) -> list[Envelope]:
        first = self.kept[0].sequence if self.kept else self.last + 1
        start = max(0, sequence + 1 - first)
        return [self.kept[at] for at in range(start, min(len(self.kept), start + messages_max))]

    def behind(self, group: "_Group") -> int:
        return self.last - group.last + sum(len(each) for each in group.pending.values())


class _Group:
    def __init__(self, last: int) -> None:
        self.last = last  # Handed out up to here
        self.pending: dict[str, dict[int, None]] = {}  # By member: not acknowledged


class MemoryMember:
    """See the port."""

    def __init__(self, changed: threading.Condition, stream: _Stream, group: _Group, name: str) -> None:
        self._changed, self._stream, self._group = changed, stream, group
        self._pending = group.pending.setdefault(name, {})
        self._again = list(self._pending)
        self.lost = 0
        self.malformed = 0

    def read(self, wait_s: float = 0.0, messages_max: int = READ_MESSAGES_MAX) -> list[Envelope]:
        """See the port."""
        with self._changed:
            if self._again:
                return self._read_again(messages_max)
            until_s = time.monotonic() + wait_s
            while self._group.last >= self._stream.last and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            found = self._stream.after(self._group.last, messages_max)
            for envelope in found:
                self.lost += envelope.sequence - self._group.last - 1
                self._group.last = envelope.sequence
                self._pending[envelope.sequence] = None
            return found

    def acknowledge(self, envelopes: Sequence[Envelope]) -> None:
        """See the port."""
        with self._changed:
            for envelope in envelopes:
                self._pending.pop(envelope.sequence, None)

    def behind(self) -> int:
        """See the port."""
        with self._changed:
            return self._stream.behind(self._group)

    def _read_again(self, messages_max: int) -> list[Envelope]:
        wanted, self._again = self._again[:messages_max], self._again[messages_max:]
        kept = {each.sequence: each for each in self._stream.after(wanted[0] - 1, len(self._stream.kept))}
        for sequence in wanted:
            if sequence not in kept:
                self.lost += 1
                self._pending.pop(sequence, None)
        return [kept[sequence] for sequence in wanted if sequence in kept]


class MemoryBus:
    """Deliver every message of a topic to each of its readers and groups, in order. Safe from any thread."""

    def __init__(self, *, stream_messages_max: int = STREAM_MESSAGES_MAX) -> None:
        self._changed = threading.Condition()
        self._messages_max = stream_messages_max
        self._streams: dict[str, _Stream] = {}
        self._subscriptions: list[tuple[str, MemorySubscription]] = []

    def publish(self, topic: str, body: Message, *, correlation_id: str = "", causation_id: str = "") -> Envelope:
        """See the port. Raises QueueFull, naming the topic, where a subscriber's queue is full."""
        with self._changed:
            stream = self._stream(stream_of(topic))
            envelope = Envelope(topic, stream.last + 1, correlation_id, causation_id, body)
            self._put(stream, envelope)
            return envelope

    def append(self, stream: str, envelopes: Sequence[Envelope]) -> None:
        """See the port."""
        with self._changed:
            found = self._stream(stream)
            kept = {each.sequence: each for each in found.kept}
            for envelope in envelopes:
                if envelope.sequence > found.last:
                    self._put(found, envelope)
                elif kept.get(envelope.sequence, envelope) != envelope:
                    raise AnotherWriter(f"stream {stream}: message {envelope.sequence} is somebody else's")

    def newest(self, stream: str, messages_max: int) -> list[Envelope]:
        """See the port."""
        with self._changed:
            found = self._stream(stream)
            return found.after(found.last - messages_max, messages_max)

    def subscribe(self, topic: str, queue_messages_max: int = QUEUE_MESSAGES_MAX) -> MemorySubscription:
        """See the port."""
        with self._changed:
            subscription = MemorySubscription(queue_messages_max)
            self._subscriptions.append((topic, subscription))
            return subscription

    def join(self, stream: str, group: str, member: str, *, from_start: bool = True) -> MemoryMember:
        """See the port."""
        with self._changed:
            found = self._stream(stream)
            first = found.kept[0].sequence if found.kept else found.last + 1
            made = found.groups.setdefault(group, _Group(first - 1 if from_start else found.last))
            return MemoryMember(self._changed, found, made, member)

    def backlog(self, stream: str) -> dict[str, int]:
        """See the port."""
        with self._changed:
            found = self._stream(stream)
            return {name: found.behind(group) for name, group in found.groups.items()}

    def close(self) -> None:
        """See the port: there is nothing to let go of."""

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream(min(self._messages_max, KEPT_MAX.get(name, self._messages_max))))

    def _put(self, stream: _Stream, envelope: Envelope) -> None:
        readers = [subscription for wanted, subscription in self._subscriptions if matches(wanted, envelope.topic)]
        if any(reader.full for reader in readers):
            raise QueueFull(f"topic {envelope.topic}: a reader is {QUEUE_MESSAGES_MAX} messages behind")
        stream.last = envelope.sequence
        stream.kept.append(envelope)
        for reader in readers:
            reader.put(envelope)
        self._changed.notify_all()
