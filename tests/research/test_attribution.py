"""Where a result came from: parts that are the ledger's net result to the unit, whatever was traded and wherever."""

import json
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import BookUpdate, Funding, Kind
from njord.domain.money import UNITS, units
from njord.domain.order import Side
from njord.engine.config import parse
from njord.ledger.portfolio import Portfolio
from njord.market.book_history import updates
from njord.market.catalog import Catalog, DatasetId
from njord.market.importers import ImportOptions, import_files
from njord.research.attribution import LINES, attribute, value_units
from njord.research.making_tops import Tops, tops_of
from njord.research.report import Bound, Interval
from njord.research.run import run

PAIR = Instrument(
    instrument_id="BTC/USDT.SIM", kind=InstrumentKind.SPOT, base="BTC", quote="USDT", price_tick=Decimal("0.01"),
    quantity_lot=Decimal("0.00001"),
)  # fmt: skip
LINEAR = Instrument(
    instrument_id="BTC/USDT:USDT.SIM", kind=InstrumentKind.PERPETUAL, base="BTC", quote="USDT", underlier="BTC",
    price_tick=Decimal("0.1"), quantity_lot=Decimal("0.001"),
)  # fmt: skip
INVERSE = Instrument(
    instrument_id="BTC/USD:BTC.SIM", kind=InstrumentKind.PERPETUAL, base="BTC", quote="USD", underlier="BTC",
    price_tick=Decimal("0.1"), quantity_lot=Decimal(1), multiplier=Decimal(100), inverse=True,
)  # fmt: skip
# Finer than the money scale: every value is rounded
TINY = Instrument(
    instrument_id="PEPE/USDT:USDT.SIM", kind=InstrumentKind.PERPETUAL, base="PEPE", quote="USDT", underlier="PEPE",
    price_tick=Decimal("0.00000000003"), quantity_lot=Decimal("0.0000000007"),
)  # fmt: skip
ALL = {each.instrument_id: each for each in (PAIR, LINEAR, INVERSE, TINY)}


def made(instruments, moves, fundings=(), without=()):
    """Return an account that was traded through ``moves``, and the prices: a row a move, of each instrument."""
    portfolio = Portfolio("USDT", list(instruments.values()))
    portfolio.deposit(units(1_000_000), "USDT", 0)
    fills, closed, rows, paid = [], [], {name: [] for name in instruments}, {}
    for number, (name, bid, spread, lots, away, fee, maker, whose) in enumerate(moves):
        rows[name].append((number * 10, bid, bid + spread))
        if lots:
            side = Side.BUY if lots > 0 else Side.SELL
            fill = Fill(
                f"f-{number}", f"maker{whose}-{number}", name, side, max(1, bid + away), abs(lots), fee,
                instruments[name].settlement, Liquidity.MAKER if maker else Liquidity.TAKER,
                FillReason.TRADE_AT_LIMIT, "t", number * 10 + 5, number * 10 + 5,
            )  # fmt: skip
            fills.append(fill)
            closed += portfolio.fill(fill, f"maker{whose}")[1]
    for name, rate, mark in fundings:
        before = dict(portfolio.funding)
        portfolio.fund(Funding(name, 10**6, 10**6, rate), mark)
        asset = instruments[name].settlement
        theirs = paid.setdefault(name, {"funding": 0})
        theirs["funding"] += portfolio.funding.get(asset, 0) - before.get(asset, 0)
    tops = {
        name: Tops(Kind.BOOK, *(np.array(c, dtype=np.int64) for c in zip(*found, strict=True)),
                   *(np.ones(len(found), dtype=np.int64),) * 2, 10**6)
        for name, found in rows.items() if found and name not in without
    }  # fmt: skip
    last = {name: round((found[-1][1] + found[-1][2]) / 2) for name, found in rows.items() if found}
    grids = {name: Grid.of(each) for name, each in instruments.items()}
    state = SimpleNamespace(portfolio=portfolio, grids=grids, closed=closed, last_ticks=lambda: last)
    assembly = SimpleNamespace(backtest=SimpleNamespace(state=state, fills=fills), instruments=instruments)
    return assembly, tops, paid, last


