"""Reconciliation: every branch from both sides, and any history of a venue against any part of it that we heard."""

import random
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import OrderUnknown
from njord.domain.ids import ClientOrderId, FillId, InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.order import TERMINAL, IllegalTransition, NewOrder, OrderStatus, OrderType, Rejection, Side
from njord.execution.oms import Orders
from njord.ledger.reconcile import DISCREPANCIES_MAX, Answer, Book, Discrepancy, DiscrepancyKind, reconcile
from njord.venues.port import VenueOrder

S, D = OrderStatus, DiscrepancyKind
BTC = InstrumentId("BTC/USD.SIM")
NOW_NS = 1_000
GRID = Grid.of(
    Instrument(
        instrument_id=BTC, kind=InstrumentKind.SPOT, base="BTC", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal("0.001"),
    )
)  # fmt: skip


class Mine(msgspec.Struct):
    client_order_id: ClientOrderId
    status: OrderStatus
    filled_lots: int = 0
    quantity_lots: int = 10
    limit_ticks: int | None = 100
    instrument_id: InstrumentId = BTC
    side: Side = Side.BUY


def theirs(status, filled=0, quantity=10, limit=100, reason=None, name="a"):
    return VenueOrder(ClientOrderId(name), BTC, Side.BUY, status, quantity, filled, limit, reason)


def fill(number, lots, name="a", side=Side.BUY):
    return Fill(
        fill_id=FillId(f"f{number}"), client_order_id=ClientOrderId(name), instrument_id=BTC, side=side,
        price_ticks=100, quantity_lots=lots, fee_units=0, fee_asset="USD", liquidity=Liquidity.MAKER,
        reason=FillReason.NEXT_OPEN, causation_id="", venue_time_ns=1, local_time_ns=1,
    )  # fmt: skip


def held(*events):
    """What each event says, without times."""
    return [
        (type(each).__name__, each.client_order_id, getattr(each, "fill_id", getattr(each, "reason", None)))
        for each in events
    ]


def told(mine, answer, *, arrived=False, ended=(), done=(), booked=(), held_lots=None):
    filled = sum(each.filled_lots for each in mine)
    book = Book(
        {each.client_order_id: each for each in mine}, {each.client_order_id: each for each in ended},
        lambda name: name in done or any(name == each.client_order_id for each in (*mine, *ended)),
        lambda fill_id: fill_id in booked, {BTC: filled if held_lots is None else held_lots}, lambda _name: arrived,
    )  # fmt: skip
    orders, open_orders, fills, lots = answer
    asked = {each.client_order_id: orders.get(each.client_order_id) for each in mine}
    return reconcile(book, Answer(asked, open_orders, fills, {BTC: lots} if lots else {}), NOW_NS)


