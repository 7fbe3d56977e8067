"""Latency: what was measured is what is used, nothing overtakes, and to be later is never to be better."""

import json
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import Aggressor, BookUpdate, Kind, Trade
from njord.domain.order import NewOrder, OrderType, Side
from njord.engine.config import ConfigError, parse, restore
from njord.research.assumptions import assumptions
from njord.venues.simulated.latency import LatencyKnot, Line
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import QueueSettings, VenueSettings
from njord.venues.simulated.venue import SimulatedVenue

from ...parity.tapes import Market, book, instruments  # noqa: TID252 - tests are no package to import from

KNOTS = st.lists(
    st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 10**9)), min_size=1, max_size=8, unique_by=lambda k: k[0]
)
SENT = st.lists(st.integers(-(2 * 10**9), 2 * 10**9), min_size=1, max_size=40)
START_NS = 1_700_000_000_000_000_000


def line_of(knots):
    return Line.of(0, [LatencyKnot(START_NS + at, ns, 0) for at, ns in sorted(knots)], "order_ns")


def test_at_a_knot_it_is_what_was_measured_between_knots_linear_beyond_them_theirs():
    knots = [(0, 100), (1_000, 300), (3_000, 500)]
    expected = {-50: 100, 0: 100, 1: 100, 5: 101, 500: 200, 1_000: 300, 2_000: 400, 3_000: 500, 9_000: 500}
    for sent, latency in expected.items():
        assert line_of(knots).arrives_ns(START_NS + sent) == START_NS + sent + latency


@given(KNOTS)
def test_at_every_knot_it_is_what_was_measured(knots):
    for at, latency in knots:
        assert line_of(knots).arrives_ns(START_NS + at) == START_NS + at + latency


@given(KNOTS, SENT)
def test_nothing_overtakes_and_many_at_once_are_as_one_after_the_other(knots, sent):
    sent = [START_NS + each for each in sorted(sent)]
    one, many, parts = line_of(knots), line_of(knots), line_of(knots)

    arrived = [one.arrives_ns(each) for each in sent]

    assert arrived == sorted(arrived)
    assert all(there >= here for here, there in zip(sent, arrived, strict=True))
    assert many.all_arrive_ns(np.array(sent)).tolist() == arrived
    cut = len(sent) // 2
    pieces = [np.array(each, dtype=np.int64) for each in (sent[:cut], sent[cut:])]
    assert [each for piece in pieces for each in parts.all_arrive_ns(piece).tolist()] == arrived
    # No later than the slowest that was under way, and no earlier than the curve alone says
    alone = [line_of(knots).arrives_ns(each) for each in sent]
    assert arrived == np.maximum.accumulate(alone).tolist()


@pytest.mark.slow
@settings(deadline=None)
@given(KNOTS, SENT)
def test_the_compiled_line_is_the_same(knots, sent):
    pytest.importorskip("numba")
    line, sent = line_of(knots), np.array([START_NS + each for each in sorted(sent)])
    record = np.zeros(1, dtype=LINE)
    record["knots"], record["last_ns"] = len(line.times_ns), line.last_ns

    found = compiled()(record, line.times_ns, line.latencies_ns, sent, np.zeros_like(sent))

    assert found.tolist() == line.all_arrive_ns(sent).tolist()


def compiled(kept=[]):  # noqa: B006 - compiled once
    if not kept:
        from numba import njit

        from njord.venues.simulated.kernels.flight import curve_arrives_ns

        @njit
        def arrive(record, times, latencies, sent, found):
            for place in range(len(sent)):
                found[place] = curve_arrives_ns(record[0], times, latencies, sent[place])
            return found

        kept.append(arrive)
    return kept[0]


LINE = np.dtype([(name, "i8") for name in ("constant_ns", "first", "knots", "last_ns")], align=True)


def test_the_compiled_lines_layout_is_that_of_the_venue():
    from njord.venues.simulated.kernels import layout

    assert layout.LINE == LINE


@pytest.mark.parametrize(
    ("given", "order_ns", "response_ns", "feed_ns"),
    [
        ({}, 50_000_000, 50_000_000, 0),
        ({"latency_ms": 3}, 3_000_000, 3_000_000, 0),
        ({"latency_ms": 3, "order_latency_ms": 1}, 1_000_000, 3_000_000, 0),
        ({"response_latency_ms": 0, "feed_latency_ms": 0.25}, 50_000_000, 0, 250_000),
        ({"latency_ms": 9, "latency_curve": (LatencyKnot(0, 1, 2, 3),)}, 1, 2, 3),
    ],
)
def test_each_direction_has_its_own(given, order_ns, response_ns, feed_ns):
    chosen = VenueSettings(**given)
    lines = (chosen.order_line(), chosen.response_line(), chosen.feed_line())
    assert [line.arrives_ns(10**18) - 10**18 for line in lines] == [order_ns, response_ns, feed_ns]
    assert chosen.latency_ns == min(order_ns, response_ns)


