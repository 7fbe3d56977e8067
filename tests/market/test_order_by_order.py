"""The order-by-order market: its queues are those of a plain exchange, its truth can be measured back from its rows."""

import json
import math
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.domain.order import Side
from njord.market.book import Book
from njord.market.book_history import updates
from njord.market.catalog import Catalog, DatasetId
from njord.market.synthetic.order_by_order import (
    BOOK,
    INFORMED,
    START_NS,
    TRADE,
    UNINFORMED,
    Change,
    Flow,
    columns_of,
    generate,
)
from njord.venues.simulated.matching import MatchingBook

NAME = InstrumentId("SYN/USD.SIM")
FLOW = Flow(cancel_tilt=0.6, takers_per_s=20.0)
SECONDS = 60.0
SIDES = {1: Side.BUY, -1: Side.SELL}


@pytest.fixture(scope="module")
def tape():
    return generate(np.random.default_rng(11), FLOW, SECONDS)


def replayed(tape):
    """Yield (row, exchange, cancelled place, orders of its level) with each row done on a plain exchange."""
    exchange = MatchingBook()
    columns = ("kind", "side", "price_ticks", "change_lots", "order_id", "taker_id")
    rows = list(zip(*(getattr(tape, name).tolist() for name in columns), strict=True))
    at = 0
    while at < len(rows):
        kind, side, price, change, order_id, taker = rows[at]
        place = None
        if kind == TRADE:
            # All that one taker did: prints and changes in turn
            end = at
            while end < len(rows) and rows[end][0] == TRADE and rows[end][5] == taker:
                end += 2
            prints = rows[at:end:2]
            matches = exchange.submit(taker, "taker", SIDES[side], sum(row[3] for row in prints), None, rest=False)
            assert [(m.maker_order_id, m.price_ticks, m.lots) for m in matches] == [(r[4], r[2], r[3]) for r in prints]
            for printed, changed in zip(prints, rows[at + 1 : end : 2], strict=True):
                assert changed == (BOOK, -side, printed[2], -printed[3], printed[4], 0)
            at = end
        elif change > 0:
            assert exchange.submit(order_id, "maker", SIDES[side], change, price) == []
            at += 1
        else:
            queue = [o.order_id for o in exchange.orders() if o.price_ticks == price]
            place = (queue.index(order_id), len(queue))
            assert exchange.cancel(order_id) == -change
            at += 1
        yield at - 1, exchange, place


@pytest.mark.slow
def test_it_is_the_market_a_plain_exchange_would_have_had(tape):
    bids, asks = tape.bid_ticks.tolist(), tape.ask_ticks.tolist()
    deviation = variance = 0.0
    counted = 0
    for row, exchange, place in replayed(tape):
        bid, ask = exchange.best(Side.BUY), exchange.best(Side.SELL)
        assert bids[row] == (bid[0] if bid else -1)
        assert asks[row] == (ask[0] if ask else -1)
        if place is not None:
            rank, orders = place
            expected = FLOW.cancel_tilt * (orders**2 - 1) / (3 * orders**2)
            deviation += (2 * rank + 1 - orders) / orders - expected
            variance += (orders**2 - 1) / (3 * orders**2) - expected**2
            counted += 1
    assert counted > 5_000
    assert abs(deviation) < 3 * math.sqrt(variance)
    # L2 and L3 at the end: the same levels
    book = Book(NAME)
    for update in updates(NAME, [columns_of(tape, Kind.BOOK)]):
        assert book.apply(update)
    depth = book.depth(10_000)
    assert list(map(list, depth)) == [exchange.depth(Side.BUY, 10_000), exchange.depth(Side.SELL, 10_000)]
    submitted = tape.change_lots[(tape.kind == BOOK) & (tape.change_lots > 0)].sum()
    left = -tape.change_lots[(tape.kind == BOOK) & (tape.change_lots < 0)].sum()
    assert submitted - left == sum(order.lots for order in exchange.orders())


@pytest.mark.slow
def test_the_book_is_never_crossed_and_agrees_after_every_row(tape):
    assert (np.diff(tape.time_ns) > 0).all()
    book, last = Book(NAME), tape.opening_rows - 1
    rows = iter(np.flatnonzero(tape.kind[tape.opening_rows :] == BOOK) + tape.opening_rows)
    for update in updates(NAME, [columns_of(tape, Kind.BOOK)]):
        book.apply(update)
        row = last if update.snapshot else int(next(rows))
        assert update.venue_time_ns == tape.time_ns[row]
        assert not book.is_crossed
        assert (book.best_bid()[0], book.best_ask()[0]) == (tape.bid_ticks[row], tape.ask_ticks[row])
        if not update.snapshot:
            assert book.lots_at(int(tape.price_ticks[row]))[0 if tape.side[row] > 0 else 1] == tape.lots_after[row]
    assert next(rows, None) is None


