"""Dealers' quotes: taken by name at their own price while they last, or the best of them."""

from decimal import Decimal

import pytest

from njord.domain.event import OrderAccepted, OrderCancelled, OrderRejected
from njord.domain.fill import Fill, FillReason
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import DealerQuote, Quote
from njord.domain.order import NewOrder, OrderType, Rejection, Side, TimeInForce
from njord.venues.simulated.dealers import DEALERS_MAX, QuoteBoard

NAME = "GOV10Y.SIM"
S = 10**9


def quote(quote_id, dealer, bid, ask, lots=10, made=0, lasts=5 * S):
    return DealerQuote(quote_id, dealer, NAME, made, made, bid, lots, ask, lots, made + lasts)


@pytest.fixture
def board():
    bond = Instrument(
        instrument_id=NAME, kind=InstrumentKind.BOND, base="GOV10Y", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal(1), multiplier=Decimal(10), expiry_ns=1, coupon_rate=Decimal("0.04"),
    )  # fmt: skip
    board = QuoteBoard([bond])
    for made in (
        quote("q1", "north", 9990, 10010),
        quote("q2", "south", 9992, 10008),
        quote("q3", "west", 9985, 10008),
    ):
        board.put(made)
    return board


def take(board, order_id, side, lots, limit=None, quote_id="", now=S, tif=None):
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    tif = tif or (TimeInForce.FOK if quote_id else TimeInForce.IOC)
    board.submit("ann", NewOrder(order_id, "s", NAME, side, kind, lots, limit, None, tif, quote_id=quote_id), now)
    return [report for who, report in board.drain_private() if who == "ann"]


def test_the_composite_is_the_best_of_all(board):
    assert board.top(NAME) == (9992, 10, 10008, 20)
    last = [event for event in board.drain_public() if isinstance(event, Quote)][-1]
    assert (last.bid_ticks, last.ask_ticks) == (9992, 10008)
    board.expire(5 * S)
    assert board.top(NAME) == (0, 0, 0, 0)
    assert board.quotes(NAME, 5 * S) == []


def test_a_named_quote_is_lifted_at_its_own_price_though_another_is_better(board):
    accepted, fill = take(board, "a", Side.BUY, 4, 10010, "q1")
    assert isinstance(accepted, OrderAccepted)
    assert (fill.price_ticks, fill.quantity_lots, fill.reason, fill.causation_id) == (10010, 4, FillReason.DEALER, "q1")
    assert board.positions == {"ann": {NAME: 4}, "north": {NAME: -4}}
    assert [q.ask_lots for q in board.quotes(NAME, S) if q.dealer == "north"] == [6]


@pytest.mark.parametrize(
    ("lots", "limit", "quote_id", "now", "reason"),
    [
        (4, 10010, "q1", 5 * S, Rejection.QUOTE_GONE),  # Its time is over
        (4, 10010, "q9", S, Rejection.QUOTE_GONE),
        (4, 10009, "q1", S, Rejection.QUOTE_GONE),  # Not the price it was quoted at
        (11, 10010, "q1", S, Rejection.NOT_FILLABLE_AT_ONCE),
    ],
)
def test_a_quote_that_cannot_be_had(board, lots, limit, quote_id, now, reason):
    (rejected,) = take(board, "a", Side.BUY, lots, limit, quote_id, now)
    assert isinstance(rejected, OrderRejected)
    assert rejected.reason is reason
    assert board.positions == {}


def test_without_a_name_the_best_are_taken_in_turn_and_the_rest_is_cancelled(board):
    heard = take(board, "a", Side.SELL, 25, 9990)
    assert [(r.price_ticks, r.quantity_lots) for r in heard if isinstance(r, Fill)] == [(9992, 10), (9990, 10)]
    assert isinstance(heard[-1], OrderCancelled)
    heard = take(board, "b", Side.SELL, 1, 9990)
    assert heard[0].reason is Rejection.NO_LIQUIDITY


def test_a_new_quote_takes_the_place_of_the_old(board):
    board.put(quote("q4", "north", 9980, 10020, made=S))
    (rejected,) = take(board, "a", Side.BUY, 1, 10010, "q1", 2 * S)
    assert rejected.reason is Rejection.QUOTE_GONE
    for number in range(DEALERS_MAX - 3):
        board.put(quote(f"x{number}", f"d{number}", 1, 2))
    with pytest.raises(ValueError, match="dealers"):
        board.put(quote("x", "one more", 1, 2))
    with pytest.raises(ValueError, match="below ask"):
        quote("x", "d", 5, 5)
    with pytest.raises(ValueError, match="limit fok"):
        NewOrder("a", "s", NAME, Side.BUY, OrderType.MARKET, 1, quote_id="q1")