NAME = InstrumentId("A/USD.X")
LISTED = Instrument(
    instrument_id=NAME, kind=InstrumentKind.SPOT, base="A", quote="USD", price_tick=Decimal("0.1"),
    quantity_lot=Decimal("0.01"),
)  # fmt: skip
# What happens at the level, with (kind, lots): the level grows, somebody cancels, somebody sells into it
FLOW = st.lists(st.tuples(st.sampled_from(["more", "less", "trade"]), st.integers(1, 9)), min_size=1, max_size=30)


def filled_at(flow, arrives, model):
    """Return when a bid of three lots that arrives after ``arrives`` events has filled how much."""
    chosen = VenueSettings(latency_ms=0, queue=QueueSettings(model=model))
    venue = SimulatedVenue({NAME: LISTED}, {NAME: {Kind.BOOK: None, Kind.TRADES: None}}, chosen)
    grid, level, found, reports = Grid.of(LISTED), 10, [], []
    matchers = {kind: venue.listening[kind][NAME] for kind in (BookUpdate, Trade)}
    matchers[BookUpdate].on_event(BookUpdate(NAME, 1, 1, 1, True, ((100, level),), ((110, 5),)))
    for step, (kind, lots) in enumerate([("more", 0), *flow], 2):
        if kind == "trade" and level:
            lots = min(lots, level)
            event = Trade(NAME, step, step, grid.price(100), 1.0, 100, lots, Aggressor.SELLER)
            matchers[Trade].on_event(event)
        reports += venue.reports_of(NAME)
        level = max(0, level + (lots if kind == "more" else -lots))
        matchers[BookUpdate].on_event(BookUpdate(NAME, step, step, step, False, ((100, level),), ()))
        reports += venue.reports_of(NAME)
        if step == arrives + 2:
            order = NewOrder(ClientOrderId("s-1"), StrategyId("s"), NAME, Side.BUY, OrderType.LIMIT, 3, 100)
            reports += venue.submit(order, step)
    total = 0
    for fill in reports:
        if isinstance(fill, Fill):
            total += fill.quantity_lots
            found += [fill.venue_time_ns] * fill.quantity_lots
    assert total == len(found) <= 3
    return found


@given(
    FLOW,
    st.integers(0, 10),
    st.integers(1, 10),
    st.sampled_from([QueueModel.RISK_AVERSE, QueueModel.TOUCH, QueueModel.CROSS]),
)
def test_who_joins_a_level_later_is_never_filled_earlier_and_never_more(flow, arrives, later, model):
    early, late = filled_at(flow, arrives, model), filled_at(flow, arrives + later, model)
    assert len(late) <= len(early)
    assert all(first <= second for first, second in zip(early, late, strict=False))


def test_being_first_is_worth_a_fill():
    flow = [("more", 9), ("trade", 9), ("trade", 6)]
    assert filled_at(flow, 0, QueueModel.RISK_AVERSE) == [5, 5, 5]  # Ten ahead, fifteen traded
    assert filled_at(flow, 1, QueueModel.RISK_AVERSE) == []  # Nineteen ahead


CONFIG = {
    "data": [{"instrument": "A/USD:USD.X", "kind": "book"}], "strategies": [{"name": "buy_and_hold"}],
    "account": {"currency": "USD", "cash": 1000},
}  # fmt: skip


def test_a_curve_from_a_file_is_part_of_the_config(tmp_path):
    (tmp_path / "fast.csv").write_text("time_ns,order_ns,response_ns,feed_ns\n1000,5,6,7\n2000, 8,9,10\n\n")
    (tmp_path / "slow.csv").write_text(HEADER + "1000,500,600\n")
    slow = {"latency_curve": str(tmp_path / "slow.csv")}
    document = {**CONFIG, "venue": {"latency_curve": "fast.csv"}, "venues": {"X": slow}}

    config = parse(document, "test", tmp_path)

    assert config.venue.latency_curve == (LatencyKnot(1_000, 5, 6, 7), LatencyKnot(2_000, 8, 9, 10))
    assert config.venues["X"].latency_curve == (LatencyKnot(1_000, 500, 600, 0),)
    assert document["venue"] == {"latency_curve": "fast.csv"}
    # What a manifest keeps of it needs no file
    kept = json.loads(msgspec.json.encode(msgspec.to_builtins(config, order="sorted")))
    for name in ("fast.csv", "slow.csv"):
        (tmp_path / name).unlink()
    assert restore(kept, "manifest.json") == config
    # And a curve can be written out in the config itself
    knots = [msgspec.to_builtins(knot) for knot in config.venue.latency_curve]
    assert parse({**CONFIG, "venue": {"latency_curve": knots}}).venue == config.venue


