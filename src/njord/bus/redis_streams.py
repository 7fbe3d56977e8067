"""A bus on Redis Streams: one key for each stream, consumer groups for readers who must miss nothing.

A message's number is in its entry's id, ``1-<sequence - 1>``: Redis counts what ``publish`` adds, and refuses an
``append`` whose number is taken, so that neither leaves a double. Streams are trimmed to their newest messages.

Every call has a time-out, and none is tried again behind the caller's back: whoever calls knows what may have happened.
Needs Redis 7 or newer, and the extra ``bus``.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from njord.bus.codec import Envelope, Malformed, Message, envelope, wire
from njord.bus.port import (
    QUEUE_MESSAGES_MAX,
    READ_MESSAGES_MAX,
    STREAM_MESSAGES_MAX,
    AnotherWriter,
    BusUnavailable,
)
from njord.bus.topics import KEPT_MAX, matches, stream_of

TIMEOUT_S = 2.0
_FIELD = b"e"
_ANSWERS = ("BUSYGROUP", "NOGROUP", "no such key")  # Refusals that say how things are
_DOWN = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.BusyLoadingError)


class RedisBus:
    """See the port. ``url`` is ``redis://[:password@]host:port/database``; ``prefix`` keeps several platforms apart."""

    def __init__(self, url: str, *, prefix: str = "njord", stream_messages_max: int = STREAM_MESSAGES_MAX) -> None:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("bus: must be a URL that begins with redis://, rediss:// or unix://")
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0),
            protocol=2, health_check_interval=0,
        )  # fmt: skip
        self._prefix, self._messages_max = prefix, stream_messages_max
        self._closed = False

    def publish(self, topic: str, body: Message, *, correlation_id: str = "", causation_id: str = "") -> Envelope:
        """See the port. What was published when a connection was lost may be there, or not."""
        made = Envelope(topic, 0, correlation_id, causation_id, body)
        stream = stream_of(topic)
        words = ("XADD", self.key(stream), "MAXLEN", "~", self._kept(stream), "1-*", _FIELD, wire(made))
        entry_id = self.call(*words)
        return _numbered(made, _sequence(entry_id))

    def append(self, stream: str, envelopes: Sequence[Envelope]) -> None:
        """See the port."""
        self._be_open()
        key = self.key(stream)
        kept = self._kept(stream)
        pipe = self._redis.pipeline(transaction=False)
        for each in envelopes:
            pipe.execute_command("XADD", key, "MAXLEN", "~", kept, _entry_id(each.sequence), _FIELD, wire(each))
        try:
            answers = pipe.execute(raise_on_error=False)
        except _DOWN as error:
            raise BusUnavailable(f"{stream}: {error}") from error
        for each, answer in zip(envelopes, answers, strict=True):
            if isinstance(answer, redis.ResponseError) and "equal or smaller" in str(answer):
                self._must_be(stream, key, each)
            elif isinstance(answer, Exception):
                raise BusUnavailable(f"{stream}: {answer}") from answer

    def newest(self, stream: str, messages_max: int) -> list[Envelope]:
        """See the port."""
        entries = self.call("XREVRANGE", self.key(stream), "+", "-", "COUNT", messages_max)
        return [found for entry in reversed(entries) if (found := _read(entry)) is not None]

    def subscribe(self, topic: str) -> "RedisSubscription":
        """See the port."""
        key = self.key(stream_of(topic))
        newest = self.call("XREVRANGE", key, "+", "-", "COUNT", 1)
        return RedisSubscription(self, key, topic, newest[0][0] if newest else b"0-0")

    def join(self, stream: str, group: str, member: str, *, from_start: bool = True) -> "RedisMember":
        """See the port."""
        key = self.key(stream)
        try:
            self.call("XGROUP CREATE", key, group, "0" if from_start else "$", "MKSTREAM")
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
            return RedisMember(self, key, group, member, known=True)
        return RedisMember(self, key, group, member, known=False)

    def backlog(self, stream: str) -> dict[str, int]:
        """See the port."""
        try:
            newest = self.call("XREVRANGE", self.key(stream), "+", "-", "COUNT", 1)
            groups = self.call("XINFO GROUPS", self.key(stream))
        except redis.ResponseError:  # There is no such stream yet
            return {}
        last = _sequence(newest[0][0]) if newest else 0
        return {each["name"].decode(): _behind(last, each) for each in groups}

    def close(self) -> None:
        """See the port. A call that comes later is refused: it would open a connection that nobody closes."""
        self._closed = True
        self._redis.close()

    def call(self, *words: Any) -> Any:
        """Send one command. Raises BusUnavailable, or redis.ResponseError for what says how things are."""
        self._be_open()
        try:
            return self._redis.execute_command(*words)
        except _DOWN as error:
            raise BusUnavailable(str(error)) from error
        except redis.ResponseError as error:
            if any(each in str(error) for each in _ANSWERS):
                raise
            raise BusUnavailable(str(error)) from error  # Out of memory, read only, another type: not now

    def _be_open(self) -> None:
        if self._closed:
            raise BusUnavailable("this bus was closed")

    def _kept(self, stream: str) -> int:
        return min(self._messages_max, KEPT_MAX.get(stream, self._messages_max))

    def key(self, stream: str) -> str:
        """Return under which key Redis keeps a stream."""
        return f"{self._prefix}:{stream}"

    def _must_be(self, stream: str, key: str, wanted: Envelope) -> None:
        entry_id = _entry_id(wanted.sequence)
        there = self.call("XRANGE", key, entry_id, entry_id)
        if there and there[0][1].get(_FIELD) != wire(wanted):
            raise AnotherWriter(f"stream {stream}: message {wanted.sequence} is somebody else's")


