"""Real markets through the whole engine: imported as a user would, run, and what must hold of any run held."""

from decimal import Decimal

import pytest

from njord.domain.clock import NS_PER_DAY, time_ns
from njord.domain.fill import FillReason
from njord.domain.money import units
from njord.engine.config import parse
from njord.market.catalog import Catalog
from njord.market.importers import ImportOptions, import_files
from njord.research.run import run

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path / "catalog")


def bring(catalog, form, files, instrument, **options):
    report = import_files(catalog, form, files, instrument, ImportOptions(**options))
    assert report.rejected_count == 0
    return report


def play(catalog, data, strategies, **more):
    document = {
        "data": data,
        "strategies": strategies,
        "account": {"currency": more.pop("currency", "USD"), "cash": more.pop("cash", 1_000_000)},
        "venue": {"fees": {"maker": 0.0002, "taker": 0.001}, **more.pop("venue", {})},
        "risk": "market_making",
        **more,
    }
    result = run(parse(document), catalog)
    hold(result)
    return result


def hold(result):
    """What must be so after any run: money conserved to the unit, lots that sum to positions, fills that add up."""
    state = result.assembly.backtest.state
    portfolio, last = state.portfolio, state.last_ticks()
    currency = portfolio.currency
    gained = portfolio.realised.get(currency, 0) + portfolio.unrealised(last).get(currency, 0)
    gained += (
        portfolio.funding.get(currency, 0) + portfolio.dividends.get(currency, 0) - portfolio.fees.get(currency, 0)
    )
    assert state.equity_units() - portfolio.capital[currency] == gained
    for name, lots in portfolio.lots.items():
        assert lots == sum(h.lots for h in portfolio.holdings.values() if h.instrument_id == name)
    filled = {}
    for fill in result.assembly.backtest.fills:
        sign = 1 if fill.side == "buy" else -1
        filled[fill.instrument_id] = filled.get(fill.instrument_id, 0) + sign * fill.quantity_lots
    if not any(each.kind == "equity" for each in result.assembly.instruments.values()):
        assert filled == {name: lots for name, lots in portfolio.lots.items() if name in filled}
    assert result.document()["stopped"] == {}


def test_nine_years_of_kraken_hours_holes_and_all(catalog, shared_data):
    file = shared_data / "market/kraken_ohlcvt/XBTUSD_60.csv.gz"
    assert bring(catalog, "kraken-ohlcvt", [file], "BTC/USD.KRAKEN").rows == 70_253
    result = play(
        catalog,
        [{"instrument": "BTC/USD.KRAKEN", "interval": "1h"}],
        [{"name": "ema_cross", "params": {"fast": 24, "slow": 240, "quantity": 1}}, {"name": "trendline_break"}],
    )
    assert result.document()["events"] == 70_253
    assert result.document()["fills"] > 500
    assert any("of the time has no data" in warning for warning in result.warnings)


def test_three_perpetuals_and_their_funding(catalog, shared_data):
    folder = shared_data / "market/binance_perp_2025"
    names = {coin: f"{coin}/USDT:USDT.BINANCE" for coin in ("BTC", "ETH", "SOL")}
    for coin, name in names.items():
        bring(catalog, "candles", [folder / f"{coin}_USDT_USDT-1m-futures.feather"], name, columns={"ts": "date"})
        bring(
            catalog, "funding", [folder / f"{coin}_USDT_USDT-8h-funding_rate.feather"], name, columns={"rate": "open"}
        )
    result = play(
        catalog,
        [{"instrument": name, "interval": "1m"} for name in names.values()],
        [{"name": "buy_and_hold", "params": {"quantity": 1}}],
        currency="USDT",
    )
    bars, fundings = 43_199 + 60_191 + 43_200, result.document()["events"] - (43_199 + 60_191 + 43_200)
    assert result.document()["events"] == bars + fundings
    assert 250 < fundings < 320
    assert result.funding < 0  # Longs paid over those weeks

    # The funding of the BTC position, by hand: rate times the last price, once each payment
    state = result.assembly.backtest.state
    assert state.portfolio.lots[names["BTC"]] == state.grids[names["BTC"]].lots("1")


