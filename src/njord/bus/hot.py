"""Answers that may be a moment old, in Redis: made once by whoever knows, read by however many gateways there are.

Answers are kept by scope, the market or one account. A scope is gone a moment after its first answer came, or when it
is dropped. Where nothing is found, for whatever reason, one asks instead: a cache that is cold, lost or out of reach
makes nothing wrong, only slower. Needs Redis 7 or newer, and the extra ``bus``.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

LIFE_MS = 250
TIMEOUT_S = 0.25  # It is to save time
ANSWER_BYTES_MAX = 1_000_000  # A larger one is not kept

T = TypeVar("T")


class HotCache:
    """See the module. ``url`` and ``prefix`` are those of the bus; ``life_ms`` is how long a moment is."""

    def __init__(self, url: str, *, prefix: str = "njord", life_ms: int = LIFE_MS) -> None:
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._prefix, self._life_ms = prefix, life_ms
        self._closed = False
        self.found, self.missed = 0, 0

    def get(self, scope: str, question: bytes) -> bytes | None:
        """Return the answer to a question, None where it has to be asked."""
        answer = self._asked(lambda: self._redis.hget(self._key(scope), question))
        self.found, self.missed = self.found + (answer is not None), self.missed + (answer is None)
        return answer

    def put(self, scope: str, question: bytes, answer: bytes) -> None:
        """Keep an answer for a moment."""
        if len(answer) <= ANSWER_BYTES_MAX:
            kept = self._redis.pipeline()
            kept.hset(self._key(scope), question, answer)
            kept.pexpire(self._key(scope), self._life_ms, nx=True)  # The oldest answer says when
            self._asked(kept.execute)

    def drop(self, scopes: Iterable[str]) -> None:
        """Forget the answers of some scopes. Where Redis does not answer they are gone in a moment."""
        keys = [self._key(scope) for scope in scopes]
        if keys:
            self._asked(lambda: self._redis.unlink(*keys))

    def counts(self) -> list[tuple[str, int]]:
        """Return how often an answer was there, and how often not."""
        return [("yes", self.found), ("no", self.missed)]

    def close(self) -> None:
        """End the connections. From now on nothing is found, and nothing kept."""
        self._closed = True
        self._redis.close()

    def _key(self, scope: str) -> str:
        return f"{self._prefix}:hot:{scope}"

    def _asked(self, ask: Callable[[], T]) -> T | None:
        try:
            return None if self._closed else ask()
        except redis.RedisError:
            return None
