"""Signed requests: who sent it, and that it was sent once. Nonces rise strictly; a request seen before is refused.

A signature is HMAC-SHA256 (RFC 2104) with a key both sides have, over the nonce, a space and the body.
"""

import enum
import hmac
import threading
from collections.abc import Callable

SIGNATURE_CHARS = 64
NONCE_MAX = 2**63 - 1


class RequestRefusal(enum.StrEnum):
    """Why a signed request does not count. Closed list; the first in this order wins."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    REPLAYED = "replayed"  # Its nonce is not above all that were seen


class BadRequest(ValueError):
    """A request that does not count."""

    def __init__(self, refusal: RequestRefusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Nonces:
    """Numbers that rise strictly, whoever asks and from whatever thread: the clock's, or one more than the last.

    A clock that runs back after a restart makes nonces the other side has seen: it refuses them, and nothing is sent
    twice.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        """Return a nonce above all before it."""
        with self._lock:
            self._last = max(self._last + 1, self._clock())
            assert self._last <= NONCE_MAX, self._last
            return self._last


def signed(key: bytes, nonce: int, body: bytes) -> bytes:
    """Return ``<nonce> <signature> <body>``."""
    return b"%d %s %s" % (nonce, _signature(key, nonce, body), body)


class Verifier:
    """The other side of ``signed``: one for each key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._last = 0

    def body(self, request: bytes) -> bytes:
        """Return the body of a request that counts. Raises BadRequest for one that does not."""
        nonce, signature, body = parts(request)
        if not hmac.compare_digest(signature, _signature(self._key, nonce, body)):
            raise BadRequest(RequestRefusal.BAD_SIGNATURE)
        if nonce <= self._last:
            raise BadRequest(RequestRefusal.REPLAYED)
        self._last = nonce
        return body


def parts(request: bytes) -> tuple[int, bytes, bytes]:
    """Return nonce, signature and body of a request, unverified. Raises BadRequest where it has not all three."""
    nonce, _, rest = request.partition(b" ")
    signature, space, body = rest.partition(b" ")
    if not (nonce.isdigit() and len(nonce) <= 19 and len(signature) == SIGNATURE_CHARS and space):
        raise BadRequest(RequestRefusal.MALFORMED)
    return int(nonce), signature, body


def _signature(key: bytes, nonce: int, body: bytes) -> bytes:
    return hmac.new(key, b"%d %s" % (nonce, body), "sha256").hexdigest().encode()
