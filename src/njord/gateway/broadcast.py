"""What viewers see of a platform, made once in the market's thread, however many viewers and gateways there are.

Market events are gathered for FLUSH_NS of the market's time and then shown together: of quotes and books the newest, of
trades the newest TRADES_A_FRAME_MAX. What happens to accounts is told at once, of those accounts alone whose owners
look. Who looks at which accounts and books is said by each gateway, and said again within LEASE_S where it is a process
of its own, so that nothing is made for a gateway that has died.
"""

import collections
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from njord.bus.asking import Changed, MarketStatus, Shown
from njord.domain.clock import NS_PER_MS, NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate, DealerQuote, Quote, Trade, TradingStatus
from njord.engine.marketplace import PublicEvent
from njord.engine.simulation.appraisal import PortfolioView
from njord.engine.simulation.blotter import Change, FillLine
from njord.gateway import plain
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.values import QuoteLine
from njord.ops.platform import Platform

FLUSH_NS = 100 * NS_PER_MS
DEPTH_LEVELS = 20
TRADES_A_FRAME_MAX = 100
LEASE_S = 20.0
VIEWERS_MAX = 100

_encode = msgspec.json.Encoder().encode

SERVICE = "views"
METHODS = ("interested", "missed")


class Missed(msgspec.Struct, frozen=True):
    """What an account's owner has missed: up to which number, the changes, None where they are not kept any more."""

    number: int
    changes: tuple[tuple[int, bytes], ...] | None
    portfolio: bytes


class Views(Protocol):
    """What a hub asks of a broadcast, here or in another process."""

    def interested(
        self, gateway: str, version: int, accounts: list[str], books: list[str], *, leased: bool = False
    ) -> None: ...

    def missed(self, account_id: str, after: int | None) -> Missed: ...


class _Interest(msgspec.Struct, frozen=True):
    version: int
    accounts: dict[str, None]
    books: dict[InstrumentId, None]
    until_s: float | None


