"""The compiled venue does what the readable one does: on random markets, on contrived ones, on real data."""

import random
from decimal import Decimal

import pytest

pytest.importorskip("numba")

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_DAY, NS_PER_S, iso
from njord.domain.market import Kind
from njord.engine.assemble import assemble
from njord.engine.compiled import run_compiled
from njord.engine.config import AccountSpec, DataSpec, RunConfig, StrategySpec
from njord.market.catalog import Catalog, DatasetId
from njord.market.importers import import_files
from njord.venues.simulated.latency import LatencyKnot
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import (
    Fees,
    LimitFill,
    QueueSettings,
    SelfTrade,
    Slippage,
    SlippageModel,
    VenueSettings,
)

from .compare import equal, same, same_lives
from .scripted import ScriptedHeard, ScriptedWaking
from .tapes import book, both, both_directly, in_pieces, instruments, status, trade

START_NS = 20_000 * NS_PER_DAY - 60_000  # Days end while they trade
STEPS_NS = (0, 0, 0, 1, 40, 300, 300, 1_000, 2_500)


class Maker:
    """Random rows of one instrument that keep to a book of their own."""

    def __init__(self, dice, k, *, sequenced):
        self.dice, self.k, self.sequenced = dice, k, sequenced
        self.bids, self.asks = {}, {}
        self.sequence = 0
        self.halted = False
        self.mid = 100

    def next(self, t):
        dice = self.dice
        kind = dice.random()
        self.sequence += 1 + (dice.random() < 0.1)
        sequence = self.sequence if self.sequenced else 0
        if kind < 0.04:
            self.mid += dice.randint(-3, 3)
            self.bids = {self.mid - n: dice.randint(0, 9) for n in dice.sample(range(1, 7), dice.randint(0, 4))}
            self.asks = {self.mid + n: dice.randint(0, 9) for n in dice.sample(range(1, 7), dice.randint(0, 4))}
            return book(self.k, t, self.bids.items(), self.asks.items(), snapshot=True, sequence=sequence)
        if kind < 0.07:
            self.halted = not self.halted and dice.random() < 0.6
            return status(self.k, t, self.halted)
        if kind < 0.35:
            best = {1: max(self.bids, default=self.mid), -1: min(self.asks, default=self.mid)}
            sign = dice.choice((1, -1))
            price = best[sign] + dice.choice((0, 0, 0, -1, 1, -2, 2))
            return trade(self.k, t, price, dice.randint(1, 9), dice.choice((-sign, -sign, 0, sign)))
        changes = ({}, {})
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            side = dice.choice((0, 1))
            away = dice.choice((1, 1, 1, 2, 2, 3, 4, 5, 0, -1) if dice.random() < 0.2 else (1, 1, 2, 3, 4))
            price = self.mid + (away if side else -away)
            changes[side][price] = dice.choice((0, 0, dice.randint(1, 12), dice.randint(1, 12)))
        for mine, changed in zip((self.bids, self.asks), changes, strict=True):
            mine.update(changed)
            for price in [price for price, lots in mine.items() if not lots]:
                del mine[price]
        return book(self.k, t, changes[0].items(), changes[1].items(), sequence=sequence)


def market(seed, count, listed):
    """Return random rows of some instruments in time order; each of them has a snapshot, most of them early."""
    dice = random.Random(seed)
    sequenced = dice.random() < 0.8
    makers = [Maker(dice, k, sequenced=sequenced) for k in range(listed)]
    t, rows = START_NS, []
    for k, maker in enumerate(makers):
        maker.sequence += 1
        maker.bids, maker.asks = {98: 4, 97: 6}, {102: 3, 103: 8}
        begins = book(k, t, maker.bids.items(), maker.asks.items(), snapshot=True, sequence=maker.sequence)
        rows.append(begins)
        t += dice.choice(STEPS_NS)
    for _ in range(count):
        t += dice.choice(STEPS_NS)
        rows.append(dice.choice(makers).next(t))
    return rows


LATENCIES_NS = st.sampled_from([0, 0, 1, 300, 1_000, 7_000])
KNOTS = st.lists(
    st.tuples(st.integers(0, 80_000), *(st.sampled_from([0, 10, 300, 5_000, 20_000]) for _ in range(3))),
    min_size=1, max_size=4, unique_by=lambda knot: knot[0],
)  # fmt: skip


