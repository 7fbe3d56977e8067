"""A simulated exchange in a process of its own, and the way to it: lines of JSON over a Unix socket.

The exchange keeps a clock of its own and goes on when its client dies, as a real one does; nobody but the user who
started it can reach the socket. One client at a time: a new one takes the place of the old, after all that the old one
had sent was taken in.
"""

import collections
import contextlib
import os
import secrets
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from njord.domain.clock import NS_PER_S
from njord.domain.command import CancelOrder, OrderCommand, ReplaceOrder
from njord.domain.event import Event
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import NewOrder
from njord.venues.port import Disconnected, NotTaken, Truth, VenueError
from njord.venues.signing import BadRequest, Nonces, RequestRefusal, Verifier, parts, signed
from njord.venues.simulated.exchange import Exchange

LINE_BYTES_MAX = 16 * 1024 * 1024
# Sent to a client and not taken by it: beyond this time stands still for it, as its connection would
OUTBOX_BYTES_MAX = 4 * 1024 * 1024
HEARTBEAT_S = 0.05
IDLE_S = 0.002
STRANGERS_MAX = 8
KEY_BYTES = 32
ANSWER_S_MAX = 10.0


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The client is there, and this is what its ledger says it holds: taken by an account that has nothing yet."""

    positions: dict[InstrumentId, int]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Say what is true."""

    asked: tuple[ClientOrderId, ...]
    fills_from: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """The client has dealt with all it was told. Without a speed of its own, time moves on when it says so."""


class CancelAll(msgspec.Struct, frozen=True, tag="cancel_all"):
    """Cancel every open order."""


class Happened(msgspec.Struct, frozen=True, tag="happened"):
    """What reached the client by now, and whether that was the last of it. Without events: the exchange is alive."""

    now_ns: int
    ended: bool
    events: tuple[Event, ...] = ()


class IsTrue(msgspec.Struct, frozen=True, tag="is_true"):
    """The answer to ``Ask``."""

    truth: Truth


Request = Hello | Ask | Taken | CancelAll | NewOrder | CancelOrder | ReplaceOrder
Answer = Happened | IsTrue

_encode = msgspec.json.Encoder().encode
_request = msgspec.json.Decoder(Request).decode
_answer = msgspec.json.Decoder(Answer).decode


