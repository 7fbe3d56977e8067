"""Who hears what: the market for whoever subscribed, an account for nobody but its owner.

A hub is shown the market and told of accounts (``gateway.broadcast``), in this process or through a bus, and hands
frames to each client's own loop. A client has a bounded queue. When it is full, market data is dropped for it and
counted, and the newest comes with the next frame; where its own orders would be dropped it is cut off, and resumes by
number.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from njord.bus.asking import Changed, MarketStatus, Shown
from njord.domain.ids import InstrumentId
from njord.gateway.broadcast import Views

FRAMES_WAITING_MAX = 256
CLIENTS_MAX = 2_000
EARLY_MAX = 256

_encode = msgspec.json.Encoder().encode


class Full(RuntimeError):
    """There are as many clients as there may be."""


class Client:
    """One connection. ``frames`` is read by its own task; None in it means: close."""

    def __init__(self, account_id: str, session_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self.account_id, self.session_id = account_id, session_id
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue(FRAMES_WAITING_MAX + 1)
        self.instruments: dict[InstrumentId, None] = {}
        self.depth: InstrumentId | None = None
        self.number: int | None = None  # Of the last change it heard of; None until it is known
        self.early: list[Changed] = []  # What came before that
        self.dropped = 0
        self.closed = False
        self._loop = loop

    def hand(self, messages: Sequence[bytes], *, own: bool) -> None:
        """Queue a frame of messages, from any thread."""
        if messages:
            self._soon(self._put, b"[" + b",".join(messages) + b"]", own)

    def close(self) -> None:
        """Close the connection, from any thread."""
        self._soon(self._end)

    def _soon(self, act: Callable[..., None], *given: object) -> None:
        try:
            self._loop.call_soon_threadsafe(act, *given)
        except RuntimeError:  # Its loop is closed, and whoever read this is gone
            self.closed = True

    def _put(self, frame: bytes, own: bool) -> None:
        if self.closed:
            return
        if self.frames.qsize() < FRAMES_WAITING_MAX:
            self.frames.put_nowait(frame)
        elif own:
            self._end()
        else:
            self.dropped += 1

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            while self.frames.full():
                self.frames.get_nowait()
            self.frames.put_nowait(None)


class Hub:
    """All clients of one gateway. Safe from any thread; nothing here waits while it holds the lock."""

    def __init__(self, gateway: str, *, leased: bool) -> None:
        """``leased``: the broadcast is in another process, and must be told again and again that we are there."""
        self._gateway, self._leased = gateway, leased
        self._lock = threading.Lock()
        self._clients: dict[Client, None] = {}
        self._by_account: dict[str, dict[Client, None]] = {}
        self._newest: dict[InstrumentId, bytes] = {}
        self._version = 0
        self._dropped = 0

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    @property
    def dropped(self) -> int:
        """How many frames of market data were dropped for slow clients."""
        return self._dropped + sum(client.dropped for client in list(self._clients))

    def join(self, client: Client, after: int | None, views: Views) -> None:
        """Let a client hear of its account from now on, and of what it missed after a number.

        Raises Full, or what the platform says.
        """
        with self._lock:
            if len(self._clients) >= CLIENTS_MAX:
                raise Full(f"there are {CLIENTS_MAX} clients already")
            self._clients[client] = None
            self._by_account.setdefault(client.account_id, {})[client] = None
        try:
            self.say_interest(views)
            missed = views.missed(client.account_id, after)
        except BaseException:
            self.leave(client)
            raise
        with self._lock:
            client.number = missed.number
            if missed.changes is None:
                client.hand([_resync(missed.number)], own=True)
            else:
                client.hand([said for _, said in missed.changes], own=True)
            if missed.portfolio:
                client.hand([missed.portfolio], own=False)
            early, client.early = client.early, []
            for changed in early:
                _tell(client, changed)

    def leave(self, client: Client) -> None:
        """Forget a client."""
        with self._lock:
            if self._clients.pop(client, client) is None:
                self._dropped += client.dropped
            theirs = self._by_account.get(client.account_id, {})
            theirs.pop(client, None)
            if not theirs:
                self._by_account.pop(client.account_id, None)

    def subscribe(self, client: Client, names: Iterable[InstrumentId]) -> None:
        """Let a client hear of instruments, beginning with their newest quotes."""
        with self._lock:
            fresh = [name for name in names if name not in client.instruments]
            client.instruments.update(dict.fromkeys(fresh))
            client.hand([self._newest[name] for name in fresh if name in self._newest], own=False)

    def unsubscribe(self, client: Client, names: Iterable[InstrumentId]) -> None:
        """Let a client hear of instruments no more."""
        with self._lock:
            for name in names:
                client.instruments.pop(name, None)

    def show_depth(self, client: Client, name: InstrumentId | None, views: Views) -> None:
        """Let a client see one instrument's whole book, or none."""
        with self._lock:
            client.depth = name
        self.say_interest(views)

    def say_interest(self, views: Views) -> None:
        """Say which accounts and books our clients look at."""
        with self._lock:
            self._version += 1
            version, accounts = self._version, list(self._by_account)
            books = list(dict.fromkeys(str(each.depth) for each in self._clients if each.depth is not None))
        views.interested(self._gateway, version, accounts, books, leased=self._leased)

    def end_session(self, session_id: str) -> None:
        """Cut off the connections of a session that has ended."""
        with self._lock:
            for client in self._clients:
                if client.session_id.startswith(session_id):
                    client.close()

    def end_account(self, account_id: str) -> None:
        """Cut off all connections of an account."""
        with self._lock:
            for client in self._by_account.get(account_id, ()):
                client.close()

    def resync(self) -> None:
        """Let every client read its account anew: what happened meanwhile was not told."""
        with self._lock:
            for client in self._clients:
                if client.number is not None:
                    client.hand([_resync(client.number)], own=True)

    def show(self, shown: Shown) -> None:
        """Show clients what happened in the market."""
        said: dict[str, list[bytes]] = {name: list(trades) for name, trades in shown.trades.items()}
        for name, quote in shown.quotes.items():
            said.setdefault(name, []).append(quote)
        whole = {name: b",".join(parts) for name, parts in said.items()}
        with self._lock:
            self._newest.update((InstrumentId(name), quote) for name, quote in shown.quotes.items())
            status = b"" if shown.status is None else self._status(shown.status)
            for client in self._clients:
                parts = [text for name, text in whole.items() if name in client.instruments]
                if client.depth is not None and client.depth in shown.books:
                    parts.append(shown.books[client.depth])
                if status:
                    parts.append(status)
                client.hand(parts, own=False)

    def tell(self, changed: Changed) -> None:
        """Tell an account's owner what happened to it."""
        with self._lock:
            for client in self._by_account.get(changed.account_id, ()):
                if client.number is not None:
                    _tell(client, changed)
                elif len(client.early) < EARLY_MAX:
                    client.early.append(changed)
                else:
                    client.close()

    def _status(self, status: MarketStatus) -> bytes:
        dropped = self._dropped + sum(client.dropped for client in self._clients)
        return _encode(
            {
                "t": "status", "time_ns": str(status.time_ns), "behind_ms": status.behind_ms, "stale": status.stale,
                "tripped": status.tripped, "dropped": dropped,
            }
        )  # fmt: skip


def _tell(client: Client, changed: Changed) -> None:
    assert client.number is not None, client.account_id
    fresh = [(number, said) for number, said in changed.changes if number > client.number]
    resync = changed.resync if changed.resync is not None and changed.resync > client.number else None
    if fresh and fresh[0][0] > client.number + 1:
        resync = fresh[-1][0]  # What came between did not reach us
    if resync is not None:
        client.number = resync
        client.hand([_resync(resync)], own=True)
    elif fresh:
        client.number = fresh[-1][0]
        client.hand([said for _, said in fresh], own=True)
    if changed.portfolio:
        client.hand([changed.portfolio], own=False)


def _resync(number: int) -> bytes:
    return _encode({"t": "resync", "number": number})