@st.composite
def venue_settings(draw, *, instant_feed=None):
    """Return any settings of a venue."""
    curve = ()
    if draw(st.integers(0, 3)) == 0:
        curve = tuple(LatencyKnot(START_NS + at, *latencies) for at, *latencies in sorted(draw(KNOTS)))
    feed_ns = 0 if draw(st.booleans()) else draw(LATENCIES_NS)
    slippage = draw(st.sampled_from(SlippageModel))
    return VenueSettings(
        fees=Fees(maker=Decimal("-0.0001"), taker=Decimal("0.0005")),
        order_latency_ms=draw(LATENCIES_NS) / 1e6, response_latency_ms=draw(LATENCIES_NS) / 1e6,
        feed_latency_ms=feed_ns / 1e6, latency_curve=curve,
        queue=QueueSettings(model=draw(st.sampled_from(QueueModel)), exponent=draw(st.sampled_from([0.5, 1.0, 3.0]))),
        limit_fill=draw(st.sampled_from([LimitFill.CROSS, LimitFill.CROSS, LimitFill.TOUCH])),
        slippage=Slippage(model=slippage, coefficient=0.02 if slippage is not SlippageModel.NONE else 0.0),
        self_trade=draw(st.sampled_from(SelfTrade)), open_orders_max=draw(st.sampled_from([2, 5, 10_000])),
    )  # fmt: skip


RULES = st.sampled_from([{}, {}, {"quantity_min": Decimal("0.03")}, {"notional_min": Decimal("0.45")}])
STRATEGIES = st.builds(
    lambda waking, **params: lambda: (ScriptedWaking if waking else ScriptedHeard)(**params),
    waking=st.booleans(), seed=st.integers(1, 10**6), busy=st.sampled_from([15, 60, 100]),
    lots_max=st.sampled_from([1, 4, 12]), reach=st.sampled_from([1, 3, 5]), quotes=st.booleans(),
    every_ms=st.sampled_from([0.0, 0.0, 0.000_3, 0.001, 0.01]),
)  # fmt: skip


@pytest.mark.slow
@hypothesis_settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_market_any_settings_any_orders(data):
    count, venues = data.draw(st.sampled_from([1, 1, 2, 3])), data.draw(st.sampled_from([1, 1, 2]))
    listed = instruments(count, venues, **data.draw(RULES))
    settings = {name: data.draw(venue_settings()) for name in sorted({each.venue for each in listed})}
    rows = market(data.draw(st.integers(0, 10**9)), data.draw(st.integers(1, 150)), count)

    same(*both(listed, rows, data.draw(STRATEGIES), settings))


@pytest.mark.slow
@hypothesis_settings(max_examples=60, deadline=None)
@given(st.data())
def test_rows_in_any_order_within_a_moment_and_any_pieces(data):
    listed = instruments(data.draw(st.sampled_from([1, 2])))
    settings = {"X": data.draw(venue_settings())}
    rows = market(data.draw(st.integers(0, 10**9)), data.draw(st.integers(1, 120)), len(listed))
    if data.draw(st.booleans()):  # Some come twice, late
        rows = [each for row in rows for each in ((row, row) if row.t % 7 == 0 else (row,))]
    make = data.draw(STRATEGIES)

    plain, whole = both_directly(listed, rows, make, settings)

    assert not plain.backtest.stopped, plain.backtest.stopped
    equal(whole.fills(), plain.backtest.fills)
    same_lives(plain, whole)
    for size in (1, 7):
        pieces = in_pieces(listed, rows, make(), settings, size)
        assert pieces.events == whole.events
        assert pieces.messages().tobytes() == whole.messages().tobytes()
        assert pieces.venue.world.views.tobytes() == whole.venue.world.views.tobytes()


@pytest.fixture(scope="module")
def binance(shared_data, tmp_path_factory):
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    file = shared_data / "market" / "binance_l2_20240808" / "usdm" / "btcusdt_20240808.gz"
    import_files(catalog, "binance-l2", [file], "BTC/USDT:USDT.BINANCE")
    return catalog


MAKER = {"busy": 3, "lots_max": 4, "reach": 4, "quotes": True}
REAL = [
    (VenueSettings(latency_ms=0), {"every_ms": 0.0, **MAKER}),
    (VenueSettings(latency_ms=5, queue=QueueSettings(model=QueueModel.LOG)), {"every_ms": 100.0, **MAKER}),
    (VenueSettings(latency_ms=2, feed_latency_ms=1), {"every_ms": 10.0, **MAKER}),
    (
        VenueSettings(latency_ms=2, queue=QueueSettings(model=QueueModel.TOUCH)),
        {"every_ms": 0.0, "busy": 100, "reach": 9},
    ),
]


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(("settings", "params"), REAL)
def test_on_real_data(binance, settings, params):
    name = "BTC/USDT:USDT.BINANCE"
    begins_ns = binance.dataset(DatasetId(name, Kind.BOOK)).first_ns
    end = iso(begins_ns + 100 * NS_PER_S if params["every_ms"] < 100 else begins_ns + NS_PER_DAY)
    data = [DataSpec(instrument=name, kind=kind, end=end) for kind in (Kind.BOOK, Kind.TRADES)]
    config = RunConfig(
        data=data, strategies=[StrategySpec(name="given")], venue=settings, risk="research",
        account=AccountSpec(currency="USDT", cash=Decimal(1_000_000)),
    )  # fmt: skip
    plain, fast = (assemble(config, binance, given=[("given", ScriptedHeard(**params))]) for _ in range(2))

    plain.run()
    run = run_compiled(fast, binance)

    same(plain, fast, run)
    assert len(plain.backtest.fills) > 20
