"""What a simulated exchange has on record of its accounts, so that it can be started again and knows them.

An exchange owes its accounts what a real one does: an order it took, a fill it gave and a position it keeps are not
forgotten because a process died. So orders and reports are on disk before any owner hears of them, those of one moment
in one line: a trade is on record for both of its sides, or for none. Agents are no accounts; they come back by seed.
"""

from collections.abc import Container
from pathlib import Path

import msgspec

from njord.domain.clock import NS_PER_DAY
from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderReplaced, Report
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import TERMINAL, NewOrder, OrderStatus, TimeInForce
from njord.ledger.chain import Chain, read
from njord.venues.port import VenueOrder
from njord.venues.simulated.account_truth import AccountTruth
from njord.venues.simulated.crossing import Working

NAME = "exchange"


class Taken(msgspec.Struct, frozen=True, gc=False, tag="taken"):
    """An owner's command has come in."""

    owner: str
    command: NewOrder | CancelOrder | ReplaceOrder
    time_ns: int


class Told(msgspec.Struct, frozen=True, gc=False, tag="told"):
    """This happened to an owner's order."""

    owner: str
    report: Report


class Woken(msgspec.Struct, frozen=True, gc=False, tag="woken"):
    """An owner's stop was triggered: from here on it works as what it became."""

    owner: str
    client_order_id: ClientOrderId


class Account(msgspec.Struct, frozen=True, tag="account"):
    """An account as an earlier run of the exchange left it: where a record begins."""

    owner: str
    positions: dict[InstrumentId, int]
    orders: tuple[VenueOrder, ...]  # As their owner sees them: open ones, and what it may not have heard of
    working: tuple[Working, ...]  # The same, as the exchange works them
    fills: tuple[Fill, ...]  # Those their owner may not have heard of


Item = Taken | Told | Woken | Account


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """One line of the record: all that became durable together. The first has all accounts as they were."""

    items: tuple[Item, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Moment).decode


class OwnedAccount:
    """One account at the exchange, folded from its record."""

    def __init__(self) -> None:
        self.truth = AccountTruth()
        self.working: dict[ClientOrderId, Working] = {}


class Accounts:
    """All accounts of an exchange, as its record has them."""

    def __init__(self) -> None:
        self.known: dict[str, OwnedAccount] = {}
        self._numbers = 0

    def account(self, owner: str) -> OwnedAccount:
        """Return an account; one that is not known yet is empty."""
        return self.known.setdefault(owner, OwnedAccount())

    def apply(self, item: Item) -> None:
        """Take in what happened next."""
        found = self.account(item.owner)
        if isinstance(item, Account):
            self._begin(found, item)
        elif isinstance(item, Told):
            found.truth.reported(item.report)
            self._told(found, item.report)
        elif isinstance(item, Woken):
            working = found.working.get(item.client_order_id)
            if working is not None:  # Else it has traded already, and is done
                working.awake = True
        elif isinstance(item.command, NewOrder):
            found.truth.received(item.command)
            self._take(found, item.owner, item.command, item.time_ns)

    def before(self, owner: str, *, heard: bool) -> Account:
        """Return an account as the next run begins with it. ``heard``: its owner has booked every fill."""
        found = self.account(owner)
        working = tuple(sorted(found.working.values(), key=lambda each: each.number))
        held = {name: lots for name, lots in found.truth.positions.items() if lots}
        if heard:
            return Account(owner, held, found.truth.open_orders, working, ())
        return Account(owner, held, tuple(found.truth.orders.values()), working, tuple(found.truth.fills))

    def drop_unanswered(self) -> None:
        """Forget orders that came in and were never looked at: the process died between, so they never arrived."""
        for found in self.known.values():
            for order in found.truth.open_orders:
                if order.status is OrderStatus.SUBMITTED:
                    del found.truth.orders[order.client_order_id]
                    del found.working[order.client_order_id]

    def _begin(self, found: OwnedAccount, item: Account) -> None:
        found.truth.restore(item.orders, item.fills, item.positions)
        for working in item.working:
            self._hold(found, working)

    def _take(self, found: OwnedAccount, owner: str, order: NewOrder, time_ns: int) -> None:
        day = order.time_in_force is TimeInForce.DAY
        ends_ns = (time_ns // NS_PER_DAY + 1) * NS_PER_DAY if day else None
        lots = order.quantity_lots
        if order.client_order_id not in found.working:
            self._hold(found, Working(owner, order, 0, lots, lots, order.limit_ticks, ends_ns))

    def _hold(self, found: OwnedAccount, working: Working) -> None:
        self._numbers += 1
        found.working[working.order.client_order_id] = msgspec.structs.replace(working, number=self._numbers)

    def _told(self, found: OwnedAccount, report: Report) -> None:
        working = found.working.get(report.client_order_id)
        if working is None or isinstance(report, (OrderAccepted, CancelRejected)):
            return
        if isinstance(report, Fill):
            working.leaves_lots -= report.quantity_lots
        elif isinstance(report, OrderReplaced):
            left = report.quantity_lots - (working.quantity_lots - working.leaves_lots)
            keeps = report.limit_ticks == working.limit_ticks and left <= working.leaves_lots
            working.quantity_lots, working.leaves_lots = report.quantity_lots, left
            working.limit_ticks = report.limit_ticks
            if not keeps:
                self._hold(found, working)
        if found.truth.orders[report.client_order_id].status in TERMINAL:
            del found.working[report.client_order_id]


class ExchangeRecord:
    """The record on disk: a folder for each run, which begins with all accounts as the run before left them.

    Bound: a run's record grows with its orders; the next one begins small again, and reads only the run before.
    """

    def __init__(self, folder: Path) -> None:
        """Read what the last run left. Raises Broken where that was tampered with, Unwritable without a disk."""
        self.accounts = Accounts()
        self.run = 1
        self._waiting: list[Item] = []
        self._folder = folder
        self._chain: Chain | None = None
        runs = sorted(folder.glob("run-*")) if folder.is_dir() else []
        for path in runs:
            self.run = int(path.name.removeprefix("run-")) + 1
        for path in reversed(runs):
            if self._read(path):
                break

    def begin(self, heard: Container[str]) -> None:
        """Begin this run's record. ``heard`` are the owners who have booked all their fills."""
        chain = Chain(self._folder / f"run-{self.run:06d}", NAME)
        known = tuple(self.accounts.before(owner, heard=owner in heard) for owner in self.accounts.known)
        chain.append(_encode(Moment((*known, *self._waiting))))
        chain.sync()
        self._chain = chain
        self._waiting.clear()

    @property
    def waiting(self) -> bool:
        """Whether anything is not on disk yet."""
        return bool(self._waiting)

    def add(self, item: Item) -> None:
        """Take in what happened; it is on disk after the next ``sync``."""
        self.accounts.apply(item)
        self._waiting.append(item)

    def sync(self) -> None:
        """Wait until the disk has all of it, in one line. Before ``begin`` it waits in memory. Raises Unwritable."""
        if self._chain is None:
            return
        if self._waiting:
            self._chain.append(_encode(Moment(tuple(self._waiting))))
            self._waiting.clear()
        self._chain.sync()

    def close(self) -> None:
        """Let go of the file."""
        if self._chain is not None:
            self.sync()
            self._chain.close()
            self._chain = None

    def _read(self, path: Path) -> bool:
        # A run that died before its first line was whole changed nothing: the one before it counts
        found = False
        for body in read(path, NAME):
            found = True
            for item in _decode(body).items:
                self.accounts.apply(item)
        self.accounts.drop_unanswered()
        return found