def move(name, bid, lots, away, fee=0, *, spread=2, maker=True, whose=1):
    return (name, bid, spread, lots, away, fee, maker, whose)


def test_a_round_trip_by_hand():
    # Bought 2 at 99.9 under a mid of 100.0, sold them at 100.4 above one of 100.2, which ends at 100.3: in ticks of 0.1
    name = LINEAR.instrument_id
    moves = [
        move(name, 999, 2_000, 0, units("0.02")), move(name, 1_001, -2_000, 3, units("-0.01"), maker=False),
        move(name, 1_002, 0, 0),
    ]  # fmt: skip
    parts = attribute(*made({name: LINEAR}, moves)[:3])
    found = {line: Decimal(getattr(parts.lines, line)) / UNITS for line in LINES if getattr(parts.lines, line)}
    assert found == {
        "capture_maker": Decimal("0.2"), "capture_taker": Decimal("0.4"), "inventory": Decimal("0.4"),
        "fees": Decimal("-0.02"), "rebates": Decimal("0.01"),
    }  # fmt: skip
    assert parts.net_units == units("0.99")
    assert parts.reconciles
    told = parts.document()
    assert sum(Decimal(text) for text in told["lines_exact"].values()) == Decimal(told["net_pnl_exact"])
    assert told["by_instrument"][0]["mids"] == "book"


def test_what_is_left_is_marked_on_a_tick():
    name = LINEAR.instrument_id
    parts = attribute(*made({name: LINEAR}, [move(name, 999, 1_000, 0, spread=1)])[:3])
    # The mid is 999.5 and the ledger marks at 1,000
    assert (parts.lines.capture_maker, parts.lines.mark) == (units("0.05"), units("0.05"))
    assert parts.net_units == units("0.1")
    assert parts.reconciles


