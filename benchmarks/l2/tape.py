"""The tape of the L2 benchmark: generated once from a seed, then written as each engine reads it, under out/l2.

``tape.npz`` has Njord's columns, ``catalog`` the same as a catalog; ``events.npy`` and ``events`` (pieces of as many
rows as Njord reads from a catalog at once) are hftbacktest's records. The first event is on a whole 100 ms, because
hftbacktest decides at multiples counted from it, and Njord at multiples counted from the epoch.
"""

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from njord.domain.ids import instrument_id
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.engine.tape import TAPE_ROWS, Stream, joined, merged, part
from njord.market.catalog import Catalog, DatasetId
from njord.market.synthetic.order_by_order import Flow, columns_of, generate
from njord.venues.simulated.kernels.layout import ASK, BID, CLEAR, LAST, TRADE_BUY, TRADE_SELL, WHAT, Tape

ROWS = 5_000_000
SEED = 1
# About a thousand rows a second, of which 87 are trades; the mid moves with 3 of 100 rows, spreads are 1 to 4 ticks
ROWS_PER_S = 1_006.0
FLOW = Flow(
    limits_per_s=450.0, takers_per_s=30.0, cancels_per_s=1.5, volatility_ticks_per_sqrt_s=2.0, distance_ticks=10.0,
    taker_lots_mean=15.0,
)  # fmt: skip
START_NS = 1_704_067_200_000_000_000
NAME = instrument_id("BTC/USDT:USDT.BENCH")
TICK, LOT = Decimal("0.1"), Decimal("0.001")
INSTRUMENT = Instrument(
    instrument_id=NAME, kind=InstrumentKind.PERPETUAL, base="BTC", quote="USDT", underlier="BTC", price_tick=TICK,
    quantity_lot=LOT,
)  # fmt: skip
FIELDS = ("times_ns", "what", "markets", "price_ticks", "lots", "sequence")

# hftbacktest's record of an event and its flags, as its documents tell them
EVENT = np.dtype(
    [
        ("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"),
        ("ival", "i8"), ("fval", "f8"),
    ],
    align=True,
)  # fmt: skip
DEPTH, TRADE, DEPTH_CLEAR = 1, 2, 3
AT_EXCHANGE, AT_LOCAL, BUYS, SELLS = 1 << 31, 1 << 30, 1 << 29, 1 << 28


def made(rows: int) -> tuple[Tape, dict[Kind, dict[str, Any]]]:
    """Return the tape of the first ``rows`` rows, and the columns of its book and trades for a catalog."""
    market = generate(np.random.default_rng(SEED), FLOW, rows / ROWS_PER_S * 1.05 + 10)
    columns = {kind: columns_of(market, kind) for kind in (Kind.BOOK, Kind.TRADES)}
    first_ns = min(int(each["venue_time_ns"][0]) for each in columns.values())
    for each in columns.values():
        each["venue_time_ns"] = each["local_time_ns"] = each["venue_time_ns"] - first_ns + START_NS
    streams = [Stream(kind, 0, [each]) for kind, each in columns.items()]
    whole = joined(list(merged(streams)))
    assert len(whole.times_ns) >= rows, len(whole.times_ns)
    assert whole.what[rows - 1] >= LAST, "the tape would end within an update"
    until_ns = int(whole.times_ns[rows])
    cut = {
        kind: {name: column[each["venue_time_ns"] < until_ns] for name, column in each.items()}
        for kind, each in columns.items()
    }
    return part(whole, 0, rows), cut


def events_of(tape: Tape) -> Any:
    """Return a tape as hftbacktest's events: each is seen by the exchange and, at the same moment, by us."""
    what = tape.what & WHAT
    flags = np.zeros(256, dtype=np.uint64)
    for code, flag in (
        (BID, DEPTH | BUYS), (ASK, DEPTH | SELLS), (TRADE_BUY, TRADE | BUYS), (TRADE_SELL, TRADE | SELLS),
        (CLEAR, DEPTH_CLEAR),
    ):  # fmt: skip
        flags[code] = flag | AT_EXCHANGE | AT_LOCAL
    events = np.zeros(len(what), dtype=EVENT)
    events["ev"] = flags[what]
    assert events["ev"].all(), "a row that hftbacktest has no word for"
    events["exch_ts"] = events["local_ts"] = tape.times_ns
    events["px"], events["qty"] = tape.price_ticks * float(TICK), tape.lots * float(LOT)
    return events


def write(rows: int, folder: Path) -> dict[str, Any]:
    """Write the tape in all forms, unless it is there. Return what is known of it."""
    note = folder / "tape.json"
    asked = {"rows": rows, "seed": SEED, "flow": msgspec.to_builtins(FLOW)}
    if note.exists():
        known: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        if {name: known.get(name) for name in asked} == asked:
            return known
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tape, columns = made(rows)
    np.savez(folder / "tape.npz", **{name: getattr(tape, name) for name in FIELDS})
    events = events_of(tape)
    np.save(folder / "events.npy", events)
    (folder / "events").mkdir()
    for number, row in enumerate(range(0, rows, TAPE_ROWS)):
        np.save(folder / "events" / f"{number:03}.npy", events[row : row + TAPE_ROWS])
    store = Catalog(folder / "catalog")
    store.define(INSTRUMENT)
    for kind, each in columns.items():
        store.write(DatasetId(NAME, kind), each)
    what = tape.what & WHAT
    prices = tape.price_ticks[what < TRADE_BUY]
    known = {
        **asked, "seconds": (int(tape.times_ns[-1]) - START_NS) / 1e9,
        "trades": int(((what == TRADE_BUY) | (what == TRADE_SELL)).sum()), "end_ns": int(tape.times_ns[-1]),
        "lowest": int(prices.min()), "highest": int(prices.max()),
        "tape_mb": sum(column.nbytes for column in tape) / 2**20, "events_mb": events.nbytes / 2**20,
    }  # fmt: skip
    note.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


def load(folder: Path) -> Tape:
    """Return the tape as Njord's columns."""
    with np.load(folder / "tape.npz") as file:
        return Tape(*(file[name] for name in FIELDS), np.zeros(0, dtype=np.int64))