HEADER = "time_ns,order_ns,response_ns\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: the header must be time_ns,order_ns,response_ns[,feed_ns], was nothing"),
        ("time_ns,orders_ns,response_ns\n", "row 1: the header must be time_ns,order_ns,response_ns[,feed_ns], was"),
        (HEADER, "has no knots"),
        (HEADER + "1,2,3\n2,x,3\n", "row 3: order_ns must be a whole number, was 'x'"),
        (HEADER + "1,2,3\n2,1.5,3\n", "row 3: order_ns must be a whole number, was '1.5'"),
        (HEADER + "1,2\n", "row 2: must have 3 fields, has 2"),
        (HEADER + "1,2,3\n\n1,2,3\n", "row 3: time_ns must rise, was 1"),
        (HEADER + "1,2,-3\n", "row 2: response_ns must be from 0 to a minute, was -3"),
        (HEADER + "1,99000000000,3\n", "row 2: order_ns must be from 0 to a minute, was 99000000000"),
        (HEADER + "99999999999999999999,1,3\n", "row 2: time_ns must be nanoseconds of a moment"),
        (b"\xff\xfe\x00", "is no CSV"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line_that_names_the_file_and_the_row(tmp_path, text, said):
    path = tmp_path / "curve.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ConfigError) as caught:
        parse({**CONFIG, "venues": {"X": {"latency_curve": "curve.csv"}}}, "run.yaml", tmp_path)

    message = str(caught.value)
    assert message.startswith(f"run.yaml: venues.X.latency_curve: {path}")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("venue", "said"),
    [
        ({"queue": {"modle": "log"}}, "venue.queue.modle: no such field; did you mean 'model'?"),
        ({"queue": {"model": "log", "exponent": "3"}}, "venue.queue.exponent: must be a number, was text '3'"),
        ({"queue": {"model": "logg"}}, "venue.queue.model: invalid enum value 'logg'"),
        ({"order_latency_ms": "5"}, "venue.order_latency_ms: must be a number, was text '5'"),
        ({"latency_curve": [{"time_ns": 1, "order_n": 5}]}, "latency_curve[0].order_n: no such field; did you mean"),
        ({"latency_curve": [{"time_ns": 1, "order_ns": "5"}]}, "venue.latency_curve[0].order_ns: must be a number"),
        ({"latency_curve": "none.csv"}, "venue.latency_curve: none.csv: No such file or directory"),
    ],
)  # fmt: skip
def test_a_slip_in_a_config_names_its_field(venue, said):
    with pytest.raises(ConfigError) as caught:
        parse({**CONFIG, "venue": venue}, "run.yaml")
    assert f"run.yaml: {said}" in str(caught.value) or said in str(caught.value)


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        (
            {"latency_ms": 5, "response_latency_ms": 0},
            {
                "Order latency": ("5 ms", "neutral"), "Report latency": ("0 ms", "optimistic"),
                "Market data latency": ("0 ms", "optimistic"), "Place in the queue": ("risk_averse", "pessimistic"),
            },
        ),
        (
            {
                "latency_curve": tuple(LatencyKnot(at, at * 1_000_000, 0) for at in (1, 2, 3)),
                "queue": QueueSettings(model=QueueModel.POWER, exponent=2),
            },
            {
                "Order latency": ("a curve of 3 knots, 1 to 3 ms, median 2", "neutral"),
                "Report latency": ("a curve of 3 knots, 0 to 0 ms, median 0", "optimistic"),
                "Place in the queue": ("power, exponent 2", "neutral"),
            },
        ),
        ({"queue": QueueSettings(model=QueueModel.TOUCH)}, {"Place in the queue": ("touch", "optimistic")}),
        ({"queue": QueueSettings(model=QueueModel.EXACT)}, {"Place in the queue": ("exact", "neutral")}),
    ],
)  # fmt: skip
def test_a_report_says_what_was_assumed_and_which_way_it_bends(venue, expected):
    from njord.strategies.buy_and_hold import BuyAndHold

    market = Market(instruments(1), [book(0, 1, [(100, 1)], [(101, 1)], snapshot=True, sequence=1)])

    said = {
        each.name: (each.value, each.verdict)
        for each in assumptions(market.assembled(BuyAndHold(), {"X": VenueSettings(**venue)}))
    }

    for name, what in expected.items():
        assert said[name] == what