MOVE = st.tuples(
    st.sampled_from(sorted(ALL)), st.integers(500_000, 500_200), st.integers(1, 5), st.integers(-40, 40),
    st.integers(-3, 8), st.integers(-(10**15), 10**15), st.booleans(), st.integers(1, 2),
)  # fmt: skip
FUNDING = st.tuples(
    st.sampled_from([LINEAR.instrument_id, INVERSE.instrument_id, TINY.instrument_id]),
    st.integers(-(10**9), 10**9), st.integers(500_000, 500_200),
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(
    moves=st.lists(MOVE, min_size=1, max_size=40), fundings=st.lists(FUNDING, max_size=3),
    without=st.sets(st.sampled_from(sorted(ALL)), max_size=2),
)  # fmt: skip
def test_any_fills_of_any_instruments_reconcile(moves, fundings, without):
    # The pair leads from bitcoin to the account's currency, so it has a price first
    moves = [move(PAIR.instrument_id, 500_000, 0, 0), *moves]
    assembly, tops, paid, last = made(ALL, moves, fundings, without)

    parts = attribute(assembly, tops, paid)

    assert set(parts.unexplained_units.values()) <= {0}
    assert parts.net_units == assembly.backtest.state.portfolio.equity(last) - units(1_000_000)
    assert parts.lines.total + parts.conversion == parts.net_units
    assert parts.reconciles
    # Each line is converted at a price of 5,000 and rounded down; so is their sum
    assert abs(parts.conversion) <= 5_001 * len(LINES) * len(parts.by_instrument)
    if not any(fill.instrument_id == INVERSE.instrument_id for fill in assembly.backtest.fills) and not fundings:
        assert parts.conversion == 0
    for row in parts.by_instrument:
        fills = [fill for fill in assembly.backtest.fills if fill.instrument_id == row.instrument_id]
        assert row.fills == len(fills)
        if row.mids is not None:
            assert abs(row.lines.capture_maker + row.lines.capture_taker - captured(fills, ALL, tops)) <= 3 * len(fills)


def captured(fills, instruments, tops):
    """The same by the textbook: the sum of d (m - p) x size, in fractions."""
    total = Fraction(0)
    for fill in fills:
        grid, top = Grid.of(instruments[fill.instrument_id]), tops[fill.instrument_id]
        row = np.searchsorted(top.time_ns, fill.venue_time_ns) - 1
        mid = Fraction(int(top.bid_ticks[row] + top.ask_ticks[row]), 2)
        unit = Fraction(grid.value_numerator, grid.value_denominator)
        sign = fill.side.sign * fill.quantity_lots
        if grid.inverse:
            total += sign * unit * (Fraction(1, fill.price_ticks) - 1 / mid)
        else:
            total += sign * unit * (mid - fill.price_ticks)
    return total


@pytest.mark.parametrize("instrument", ALL.values(), ids=lambda each: each.instrument_id)
def test_value_at_half_a_tick_is_the_ledgers_at_whole_ones(instrument):
    grid = Grid.of(instrument)
    for lots in (-7, -1, 1, 3, 1_000):
        assert value_units(grid, 2 * 50_001, lots) == grid.value_units(50_001, lots)
        low, high = sorted((grid.value_units(50_001, lots), grid.value_units(50_002, lots)))
        assert low - 1 <= value_units(grid, 100_003, lots) <= high + 1


def synthetic(tmp_path, instrument, seconds):
    from njord.market.synthetic.order_by_order import Flow, columns_of, generate

    tape = generate(np.random.default_rng(5), Flow(), seconds)
    catalog = Catalog(tmp_path / "catalog")
    catalog.define(instrument)
    for kind in (Kind.BOOK, Kind.TRADES):
        catalog.write(DatasetId(instrument.instrument_id, kind), columns_of(tape, kind))
    return catalog, tape


def maker_run(catalog, names, params=None, currency="USDT", **more):
    document = {
        "data": [{"instrument": n, "kind": kind} for n in names for kind in more.pop("kinds", ("book", "trades"))],
        "strategies": [{"name": "grid_maker", "params": params or {}}],
        "account": {"currency": currency, "cash": 1_000_000},
        "venue": {"fees": {"maker": -0.00001, "taker": 0.0005}, **more.pop("venue", {})},
        "risk": "market_making",
        **more,
    }
    return run(parse(document), catalog)


@pytest.mark.slow
def test_the_best_prices_are_those_of_the_book(tmp_path, monkeypatch):
    catalog, _ = synthetic(tmp_path, PAIR, 40.0)
    maker = {"step": 0.0000015, "levels": 2, "quantity": 0.00005, "position_max": 0.001}
    result = maker_run(catalog, [PAIR.instrument_id], maker)
    fast = tops_of(result.assembly, catalog)[PAIR.instrument_id]
    monkeypatch.setattr("njord.research.making_tops.CELLS_MAX", 10)
    slow = tops_of(result.assembly, catalog)[PAIR.instrument_id]
    for name in ("time_ns", "bid_ticks", "ask_ticks", "bid_lots", "ask_lots"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name)), name
    assert len(fast.time_ns) > 2_000
    assert fast.end_ns == slow.end_ns


def test_a_snapshot_replaces_the_ladder(tmp_path):
    catalog = Catalog(tmp_path / "catalog")
    catalog.define(PAIR)
    # Two snapshots, the second far away; a crossed and a one-sided moment between them
    rows = [
        (1, 1, 1, 1, 100, 5), (1, 1, 1, -1, 102, 5), (2, 2, 0, 1, 101, 3), (3, 3, 0, 1, 103, 1), (4, 4, 0, 1, 103, 0),
        (5, 5, 0, -1, 102, 0), (6, 9, 1, 1, 90_000, 4), (6, 9, 1, -1, 90_001, 4), (7, 10, 0, -1, 90_001, 9),
    ]  # fmt: skip
    names = ("venue_time_ns", "sequence", "snapshot", "side", "price_ticks", "quantity_lots")
    columns = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    columns["local_time_ns"] = columns["venue_time_ns"]
    catalog.write(DatasetId(PAIR.instrument_id, Kind.BOOK), columns)
    result = maker_run(catalog, [PAIR.instrument_id], kinds=("book",))
    tops = result.tops[PAIR.instrument_id]
    found = list(zip(tops.time_ns, tops.bid_ticks, tops.ask_ticks, tops.bid_lots, tops.ask_lots, strict=True))
    assert found == [(1, 100, 102, 5, 5), (2, 101, 102, 3, 5), (6, 90_000, 90_001, 4, 4), (7, 90_000, 90_001, 4, 9)]
    assert all(isinstance(each, BookUpdate) for each in updates(PAIR.instrument_id, [columns]))


