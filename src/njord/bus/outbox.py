"""The way out for whoever must never wait for the bus: a bounded queue, and a thread that appends what is in it.

Messages are numbered when they are put in. When the queue is full, because the bus is slow or gone, new ones are
dropped and counted, and every reader sees the hole in the numbers. While the bus cannot be reached the same messages
are appended again until it can: nothing that is in the queue gets lost or doubled.
"""

import collections
import threading
from collections.abc import Iterable

from njord.bus.codec import Envelope, Message
from njord.bus.port import AnotherWriter, Bus, BusUnavailable

MESSAGES_MAX = 100_000
BATCH_MAX = 2_000
RETRY_S = 0.5
CLOSE_S_MAX = 5.0


class Outbox:
    """What one writer appends to one stream. ``put`` is for one thread."""

    def __init__(self, bus: Bus, stream: str, *, messages_max: int = MESSAGES_MAX) -> None:
        """Go on where the stream ends. Raises BusUnavailable."""
        newest = bus.newest(stream, 1)
        self.sequence = newest[0].sequence if newest else 0
        self.dropped = 0
        self.failure: str | None = None  # Why nothing is appended now
        self._bus, self._stream, self._messages_max = bus, stream, messages_max
        self._waiting: collections.deque[Envelope] = collections.deque()
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{stream}", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, messages: Iterable[tuple[str, Message, str, str]]) -> None:
        """Number messages, given as topic, body, correlation and causation, and let them go. Never waits."""
        for topic, body, correlation_id, causation_id in messages:
            self.sequence += 1
            if len(self._waiting) >= self._messages_max:
                self.dropped += 1
                continue
            self._waiting.append(Envelope(topic, self.sequence, correlation_id, causation_id, body))
        self._wake.set()

    def close(self) -> None:
        """Append what is left, where the bus takes it within a few seconds, and stop."""
        self._ending.set()
        self._wake.set()
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if not self._empty() or self._ending.is_set():
                return

    def _empty(self) -> bool:
        # Whether all of it went out; it does not where this writer must give up
        while self._waiting:
            batch = [self._waiting[at] for at in range(min(BATCH_MAX, len(self._waiting)))]
            try:
                self._bus.append(self._stream, batch)
            except BusUnavailable as error:
                self.failure = str(error)
                if self._ending.wait(RETRY_S):
                    return False
                continue
            except AnotherWriter as error:
                self.failure = str(error)
                return False
            self.failure = None
            for _ in batch:
                self._waiting.popleft()
        return True
