"""The floor of a simulated exchange: where accounts meet the marketplace, each through a line of its own.

What an account is told, in order: its own reports, once they are on the exchange's record; all market events of the
instruments its strategies listen to; quotes of those it holds or works, the newest of each, ``MARKS_NS`` apart; and
halts, funding and payments of everything. So an idle account costs next to nothing.
"""

import collections
from collections.abc import Callable, Container, Iterable

from njord.domain.clock import NS_PER_S
from njord.domain.command import CancelOrder, OrderCommand, ReplaceOrder
from njord.domain.event import Event
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.market import (
    BookUpdate,
    DealerQuote,
    Dividend,
    Expiry,
    Funding,
    MarketEvent,
    Quote,
    Split,
    Trade,
    TradingStatus,
)
from njord.domain.order import NewOrder
from njord.engine.marketplace import Marketplace, PublicEvent
from njord.engine.simulation.candles import Candles
from njord.engine.simulation.record import ExchangeRecord, Taken, Told, Woken
from njord.venues.port import Truth

MARKS_NS = NS_PER_S
# Events that may wait for an account that does not come to fetch them. Beyond it quotes and trades are dropped for it,
# and its books begin anew from a snapshot: its own reports never are
MAILBOX_MAX = 65_536
RECEIVED_MAX = 4_096
NOBODY = StrategyId("")

_TO_ALL = (Funding, Dividend, Split, Expiry, TradingStatus)


class Line:
    """One account's end at the exchange. See ``venues.port.Venue``."""

    def __init__(self, floor: "Floor", owner: str) -> None:
        self.ended = False
        self.owner = owner
        self.heard: dict[type, dict[InstrumentId, None]] = {}  # What its strategies listen to
        self.marked: Callable[[], Iterable[InstrumentId]] = tuple  # What it holds or works
        self.next_mark_ns = 0
        self.mailbox: collections.deque[Event] = collections.deque()
        self.dropped = 0
        self._floor = floor

    def listen(self, heard: dict[type, dict[InstrumentId, None]], marked: Callable[[], Iterable[InstrumentId]]) -> None:
        """Say what this account is to be told of. Books begin with a snapshot."""
        self.heard, self.marked = heard, marked
        for name in heard.get(BookUpdate, {}):
            self.mailbox.append(self._floor.book(name))
        for name in dict.fromkeys(name for names in heard.values() for name in names):
            self.look(name)

    def look(self, name: InstrumentId) -> None:
        """Be told of an instrument's newest quote, where there is one."""
        quote = self._floor.quotes.get(name)
        if quote is not None:
            self.mailbox.append(quote)

    def send(self, command: OrderCommand) -> None:
        self._floor.take(self.owner, command)

    def receive(self, timeout_s: float = 0.0) -> list[Event]:
        self._floor.settle()
        mailbox = self.mailbox
        return [mailbox.popleft() for _ in range(min(len(mailbox), RECEIVED_MAX))]

    def truth(self, asked: tuple[ClientOrderId, ...] = (), fills_from: int = 0) -> Truth:
        self._floor.settle()
        known = self._floor.record.accounts.account(self.owner).truth
        return known.truth(self._floor.now_ns, asked, fills_from)

    def cancel_all(self) -> None:
        for order in self._floor.record.accounts.account(self.owner).truth.open_orders:
            self.send(CancelOrder(order.client_order_id, NOBODY, order.instrument_id))

    def close(self) -> None:
        self._floor.leave(self.owner)