A = ClientOrderId("a")
# Ours, whether it must have arrived; theirs, its fills that we have not; the events, the kinds of discrepancy
TABLE = {
    "the same": (Mine(A, S.ACCEPTED), False, theirs(S.ACCEPTED), [], [], []),
    "the same, partly filled": (Mine(A, S.PARTIALLY_FILLED, 4), False, theirs(S.PARTIALLY_FILLED, 4), [], [], []),
    "not looked at yet": (Mine(A, S.UNKNOWN), True, theirs(S.SUBMITTED), [], [], []),
    "unanswered, taken": (Mine(A, S.UNKNOWN), False, theirs(S.ACCEPTED), [], [("OrderAccepted", A, None)], []),
    "sent, taken": (Mine(A, S.SUBMITTED), False, theirs(S.ACCEPTED), [], [("OrderAccepted", A, None)], []),
    "unanswered, never heard of, too early": (Mine(A, S.UNKNOWN), False, None, [], [], []),
    "unanswered, never heard of, must have arrived": (
        Mine(A, S.UNKNOWN), True, None, [], [("OrderRejected", A, Rejection.NEVER_ARRIVED)], [],
    ),
    "taken, never heard of": (Mine(A, S.ACCEPTED), True, None, [], [], [D.LOST_ORDER]),
    "filled, never heard of": (Mine(A, S.UNKNOWN, 4), True, None, [], [], [D.LOST_ORDER]),
    "unanswered, rejected": (
        Mine(A, S.UNKNOWN), False, theirs(S.REJECTED, reason=Rejection.NO_LIQUIDITY), [],
        [("OrderRejected", A, Rejection.NO_LIQUIDITY)], [],
    ),
    "taken, rejected": (Mine(A, S.ACCEPTED), False, theirs(S.REJECTED), [], [], [D.STATUS]),
    "filled, rejected": (Mine(A, S.UNKNOWN, 4), False, theirs(S.REJECTED, 4), [], [], [D.STATUS]),
    "cancelled meanwhile": (
        Mine(A, S.ACCEPTED), False, theirs(S.CANCELLED, reason=Rejection.SELF_TRADE), [],
        [("OrderCancelled", A, Rejection.SELF_TRADE)], [],
    ),
    "expired meanwhile": (Mine(A, S.ACCEPTED), False, theirs(S.EXPIRED), [], [("OrderExpired", A, None)], []),
    "filled meanwhile": (Mine(A, S.ACCEPTED), False, theirs(S.FILLED, 10), [fill(1, 10)], [("Fill", A, "f1")], []),
    "filled partly, then cancelled": (
        Mine(A, S.ACCEPTED), False, theirs(S.CANCELLED, 3), [fill(1, 3)],
        [("Fill", A, "f1"), ("OrderCancelled", A, Rejection.REQUESTED)], [],
    ),
    "unanswered, filled": (Mine(A, S.UNKNOWN), False, theirs(S.FILLED, 10), [fill(1, 10)], [("Fill", A, "f1")], []),
    "unanswered, partly filled": (
        Mine(A, S.UNKNOWN), False, theirs(S.PARTIALLY_FILLED, 4), [fill(1, 4)],
        [("Fill", A, "f1"), ("OrderAccepted", A, None)], [],
    ),
    "replaced": (Mine(A, S.ACCEPTED), False, theirs(S.ACCEPTED, 0, 20, 90), [], [("OrderReplaced", A, None)], []),
    "made larger, then filled beyond what it was": (
        Mine(A, S.ACCEPTED), False, theirs(S.PARTIALLY_FILLED, 15, 20), [fill(1, 15)],
        [("OrderReplaced", A, None), ("Fill", A, "f1")], [],
    ),
    "made smaller, then filled": (
        Mine(A, S.ACCEPTED), False, theirs(S.FILLED, 5, 5), [fill(1, 5)],
        [("OrderReplaced", A, None), ("Fill", A, "f1")], [],
    ),
    "made as small as what was filled": (
        Mine(A, S.PARTIALLY_FILLED, 5), False, theirs(S.FILLED, 5, 5), [], [("OrderReplaced", A, None)], [],
    ),
    "filled, and its fills are not there": (
        Mine(A, S.ACCEPTED), False, theirs(S.PARTIALLY_FILLED, 4), [], [], [D.MISSING_FILLS],
    ),
    "filled less than we have": (Mine(A, S.UNKNOWN, 4), False, theirs(S.ACCEPTED, 0), [], [], [D.TOO_MANY_FILLS]),
    "called filled, and is not": (Mine(A, S.ACCEPTED), False, theirs(S.FILLED, 0), [], [], [D.STATUS]),
    "filled beyond what it is for": (
        Mine(A, S.ACCEPTED), False, theirs(S.FILLED, 10), [fill(1, 10), fill(2, 5)], [("Fill", A, "f1")],
        [D.OVERFILL],
    ),
    "one fill told twice": (
        Mine(A, S.ACCEPTED), False, theirs(S.FILLED, 10), [fill(1, 10), fill(1, 10)], [("Fill", A, "f1")], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_every_state_of_ours_against_every_state_of_theirs(case):
    mine, arrived, known, fills, events, kinds = case
    lots = mine.filled_lots + sum({each.fill_id: each.quantity_lots for each in fills}.values())
    open_orders = (known,) if known is not None and known.status not in TERMINAL else ()

    found = told([mine], ({A: known}, open_orders, tuple(fills), lots), arrived=arrived)

    assert held(*found.events) == events
    assert [each.kind for each in found.discrepancies] == kinds
    assert all(each.local_time_ns >= NOW_NS for each in found.events)


def test_an_open_order_that_is_not_on_record_is_foreign_and_one_that_is_over_here_has_risen():
    stranger, back = theirs(S.ACCEPTED, name="x"), theirs(S.ACCEPTED, name="b")
    found = told([], ({}, (stranger, back), (), 0), done=("b",))
    assert [(each.kind, each.subject) for each in found.discrepancies] == [
        (D.FOREIGN_ORDER, "x"), (D.RISEN_ORDER, "b"),
    ]  # fmt: skip
    assert found.risen == (("b", BTC),)
    assert found.events == ()


def test_fills_of_orders_that_are_over_are_booked_as_far_as_they_had_room():
    ended = Mine(ClientOrderId("b"), S.CANCELLED, filled_lots=4)
    fills = (fill(1, 6, "b"), fill(2, 1, "b"), fill(3, 5, "gone"), fill(4, 2, "x"))
    found = told([], ({}, (), fills, 18), ended=[ended], done=("gone",), held_lots=4)
    assert held(*found.events) == [("Fill", "b", "f1")]
    assert [(each.kind, each.subject) for each in found.discrepancies] == [
        (D.OVERFILL, "f2"), (D.OVERFILL, "f3"), (D.FOREIGN_FILL, "f4"),
    ]  # fmt: skip


@pytest.mark.parametrize(("ours", "lots", "differs"), [(5, 5, False), (5, 4, True), (0, 3, True), (-2, 0, True)])
def test_what_is_held_must_be_what_its_fills_come_to(ours, lots, differs):
    found = told([], ({}, (), (), lots), held_lots=ours)
    assert [each.kind for each in found.discrepancies] == [D.POSITION] * differs


def test_a_fill_that_is_booked_is_no_news_and_what_is_found_is_bounded():
    assert told([], ({}, (), (fill(1, 5),), 5), booked=("f1",), held_lots=5).events == ()
    many = tuple(theirs(S.ACCEPTED, name=f"x{n}") for n in range(DISCREPANCIES_MAX + 5))
    assert len(told([], ({}, many, (), 0)).discrepancies) == DISCREPANCIES_MAX


def test_a_discrepancy_says_both_sides():
    shown = str(Discrepancy(D.POSITION, "BTC", "1 lots", "2 lots"))
    assert shown == "position BTC: ours 1 lots, the venue's 2 lots"


class History:
    """A venue that does whatever a venue may to some orders, and what it reported of it."""

    def __init__(self, dice):
        self.dice = dice
        self.orders: dict[ClientOrderId, VenueOrder] = {}
        self.fills: list[Fill] = []
        self.reports: list[object] = []
        self.sent = [self._order(n) for n in range(dice.randint(1, 4))]
        for order in self.sent:
            if dice.random() < 0.85:
                self._arrive(order)
        for _ in range(dice.randint(0, 12)):
            alive = [each for each in self.orders.values() if each.status not in TERMINAL | {S.SUBMITTED}]
            if alive:
                self._happen(dice.choice(alive))

    def _order(self, number):
        side = self.dice.choice(list(Side))
        return NewOrder(ClientOrderId(f"o{number}"), StrategyId("s"), BTC, side, OrderType.LIMIT, 10, 100)

    def _become(self, known, report, **change):
        self.orders[known.client_order_id] = replace(known, **change)
        if report is not None:
            self.reports.append(report)

    def _arrive(self, order):
        name = order.client_order_id
        known = self.orders[name] = VenueOrder(name, BTC, order.side, S.SUBMITTED, 10, 0, 100)
        draw = self.dice.random()
        if draw < 0.1:
            reason = Rejection.NO_LIQUIDITY
            self._become(known, OrderRejected(name, BTC, reason, 1, 1), status=S.REJECTED, reason=reason)
        elif draw < 0.9:
            self._become(known, OrderAccepted(name, BTC, 1, 1), status=S.ACCEPTED)

    def _happen(self, known):
        name, left, draw = known.client_order_id, known.quantity_lots - known.filled_lots, self.dice.random()
        if draw < 0.5:
            lots = self.dice.randint(1, left)
            made = fill(len(self.fills), lots, name, known.side)
            self.fills.append(made)
            self._become(
                known,
                made,
                filled_lots=known.filled_lots + lots,
                status=S.FILLED if lots == left else S.PARTIALLY_FILLED,
            )
        elif draw < 0.75:
            quantity, limit = known.filled_lots + self.dice.randint(1, 12), self.dice.randint(90, 110)
            report = OrderReplaced(name, BTC, quantity, limit, 1, 1)
            self._become(known, report, quantity_lots=quantity, limit_ticks=limit)
        elif draw < 0.85:
            reason = self.dice.choice([Rejection.REQUESTED, Rejection.SELF_TRADE])
            self._become(known, OrderCancelled(name, BTC, reason, 1, 1), status=S.CANCELLED, reason=reason)
        elif draw < 0.9:
            self._become(known, OrderExpired(name, BTC, 1, 1), status=S.EXPIRED)
        else:
            self.reports.append(CancelRejected(name, BTC, Rejection.ORDER_DONE, 1, 1))

    def heard(self):
        """What a bad connection makes of it: a part, some of it twice, not quite in order."""
        told = self.reports[: self.dice.randint(0, len(self.reports))]
        loss = self.dice.choice([0, 0.3])
        told = [each for each in told if self.dice.random() >= loss]
        told += [each for each in told if self.dice.random() < 0.2]
        if self.dice.random() < 0.5:
            told.sort(key=lambda each: self.dice.random())
        return told

    @property
    def lots(self):
        return sum(each.side.sign * each.quantity_lots for each in self.fills)


class Account:
    """Our side of it: the real orders, and what is held."""

    def __init__(self, history, dice):
        self.orders, self.lots, self.arrived = Orders(), 0, dice.random() < 0.5
        for order in history.sent:
            self.orders.submit(order, GRID)
        for report in history.heard():
            try:
                self.apply(report)
            except IllegalTransition:
                break  # A session stops here; the next one begins with the truth
        if dice.random() < 0.7:  # It began again
            for name, tracked in list(self.orders.open.items()):
                self.orders.unknown(OrderUnknown(name, tracked.instrument_id, 1, 1))

    def apply(self, report):
        tracked = self.orders.apply(report)
        if isinstance(report, Fill) and tracked is not None:
            self.lots += report.side.sign * report.quantity_lots

    def reconcile(self, history, foreign=(), lots=0):
        open_orders = tuple(each for each in history.orders.values() if each.status not in TERMINAL)
        asked = {name: history.orders.get(name) for name in self.orders.open}
        positions = {BTC: history.lots + lots} if history.lots + lots else {}
        book = Book(
            self.orders.open, self.orders.ended, self.orders.known, self.orders.applied, {BTC: self.lots},
            lambda _name: self.arrived,
        )  # fmt: skip
        return reconcile(book, Answer(asked, open_orders + foreign, tuple(history.fills), positions), NOW_NS)


def check_equal(account, history):
    for name, known in history.orders.items():
        ours = account.orders.open.get(name)
        if known.status in TERMINAL:
            assert ours is None, (known, ours.status)
        elif known.status is S.SUBMITTED:
            assert ours is not None
        else:
            assert ours.status in (S.ACCEPTED, S.PARTIALLY_FILLED)
            ours_is = (ours.quantity_lots, ours.filled_lots, ours.limit_ticks)
            assert ours_is == (known.quantity_lots, known.filled_lots, known.limit_ticks)
    for order in history.sent:
        if order.client_order_id not in history.orders:  # It never got there
            assert (order.client_order_id in account.orders.open) != account.arrived
    assert account.lots == history.lots
    assert {each.fill_id for each in history.fills} == set(account.orders.fill_ids)


@pytest.mark.parametrize("block", range(10))
def test_any_history_of_which_any_part_was_heard_converges_in_one_pass_or_is_named(block):
    converged = 0
    for seed in range(block * 400, (block + 1) * 400):
        dice = random.Random(seed)
        history = History(dice)
        account = Account(history, dice)

        first = account.reconcile(history)
        for event in first.events:
            account.apply(event)
        second = account.reconcile(history)

        assert second.events == (), seed
        if first.discrepancies:
            # Only what came in an order it never happened in: an end before the replacement that made room for fills
            assert {each.kind for each in first.discrepancies} <= {D.OVERFILL, D.MISSING_FILLS, D.RISEN_ORDER}, seed
        else:
            converged += 1
            assert second.discrepancies == (), seed
            check_equal(account, history)
    assert converged > 380


LIES = {
    "an order of somebody else": D.FOREIGN_ORDER, "a fill of somebody else": D.FOREIGN_FILL,
    "a position nobody made": D.POSITION, "an order it lost": D.LOST_ORDER, "a fill it lost": D.MISSING_FILLS,
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_venue_that_contradicts_the_record_is_never_believed(lie):
    tried = 0
    for seed in range(400):
        dice = random.Random(seed)
        history = History(dice)
        account = Account(history, dice)
        for event in account.reconcile(history).events:
            account.apply(event)
        foreign, lots = (), 0
        if lie == "an order of somebody else":
            foreign = (theirs(S.ACCEPTED, name="x"),)
        elif lie == "a fill of somebody else":
            history.fills.append(fill(99, 3, "x"))
        elif lie == "a position nobody made":
            lots = 3
        else:
            alive = [t for t in account.orders.open.values() if t.status in (S.ACCEPTED, S.PARTIALLY_FILLED)]
            if not alive:
                continue
            name = alive[0].client_order_id
            if lie == "an order it lost":
                del history.orders[name]
            else:
                known = history.orders[name]
                history.orders[name] = replace(known, filled_lots=known.filled_lots + 1, quantity_lots=50)
        tried += 1
        before = set(account.orders.open)

        found = account.reconcile(history, foreign, lots)

        assert LIES[lie] in {each.kind for each in found.discrepancies}, seed
        assert not any(each.client_order_id == "x" for each in found.events)
        for event in found.events:
            account.apply(event)
        assert set(account.orders.open) == before, "an order was dropped on the word of who contradicts the record"
    assert tried > 100
