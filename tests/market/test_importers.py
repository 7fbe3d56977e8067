"""Importers: what is right is stored exactly, what is wrong is refused with file, row and reason."""

import gzip
import io
import zipfile
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_HOUR, NS_PER_S, time_ns
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.market.catalog import Catalog, CatalogError, DatasetId
from njord.market.importers import ImportOptions, import_files

GOOD = ["1577836800,100.1,101.0,99.5,100.0,3.25,7", "1577840400,100.0,102.0,100.0,101.5,0.1,2"]
T0_NS = 1_577_836_800 * NS_PER_S


@pytest.fixture
def empty(tmp_path):
    return Catalog(tmp_path / "catalog")


def written(tmp_path, lines, name="bars.csv"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return path


def kraken(catalog, tmp_path, lines, **options):
    return import_files(
        catalog, "kraken-ohlcvt", [written(tmp_path, lines)], "BTC/USD.KRAKEN",
        ImportOptions(interval_ns=NS_PER_HOUR, **options),
    )  # fmt: skip


def rows_of(catalog, kind, instrument="BTC/USD.KRAKEN", interval_ns=None):
    chunks = list(catalog.read(DatasetId(instrument, kind, interval_ns)))
    return {name: np.concatenate([chunk[name] for chunk in chunks]).tolist() for name in chunks[0]}


def test_good_rows_are_stored_exactly(empty, tmp_path):
    report = kraken(empty, tmp_path, GOOD)

    assert (report.rows, report.rejected_count, report.written) == (2, 0, True)
    assert (report.first_ns, report.last_ns) == (T0_NS, T0_NS + NS_PER_HOUR)
    assert report.definition.price_tick == Decimal("0.1")
    assert rows_of(empty, Kind.BARS, interval_ns=NS_PER_HOUR) == {
        "start_ns": [T0_NS, T0_NS + NS_PER_HOUR], "open_ticks": [1001, 1000], "high_ticks": [1010, 1020],
        "low_ticks": [995, 1000], "close_ticks": [1000, 1015], "volume": [3.25, 0.1],
    }  # fmt: skip
    assert kraken(empty, tmp_path, GOOD).rows_new == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1577844000,,101,99,100,1,1", "open is empty"),
        ("1577844000,NaN,101,99,100,1,1", "open 'NaN' is not a number"),
        ("1577844000,abc,101,99,100,1,1", "open 'abc' is not a number"),
        ("1577844000,inf,101,99,100,1,1", "open 'inf' is not a number"),
        ("1577844000,100,101,99,100,-1,1", "volume '-1' is negative"),
        ("1577844000,100,101,99,100,nan,1", "volume 'nan' is not a number"),
        ("1577844000,100,101,99,100,,1", "volume is empty"),
        ("1577844000,0,101,99,100,1,1", "open '0' is zero"),
        ("1577844000,-5,101,99,100,1,1", "open '-5' is negative"),
        ("1577844000,100,98,99,98.5,1,1", "high 98 is below low 99"),
        ("1577844000,102,101,99,100,1,1", "open 102 is outside 99 .. 101"),
        ("1577844000,100,101,99,98.9,1,1", "close 98.9 is outside 99 .. 101"),
        ("1577844000,100.05,101,99,100,1,1", "open '100.05' is off the grid of 0.1"),
        ("1577844000,99999999999999999999,101,99,100,1,1", "open '99999999999999999999' is over 2**53 x 0.1"),
        ("1577836800,100,101,99,100,1,1", "out of order: 2020-01-01T00:00:00Z after 2020-01-01T01:00:00Z"),
        ("1577840400,100,101,99,100,1,1", "duplicate of 2020-01-01T01:00:00Z"),
        ("yesterday,100,101,99,100,1,1", "ts 'yesterday' is not a time (s)"),
        ("15778440000000,100,101,99,100,1,1", "ts '15778440000000' in s is not between 1970 and 2100"),
        ("1577844000,100,101,99,100,1", "6 columns, expected 7"),
        ("1577844000,100,101,99,100,1,1,8", "8 columns, expected 7"),
        ("", "open is empty"),
    ],
)
def test_bad_row_is_refused_and_nothing_is_written(empty, tmp_path, row, reason):
    known_grid = {"price_tick": Decimal("0.1"), "quantity_lot": Decimal("1e-8")}
    lines = [*GOOD, row, "1577847600,100,101,99,100,1,1"]

    report = kraken(empty, tmp_path, lines, **known_grid)

    assert [(each.file, each.row) for each in report.rejected] == [("bars.csv", 3)]
    assert reason in report.rejected[0].reason or row == ""
    assert not report.written
    assert empty.datasets() == []
    assert empty.instruments() == []

    kept = kraken(empty, tmp_path, lines, skip_bad=True, **known_grid)

    assert kept.written
    assert (kept.rows, kept.rows_new, kept.rejected_count) == (3, 3, 1)
    assert empty.datasets()[0].rows == 3