class Broadcast:
    """See the module. ``show`` and ``tell`` are called in the market's thread and must not wait."""

    def __init__(
        self, platform: Platform, market: MarketDesk, show: Callable[[Shown], None], tell: Callable[[Changed], None],
        *, life: int = 0,
    ) -> None:  # fmt: skip
        self._life = life
        self._platform, self._market, self._show, self._tell = platform, market, show, tell
        self._interests: dict[str, _Interest] = {}
        self._accounts: dict[str, int] = {}  # Those somebody looks at: the last number told
        self._appraised: dict[str, int] = {}
        self._watched: dict[InstrumentId, None] = {}
        self._quotes: dict[InstrumentId, Quote] = {}
        self._trades: dict[InstrumentId, collections.deque[Trade]] = {}
        self._books: dict[InstrumentId, None] = {}
        self._next_flush_ns = 0
        self._next_status_ns = 0
        platform.market_listeners.append(self._on_market)
        platform.account_listeners.append(self._on_account)

    def interested(
        self, gateway: str, version: int, accounts: list[str], books: list[str], *, leased: bool = False
    ) -> None:
        """Say what a gateway's viewers look at, in place of what it said before; what it said later counts."""

        def take() -> None:
            known = self._interests.get(gateway)
            if known is not None and known.version > version:
                return
            if known is None and len(self._interests) >= VIEWERS_MAX:
                self._interests.pop(next(iter(self._interests)))
            until_s = time.monotonic() + LEASE_S if leased else None
            names = [InstrumentId(name) for name in books if name in self._market.listings]
            self._interests[gateway] = _Interest(version, dict.fromkeys(accounts), dict.fromkeys(names), until_s)
            self._books.update(dict.fromkeys(names))  # Shown at once to whoever has just begun to look
            self._look_again()

        self._platform.call(take)

    def missed(self, account_id: str, after: int | None) -> Missed:
        """Return what happened to an account after a number, and its portfolio. Raises NotFound."""

        def look() -> Missed:
            account = self._platform.house.accounts.get(account_id)
            view = self._platform.portfolios.get(account_id)
            portfolio = b"" if view is None else _portfolio(view)
            if account is None:
                return Missed(0, None, portfolio)
            changes = None if after is None else account.blotter.since(after)
            told = None if changes is None else tuple((number, _change(number, each)) for number, each in changes)
            return Missed(account.blotter.number, told, portfolio)

        return self._platform.call(look)

    def _look_again(self) -> None:
        # Who looks at what, all gateways together
        now_s = time.monotonic()
        for name, each in list(self._interests.items()):
            if each.until_s is not None and each.until_s < now_s:
                del self._interests[name]
        accounts = {name: None for each in self._interests.values() for name in each.accounts}
        self._watched = {name: None for each in self._interests.values() for name in each.books}
        house = self._platform.house.accounts
        self._accounts = {
            name: self._accounts.get(name, house[name].blotter.number) for name in accounts if name in house
        }
        self._appraised = {name: self._appraised.get(name, 0) for name in self._accounts}

    def _on_market(self, events: list[PublicEvent]) -> None:
        for event in events:
            name = event.instrument_id
            if isinstance(event, Quote):
                self._quotes[name] = event
                if self._market.listings[name].over_the_counter:
                    self._books[name] = None
            elif isinstance(event, Trade):
                self._trades.setdefault(name, collections.deque(maxlen=TRADES_A_FRAME_MAX)).append(event)
            elif isinstance(event, (BookUpdate, DealerQuote)):
                self._books[name] = None
            elif isinstance(event, TradingStatus):
                known = self._platform.house.floor.quotes.get(name)
                if known is not None:
                    self._quotes[name] = known
        now_ns = self._platform.now_ns
        if now_ns >= self._next_flush_ns:
            self._next_flush_ns = now_ns + FLUSH_NS
            self._flush(now_ns)

    def _flush(self, now_ns: int) -> None:
        status = None
        if now_ns >= self._next_status_ns:
            self._next_status_ns = now_ns + NS_PER_S
            self._look_again()
            status = self._status(now_ns)
        shown = Shown(
            now_ns,
            {name: _encode({"t": "quote", **self._quote(each)}) for name, each in self._quotes.items()},
            {
                name: tuple(_encode({"t": "trade", **plain.plain(each)}) for each in trades)
                for name, trades in self._trades.items()
            },
            {name: _encode(self._book(name)) for name in self._books if name in self._watched},
            status,
            self._life,
        )
        self._quotes, self._trades, self._books = {}, {}, {}
        self._show(shown)

    def _on_account(self, account_id: str) -> None:
        told = self._accounts.get(account_id)
        account = self._platform.house.accounts.get(account_id)
        if told is None or account is None:
            return
        number, missed = account.blotter.number, account.blotter.since(told)
        self._accounts[account_id] = number
        view, portfolio = self._platform.portfolios.get(account_id), b""
        if view is not None and view.time_ns != self._appraised[account_id]:
            self._appraised[account_id] = view.time_ns
            portfolio = _portfolio(view)
        changes = tuple((at, _change(at, each)) for at, each in missed or ())
        if changes or portfolio or missed is None:
            self._tell(Changed(account_id, changes, number if missed is None else None, portfolio))

    def _quote(self, event: Quote) -> dict[str, Any]:
        name = event.instrument_id
        return plain.quote(QuoteLine(event, *self._market.last(name), self._market.halted(name)))

    def _book(self, name: InstrumentId) -> dict[str, Any]:
        market, now_ns = self._platform.market, self._platform.now_ns
        if self._market.listings[name].over_the_counter:
            quotes = [plain.plain(each) for each in market.board.quotes(name, now_ns)]
            return {"t": "dealers", "instrument_id": name, "quotes": quotes}
        bids, asks = market.crossing.depth(name, DEPTH_LEVELS)
        return {"t": "depth", "instrument_id": name, "time_ns": str(now_ns), "bids": bids, "asks": asks}

    def _status(self, now_ns: int) -> MarketStatus:
        health = self._market.health()
        tripped = tuple(str(scope) for scope in self._platform.house.tripped)
        return MarketStatus(now_ns, health.behind_ms, len(health.stale), tripped)


def _portfolio(view: PortfolioView) -> bytes:
    return _encode({"t": "portfolio", "portfolio": plain.plain(view)})


def _change(number: int, change: Change) -> bytes:
    if isinstance(change, FillLine):
        return _encode({"t": "fill", "number": number, "fill": plain.fill(change)})
    return _encode({"t": "order", "number": number, "order": plain.order(change)})