class _Lines:
    """The bytes of one connection, as lines both ways."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._in = bytearray()
        self.out = bytearray()

    def read(self) -> list[bytes]:
        """Return the lines that have come. Raises OSError when the other side is gone."""
        lines: list[bytes] = []
        while True:
            try:
                data = self.socket.recv(1 << 18)
            except BlockingIOError:
                return lines
            except OSError:
                # It died with something of ours unread. What it had managed to send before counts all the same
                if lines:
                    return lines
                raise
            if not data:
                if lines:
                    return lines  # The next read finds it gone
                raise ConnectionResetError("the other side is gone")
            self._in += data
            *whole, rest = self._in.split(b"\n")
            self._in = bytearray(rest)
            if len(rest) > LINE_BYTES_MAX:
                raise ConnectionResetError(f"a line of more than {LINE_BYTES_MAX} bytes")
            lines += [bytes(line) for line in whole]

    def put(self, message: Request | Answer) -> None:
        self.out += _encode(message) + b"\n"

    def write(self) -> None:
        """Send what the other side takes now. Raises OSError when it is gone."""
        while self.out:
            try:
                sent = self.socket.send(self.out[: 1 << 18])
            except BlockingIOError:
                return
            del self.out[:sent]


class ExchangeServer:
    """Serve one exchange. ``speed`` is how many seconds of market pass in one.

    At speed 0 time stands still until the client has dealt with the last event: the same run, however slow it is.
    """

    def __init__(self, exchange: Exchange, path: Path, *, speed: float = 1.0) -> None:
        self._exchange = exchange
        self._speed = speed
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        key = secrets.token_bytes(KEY_BYTES)
        _write_key(key_file(path), key)
        self._verifier = Verifier(key)
        self.refused: collections.Counter[RequestRefusal] = collections.Counter()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(8)
        self._listener.setblocking(False)
        self._path = path
        self._client: _Lines | None = None
        self._strangers: list[_Lines] = []  # Connected, and have not said hello yet
        self._began: tuple[float, int] | None = None
        self._beat_s = 0.0
        self._taken = True

    def serve(self, stopped: Callable[[], bool], *, linger_s: float | None = None) -> None:
        """Go on until told to stop, or until the market is over and nobody has been connected for ``linger_s``."""
        alone_since = time.monotonic()
        with contextlib.closing(self._listener), contextlib.closing(self):
            while not stopped():
                heard = [self._listener, *(stranger.socket for stranger in self._strangers)]
                if self._client is not None:
                    heard.append(self._client.socket)
                waits = self._client is None or self._speed or not self._taken
                select.select(heard, [], [], IDLE_S if waits else 0)
                self._accept()
                self._take()
                self._happen()
                if self._client is not None:
                    alone_since = time.monotonic()
                elif linger_s is not None and time.monotonic() - alone_since > linger_s:
                    break
        self._path.unlink(missing_ok=True)
        key_file(self._path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of everybody who is connected."""
        for lines in [*self._strangers, *([] if self._client is None else [self._client])]:
            lines.socket.close()
        self._strangers.clear()
        self._client = None

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._strangers.append(_Lines(connection))
        for stranger in list(self._strangers):
            try:
                lines = stranger.read()
            except OSError:
                self._drop(stranger)
                continue
            if lines or len(self._strangers) > STRANGERS_MAX:
                self._welcome(stranger, lines)

    def _welcome(self, stranger: _Lines, lines: list[bytes]) -> None:
        try:
            first = _request(parts(lines[0])[2]) if lines else None
        except (msgspec.DecodeError, ValueError):
            self._drop(stranger)
            return
        if not isinstance(first, Hello):
            self._drop(stranger)
            return
        self._take()  # What the old client managed to send counts
        if self._client is not None:
            self._client.socket.close()
        self._strangers.remove(stranger)
        self._client = stranger
        if self._began is None:
            self._began = (time.monotonic(), self._exchange.next_ns or 0)
        try:
            for line in lines:
                self._obey(stranger, self._verified(line))
        except (msgspec.DecodeError, ValueError):  # Such as a position in what is not traded here
            stranger.socket.close()
            self._client = None

    def _drop(self, stranger: _Lines) -> None:
        self._strangers.remove(stranger)
        stranger.socket.close()

    def _take(self) -> None:
        client = self._client
        if client is None:
            return
        try:
            while lines := client.read():
                for line in lines:
                    self._obey(client, self._verified(line))
        except (OSError, msgspec.DecodeError, ValueError):
            # It is gone, or it speaks nonsense: either way there is nobody to talk to
            client.socket.close()
            self._client = None

    def _verified(self, line: bytes) -> Request:
        try:
            request: Request = _request(self._verifier.body(line))
        except BadRequest as error:
            self.refused[error.refusal] += 1
            raise
        return request

    def _obey(self, client: _Lines, request: Request) -> None:
        exchange = self._exchange
        if isinstance(request, Hello):
            if not exchange.account.orders and not exchange.account.positions:
                exchange.seed(request.positions)
        elif isinstance(request, Ask):
            client.put(IsTrue(exchange.truth(request.asked, request.fills_from)))
        elif isinstance(request, Taken):
            self._taken = True
        elif isinstance(request, CancelAll):
            exchange.cancel_all()
        else:
            exchange.send(request)

    def _happen(self) -> None:
        if self._began is None:
            return
        client = self._client
        full = client is not None and len(client.out) > OUTBOX_BYTES_MAX
        events: list[Event] = []
        if full:
            pass  # Nothing can be told to it, so nothing happens for it: its connection would hold it up as well
        elif self._speed:
            events = self._exchange.until(self._now_ns())
        elif client is not None and self._taken:
            events = self._exchange.receive()
            self._taken = not events
        if client is None:
            return  # Nobody hears it; that is what reconciliation is for
        now_s = time.monotonic()
        if (events or now_s - self._beat_s >= HEARTBEAT_S) and not full:
            self._beat_s = now_s
            ended = self._exchange.next_ns is None
            client.put(Happened(self._exchange.now_ns, ended, tuple(events)))
        try:
            client.write()
        except OSError:
            client.socket.close()
            self._client = None

    def _now_ns(self) -> int:
        assert self._began is not None
        began_s, began_ns = self._began
        return began_ns + int((time.monotonic() - began_s) * self._speed * NS_PER_S)


def key_file(path: Path) -> Path:
    """Return where the key of an exchange is, for its user alone to read."""
    return path.with_suffix(".key")