def test_refusals_are_listed_in_bounds_and_counted_exactly(empty, tmp_path):
    bad = [f"{1577844000 + 3600 * number},0,1,1,1,1,1" for number in range(1500)]

    report = kraken(empty, tmp_path, [*GOOD, *bad], skip_bad=True)

    assert report.rejected_count == 1500
    assert len(report.rejected) == 1000
    assert [each.row for each in report.rejected[:2]] == [3, 4]


def compressed(text, cut=None):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        file.write(text)
    return buffer.getvalue()[:cut]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "none.csv: not found"),
        ("empty.csv", b"", "empty.csv: is empty"),
        ("blank.csv", b"\n\n", "blank.csv: is empty"),
        ("four.csv", b"1,2,3,4\n", "row 1 has 4 columns, expected 6 or 7"),
        ("short.csv.gz", compressed("\n".join(GOOD * 5000).encode(), 60), "gzip stream ends early"),
        ("notgzip.zip", b"PK\x03\x04junk", "zip archive is damaged"),
    ],
)
def test_file_that_is_wrong_as_a_whole(empty, tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ValueError, match=message) as caught:
        import_files(empty, "kraken-ohlcvt", [path], "BTC/USD.KRAKEN")

    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_truncated_gzip_names_the_last_whole_row(empty, tmp_path):
    rng = np.random.default_rng(1)
    lines = [f"{1577836800 + 3600 * row},{rng.random()},2,0,{rng.random()},1,1" for row in range(20_000)]
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(compressed("\n".join(lines).encode(), -5000))

    with pytest.raises(ValueError, match=r"cut\.csv\.gz: gzip stream ends early after row 19\d\d\d$"):
        import_files(empty, "kraken-ohlcvt", [path], "BTC/USD.KRAKEN")


def test_unknown_format_and_instrument_are_one_clear_line(empty, tmp_path):
    path = written(tmp_path, GOOD)

    with pytest.raises(ValueError, match=r"'kraken-ohlcv': there is no such format; did you mean 'kraken-ohlcvt'\?"):
        import_files(empty, "kraken-ohlcv", [path], "BTC/USD.KRAKEN")
    with pytest.raises(ValueError, match="a symbol, a dot and a venue"):
        import_files(empty, "kraken-ohlcvt", [path], "BTCUSD")


CANDLES = ["date,o,high,low,close,vol", "2020-01-01 00:00,1.5,2,1,1.25,10", "2020-01-01 01:00,1.25,1.25,1.25,1.25,0"]


