"""The catalog gives back what it was given, in order, in bounded memory, and contradicts nobody silently."""

import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.instrument import InstrumentKind
from njord.domain.market import Kind
from njord.market.catalog import Catalog, CatalogError, DatasetId
from njord.market.catalog.schema import path_safe

BTC = InstrumentId("BTC/USD.KRAKEN")
HOURLY = DatasetId(BTC, Kind.BARS, NS_PER_HOUR)
TRADES = DatasetId(BTC, Kind.TRADES)
NEW_YEAR_NS = time_ns("2021-01-01")


def bars(start_ns, count, close=100):
    times = start_ns + np.arange(count) * NS_PER_HOUR
    closes = close + np.arange(count) % 7
    return {
        "start_ns": times, "open_ticks": closes, "high_ticks": closes + 2, "low_ticks": closes - 2,
        "close_ticks": closes, "volume": np.arange(count) / 8,
    }  # fmt: skip


def trades(times, prices):
    count = len(times)
    return {
        "venue_time_ns": np.array(times), "local_time_ns": np.array(times) + 5, "price_ticks": np.array(prices),
        "quantity_lots": np.ones(count, dtype=int), "aggressor": np.ones(count, dtype=np.int8),
        "trade_id": np.zeros(count, dtype=int),
    }  # fmt: skip


def everything(catalog, dataset_id, *range_ns, **options):
    chunks = list(catalog.read(dataset_id, *range_ns, **options))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]} if chunks else {}


def test_what_is_written_is_read_back_across_partitions(catalog):
    rows = bars(NEW_YEAR_NS - 100 * NS_PER_HOUR, 300)

    assert catalog.write(HOURLY, rows) == 300

    assert [path.name for path in sorted(catalog.root.rglob("*.parquet"))] == ["2020.parquet", "2021.parquet"]
    back = everything(catalog, HOURLY)
    for name, array in rows.items():
        assert np.array_equal(back[name], array)
    (dataset,) = catalog.datasets()
    assert (dataset.rows, dataset.first_ns, dataset.last_ns) == (300, rows["start_ns"][0], rows["start_ns"][-1])


def test_range_includes_its_start_and_excludes_its_end(catalog):
    catalog.write(HOURLY, bars(NEW_YEAR_NS - 2 * NS_PER_HOUR, 6))

    back = everything(catalog, HOURLY, NEW_YEAR_NS - NS_PER_HOUR, NEW_YEAR_NS + NS_PER_HOUR)

    assert back["start_ns"].tolist() == [NEW_YEAR_NS - NS_PER_HOUR, NEW_YEAR_NS]
    assert everything(catalog, HOURLY, NEW_YEAR_NS + NS_PER_DAY) == {}


def test_chunks_are_no_larger_than_asked(catalog):
    catalog.write(HOURLY, bars(NEW_YEAR_NS, 25))

    assert [len(chunk["volume"]) for chunk in catalog.read(HOURLY, chunk_rows=10)] == [10, 10, 5]


def test_same_rows_again_change_nothing(catalog):
    rows = bars(NEW_YEAR_NS, 10)
    catalog.write(HOURLY, rows)
    before = {path: path.stat().st_mtime_ns for path in catalog.root.rglob("*.parquet")}

    assert catalog.write(HOURLY, rows) == 0

    assert {path: path.stat().st_mtime_ns for path in catalog.root.rglob("*.parquet")} == before


def test_contradiction_names_the_time_and_leaves_every_partition_alone(catalog):
    catalog.write(HOURLY, bars(NEW_YEAR_NS, 10))
    before = catalog.content_hash(HOURLY)
    other = bars(NEW_YEAR_NS - 5 * NS_PER_HOUR, 10, close=200)

    with pytest.raises(CatalogError, match="5 rows differ from what is stored, the first at 2021-01-01T00:00:00Z"):
        catalog.write(HOURLY, other)

    assert catalog.content_hash(HOURLY) == before
    assert catalog.write(HOURLY, other, replace=True) == 5
    assert everything(catalog, HOURLY)["close_ticks"][:10].tolist() == other["close_ticks"].tolist()
    assert not list(catalog.root.glob(".staging-*"))


