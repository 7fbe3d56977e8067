"""Which answers of the desk may be a moment old, and when what is kept of them is dropped.

What an account did through the desk is in the next answer about it: its answers are dropped before whoever asked hears
that it was done, and an answer that was being made meanwhile is not kept. What the market did to it, a fill, is in them
as soon as anything else that was asked about the account can show it, and within a moment in any case.
"""

import threading
from collections.abc import Callable
from typing import Protocol

MARKET = "market"  # The scope of what is not of one account
HOT: dict[str, tuple[str, ...]] = {
    "market": ("instruments", "listing", "quotes", "depth", "dealers", "trades", "candles", "chain", "curve"),
    "trading": ("portfolio", "history"),
    "risk": ("risk",),
}
CHANGING: dict[str, tuple[str, ...]] = {
    "market": ("run_scenario",),
    "trading": ("open_account", "place", "cancel", "replace"),
    "strategies": ("set_strategies", "stop_strategy", "start_strategy"),
    "control": ("trip", "clear", "clear_own"),
    "profiles": ("apply",),
}


class Cache(Protocol):
    """Where answers are kept by scope; ``bus.hot`` is one."""

    def get(self, scope: str, question: bytes) -> bytes | None: ...

    def put(self, scope: str, question: bytes, answer: bytes) -> None: ...

    def drop(self, scopes: list[str]) -> None: ...


class Keeping:
    """The platform's side of a cache: the only one who puts and drops, and for one answer after another."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._changes: dict[str, int] = {}  # How often each scope has changed: as many as there are accounts
        self._touched: dict[str, None] = {}  # Of which, since they were last asked about: at most as many
        self._lock = threading.Lock()

    def touched(self, account_id: str) -> None:
        """Take note that something happened to an account. Called in the market's thread, and waits for nobody."""
        self._touched[scope_of(account_id)] = None

    def catch_up(self, scope: str) -> None:
        """Drop what is kept of a scope that was touched, before anything about it is answered."""
        if scope in self._touched:
            self._touched.pop(scope, None)
            self.changed(scope)

    def answered(self, scope: str, question: bytes, make: Callable[[], bytes]) -> bytes:
        """Make an answer and keep it, unless its scope changed meanwhile. Raises what making it raises."""
        with self._lock:
            before = self._changes.get(scope, 0)
        answer = make()
        with self._lock:
            if self._changes.setdefault(scope, 0) == before and scope not in self._touched:
                self._cache.put(scope, question, answer)
        return answer

    def changed(self, scope: str) -> None:
        """Drop what is kept of an account; of the market: of all, for what is done there is done to everybody."""
        with self._lock:
            scopes = list(self._changes) if scope == MARKET else [scope]
            for each in scopes:
                self._changes[each] = self._changes.get(each, 0) + 1
            self._cache.drop(scopes)


def scope_of(account_id: str | None) -> str:
    """Return the scope of an account's answers, or of those that are everybody's."""
    return MARKET if account_id is None else f"account:{account_id}"


def question_of(service: str, method: str, payload: bytes) -> bytes:
    """Return the name of a question in its scope."""
    return f"{service}.{method}:".encode() + payload


def is_hot(service: str, method: str) -> bool:
    """Return whether an answer may be a moment old."""
    return method in HOT.get(service, ())


def changes(service: str, method: str) -> bool:
    """Return whether what is asked for makes earlier answers wrong."""
    return method in CHANGING.get(service, ())