def test_candles_take_a_column_mapping(empty, tmp_path):
    path = written(tmp_path, CANDLES)

    report = import_files(
        empty, "candles", [path], "X/USD.TEST", ImportOptions(columns={"ts": "date", "open": "o", "volume": "vol"})
    )

    assert report.quality["zero_volume"] == 1
    assert rows_of(empty, Kind.BARS, "X/USD.TEST", NS_PER_HOUR)["open_ticks"] == [150, 125]
    with pytest.raises(ValueError, match=r"no column 'opn' for open; it has date, o, high"):
        import_files(empty, "candles", [path], "X/USD.TEST", ImportOptions(columns={"open": "opn"}))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["1577836800", "1577840400"], T0_NS),
        (["1577836800000", "1577840400000"], T0_NS),
        (["1577836800000000", "1577840400000000"], T0_NS),
        (["1577836800000000000", "1577840400000000000"], T0_NS),
        (["2020-01-01", "2020-01-01T01:00:00"], T0_NS),
        (["2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z"], T0_NS),
        (["2020-01-01T03:00:00+03:00", "2020-01-01T04:00:00+03:00"], T0_NS),
    ],
)
def test_time_unit_is_found_out(empty, tmp_path, stamps, expected):
    path = written(tmp_path, ["time,open,high,low,close,volume", *(f"{stamp},1,1,1,1,1" for stamp in stamps)])

    report = import_files(empty, "candles", [path], "X/USD.TEST")

    assert (report.first_ns, report.last_ns) == (expected, expected + NS_PER_HOUR)


def test_timezone_moves_dates_and_refuses_epochs(empty, tmp_path):
    path = written(tmp_path, CANDLES)
    columns = {"ts": "date", "open": "o", "volume": "vol"}

    report = import_files(empty, "candles", [path], "X/USD.TEST", ImportOptions(columns=columns, timezone="+03:00"))

    assert report.first_ns == T0_NS - 3 * NS_PER_HOUR
    epochs = written(tmp_path, ["ts,open,high,low,close,volume", "1577836800,1,1,1,1,1"], "epoch.csv")
    with pytest.raises(ValueError, match="count s since 1970, which is UTC everywhere"):
        import_files(empty, "candles", [epochs], "X/USD.TEST", ImportOptions(timezone="+03:00"))


@pytest.mark.parametrize("suffix", ["feather", "parquet", "csv.gz"])
def test_candles_come_in_several_containers(empty, tmp_path, suffix):
    table = pa.table({
        "date": pa.array([T0_NS, T0_NS + NS_PER_HOUR], pa.timestamp("ns", "UTC")),
        "open": [0.1, 0.3], "high": [0.3, 0.3], "low": [0.1, 0.3], "close": [0.3, 0.3], "volume": [1e-5, 2.5],
    })  # fmt: skip
    path = tmp_path / f"x.{suffix}"
    if suffix == "feather":
        pyarrow.feather.write_feather(table, path)
    elif suffix == "parquet":
        pq.write_table(table, path)
    else:
        lines = [
            "date,open,high,low,close,volume",
            "2020-01-01,0.1,0.3,0.1,0.3,1e-05",
            "2020-01-01 01:00,0.3,0.3,0.3,0.3,2.5",
        ]
        path.write_bytes(compressed("\n".join(lines).encode()))

    report = import_files(empty, "candles", [path], "X/USD.TEST")

    assert report.definition.price_tick == Decimal("0.1")
    assert rows_of(empty, Kind.BARS, "X/USD.TEST", NS_PER_HOUR) == {
        "start_ns": [T0_NS, T0_NS + NS_PER_HOUR], "open_ticks": [1, 3], "high_ticks": [3, 3], "low_ticks": [1, 3],
        "close_ticks": [3, 3], "volume": [1e-5, 2.5],
    }  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 8)), min_size=1, max_size=20),
    st.sampled_from(["0.1", "0.5", "0.25", "1", "5", "0.00001"]),
)
def test_every_decimal_is_ticks_exactly_or_refused(tmp_path_factory, numbers, tick):
    folder = tmp_path_factory.mktemp("exact")
    texts = [f"{Decimal(value).scaleb(-places):f}" for value, places in numbers]
    lines = [f"{1577836800 + 60 * row},{text},1" for row, text in enumerate(texts)]
    on_grid = [row for row, text in enumerate(texts, 1) if Decimal(text) % Decimal(tick) == 0]
    catalog = Catalog(folder / "catalog")

    report = import_files(
        catalog, "kraken-trades", [written(folder, lines)], "BTC/USD.KRAKEN",
        ImportOptions(price_tick=Decimal(tick), quantity_lot=Decimal("1e-8"), skip_bad=True),
    )  # fmt: skip

    assert [each.row for each in report.rejected] == [row for row in range(1, len(texts) + 1) if row not in on_grid]
    stored = rows_of(catalog, Kind.TRADES)["price_ticks"] if on_grid else []
    assert [ticks * Decimal(tick) for ticks in stored] == [Decimal(texts[row - 1]) for row in on_grid]