def test_trades_of_one_moment_are_all_kept_and_still_idempotent(catalog):
    rows = trades([NEW_YEAR_NS, NEW_YEAR_NS, NEW_YEAR_NS + 1], [7, 7, 8])

    assert catalog.write(TRADES, rows) == 3
    assert catalog.write(TRADES, rows) == 0
    assert everything(catalog, TRADES)["price_ticks"].tolist() == [7, 7, 8]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.integers(0, 5 * NS_PER_DAY), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_content_hash_does_not_depend_on_how_rows_arrived(tmp_path_factory, btc, times, cuts):
    times = sorted({time - time % NS_PER_HOUR for time in times})
    rows = {name: array[: len(times)] for name, array in bars(0, len(times)).items()} | {"start_ns": np.array(times)}
    whole, pieces = (Catalog(tmp_path_factory.mktemp("hash")) for _ in range(2))
    for each in (whole, pieces):
        each.define(btc)

    whole.write(HOURLY, rows)
    for first, last in pairwise(sorted({0, *(min(cut, len(times)) for cut in cuts), len(times)})):
        pieces.write(HOURLY, {name: array[first:last] for name, array in rows.items()})

    assert whole.content_hash(HOURLY) == pieces.content_hash(HOURLY)
    assert everything(pieces, HOURLY)["start_ns"].tolist() == times


def test_content_hash_sees_every_column_and_the_range(catalog):
    catalog.write(HOURLY, bars(NEW_YEAR_NS, 10))
    whole = catalog.content_hash(HOURLY)

    assert catalog.content_hash(HOURLY, NEW_YEAR_NS, NEW_YEAR_NS + 9 * NS_PER_HOUR) != whole
    changed = bars(NEW_YEAR_NS, 10)
    changed["volume"][3] += 1e-9
    catalog.write(HOURLY, changed, replace=True)
    assert catalog.content_hash(HOURLY) != whole


def test_writer_takes_chunks_and_shows_nothing_until_it_commits(catalog):
    writer = catalog.writer(HOURLY)
    rows = bars(NEW_YEAR_NS, 100)
    for first in range(0, 100, 30):
        writer.write({name: array[first : first + 30] for name, array in rows.items()})

    assert catalog.datasets() == []
    assert writer.commit() == 100
    assert catalog.datasets()[0].rows == 100


def test_writer_that_fails_leaves_nothing(catalog):
    def fail():
        with catalog.writer(HOURLY) as writer:
            writer.write(bars(NEW_YEAR_NS, 10))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert catalog.datasets() == []
    assert not list(catalog.root.glob(".staging-*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop("volume"), "no column volume; there are start_ns"),
        (lambda rows: rows.update(extra=rows["volume"]), "no column extra in bars"),
        (lambda rows: rows.update(volume=rows["volume"][1:]), "column volume has 4 rows, others 5"),
        (lambda rows: rows.update(open_ticks=rows["open_ticks"] / 2), "open_ticks must hold integers"),
        (lambda rows: rows.update(volume=rows["volume"] * np.nan), "not finite"),
        (lambda rows: rows.update(start_ns=rows["start_ns"] * 0 + 7), "two rows for 1970"),
    ],
)
def test_odd_columns_are_refused(catalog, change, message):
    rows = bars(NEW_YEAR_NS, 5)
    change(rows)

    with pytest.raises(CatalogError, match=message):
        catalog.write(HOURLY, rows)


def test_unknown_instrument_gets_a_suggestion(catalog):
    with pytest.raises(CatalogError, match=r"did you mean 'BTC/USD\.KRAKEN'\?"):
        catalog.instrument(InstrumentId("BTC/USDT.KRAKEN"))
    with pytest.raises(CatalogError, match=r"no such data in the catalog; there is none"):
        catalog.read(HOURLY)