@pytest.mark.slow
def test_frames_and_the_document_say_the_same(tmp_path):
    catalog, tape = synthetic(tmp_path, PAIR, 150.0)
    maker = {"step": 0.0000015, "levels": 2, "quantity": 0.00005, "position_max": 0.001}
    result = maker_run(catalog, [PAIR.instrument_id], maker, venue={"fees": {"maker": 0.0001}})
    assert result.document()["fills"] > 10
    told = json.loads(json.dumps(result.document()))
    assert told["attribution"]["reconciles"] is True
    assert Decimal(told["attribution"]["net_pnl_exact"]) == Decimal(told["final_equity_exact"]) - 1_000_000
    assert told["attribution"]["lines"]["fees"] == pytest.approx(-told["fees"])
    assert told["interval"]["estimate"]["fills"] == told["fills"]
    bound = Bound(1.0, 2, 3.0)
    result.interval = Interval(bound, bound, bound)
    assert result.document()["interval"]["touch"] == {"net_pnl": 1.0, "fills": 2, "fees": 3.0}
    assert "What the queue leaves open" in result.report(tmp_path / "report.html").read_text()
    frame = result.attribution()
    whole = frame[frame["instrument"] == ""].set_index("line")["amount"]
    assert whole["net_pnl"] == pytest.approx(whole.drop("net_pnl").sum())
    fills = result.markouts()
    assert len(fills) == told["fills"] == len(result.fills)
    by = result.markouts("side")
    assert set(by["value"]) == {"buy", "sell"}
    assert by["fills"].sum() == told["fills"] * 5
    # The mid at each fill, from the tape itself
    place = np.searchsorted(tape.time_ns, fills["time"].astype(np.int64).to_numpy()) - 1
    mids = (tape.bid_ticks + tape.ask_ticks)[place] / 2
    sign = np.where(result.fills["side"] == "buy", 1, -1)
    assert fills["capture_ticks"].to_numpy() == pytest.approx(sign * (mids - result.fills["price_ticks"].to_numpy()))


def test_bars_alone_are_attributed_but_say_nothing_of_markouts(bars):
    from njord.research.notebook import backtest
    from njord.strategies.ema_cross import EmaCross

    result = backtest(EmaCross(5, 20, 1.0), bars(400), 100_000, instrument="BTC/USD.SIM", taker=0.001)
    assert result.document()["fills"] > 5
    assert result.document()["attribution"] is None
    assert result.parts.reconciles
    assert result.parts.by_instrument[0].mids is Kind.BARS
    assert result.parts.lines.capture_taker <= 0
    assert len(result.markouts()) == 0


