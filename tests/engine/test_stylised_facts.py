"""Does the crowd make what real markets show? Signs and rough sizes; the benchmark of this name has the figures."""

import collections

import msgspec
import numpy as np
import pytest

from njord.domain.clock import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, time_ns
from njord.domain.market import Quote, Trade
from njord.engine.marketplace import Marketplace
from njord.engine.simulation.past import lived
from njord.market.microstructure import market_orders, sign_autocorrelation
from njord.market.synthetic.listing import default_universe

pytestmark = pytest.mark.slow

NAMES = ("BRAGE.SIM", "EIR.SIM", "SURTR.SIM", "DRAUPNIR/USD.SIM", "EMBLA/USD.SIM", "ASKR/USD.SIM")
MINUTES = 40


@pytest.fixture(scope="module")
def tapes():
    """Market orders and the mid before each, of every instrument."""
    start_ns = time_ns("2026-01-05")
    universe = default_universe(start_ns)
    kept = tuple(each for each in universe.listings if each.instrument.instrument_id in NAMES)
    market = Marketplace(msgspec.structs.replace(universe, listings=kept), 17)
    trades, quotes = collections.defaultdict(list), collections.defaultdict(list)
    for second in range(1, MINUTES * 60 + 1):
        for event in market.advance(start_ns + second * NS_PER_S):
            if type(event) is Trade and event.aggressor:
                row = (event.venue_time_ns, event.price_ticks, event.quantity_lots, int(event.aggressor))
                trades[event.instrument_id].append(row)
            elif type(event) is Quote and event.bid_lots and event.ask_lots:
                quotes[event.instrument_id].append((event.venue_time_ns, event.bid_ticks, event.ask_ticks))
    found = []
    for name in NAMES:
        quote = np.array(quotes[name]).T
        orders = market_orders(*np.array(trades[name]).T, *quote)
        place = np.searchsorted(quote[0], orders.time_ns, side="left") - 1
        found.append((orders, (quote[1] + quote[2])[place] / 2))
    return found


def median(values):
    return float(np.median(list(values)))


def returns(mid):
    return np.diff(np.log(mid[::10]))


def correlation(series, lag):
    return np.corrcoef(series[:-lag], series[lag:])[0, 1]


def test_returns_have_fat_tails(tapes):
    moves = [returns(mid) for _, mid in tapes]

    assert median(((m - m.mean()) ** 4).mean() / m.var() ** 2 for m in moves) > 4


def test_returns_cannot_be_foretold_from_returns(tapes):
    moves = [returns(mid) for _, mid in tapes]

    assert abs(median(correlation(m, 1) for m in moves)) < 0.2
    for lag in (3, 5, 10):
        assert abs(median(correlation(m, lag) for m in moves)) < 0.08


def test_volatility_comes_in_clusters_as_long_as_real_ones():
    """By minute over a day: within the middle 90 % of days of Bitcoin, Ether and Solana perpetuals in May 2025."""
    start_ns = time_ns("2026-01-05")
    _, bars = lived(default_universe(start_ns), 17, start_ns + NS_PER_DAY, (NS_PER_MINUTE,))
    closes = collections.defaultdict(list)
    for bar in bars:
        closes[bar.instrument_id].append(bar.close)
    sizes = [np.abs(np.diff(np.log(closes[name]))) for name in NAMES]

    for lag, low, high in ((1, 0.08, 0.31), (5, 0.05, 0.25), (20, 0.03, 0.18)):
        assert low < median(correlation(size, lag) for size in sizes) < high


def test_signs_of_trades_remember(tapes):
    found = np.median([sign_autocorrelation(orders.side, 20) for orders, _ in tapes], axis=0)
    near, far = found[0], found[10:].mean()

    assert 0.15 < near < 0.5
    assert 0.02 < far < near / 2


def test_buying_moves_the_price_up_less_than_in_proportion(tapes):
    slopes = []
    for orders, mid in tapes:
        marks = np.arange(len(mid) // 10) * 10
        flow = np.add.reduceat(orders.side * orders.quantity, marks)[:-1]
        move = np.diff(np.log(mid[marks])) * np.sign(flow)
        order = np.argsort(np.abs(flow))
        few, many = np.array_split(order, 2)
        assert move[many].mean() > 0
        assert move.mean() > 0
        slopes.append(np.log(move[many].mean() / move[few].mean()) / np.log(
            np.abs(flow[many]).mean() / np.abs(flow[few]).mean()))  # fmt: skip
    assert 0.2 < median(slopes) < 1.0