def _write_key(path: Path, key: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotTaken(error.errno, f"no key of the exchange: {error.strerror}", str(path)) from error


def answers(path: Path) -> bool:
    """Return whether somebody listens at a socket."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class RemoteVenue:
    """The client's side. See ``venues.port.Venue``. Connects when first used, and again when the connection broke."""

    def __init__(self, path: Path, positions: dict[InstrumentId, int]) -> None:
        self._path = path
        self._key = b""
        # Across restarts as well: the system's own uptime only rises while the exchange can be the same one
        self._nonces = Nonces(time.monotonic_ns)
        self._positions = positions
        self._lines: _Lines | None = None
        self._heard: deque[Event] = deque()
        self._truths: deque[Truth] = deque()
        self._now_ns = 0
        self._heard_s = time.monotonic()
        self._over = False
        self._owes_taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the market is over and all of it was heard."""
        return self._over and not self._heard

    def now_ns(self) -> int:
        """Return the exchange's time as last heard. It stands still while nothing is heard."""
        return self._now_ns

    def silent_s(self) -> float:
        """Return how long nothing has been heard, in seconds."""
        return time.monotonic() - self._heard_s

    def send(self, command: OrderCommand) -> None:
        """Hand a command over."""
        lines = self._connected()
        self._put(lines, command)
        self._write(lines)

    def receive(self, timeout_s: float = 0.0) -> list[Event]:
        """Return what has come, waiting at most so long for the first of it."""
        lines = self._connected()
        if not self._heard:
            if self._owes_taken:
                self._owes_taken = False
                self._put(lines, Taken())
                self._write(lines)
            self._listen(lines, timeout_s)
        found = list(self._heard)
        self._heard.clear()
        return found

    def truth(self, asked: tuple[ClientOrderId, ...] = (), fills_from: int = 0) -> Truth:
        """Ask the exchange, and wait for its answer."""
        lines = self._connected()
        self._truths.clear()
        self._put(lines, Ask(asked, fills_from))
        self._write(lines)
        give_up_s = time.monotonic() + ANSWER_S_MAX
        while not self._truths:
            left_s = give_up_s - time.monotonic()
            if left_s <= 0:
                raise self._gone(Disconnected(f"no answer for {ANSWER_S_MAX:.0f} s"))
            self._listen(lines, left_s)
        return self._truths.popleft()

    def cancel_all(self) -> None:
        """Ask for the cancellation of every open order."""
        lines = self._connected()
        self._put(lines, CancelAll())
        self._write(lines)

    def close(self) -> None:
        """Let go of the connection; the exchange goes on."""
        if self._lines is not None:
            self._lines.socket.close()
            self._lines = None

    def _connected(self) -> _Lines:
        if self._lines is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                raise NotTaken(error.errno, f"no exchange: {error.strerror}", str(self._path)) from error
            self._lines = _Lines(connection)
            self._key = _read_key(key_file(self._path))
            self._put(self._lines, Hello(self._positions))
            self._owes_taken = True  # Whatever was on its way when the connection broke will not be dealt with
            self._write(self._lines)
        return self._lines

    def _put(self, lines: _Lines, request: Request) -> None:
        lines.out += signed(self._key, self._nonces.next(), _encode(request)) + b"\n"

    def _write(self, lines: _Lines) -> None:
        try:
            lines.socket.settimeout(ANSWER_S_MAX)
            lines.socket.sendall(lines.out)
            lines.out.clear()
        except OSError as error:
            raise self._gone(error) from error

    def _listen(self, lines: _Lines, timeout_s: float) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(lines.socket, selectors.EVENT_READ)
                if not selector.select(timeout_s):
                    return
            lines.socket.setblocking(False)
            for line in lines.read():
                self._hear(_answer(line))
        except (OSError, msgspec.DecodeError, ValueError) as error:
            raise self._gone(error) from error

    def _hear(self, answer: Answer) -> None:
        self._heard_s = time.monotonic()
        if isinstance(answer, IsTrue):
            self._now_ns = max(self._now_ns, answer.truth.time_ns)
            self._truths.append(answer.truth)
            return
        self._now_ns = max(self._now_ns, answer.now_ns)
        self._heard.extend(answer.events)
        self._owes_taken = self._owes_taken or bool(answer.events)
        self._over = answer.ended

    def _gone(self, error: Exception) -> VenueError:
        self.close()
        return error if isinstance(error, VenueError) else Disconnected(f"{self._path}: {error}")