def test_bars_need_an_interval_and_trades_have_none(catalog):
    with pytest.raises(CatalogError, match="bars need an interval"):
        catalog.write(DatasetId(BTC, Kind.BARS), bars(0, 1))
    with pytest.raises(CatalogError, match="trades have no interval"):
        catalog.write(DatasetId(BTC, Kind.TRADES, 5), trades([1], [1]))


def test_grid_cannot_change_under_stored_data(catalog, btc):
    finer = msgspec.structs.replace(btc, price_tick=Decimal("0.01"))
    catalog.define(finer)
    catalog.define(btc)
    catalog.write(HOURLY, bars(NEW_YEAR_NS, 2))

    with pytest.raises(CatalogError, match=r"has data with tick 0\.1"):
        catalog.define(finer)
    definition = next(catalog.root.rglob("instrument.json"))
    definition.write_bytes(msgspec.json.encode(finer))
    with pytest.raises(CatalogError, match=r"stored with price_tick 0\.1, but the instrument is defined with 0\.01"):
        list(catalog.read(HOURLY))


def test_instruments_survive_the_trip_through_their_file(catalog, btc):
    perpetual = msgspec.structs.replace(
        btc, instrument_id=InstrumentId("BTC/USDT:USDT.BINANCE"), kind=InstrumentKind.PERPETUAL,
        underlier="BTC/USDT.BINANCE",
    )  # fmt: skip
    catalog.define(perpetual)

    assert catalog.instruments() == [btc, perpetual]


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=2, unique=True))
def test_distinct_symbols_have_distinct_folders(symbols):
    first, second = (path_safe(symbol) for symbol in symbols)

    assert first != second
    assert "/" not in first


def test_actions_keep_their_text(catalog):
    dataset_id = DatasetId(BTC, Kind.ACTIONS)
    rows = {
        "venue_time_ns": np.array([1, 2]), "action": np.array([1, 2]), "numerator": np.array([7, 0]),
        "denominator": np.array([1, 0]), "amount_units_text": np.array(["", "2650000000000000000"]),
    }  # fmt: skip
    catalog.write(dataset_id, rows)

    assert everything(catalog, dataset_id)["amount_units_text"].tolist() == ["", "2650000000000000000"]


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.catalog import Catalog, DatasetId
catalog, dataset_id = Catalog(Path(sys.argv[1])), DatasetId(InstrumentId("BTC/USD.KRAKEN"), Kind.TRADES)
rng, count, rows = np.random.default_rng(1), 500_000, int(sys.argv[2])
if sys.argv[3] == "write":
    with catalog.writer(dataset_id) as writer:
        for first in range(0, rows, count):
            times = (first + np.arange(count)) * 7_000_000
            writer.write({
                "venue_time_ns": times, "local_time_ns": times + 1000, "price_ticks": rng.integers(1, 10**6, count),
                "quantity_lots": rng.integers(1, 10**9, count), "aggressor": np.ones(count, dtype=np.int8),
                "trade_id": first + np.arange(count),
            })
read = sum(sum(array.nbytes for array in chunk.values()) for chunk in catalog.read(dataset_id))
# Not getrusage: that peak begins with what the parent had when it forked
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(read, int(peak.split()[1]) * 1024)
"""


@pytest.mark.slow
def test_ten_times_more_data_than_memory_can_be_read(catalog):
    # 41 bytes a row; a fresh process reads, so that the peak is that of reading
    rows = 42_000_000

    def run(verb):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(catalog.root), str(rows), verb],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return tuple(int(number) for number in done.stdout.split())

    run("write")
    read, peak = run("read")

    assert read == rows * 41
    assert read >= 10 * peak, (read, peak)


def test_crash_between_staging_and_renaming_leaves_the_old_state(catalog, monkeypatch):
    catalog.write(HOURLY, bars(NEW_YEAR_NS, 10))
    before = catalog.content_hash(HOURLY)

    def crash(self, target):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(OSError, match="power cut"):
            catalog.write(HOURLY, bars(NEW_YEAR_NS + 10 * NS_PER_HOUR, 10))

    assert catalog.content_hash(HOURLY) == before
    assert catalog.write(HOURLY, bars(NEW_YEAR_NS + 10 * NS_PER_HOUR, 10)) == 10
