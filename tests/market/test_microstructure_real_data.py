"""Six minutes of a Bitcoin perpetual, 8 August 2024: what the measures say of a real book."""

import numpy as np
import pytest

from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.book import Book
from njord.market.book_history import updates
from njord.market.catalog import Catalog, DatasetId
from njord.market.importers import import_files
from njord.market.microstructure import (
    flow_in_windows,
    market_orders,
    order_flow_imbalance,
    price_impact,
    sign_autocorrelation,
    spread_over_time,
    volatility,
)
from njord.strategies.market_making.calibration import fit_orders

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

NAME = InstrumentId("BTC/USDT:USDT.BINANCE")
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def quotes_and_orders(shared_data, tmp_path_factory):
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    import_files(catalog, "binance-l2", [shared_data / "market/binance_l2_20240808/usdm/btcusdt_20240808.gz"], NAME)
    book, rows = Book(NAME), []
    for update in updates(NAME, catalog.read(DatasetId(NAME, Kind.BOOK))):
        book.apply(update)
        (bid, bid_lots), (ask, ask_lots) = book.best_bid(), book.best_ask()
        rows.append((update.venue_time_ns, bid, ask, bid_lots, ask_lots))
    chunks = list(catalog.read(DatasetId(NAME, Kind.TRADES)))
    names = ("venue_time_ns", "price_ticks", "quantity_lots", "aggressor")
    trades = [np.concatenate([chunk[name] for chunk in chunks]) for name in names]
    quotes = np.array(rows).T
    return quotes, market_orders(*trades, *quotes[:3]), len(trades[0])


def test_trades_are_of_fewer_market_orders(quotes_and_orders):
    _, orders, trades = quotes_and_orders

    assert (trades, len(orders)) == (21_313, 5_432)
    assert orders.touch.min() == 0.5
    # The book is told every 100 ms or so, in which the mid may move past a trade
    assert (orders.depth < orders.touch).mean() < 0.07


def test_spread_is_a_tick_nearly_always(quotes_and_orders):
    (time_ns, bid, ask, _, _), _, _ = quotes_and_orders

    found = spread_over_time(time_ns, bid, ask)

    assert found.lowest == found.quantiles[0.95] == 1
    assert found.mean == pytest.approx(1.204, abs=0.001)


def test_flow_explains_as_much_as_it_does_for_stocks(quotes_and_orders):
    (time_ns, bid, ask, bid_lots, ask_lots), _, _ = quotes_and_orders
    flow = order_flow_imbalance(bid, ask, bid_lots, ask_lots)

    found = {
        seconds: price_impact(*flow_in_windows(time_ns, flow, (bid + ask) / 2, seconds * SECOND)) for seconds in (5, 10)
    }

    # Cont, Kukanov and Stoikov: 65 % on average for 50 US stocks in windows of ten seconds
    for each in found.values():
        assert 0.5 < each.r_squared < 0.8
        assert each.slopes[0] > 4 * each.slopes_se[0]
    assert found[5].r_squared == pytest.approx(0.577, abs=0.001)
    assert found[5].slopes[0] == pytest.approx(found[10].slopes[0], rel=0.05)


def test_buyers_follow_buyers(quotes_and_orders):
    _, orders, _ = quotes_and_orders

    assert sign_autocorrelation(orders.side, 10).min() > 3 / np.sqrt(len(orders))


def test_each_side_has_an_intensity(quotes_and_orders):
    (time_ns, bid, ask, _, _), orders, _ = quotes_and_orders
    stood = ((ask - bid)[:-1] / 2, np.diff(time_ns) / SECOND)

    for side in (1, -1):
        mine = orders.of(side)
        found = fit_orders(mine.depth, float(stood[1].sum()), touch=mine.touch, depth_max=20, tick=1.0, stood=stood)

        assert 0.05 < found.decay < 0.5
        assert found.decay_se < 0.05 * found.decay
        assert found.intensity_se < 0.05 * found.intensity
        # At the touch nearly all the time: the fit gives back the rate that was seen there
        assert found.at(0.5) == pytest.approx(found.touch_rate, rel=0.05)


def test_volatility_does_not_depend_much_on_the_interval(quotes_and_orders):
    (time_ns, bid, ask, _, _), _, _ = quotes_and_orders

    found = [volatility(time_ns, (bid + ask) / 2, int(seconds * SECOND)) for seconds in (0.1, 1, 5, 10)]

    assert max(found) < 1.25 * min(found)
    assert min(found) > 60
