"""Importers on data nobody here made: counts, holes, splits, and books that never cross."""

import bisect
import gzip
import json
from decimal import Decimal

import numpy as np
import pytest

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.book import Book
from njord.market.book_history import book_at, books_at, updates
from njord.market.catalog import Catalog, DatasetId
from njord.market.importers import ImportOptions, import_files

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def market(shared_data):
    return shared_data / "market"


@pytest.fixture
def empty(tmp_path):
    return Catalog(tmp_path / "catalog")


def rows_of(catalog, instrument, kind, interval_ns=None):
    chunks = list(catalog.read(DatasetId(InstrumentId(instrument), kind, interval_ns)))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def test_kraken_hourly_bars(empty, market):
    path = market / "kraken_ohlcvt" / "XBTUSD_60.csv.gz"

    report = import_files(empty, "kraken-ohlcvt", [path], "BTC/USD.KRAKEN")

    assert (report.rows, report.rejected_count) == (70_253, 0)
    assert (report.quality["gaps"], report.quality["missing_bars"]) == (3_254, 10_856)
    assert report.datasets[0].interval == "1h"
    stored = rows_of(empty, "BTC/USD.KRAKEN", Kind.BARS, NS_PER_HOUR)
    tick = report.definition.price_tick
    with gzip.open(path, "rt") as file:
        for row, line in enumerate(file):
            fields = line.rstrip("\n").split(",")
            if row % 97 == 0:
                assert stored["start_ns"][row] == int(fields[0]) * 10**9
                for at, name in enumerate(("open", "high", "low", "close"), 1):
                    assert int(stored[f"{name}_ticks"][row]) * tick == Decimal(fields[at])
                assert stored["volume"][row] == float(fields[5])


@pytest.mark.parametrize(
    ("asset", "minutes", "fundings"), [("BTC", 43_199, 266), ("ETH", 60_191, 302), ("SOL", 43_200, 266)]
)
def test_binance_perpetual_minutes_and_funding(empty, market, asset, minutes, fundings):
    folder, name = market / "binance_perp_2025", f"{asset}/USDT:USDT.BINANCE"

    bars = import_files(empty, "candles", [folder / f"{asset}_USDT_USDT-1m-futures.feather"], name)
    funding = import_files(empty, "funding", [folder / f"{asset}_USDT_USDT-8h-funding_rate.feather"], name)

    assert (bars.rows, bars.rejected_count, bars.quality["gaps"]) == (minutes, 0, 0)
    assert (funding.rows, funding.rejected_count, funding.quality["gaps"]) == (fundings, 0, 0)
    assert (
        rows_of(empty, name, Kind.FUNDING)["rate_pico"][0]
        == {"BTC": 68_180_000, "ETH": 26_850_000, "SOL": -35_990_000}[asset]
    )


def test_funding_archives_and_their_local_time(empty, market):
    folder = market / "funding" / "BTC-USDT"
    (binance,) = folder.glob("*binance*")
    (gate,) = folder.glob("*gate*")

    with pytest.raises(ValueError, match="the dates look like local time"):
        import_files(empty, "funding", [binance], "BTC/USDT:USDT.BINANCE")
    moved = import_files(empty, "funding", [binance], "BTC/USDT:USDT.BINANCE", ImportOptions(timezone="+03:00"))
    straight = import_files(empty, "funding", [gate], "BTC/USDT:USDT.GATE")

    assert (moved.rows, straight.rows) == (4_383, 4_290)
    assert moved.first_ns == straight.first_ns == time_ns("2020-01-01")


def test_oanda_ticks_and_quote_bars(empty, market):
    forex = market / "lean" / "forex" / "oanda"

    ticks = import_files(empty, "lean", [forex / "tick" / "eurusd" / "20140506_quote.zip"], "EUR/USD.OANDA")
    minutes = import_files(empty, "lean", sorted((forex / "minute" / "eurusd").glob("2014*")), "EUR/USD.OANDA")
    hours = import_files(empty, "lean", [forex / "hour" / "eurusd.zip"], "EUR/USD.OANDA")

    assert (ticks.rows, ticks.rejected_count, ticks.quality["crossed"]) == (44_864, 0, 0)
    assert ticks.first_ns == time_ns("2014-05-06T00:00:00.158Z")
    assert minutes.rejected_count == hours.rejected_count == 0
    assert hours.rows == 74_439
    assert minutes.kind == "quote_bars"
    first = {name: int(array[0]) for name, array in rows_of(empty, "EUR/USD.OANDA", Kind.QUOTES).items()}
    assert (first["bid_ticks"], first["ask_ticks"]) == (138_742, 138_755)


