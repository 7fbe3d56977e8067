"""Quality: it counts what is odd, and chunking makes no difference."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_HOUR, NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.market import Kind
from njord.market.catalog import DatasetId
from njord.market.quality import checked_chunks

BTC = InstrumentId("BTC/USD.KRAKEN")


def bars(hours, closes, volumes=None):
    closes = np.array(closes)
    return {
        "start_ns": np.array(hours) * NS_PER_HOUR, "open_ticks": closes, "high_ticks": closes, "low_ticks": closes,
        "close_ticks": closes, "volume": np.array(volumes or [1.0] * len(hours)),
    }  # fmt: skip


def test_bars():
    found = checked_chunks(
        DatasetId(BTC, Kind.BARS, NS_PER_HOUR), [bars([0, 1, 5, 6, 7], [100, 101, 100, 150, 150], [1, 0, 1, 0, 1])]
    )

    assert (found["rows"], found["gaps"], found["missing_bars"], found["largest_gap_bars"]) == (5, 1, 3, 3)
    assert found["first_gaps"] == [{"after": "1970-01-01T01:00:00Z", "before": "1970-01-01T05:00:00Z", "missing": 3}]
    assert (found["zero_volume"], found["price_jumps"]) == (2, 1)
    assert found["first_jumps"] == [{"at": "1970-01-01T06:00:00Z", "ratio": 1.5}]


def test_quotes():
    seconds = np.array([0, 1, 200, 199]) * NS_PER_S
    chunk = {
        "venue_time_ns": seconds, "local_time_ns": seconds - 5, "bid_ticks": np.array([10, 12, 11, 10]),
        "ask_ticks": np.array([11, 11, 11, 11]), "bid_lots": np.array([1, 1, 1, 0]), "ask_lots": np.array([1, 1, 1, 1]),
    }  # fmt: skip

    found = checked_chunks(DatasetId(BTC, Kind.QUOTES), [chunk])

    assert (found["crossed"], found["locked"], found["one_sided"]) == (1, 1, 1)
    assert (found["gaps"], found["largest_gap_s"], found["disorder"]) == (1, 199.0, 1)
    assert found["median_local_minus_venue_ns"] == -5


def test_trades_with_lost_ids():
    count = np.arange(4)
    chunk = {
        "venue_time_ns": count, "local_time_ns": count, "price_ticks": count + 5, "quantity_lots": count + 1,
        "aggressor": count, "trade_id": np.array([7, 8, 8, 11]),
    }  # fmt: skip

    found = checked_chunks(DatasetId(BTC, Kind.TRADES), [chunk])

    assert (found["repeated_ids"], found["missing_ids"]) == (1, 2)


BOOK = [(1, 1, 1, 99), (1, 1, -1, 101), (2, 0, 1, 100), (2, 0, -1, 102), (3, 0, 1, 101), (4, 0, 1, 103)]


@given(st.integers(0, len(BOOK)), st.integers(0, len(BOOK)))
def test_book_is_judged_by_whole_updates_however_chunked(first, second):
    edges = [0, *sorted((first, second)), len(BOOK)]

    def chunk(rows):
        table = np.array(rows, dtype=np.int64).reshape(-1, 4)
        return {
            "venue_time_ns": table[:, 0], "local_time_ns": table[:, 0], "sequence": table[:, 0],
            "snapshot": table[:, 1], "side": table[:, 2], "price_ticks": table[:, 3],
            "quantity_lots": np.ones(len(table), dtype=np.int64),
        }  # fmt: skip

    found = checked_chunks(DatasetId(BTC, Kind.BOOK), [chunk(BOOK[start:end]) for start, end in pairwise(edges)])

    assert (found["updates"], found["snapshots"], found["crossed"], found["one_sided"]) == (4, 1, 2, 0)
