"""Orders of a market maker: when each rested is worked out from commands alone, and agrees with what the venue said."""

import json
from decimal import Decimal

import numpy as np
import pytest

from njord.domain.event import OrderAccepted, OrderCancelled
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.engine.config import parse
from njord.market.catalog import Catalog, DatasetId
from njord.research.making import fill_chances, fill_ratios, inventories, product_limit
from njord.research.making_tops import Tops
from njord.research.run import run
from njord.research.uptime import Life, Lives, uptimes
from njord.strategies.port import Strategy

NAME = "SYN/USD.SIM"
S = 1_000_000_000
SYN = Instrument(
    instrument_id=NAME, kind=InstrumentKind.SPOT, base="SYN", quote="USD", price_tick=Decimal("0.01"),
    quantity_lot=Decimal("0.001"),
)  # fmt: skip


def tops(*rows, end_s):
    times, bids, asks = zip(*rows, strict=True)
    ones = np.ones(len(times), dtype=np.int64)
    whole = [np.array(each, dtype=np.int64) for each in (bids, asks)]
    return Tops(Kind.BOOK, np.array(times, dtype=np.int64) * S, *whole, ones, ones, end_s * S)


def life(side, ticks, start_s, end_s=None, filled_s=None):
    ends, first = (None if each is None else each * S for each in (end_s, filled_s))
    return Life("o", NAME, side, ticks, 10, start_s * S, ends, first, 10 if filled_s is not None else 0)


def test_uptime_by_hand():
    # Bids at 99 for 0-4 s and 2-6 s, an offer at 102 from 5 s on; the touch moves away from the bids at 3 s
    prices = tops((0, 99, 101), (3, 101, 102), end_s=10)
    found = Lives([life(1, 99, 0, 4), life(1, 99, 2, 6), life(-1, 102, 5)], 0)
    (one,) = uptimes(found, {NAME: prices})
    assert (one.bid, one.ask, one.both) == (0.6, 0.5, 0.1)
    assert one.near[0] == (0.3, 0.5, 0.0)
    assert one.near[1] == (0.3, 0.5, 0.0)
    assert one.near[5] == (0.6, 0.5, 0.1)
    assert uptimes(Lives([], 0), {NAME: prices}) == []


def test_product_limit_of_a_published_sample():
    # Remission of leukaemia under 6-MP (Freireich and others 1963), as in the textbooks: S(6) = 0.857, S(23) = 0.448
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    waits = np.array([*ended, *censored], dtype=float)
    times, chance, error = product_limit(waits, np.arange(len(waits)) < len(ended))
    survives = dict(zip(times.tolist(), (1 - chance).tolist(), strict=True))
    assert survives == pytest.approx(
        {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}, abs=6e-4
    )
    assert error[0] == pytest.approx(0.0764, abs=1e-4)
    assert error[-1] == pytest.approx(0.1346, abs=1e-4)


def test_a_constant_rate_of_fills_is_calibrated_and_another_is_not():
    rng = np.random.default_rng(6)
    prices = tops((0, 1_000, 1_001), end_s=10**7)
    lives = []
    for _ in range(4_000):
        distance = int(rng.integers(0, 4))
        waits, quits = rng.exponential(20 * 2**distance), rng.exponential(60)
        start = int(rng.integers(0, 10**6))
        done = int((start + min(waits, quits)) * S)
        lives.append(
            Life("o", NAME, 1, 1_000 - distance, 5, start * S, done, done if waits < quits else None, 0)
        )  # fmt: skip
    rows = fill_chances(Lives(lives, 0), {NAME: prices})
    assert {(row.distance_min_ticks, row.distance_max_ticks) for row in rows} == {(d, d) for d in range(4)}
    for row in rows:
        assert row.rate_per_s == pytest.approx(1 / (20 * 2**row.distance_min_ticks), rel=0.12)
        assert abs(row.predicted - row.realised) < 4 * max(row.realised_se, 0.01)
    (ratio,) = fill_ratios(Lives(lives, 0))
    assert ratio.orders == 4_000


class Both(Strategy):
    """A bid and an offer at the touch, every 200 updates anew; keeps what the venue reported."""

    def __init__(self, reports):
        self.reports = reports
        self.seen = 0

    def on_book(self, update, desk):
        self.seen += 1
        if self.seen % 200 == 1:
            desk.cancel_all(NAME)
            book = desk.book(NAME)
            bid, ask = book.best_bid(), book.best_ask()
            desk.buy(0.005, limit=bid[0] / 100, post_only=True)
            desk.sell(0.005, limit=ask[0] / 100, post_only=True)

    def on_order(self, report, desk):
        self.reports.append(report)

    def on_fill(self, fill, desk):
        self.reports.append(fill)


@pytest.mark.slow
@pytest.mark.parametrize("latency_ms", [0, 7])
def test_lives_are_what_the_venue_reported(tmp_path, latency_ms):
    from njord.market.synthetic.order_by_order import Flow, columns_of, generate

    tape = generate(np.random.default_rng(9), Flow(takers_per_s=60.0), 240.0)
    catalog = Catalog(tmp_path / "catalog")
    catalog.define(SYN)
    for kind in (Kind.BOOK, Kind.TRADES):
        catalog.write(DatasetId(NAME, kind), columns_of(tape, kind))
    reports = []
    document = {
        "data": [{"instrument": NAME, "kind": "book"}, {"instrument": NAME, "kind": "trades"}],
        "strategies": [{"name": "grid_maker"}],
        "account": {"currency": "USD", "cash": 1_000_000},
        "venue": {"latency_ms": latency_ms, "fees": {"maker": 0}},
        "risk": "market_making",
    }
    result = run(parse(json.loads(json.dumps(document))), catalog, given=[("both", Both(reports))])
    assert result.document()["stopped"] == {}
    began = {r.client_order_id: r.venue_time_ns for r in reports if isinstance(r, OrderAccepted)}
    ended = {r.client_order_id: r.venue_time_ns for r in reports if isinstance(r, OrderCancelled)}
    filled = {}
    for fill in result.assembly.backtest.fills:
        filled.setdefault(fill.client_order_id, []).append(fill)
    lives = {one.order_id: one for one in result.lives.lives}
    assert result.lives.unknown == 0
    assert len(lives) == len(result.lives.lives) > 500
    assert len(filled) > 30
    assert set(began) <= set(lives)
    for name, one in lives.items():
        if name in began:  # A fill can overtake the acknowledgement, which then nobody is told of
            assert one.start_ns == began[name]
        if name in ended:
            assert one.end_ns == ended[name]
        assert one.filled_lots == sum(fill.quantity_lots for fill in filled.get(name, []))
        if name in filled:
            assert one.first_fill_ns == filled[name][0].venue_time_ns
        if one.filled_lots == one.lots:
            assert one.end_ns == filled[name][-1].venue_time_ns
    (uptime,) = uptimes(result.lives, result.tops)
    assert 0.1 < uptime.both <= min(uptime.bid, uptime.ask) <= 1
    assert uptime.near[0][2] <= uptime.near[1][2] <= uptime.near[10][2] <= uptime.both
    (path,) = inventories(result.assembly.backtest.fills, result.tops)
    assert path.lots[-1] == result.assembly.backtest.state.portfolio.lots[NAME]
    page = result.report(tmp_path / "report.html").read_text()
    assert "Where the result came from" in page
    assert fill_chances(result.lives, result.tops)