def test_apple_across_its_split(empty, market):
    usa = market / "lean" / "equity" / "usa"

    daily = import_files(empty, "lean", [usa / "daily" / "aapl.zip"], "AAPL.USA")
    minutes = import_files(empty, "lean", sorted((usa / "minute" / "aapl").glob("*_trade.zip")), "AAPL.USA")

    assert (daily.rows, daily.rejected_count, minutes.rejected_count) == (5_849, 0, 0)
    actions = rows_of(empty, "AAPL.USA", Kind.ACTIONS)
    names = ("venue_time_ns", "action", "numerator", "denominator")
    rows = zip(*(actions[name].tolist() for name in names), strict=True)
    splits = {at: (new, old) for at, action, new, old in rows if action == 1}
    assert splits == {
        time_ns("2000-06-21T04:00:00Z"): (2, 1),
        time_ns("2005-02-28T05:00:00Z"): (2, 1),
        time_ns("2014-06-09T04:00:00Z"): (7, 1),
        time_ns("2020-08-31T04:00:00Z"): (4, 1),
    }
    dividends = dict(zip(actions["venue_time_ns"].tolist(), actions["amount_units_text"].tolist(), strict=True))
    assert dividends[time_ns("2012-08-09T04:00:00Z")] == str(265 * 10**16)
    bars = rows_of(empty, "AAPL.USA", Kind.BARS, NS_PER_DAY)
    at = bisect.bisect_left(bars["start_ns"].tolist(), time_ns("2014-06-09T04:00:00Z"))
    assert 6 < bars["close_ticks"][at - 1] / bars["open_ticks"][at] < 8


def test_tickers_change_hands(empty, market):
    daily = market / "lean" / "equity" / "usa" / "daily"

    facebook = import_files(empty, "lean", [daily / "fb.zip"], "FB.USA")
    alphabet = import_files(empty, "lean", [daily / "googl.zip", daily / "goog.zip"], "GOOGL.USA")
    class_c = import_files(empty, "lean", [daily / "goog.zip"], "GOOG.USA")

    assert facebook.first_ns == time_ns("2012-05-18T04:00:00Z")
    assert any("716 rows left out" in note for note in facebook.notes)
    assert alphabet.first_ns == time_ns("2004-08-19T04:00:00Z")
    assert [change["ticker"] for change in alphabet.ticker_changes] == ["goog", "googl"]
    assert class_c.first_ns == time_ns("2014-04-03T04:00:00Z")
    assert {each.rejected_count for each in (facebook, alphabet, class_c)} == {0}


L2 = {
    "usdm": ("BTC/USDT:USDT.BINANCE", ["usdm/btcusdt_20240808.gz"], 6_547),
    "cm": ("BTC/USD:BTC.BINANCE", ["cm/btcusd_perp_20240808.gz"], 26_824),
    "spot": ("BTC/USDT.BINANCE", ["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"], 6_493),
}
# How many update ids occur in both streams. Equal in every case
TICKERS_MATCHED = {"BTC/USDT:USDT.BINANCE": 629, "BTC/USD:BTC.BINANCE": 1_124, "BTC/USDT.BINANCE": 1_072}


@pytest.fixture(scope="module", params=L2)
def l2(request, market, tmp_path_factory):
    name, files, applied = L2[request.param]
    catalog = Catalog(tmp_path_factory.mktemp(request.param))
    paths = [market / "binance_l2_20240808" / file for file in files]
    report = import_files(catalog, "binance-l2", paths[::-1], name)
    return catalog, InstrumentId(name), paths, report, applied


def lines_of(paths):
    for path in paths:
        with gzip.open(path, "rt") as file:
            for line in file:
                stamp, text = line.split(" ", 1)
                yield int(stamp), json.loads(text)


def test_l2_has_no_gaps_and_never_crosses(l2):
    _, _, _, report, applied = l2

    assert report.rejected_count == 0
    assert report.quality["book"]["crossed"] == 0
    assert report.quality["book"]["updates"] == applied + 1
    assert report.quality["trades"]["missing_ids"] == 0
    assert any("0 sequence gaps" in note for note in report.notes)
    # The recorder's clock ran 1.27 s behind the venue's
    assert -1.3e9 < report.quality["trades"]["median_local_minus_venue_ns"] < -1.2e9


def test_l2_top_equals_book_ticker_of_the_same_update(l2):
    catalog, name, paths, report, _ = l2
    tick, lot = report.definition.price_tick, report.definition.quantity_lot
    tickers = {
        frame["data"]["u"]: tuple(Decimal(frame["data"][key]) for key in "bBaA")
        for _, frame in lines_of(paths)
        if frame.get("stream", "").endswith("bookTicker")
    }
    book, matched = Book(name), 0

    for update in updates(name, catalog.read(DatasetId(name, Kind.BOOK))):
        book.apply(update)
        if update.sequence in tickers and not update.snapshot:
            (bid, bid_lots), (ask, ask_lots) = book.best_bid(), book.best_ask()
            assert (bid * tick, bid_lots * lot, ask * tick, ask_lots * lot) == tickers[update.sequence]
            matched += 1

    assert matched == TICKERS_MATCHED[name]