def test_bid_and_ask_minutes_and_ticks_of_oanda(catalog, shared_data):
    folder = shared_data / "market/lean/forex/oanda"
    minutes = sorted((folder / "minute/eurusd").glob("*_quote.zip"))
    ticks = sorted((folder / "tick/eurusd").glob("*.zip"))
    bring(catalog, "lean", minutes, "EUR/USD.OANDA")
    bring(catalog, "lean", ticks, "EUR/USD.OANDA")
    strategy = [{"name": "ema_cross", "params": {"fast": 30, "slow": 120, "quantity": 10_000, "short": True}}]
    result = play(catalog, [{"instrument": "EUR/USD.OANDA", "kind": "quote_bars", "interval": "1m"}], strategy)
    fills = result.assembly.backtest.fills
    assert len(fills) > 100
    grid = result.assembly.backtest.state.grids["EUR/USD.OANDA"]
    chunks = list(catalog.read(result.assembly.ranges[0].dataset_id))
    opens = {}
    for chunk in chunks:
        for start, bid, ask in zip(
            *(chunk[n].tolist() for n in ("start_ns", "bid_open_ticks", "ask_open_ticks")), strict=True
        ):
            opens[start + 60 * 10**9] = (bid, ask)
    for fill in fills:
        bid, ask = opens[int(fill.causation_id.rpartition(":")[2])]
        assert fill.price_ticks == (ask if fill.side == "buy" else bid)
    assert grid.price(1) == pytest.approx(0.00001)

    maker = [
        {
            "name": "grid_maker",
            "params": {"step": 0.0002, "levels": 2, "quantity": 1_000, "position_max": 10_000, "short": True},
        }
    ]
    result = play(catalog, [{"instrument": "EUR/USD.OANDA", "kind": "quotes"}], maker)
    assert result.document()["events"] == 118_384
    assert {fill.reason for fill in result.assembly.backtest.fills} == {FillReason.QUOTE_THROUGH}


def test_apple_across_its_split(catalog, shared_data):
    bring(catalog, "lean", [shared_data / "market/lean/equity/usa/daily/aapl.zip"], "AAPL.NASDAQ")
    data = [{"instrument": "AAPL.NASDAQ", "interval": "1d", "from": "2014-05-01", "to": "2014-08-15"}]
    result = play(catalog, data, [{"name": "buy_and_hold", "params": {"quantity": 100}}], cash=100_000)
    state = result.assembly.backtest.state
    assert state.portfolio.lots["AAPL.NASDAQ"] == 700
    # Dividends of 3.29 on 100 shares in May and 0.47 on 700 in August, as published
    assert state.portfolio.dividends["USD"] == units(Decimal("3.29") * 100 + Decimal("0.47") * 700)
    assert result.stats["max_drawdown"] > -0.1
    split_ns = time_ns("2014-06-09")
    around = abs(result.times_ns - split_ns) < 5 * NS_PER_DAY
    assert result.equity_values[around].max() / result.equity_values[around].min() < 1.1


@pytest.mark.parametrize("kind", ["book", "quotes"])
def test_the_binance_tape(catalog, shared_data, kind):
    name = "BTC/USDT:USDT.BINANCE"
    bring(catalog, "binance-l2", sorted((shared_data / "market/binance_l2_20240808/usdm").glob("btc*.gz")), name)
    maker = {"step": 0.00005, "levels": 3, "quantity": 0.01, "position_max": 0.1, "short": True}
    result = play(
        catalog,
        [{"instrument": name, "kind": kind}, {"instrument": name, "kind": "trades"}],
        [{"name": "grid_maker", "params": maker}, {"name": "buy_and_hold", "params": {"quantity": 0.5}}],
        currency="USDT",
        venue={"latency_ms": 5},
    )
    reasons = {fill.reason for fill in result.assembly.backtest.fills}
    assert reasons >= {FillReason.TRADE_THROUGH, FillReason.QUOTE_THROUGH}
    assert len(result.assembly.backtest.fills) > 100
    assert result.assembly.quarantined
    assert sum(each.count for each in result.assembly.quarantined.values()) == 0
    assert result.assembly.backtest.state.suppressed == 0
    assert len({fill.fill_id for fill in result.assembly.backtest.fills}) == len(result.assembly.backtest.fills)