@pytest.mark.parametrize(
    ("format_name", "lines", "kind", "expected"),
    [
        ("kraken-trades", ["1577836800.1234,100.5,0.25"], Kind.TRADES,
         {"venue_time_ns": [T0_NS + 123_400_000], "price_ticks": [1005], "quantity_lots": [25_000_000]}),
        ("binance-trades", ["5,100.50,0.25,25.1,1577836800000,True,True"], Kind.TRADES,
         {"price_ticks": [1005], "aggressor": [-1], "trade_id": [5], "venue_time_ns": [T0_NS]}),
        ("binance-trades", ["id,price,qty,quote_qty,time,is_buyer_maker", "5,100.5,0.25,25.1,1577836800000,false"],
         Kind.TRADES, {"aggressor": [1], "trade_id": [5]}),
        ("binance-trades", ["9,100.5,0.25,1,2,1577836800000000,true,true"], Kind.TRADES,
         {"aggressor": [-1], "trade_id": [9], "venue_time_ns": [T0_NS]}),
        ("binance-trades", ["9,100.5,0.25,1,2,1577836800000,false"], Kind.TRADES, {"aggressor": [1], "trade_id": [9]}),
        ("binance-klines", [f"{1577836800000 + 3600000 * n},1.10,1.2,1.0,1.1,5,{n},0,3,1,1,0" for n in range(2)],
         Kind.BARS, {"open_ticks": [11, 11], "volume": [5.0, 5.0]}),
        ("tardis", ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
                    "b,X,1577836800000000,1577836800000007,77,sell,100.5,0.25"], Kind.TRADES,
         {"venue_time_ns": [T0_NS], "local_time_ns": [T0_NS + 7000], "aggressor": [-1], "trade_id": [77]}),
        ("tardis", ["exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
                    "b,X,1577836800000000,1577836800000007,2,100.5,,"], Kind.QUOTES,
         {"ask_ticks": [1005], "ask_lots": [200_000_000], "bid_ticks": [0], "bid_lots": [0]}),
        ("tardis", ["exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
                    "b,X,1577836800000000,1577836800000007,true,bid,100.5,1",
                    "b,X,1577836800000000,1577836800000007,true,ask,100.6,1",
                    "b,X,1577836800000001,1577836800000008,false,bid,100.5,0"], Kind.BOOK,
         {"snapshot": [1, 1, 0], "side": [1, -1, 1], "price_ticks": [1005, 1006, 1005],
          "quantity_lots": [100_000_000, 100_000_000, 0],
          "sequence": [1577836800000007, 1577836800000007, 1577836800000008]}),
    ],
)  # fmt: skip
def test_formats(empty, tmp_path, format_name, lines, kind, expected):
    import_files(empty, format_name, [written(tmp_path, lines)], "BTC/USD.KRAKEN")

    (dataset,) = empty.datasets()
    stored = rows_of(empty, kind, interval_ns=dataset.id.interval_ns)
    assert {name: stored[name] for name in expected} == expected


def test_files_may_be_named_in_any_order(empty, tmp_path):
    first, second = written(tmp_path, GOOD[:1] * 1, "a.csv"), written(tmp_path, GOOD[1:], "b.csv")

    report = import_files(
        empty, "kraken-ohlcvt", [second, first], "BTC/USD.KRAKEN", ImportOptions(interval_ns=NS_PER_HOUR)
    )

    assert (report.rows, report.rejected_count) == (2, 0)