def test_l2_book_at_any_time_equals_an_independent_rebuild(l2):
    catalog, name, paths, report, _ = l2
    expected = naive_states(paths, report)
    times = sorted({time for time, _, _ in expected})
    rng = np.random.default_rng(11)
    wanted = sorted(int(time) for time in rng.choice(times, 1_000) + rng.integers(0, 1_000_000, 1_000))
    last_of = {time: (bids, asks) for time, bids, asks in expected}
    starts = [times[bisect.bisect_right(times, time) - 1] for time in wanted]
    tick, lot = report.definition.price_tick, report.definition.quantity_lot

    for at, book in books_at(catalog, name, wanted):
        bids, asks = last_of[starts[wanted.index(at)]]
        (bid, bid_lots), (ask, ask_lots) = book.best_bid(), book.best_ask()
        assert (bid * tick, bid_lots * lot) == bids
        assert (ask * tick, ask_lots * lot) == asks


def naive_states(paths, report):
    """The best levels after each moment of the tape, from the raw lines by plain dicts of decimals."""
    sides, kept, last, out = ({}, {}), [], None, []

    def follow(data):
        for levels, changes in zip(sides, (data["b"], data["a"]), strict=True):
            for price, size in changes:
                levels[Decimal(price)] = Decimal(size)
                if not levels[Decimal(price)]:
                    del levels[Decimal(price)]
        time = data.get("T", data["E"]) * 1_000_000
        best = max(sides[0]), min(sides[1])
        state = (time, (best[0], sides[0][best[0]]), (best[1], sides[1][best[1]]))
        if out and out[-1][0] == time:
            out.pop()
        out.append(state)

    for _, frame in lines_of(paths):
        if "lastUpdateId" in frame:
            last = frame["lastUpdateId"]
            for levels, rows in zip(sides, (frame["bids"], frame["asks"]), strict=True):
                levels.update({Decimal(price): Decimal(size) for price, size in rows})
            for data in kept:
                if data["u"] > last:
                    follow(data)
        elif frame["data"].get("e") == "depthUpdate":
            if last is None:
                kept.append(frame["data"])
            else:
                follow(frame["data"])
    return out


def test_l2_hash_of_a_rebuild_equals_the_recorded_one(l2):
    catalog, name, _, _, _ = l2
    dataset_id = DatasetId(name, Kind.BOOK)
    live, recorded = Book(name), {}
    for number, update in enumerate(updates(name, catalog.read(dataset_id))):
        live.apply(update)
        recorded[update.venue_time_ns] = live.state_hash() if number % 5 == 0 or number < 9 else None
    # Only moments whose last update was recorded
    moments = [time for time, digest in recorded.items() if digest]
    chosen = np.random.default_rng(3).choice(moments, 1_000).tolist()

    for at, book in books_at(catalog, name, chosen):
        assert book.state_hash() == recorded[at]
    for at in chosen[:3]:
        assert book_at(catalog, name, at).state_hash() == recorded[at]


def test_l2_trap_deltas_on_a_snapshot_without_the_bridge_cross(market):
    # What happens to who does not keep back the deltas before the snapshot: the negative of the importer's rule
    bids, asks, ready, crossed = {}, {}, False, 0
    for _, frame in lines_of([market / "binance_l2_20240808" / path for path in L2["spot"][1]]):
        if "lastUpdateId" in frame:
            bids, asks = ({Decimal(p): Decimal(q) for p, q in frame[side]} for side in ("bids", "asks"))
            ready = True
        elif ready and frame["data"].get("e") == "depthUpdate":
            for levels, key in ((bids, "b"), (asks, "a")):
                for price, size in frame["data"][key]:
                    levels[Decimal(price)] = Decimal(size)
                    if not levels[Decimal(price)]:
                        del levels[Decimal(price)]
            crossed += max(bids) >= min(asks)

    assert crossed == 5_617


def test_second_spot_file_alone_is_refused(empty, market):
    with pytest.raises(ValueError, match="no depth snapshot line; name the file before it as well"):
        import_files(empty, "binance-l2", [market / "binance_l2_20240808" / L2["spot"][1][1]], "BTC/USDT.BINANCE")


def test_lost_depth_frame_is_a_gap_and_the_rest_waits_for_a_snapshot(empty, market, tmp_path):
    path = tmp_path / "gap.txt"
    with gzip.open(market / "binance_l2_20240808" / L2["usdm"][1][0], "rb") as file:
        lines = [line for line in (next(file) for _ in range(3_000)) if b"depth" in line or b"lastUpdateId" in line]
    path.write_bytes(b"".join(lines[:100] + lines[101:110]))

    report = import_files(empty, "binance-l2", [path], "BTC/USDT:USDT.BINANCE")

    assert not report.written
    assert report.rejected[0].row == 101
    assert "sequence gap: continues from" in report.rejected[0].reason
    assert report.rejected_count == 1 + 9