class Floor:
    """All lines, and the marketplace behind them. ``seen`` is told of everything the public sees."""

    def __init__(
        self, marketplace: Marketplace, record: ExchangeRecord, candles: Candles,
        seen: Callable[[PublicEvent], None] = lambda _event: None,
    ) -> None:  # fmt: skip
        self.marketplace, self.record = marketplace, record
        self.quotes: dict[InstrumentId, Quote] = {}  # The newest of each instrument
        self._candles = candles
        self._seen = seen
        self._lines: dict[str, Line] = {}
        self._mail: list[tuple[str, Event]] = []  # Reports that are not on record yet
        for owner, account in record.accounts.known.items():
            marketplace.admit(owner, account.truth.positions, account.working.values())

    @property
    def now_ns(self) -> int:
        """The exchange's time."""
        return self.marketplace.now_ns

    def join(self, owner: str, positions: dict[InstrumentId, int], held: Container[InstrumentId]) -> Line:
        """Open a line. An account the exchange does not know begins with what its own ledger says it holds.

        ``held`` is what any of its strategies holds, though another may be short of as much.
        """
        account = self.record.accounts.known.get(owner)
        if account is None:
            self.record.accounts.account(owner).truth.positions.update(positions)
            self.marketplace.admit(owner, positions, ())
        line = self._lines[owner] = Line(self, owner)
        # Its process may have died before it had booked this
        line.mailbox.extend(each for each in self.marketplace.expired() if each.instrument_id in held)
        return line

    def leave(self, owner: str) -> None:
        """Close a line. Orders stay as they are."""
        self._lines.pop(owner, None)

    def book(self, name: InstrumentId) -> BookUpdate:
        """Return an instrument's whole book, to begin from."""
        crossing = self.marketplace.crossing
        bids, asks = crossing.depth(name, 1_000_000)
        updates = crossing.counters(name)[0]
        return BookUpdate(name, self.now_ns, self.now_ns, updates, True, tuple(bids), tuple(asks))

    def take(self, owner: str, command: OrderCommand) -> None:
        """Let an account's command reach the market, now."""
        self.record.add(Taken(owner, command, self.now_ns))
        if isinstance(command, NewOrder):
            self.marketplace.submit(owner, command)
        elif isinstance(command, CancelOrder):
            self.marketplace.cancel(owner, command)
        else:
            assert isinstance(command, ReplaceOrder), command
            self.marketplace.replace(owner, command)
        self._collect()

    def advance(self, until_ns: int) -> None:
        """Let time pass, and tell everybody what concerns them."""
        while self.marketplace.now_ns < until_ns:
            for event in self.marketplace.advance(until_ns):
                self._publish(event)
            self._collect()
        for bar in self._candles.closed(self.now_ns):
            self._tell(bar)
        self.settle()
        for line in self._lines.values():
            if self.now_ns >= line.next_mark_ns:
                line.next_mark_ns = self.now_ns + MARKS_NS
                for name in line.marked():
                    line.look(name)

    def settle(self) -> None:
        """Put on record what happened to orders, and only then tell their owners."""
        if not self.record.waiting:
            return
        self.record.sync()
        mail, self._mail = self._mail, []
        for owner, event in mail:
            line = self._lines.get(owner)
            if line is not None:  # An account without a line finds it in the exchange's truth
                line.mailbox.append(event)

    def _collect(self) -> None:
        for owner, order_id in self.marketplace.drain_woken():
            if owner in self.record.accounts.known:
                self.record.add(Woken(owner, order_id))
        for owner, report in self.marketplace.drain_reports():
            if owner in self.record.accounts.known:  # Dealers are no accounts
                self.record.add(Told(owner, report))
                self._mail.append((owner, report))

    def _publish(self, event: PublicEvent) -> None:
        self._seen(event)
        if isinstance(event, DealerQuote):
            return
        if isinstance(event, Quote):
            self.quotes[event.instrument_id] = event
            if event.bid_lots and event.ask_lots:
                self._candles.quote(event)
        elif isinstance(event, Trade):
            self._candles.trade(event)
        elif isinstance(event, Expiry):
            for account in self.record.accounts.known.values():
                account.truth.positions.pop(event.instrument_id, None)
        self._tell(event)

    def _tell(self, event: MarketEvent) -> None:
        kind = type(event)
        for line in self._lines.values():
            if kind in _TO_ALL or event.instrument_id in line.heard.get(kind, ()):
                if len(line.mailbox) >= MAILBOX_MAX and kind not in _TO_ALL:
                    line.dropped += 1
                    continue
                line.mailbox.append(event)