def test_known_instrument_is_used_and_never_silently_changed(empty, tmp_path):
    kraken(empty, tmp_path, GOOD, price_tick=Decimal("0.5"), skip_bad=True)

    with pytest.raises(ValueError, match=r"the catalog has price_tick 0\.5, not 0\.1"):
        kraken(empty, tmp_path, GOOD, price_tick=Decimal("0.1"))
    with pytest.raises(CatalogError, match="rows differ from what is stored"):
        kraken(empty, tmp_path, ["1577840400,100.0,103.0,100.0,101.5,0.1,2"])


@pytest.mark.parametrize(
    ("name", "kind", "inverse", "multiplier"),
    [
        ("BTC/USDT.BINANCE", InstrumentKind.SPOT, False, 1),
        ("BTC/USDT:USDT.BINANCE", InstrumentKind.PERPETUAL, False, 1),
        ("BTC/USD:BTC.BINANCE", InstrumentKind.PERPETUAL, True, 100),
        ("EUR/USD.OANDA", InstrumentKind.FX, False, 1),
        ("AAPL.USA", InstrumentKind.EQUITY, False, 1),
    ],
)
def test_instrument_is_inferred_from_its_id(empty, tmp_path, name, kind, inverse, multiplier):
    path = written(tmp_path, GOOD)

    found: Instrument = import_files(
        empty, "kraken-ohlcvt", [path], name, ImportOptions(interval_ns=NS_PER_HOUR)
    ).definition

    assert (found.kind, found.inverse, found.multiplier) == (kind, inverse, multiplier)
    assert empty.instrument(found.instrument_id) == found


FUNDING = [
    "Symbol,Date,Funding Rate",
    *(f"X,2020-01-0{day} {hour}:00:00,0.0001" for day in (1, 2) for hour in ("03", 11, 19)),
]


def test_funding_off_the_hours_needs_a_timezone(empty, tmp_path):
    path = written(tmp_path, FUNDING)

    with pytest.raises(ValueError, match=r"at 03:00, 11:00, 19:00, not 00:00, 08:00, 16:00 UTC.*--timezone"):
        import_files(empty, "funding", [path], "X/USDT:USDT.BINANCE")
    report = import_files(empty, "funding", [path], "X/USDT:USDT.BINANCE", ImportOptions(timezone="+03:00"))

    assert report.first_ns == T0_NS
    assert rows_of(empty, Kind.FUNDING, "X/USDT:USDT.BINANCE")["rate_pico"] == [100_000_000] * 6


def test_bars_after_funding_set_the_tick(empty, tmp_path):
    import_files(
        empty, "funding", [written(tmp_path, FUNDING)], "BTC/USDT:USDT.BINANCE", ImportOptions(timezone="+03:00")
    )

    report = import_files(
        empty, "kraken-ohlcvt", [written(tmp_path, GOOD)], "BTC/USDT:USDT.BINANCE",
        ImportOptions(interval_ns=NS_PER_HOUR),
    )  # fmt: skip

    assert report.written
    assert empty.instrument(report.instrument).price_tick == Decimal("0.1")
    assert {each.id.kind for each in empty.datasets()} == {Kind.BARS, Kind.FUNDING}


def lean_zip(folder, place, lines):
    path = folder / "lean" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.csv", "\n".join(lines) + "\n")
    return path


def test_lean_equity_times_are_new_york(empty, tmp_path):
    lines = [f"{at},130000,130100,129900,130050,5" for at in (34_200_000, 34_260_000)]
    path = lean_zip(tmp_path, "equity/usa/minute/xyz/20140606_trade.zip", lines)

    report = import_files(empty, "lean", [path], "XYZ.USA")

    assert report.first_ns == time_ns("2014-06-06T13:30:00Z")
    assert rows_of(empty, Kind.BARS, "XYZ.USA", 60 * NS_PER_S)["open_ticks"] == [130_000, 130_000]


def test_lean_path_that_says_nothing_is_refused(empty, tmp_path):
    with pytest.raises(ValueError, match="not under one of equity, crypto"):
        import_files(empty, "lean", [lean_zip(tmp_path, "x/y.zip", ["1,1"])], "XYZ.USA")