@pytest.mark.slow
def test_what_went_in_can_be_measured(tape):
    came = tape.arrivals
    opened = slice(tape.opening_rows, None)
    change = tape.change_lots[opened]
    is_book = tape.kind[opened] == BOOK
    assert (is_book & (change > 0)).sum() == came.limits
    assert abs(came.limits - FLOW.limits_per_s * SECONDS) < 3 * math.sqrt(FLOW.limits_per_s * SECONDS)
    takers = FLOW.takers_per_s * SECONDS
    assert abs(came.uninformed + came.informed - takers) < 3 * math.sqrt(takers)
    share = FLOW.informed_share
    total = came.uninformed + came.informed
    assert abs(came.informed - share * total) < 3 * math.sqrt(total * share * (1 - share))
    # The latent price: squared moves over time passed
    moves, waits = np.diff(tape.efficient_ticks[opened]), np.diff(tape.time_ns[opened]) / 1e9
    moved = moves != 0
    found = (moves**2).sum() / waits.sum()
    wanted = FLOW.volatility_ticks_per_sqrt_s**2
    assert abs(found / wanted - 1) < 3 * math.sqrt(2 / moved.sum())
    # Uninformed takers take all they want, so their sizes are geometric with the mean given
    trades = tape.taker == UNINFORMED
    lots = np.bincount(np.unique(tape.taker_id[trades], return_inverse=True)[1], tape.change_lots[trades])
    mean = FLOW.taker_lots_mean
    assert len(lots) == came.uninformed
    assert abs(lots.mean() - mean) < 3 * math.sqrt(mean * (mean - 1) / len(lots))
    # Cancellations: one hazard an order, over all that rested
    resting = np.cumsum(np.bincount(np.flatnonzero(_enters(tape)), minlength=len(tape)) - _exits(tape))
    exposure = (resting[tape.opening_rows : -1] * np.diff(tape.time_ns[opened])).sum() / 1e9
    assert abs(came.cancels - FLOW.cancels_per_s * exposure) < 3 * math.sqrt(FLOW.cancels_per_s * exposure)


def _enters(tape):
    return (tape.kind == BOOK) & (tape.change_lots > 0)


def _exits(tape):
    """1 for each row that removes an order: what came of it has all left."""
    book = tape.kind == BOOK
    out = np.zeros(len(tape), dtype=np.int64)
    left = {}
    for row in np.flatnonzero(book).tolist():
        order = int(tape.order_id[row])
        left[order] = left.get(order, 0) + int(tape.change_lots[row])
        out[row] = left[order] == 0
    return out


@pytest.mark.slow
def test_informed_takers_are_right_and_the_book_follows(tape):
    opened = slice(tape.opening_rows, None)
    informed = tape.taker == INFORMED
    assert informed.sum() > 50
    assert ((tape.efficient_ticks - tape.price_ticks) * tape.side)[informed].min() > 0
    # Neither behind for ever, nor all over the place
    mid = (tape.bid_ticks + tape.ask_ticks)[opened] / 2
    assert np.abs(mid - tape.efficient_ticks[opened]).mean() < 3
    assert 1 <= (tape.ask_ticks - tape.bid_ticks)[opened].mean() < 3


@pytest.mark.slow
def test_the_entry_of_what_leaves_is_when_it_came(tape):
    came = {}
    for row in range(len(tape)):
        order, entered = int(tape.order_id[row]), int(tape.entered_ns[row])
        if tape.kind[row] == BOOK and tape.change_lots[row] > 0:
            came[order] = int(tape.time_ns[row])
        assert came[order] == entered


