"""Sessions in Redis: one key for each, which Redis drops when its time is over, and an index for each user.

The index is only where to look: what counts is the session's own key, so an entry without one is no session. A Redis
that lost its memory has logged everybody out. Needs the extra ``bus``.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from njord.domain.clock import NS_PER_MS
from njord.gateway.sessions import SESSIONS_MAX, SessionsUnavailable, StoredSession

TIMEOUT_S = 2.0

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredSession).decode


class RedisSessions:
    """See the port. ``url`` is ``redis://[:password@]host:port/database``; ``prefix`` keeps several platforms apart."""

    def __init__(self, url: str, *, prefix: str = "njord") -> None:
        """Raises ValueError for a URL that is none, SessionsUnavailable where nothing answers."""
        try:
            self._redis: Any = redis.Redis.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise ValueError(f"bus: {error}") from None
        self._prefix = prefix
        self._asked(self._redis.ping)

    def add(self, session: StoredSession) -> None:
        """See the port."""
        ours = self._index(session.name)
        life_ms = max(1, (session.ends_ns - session.created_ns) // NS_PER_MS)
        begun = self._redis.pipeline()
        begun.set(self._key(session.token_sha256), _encode(session), px=life_ms)
        begun.zadd(ours, {session.token_sha256: session.created_ns})
        begun.pexpire(ours, life_ms)  # The newest ends last
        begun.zrange(ours, 0, -SESSIONS_MAX - 1)
        too_many = self._asked(begun.execute)[-1]
        if too_many:
            self._drop(session.name, [each.decode() for each in too_many])

    def get(self, token_sha256: str, now_ns: int) -> StoredSession | None:
        """See the port."""
        return _session(self._asked(lambda: self._redis.get(self._key(token_sha256))), now_ns)

    def seen(self, session: StoredSession, now_ns: int) -> None:
        """See the port."""
        changed = _encode(msgspec.structs.replace(session, seen_ns=now_ns))
        self._asked(lambda: self._redis.set(self._key(session.token_sha256), changed, xx=True, keepttl=True))

    def of(self, name: str, now_ns: int) -> list[StoredSession]:
        """See the port."""
        known = self._asked(lambda: self._redis.zrevrange(self._index(name), 0, -1))
        if not known:
            return []
        bodies = self._asked(lambda: self._redis.mget([self._key(each.decode()) for each in known]))
        return [found for body in bodies if (found := _session(body, now_ns)) is not None]

    def end(self, sessions: list[StoredSession]) -> int:
        """See the port."""
        return sum(self._drop(each.name, [each.token_sha256]) for each in sessions)

    def close(self) -> None:
        """See the port."""
        self._redis.close()

    def _drop(self, name: str, tokens: list[str]) -> int:
        ended = self._redis.pipeline()
        ended.delete(*(self._key(each) for each in tokens))
        ended.zrem(self._index(name), *tokens)
        return int(self._asked(ended.execute)[0])

    def _key(self, token_sha256: str) -> str:
        return f"{self._prefix}:session:{token_sha256}"

    def _index(self, name: str) -> str:
        return f"{self._prefix}:sessions:{name}"

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except redis.RedisError as error:
            raise SessionsUnavailable(f"sessions: Redis does not answer: {error}") from error


def _session(body: bytes | None, now_ns: int) -> StoredSession | None:
    # What is none of ours opens nothing
    try:
        found = None if body is None else _decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return found if found is not None and found.ends_ns > now_ns else None