class RedisSubscription:
    """What is published from now on. What was trimmed before it was read is not heard."""

    def __init__(self, bus: RedisBus, key: str, topic: str, after: bytes) -> None:
        self._bus, self._key, self._topic, self._after = bus, key, topic, after
        self._in_doubt = False

    def __iter__(self) -> Iterator[Envelope]:
        try:
            if self._in_doubt:
                self._look_again()
            found = self._bus.call("XREAD", "COUNT", QUEUE_MESSAGES_MAX, "STREAMS", self._key, self._after)
        except BusUnavailable:
            self._in_doubt = True
            raise
        for entry in _entries(found):
            self._after = entry[0]
            read = _read(entry)
            if read is not None and matches(self._topic, read.topic):
                yield read

    def _look_again(self) -> None:
        # A Redis that was started again may have lost its memory, and count from one: what it has now was not heard
        newest = self._bus.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        if not newest or _sequence(newest[0][0]) < _sequence(self._after):
            self._after = b"0-0"
        self._in_doubt = False


class RedisMember:
    """See the port."""

    def __init__(self, bus: RedisBus, key: str, group: str, name: str, *, known: bool) -> None:
        self._bus, self._key, self._group, self._name = bus, key, group, name
        self._again: bytes | None = b"0"  # From where on what was read before is read again; None when it all was
        self._last = _sequence(self._state()["last-delivered-id"]) if known else None
        self.lost = 0
        self.malformed = 0

    def read(self, wait_s: float = 0.0, messages_max: int = READ_MESSAGES_MAX) -> list[Envelope]:
        """See the port. Waits for at most half the time-out of a call."""
        if self._again is not None:
            entries = self._ask(self._again, messages_max, 0)
            if entries:
                self._again = entries[-1][0]
                return self._taken(entries)
            self._again = None
        wait_ms = int(min(wait_s, TIMEOUT_S / 2) * 1_000)
        entries = self._ask(b">", messages_max, wait_ms)
        if entries:
            self._count_lost(entries)
        return self._taken(entries)

    def acknowledge(self, envelopes: Sequence[Envelope]) -> None:
        """See the port."""
        if envelopes:
            self._bus.call("XACK", self._key, self._group, *(_entry_id(each.sequence) for each in envelopes))

    def behind(self) -> int:
        """See the port."""
        newest = self._bus.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        return _behind(_sequence(newest[0][0]) if newest else 0, self._state())

    def _ask(self, after: bytes, messages_max: int, wait_ms: int) -> list[Any]:
        block = ("BLOCK", wait_ms) if wait_ms else ()
        words = ("GROUP", self._group, self._name, "COUNT", messages_max, *block, "STREAMS", self._key, after)
        try:
            return _entries(self._bus.call("XREADGROUP", *words))
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            # A Redis that lost its memory: what it has now is all new to us
            self._bus.call("XGROUP CREATE", self._key, self._group, "0", "MKSTREAM")
            self._last, self._again = None, None
            return []

    def _count_lost(self, entries: list[Any]) -> None:
        # What lies between the last message handed to us and these was trimmed or never sent, or is another member's
        before = _sequence(entries[0][0]) - 1 if self._last is None else self._last
        self._last = _sequence(entries[-1][0])
        holes = self._last - before - len(entries)
        if holes > 0 and self._state()["consumers"] > 1:
            oldest = self._bus.call("XRANGE", self._key, "-", "+", "COUNT", 1)
            holes = max(0, _sequence(oldest[0][0]) - before - 1) if oldest else 0
        self.lost += max(0, holes)

    def _taken(self, entries: list[Any]) -> list[Envelope]:
        found, useless = [], []
        for entry in entries:
            read = _read(entry)
            if read is not None:
                found.append(read)
                continue
            useless.append(entry[0])
            if not entry[1]:
                self.lost += 1  # Handed out before, and trimmed since
            else:
                self.malformed += 1
        if useless:
            self._bus.call("XACK", self._key, self._group, *useless)
        return found

    def _state(self) -> dict[str, Any]:
        try:
            groups = self._bus.call("XINFO GROUPS", self._key)
        except redis.ResponseError:
            groups = []
        for each in groups:
            if each["name"] == self._group.encode():
                return dict(each)
        raise BusUnavailable(f"{self._key}: the group {self._group} is gone")


def _behind(last: int, group: Any) -> int:
    return max(0, last - _sequence(group["last-delivered-id"])) + int(group["pending"])


def _entries(answer: Any) -> list[Any]:
    # An answer has one stream, as every call asks for one
    return list(answer[0][1]) if answer else []


def _sequence(entry_id: bytes) -> int:
    return int(entry_id.rpartition(b"-")[2]) + (entry_id[:2] == b"1-")


def _entry_id(sequence: int) -> str:
    return f"1-{sequence - 1}"


def _numbered(made: Envelope, sequence: int) -> Envelope:
    return Envelope(made.topic, sequence, made.correlation_id, made.causation_id, made.body, made.version)


def _read(entry: Any) -> Envelope | None:
    """Return the message of an entry; None for one that was trimmed, or is none of ours."""
    try:
        return _numbered(envelope((entry[1] or {}).get(_FIELD, b"")), _sequence(entry[0]))
    except Malformed:
        return None