@pytest.mark.slow
def test_a_step_in_the_parameters_is_in_the_tape():
    flow = Flow(
        takers_per_s=40.0, informed_share=0.0, changes=(Change(at_s=60.0, volatility_factor=2.0, takers_factor=0.5),)
    )
    tape = generate(np.random.default_rng(4), flow, 120.0)
    at_ns = START_NS + 60_000_000_000
    found = []
    for chosen in (tape.time_ns < at_ns, tape.time_ns >= at_ns):
        chosen = chosen & (np.arange(len(tape)) >= tape.opening_rows)
        moves = np.diff(tape.efficient_ticks[chosen])
        found.append((np.sqrt((moves**2).sum() / 60), len(np.unique(tape.taker_id[chosen & tape.is_trade]))))
    assert found[0][0] == pytest.approx(1.0, rel=0.05)
    assert found[1][0] == pytest.approx(2.0, rel=0.05)
    assert abs(found[0][1] - 2_400) < 3 * math.sqrt(2_400)
    assert abs(found[1][1] - 1_200) < 3 * math.sqrt(1_200)


_SCRIPT = """
import numpy as np, sys
from njord.market.synthetic.order_by_order import Flow, generate
sys.stdout.write(generate(np.random.default_rng(11), Flow(cancel_tilt=0.6, takers_per_s=20.0), 60.0).content_hash())
"""


@pytest.mark.slow
def test_a_seed_is_a_market_in_any_process_and_any_chunks(tape):
    from njord.market.synthetic import kernels, order_by_order

    other = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert other.stdout == tape.content_hash()
    with pytest.raises(ValueError, match="has book and trades, not quotes"):
        columns_of(tape, Kind.QUOTES)
    assert generate(np.random.default_rng(12), FLOW, SECONDS).content_hash() != tape.content_hash()
    # The same rows from a room that holds little more than one event
    rng = np.random.default_rng(11)
    exchange = order_by_order._empty(FLOW, START_NS, order_by_order.START_TICKS)
    opening = int(rng.poisson(FLOW.orders_mean))
    room = 2 * len(exchange.live) + 10
    rows, latent = np.zeros((kernels.COLUMNS, room), dtype=np.int64), np.zeros(room)
    rates = order_by_order._rates(FLOW, None)
    kernels.open_book(exchange, rng, rates, opening, rows, latent)
    times = []
    reached = False
    while not reached:
        reached = kernels.advance(exchange, rng, rates, START_NS, 5.0, rows, latent)
        times += rows[kernels.TIME, : exchange.counts[kernels.ROWS]].tolist()
        exchange.counts[kernels.ROWS] = 0
    assert times == tape.time_ns[: len(times)].tolist()


@pytest.mark.slow
def test_a_tape_can_be_stored_and_traded_on(tape, tmp_path):
    from njord.engine.config import parse
    from njord.research.run import run

    catalog = Catalog(tmp_path / "catalog")
    catalog.define(
        Instrument(
            instrument_id=NAME, kind=InstrumentKind.SPOT, base="SYN", quote="USD", price_tick=Decimal("0.01"),
            quantity_lot=Decimal("0.001"),
        )
    )  # fmt: skip
    for kind in (Kind.BOOK, Kind.TRADES):
        columns = columns_of(tape, kind)
        assert catalog.write(DatasetId(NAME, kind), columns) == len(columns["venue_time_ns"])
    document = {
        "data": [{"instrument": NAME, "kind": "book"}, {"instrument": NAME, "kind": "trades"}],
        "strategies": [
            {"name": "grid_maker", "params": {"step": 0.0000015, "levels": 2, "quantity": 0.005, "position_max": 0.1}}
        ],
        "account": {"currency": "USD", "cash": 100_000},
        "risk": "market_making",
    }
    result = run(parse(json.loads(json.dumps(document))), catalog)
    told = result.document()
    assert told["stopped"] == {}
    trades = int(tape.is_trade.sum())
    assert told["events"] == len(tape) - tape.opening_rows - trades + 1 + trades
    assert told["fills"] > 20
    assert {str(fill.liquidity) for fill in result.assembly.backtest.fills} == {"maker"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limits_per_s", 0.0), ("cancels_per_s", -1.0), ("takers_per_s", -1.0), ("cancel_tilt", 1.5),
        ("informed_share", 2.0), ("taker_lots_mean", 0.5), ("lag_s", math.nan),
    ],
)  # fmt: skip
def test_a_flow_that_cannot_be_names_the_field(field, value):
    with pytest.raises(ValueError, match=f"^{field} must be "):
        Flow(**{field: value})
    with pytest.raises(ValueError, match="changes must be in time order"):
        Flow(changes=(Change(at_s=5.0), Change(at_s=5.0)))


def test_more_orders_than_a_book_holds_are_refused():
    with pytest.raises(ValueError, match="more than"):
        generate(np.random.default_rng(1), Flow(limits_per_s=1e9), 1.0)