@pytest.mark.slow
@pytest.mark.shared_data
class TestRealData:
    @pytest.fixture
    def catalog(self, tmp_path):
        return Catalog(tmp_path / "catalog")

    def test_spot_linear_and_inverse_at_once(self, catalog, shared_data):
        folder = shared_data / "market/binance_l2_20240808"
        names = {
            "BTC/USDT.BINANCE": "spot/btcusdt_20240808.gz",
            "BTC/USDT:USDT.BINANCE": "usdm/btcusdt_20240808.gz",
            "BTC/USD:BTC.BINANCE": "cm/btcusd_perp_20240808.gz",
        }
        for name, file in names.items():
            import_files(catalog, "binance-l2", [folder / file], name, ImportOptions())
        maker = {"step": 0.00005, "levels": 3, "quantity": 0.01, "position_max": 0.1, "short": True}
        inverse = {"step": 0.00005, "levels": 3, "quantity": 1, "position_max": 20, "short": True}
        linear = list(names)[:2]
        kinds = {"BTC/USDT.BINANCE": "quotes"}
        result = maker_run(
            catalog, list(names), venue={"latency_ms": 5},
            data=[{"instrument": n, "kind": k} for n in names for k in (kinds.get(n, "book"), "trades")],
            strategies=[
                {"name": "grid_maker", "params": maker, "instruments": linear},
                {"name": "grid_maker", "params": inverse, "instruments": ["BTC/USD:BTC.BINANCE"]},
                {"name": "buy_and_hold", "params": {"quantity": 0.5}, "instruments": linear},
            ],
            # The taker meets the maker's own quotes, which the market making profile refuses
            risk={"name": "meets_itself", "short_allowed": True, "self_trade_allowed": True},
        )  # fmt: skip
        parts = result.parts
        assert parts.reconciles
        assert {row.instrument_id: row.fills > 10 for row in parts.by_instrument} == dict.fromkeys(names, True)
        assert parts.unexplained_units == {"USDT": 0, "BTC": 0}
        assert parts.lines.rebates > 0 > parts.lines.fees
        assert parts.lines.mark or parts.lines.inventory
        assert {row.instrument_id: row.mids for row in parts.by_instrument} == dict.fromkeys(names, "book") | kinds
        assert parts.lines.capture_taker < 0
        assert abs(parts.conversion) < 10**7
        state = result.assembly.backtest.state
        assert parts.net_units == state.equity_units() - units(1_000_000)
        assert {one.instrument_id for one in result.marked} == set(names)

    def test_perpetuals_with_funding(self, catalog, shared_data):
        folder = shared_data / "market/binance_perp_2025"
        names = {coin: f"{coin}/USDT:USDT.BINANCE" for coin in ("BTC", "ETH")}
        for coin, name in names.items():
            options = ImportOptions(columns={"ts": "date"})
            import_files(catalog, "candles", [folder / f"{coin}_USDT_USDT-1m-futures.feather"], name, options)
            options = ImportOptions(columns={"rate": "open"})
            import_files(catalog, "funding", [folder / f"{coin}_USDT_USDT-8h-funding_rate.feather"], name, options)
        document = {
            "data": [{"instrument": name, "interval": "1m"} for name in names.values()],
            "strategies": [{"name": "ema_cross", "params": {"fast": 200, "slow": 2_000, "quantity": 1}}],
            "account": {"currency": "USDT", "cash": 1_000_000},
            "risk": "market_making",
        }
        result = run(parse(document), catalog)
        assert result.parts.reconciles
        funded = {row.instrument_id: row.lines.funding for row in result.parts.by_instrument}
        assert all(funded.values())
        assert sum(funded.values()) == result.assembly.backtest.state.portfolio.funding["USDT"]

    def test_a_share_across_its_split(self, catalog, shared_data):
        file = shared_data / "market/lean/equity/usa/daily/aapl.zip"
        import_files(catalog, "lean", [file], "AAPL.NASDAQ", ImportOptions())
        document = {
            "data": [{"instrument": "AAPL.NASDAQ", "interval": "1d", "from": "2014-05-01", "to": "2014-08-15"}],
            "strategies": [{"name": "buy_and_hold", "params": {"quantity": 101}}],
            "account": {"currency": "USD", "cash": 100_000},
            "risk": "market_making",
        }
        result = run(parse(document), catalog)
        (row,) = result.parts.by_instrument
        assert result.parts.reconciles
        assert row.mids is None
        assert row.lines.unpriced != 0
        assert row.lines.dividends == result.assembly.backtest.state.portfolio.dividends["USD"]
