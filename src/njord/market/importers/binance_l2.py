"""Raw Binance streams: lines of ``<local_ns> <json>`` with depth, trade and bookTicker frames and a depth snapshot.

The book is built as the venue prescribes. Deltas received before the snapshot bridge it: they are kept back, those
that end at or before the snapshot's ``lastUpdateId`` are dropped, the rest is applied on top of it. A book that is
not built so is crossed within seconds. After that each delta must continue the last: ``pu`` equals its ``u`` on the
futures venues, ``U`` is one more on spot. A gap makes the book worthless until the next snapshot.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from njord.domain.clock import NS_PER_MS
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument
from njord.domain.market import Kind
from njord.market.catalog import Catalog, CatalogError, Columns
from njord.market.importers.define import inferred
from njord.market.importers.files import line_blocks
from njord.market.importers.numbers import FINE, Step, decimals_used, steps
from njord.market.importers.report import ImportOptions, Progress
from njord.market.importers.sieve import Rejects

FLUSH_ROWS = 200_000
BUFFERED_DELTAS_MAX = 100_000
Levels = list[tuple[str, str]]


class Data(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"first": "U", "last": "u", "previous": "pu", "event_ms": "E", "time_ms": "T", "market": "X"},
):
    """The fields we use of any frame; a frame has those of its own type."""

    e: str = ""
    event_ms: int | None = None
    time_ms: int | None = None
    first: int = 0
    last: int = 0
    previous: int | None = None
    b: Levels | str | int = ""
    a: Levels | str | int = ""
    B: str = ""
    A: str = ""
    p: str = ""
    q: str = ""
    t: int = 0
    m: bool = False
    market: str = "MARKET"


class Frame(msgspec.Struct, frozen=True, gc=False, rename={"event_ms": "E", "time_ms": "T", "last": "lastUpdateId"}):
    """A line: a stream's frame, or the answer of the REST depth request, which has no stream."""

    data: Data | None = None
    last: int = 0
    event_ms: int | None = None
    time_ms: int | None = None
    bids: Levels = []
    asks: Levels = []


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A depth frame and where it came from."""

    file: str
    row: int
    local_ns: int
    data: Data

    @property
    def venue_ns(self) -> int:
        return (self.data.time_ms or self.data.event_ms or 0) * NS_PER_MS


class Sink(Protocol):
    """Where rows go: see importing.Sink."""

    instrument: Instrument
    rejects: Rejects
    notes: list[str]

    def add(self, kind: Kind, interval_ns: int | None, columns: Columns) -> None: ...


def define(catalog: Catalog, files: list[Path], wanted: InstrumentId, options: ImportOptions) -> tuple[Instrument, str]:
    """Return the instrument: the catalog's, or one inferred from the first megabytes of the first file."""
    try:
        return catalog.instrument(wanted), "defined in the catalog"
    except CatalogError:
        pass
    prices: list[str] = []
    quantities: list[str] = []
    _, block = next(line_blocks(files[0]))
    for _, frame in _frames(files[0].name, 1, block, Rejects()):
        data = frame.data
        for levels in (frame.bids, frame.asks, data.b if data else "", data.a if data else ""):
            if isinstance(levels, list):
                prices += [price for price, _ in levels]
                quantities += [quantity for _, quantity in levels]
        if data and data.p:
            prices.append(data.p)
            quantities.append(data.q)
    if not prices:
        raise ValueError(f"file {files[0]}: no line of <local_ns> <json> with a depth, trade or bookTicker frame")
    found = inferred(
        wanted,
        options,
        price_decimals=decimals_used(pa.array(prices, pa.string())),
        quantity_decimals=decimals_used(pa.array(quantities, pa.string())),
    )
    return found, f"defined from the file: {found.kind}, tick {found.price_tick:f}, lot {found.quantity_lot:f}"


def read(sink: Sink, files: list[Path], progress: Progress) -> None:
    """Read files, which continue one another in the order of their first lines, into book, trades and quotes."""
    ordered = sorted(files, key=_first_local_ns)
    rows = {kind: _Rows(sink, kind) for kind in (Kind.BOOK, Kind.TRADES, Kind.QUOTES)}
    depth = _Depth(sink, rows[Kind.BOOK])
    others = not_market = timeless = heard_ns = 0
    for index, path in enumerate(ordered):
        for first_row, block in line_blocks(path):
            for (row, local_ns), frame in _frames(path.name, first_row, block, sink.rejects):
                data = frame.data
                if data is not None:
                    heard_ns = max(heard_ns, (data.time_ms or data.event_ms or 0) * NS_PER_MS)
                if data is None:
                    if frame.last:
                        depth.snapshot(frame, path.name, row, local_ns)
                elif data.e == "depthUpdate":
                    depth.delta(Delta(path.name, row, local_ns, data))
                elif data.e in ("trade", "aggTrade") and data.market != "MARKET":
                    not_market += 1
                elif data.e in ("trade", "aggTrade"):
                    trade_id = data.a if isinstance(data.a, int) else data.t
                    venue_ns = (data.time_ms or data.event_ms or 0) * NS_PER_MS
                    side = -1 if data.m else 1
                    rows[Kind.TRADES].add(path.name, row, venue_ns, local_ns, (side, trade_id), (data.p,), (data.q,))
                elif data.B and data.A:
                    venue_ns = (data.time_ms or data.event_ms or 0) * NS_PER_MS
                    if not venue_ns:
                        # Spot says no time, and our clock may be seconds off the venue's. What came before it on the
                        # wire has one: it is never taken to be earlier than that, or it would tell of the future
                        venue_ns = heard_ns or local_ns
                        timeless += 1
                    prices, lots = (str(data.b), str(data.a)), (data.B, data.A)
                    rows[Kind.QUOTES].add(path.name, row, venue_ns, local_ns, (), prices, lots)
                else:
                    others += 1
            progress(path.name, (index + 0.5) / len(ordered))
        progress(path.name, (index + 1) / len(ordered))
    depth.finish()
    for each in rows.values():
        each.flush()
        if each.clock_steps_back:
            sink.notes.append(f"{each.kind}: the venue's clock stepped back {each.clock_steps_back} times")
    sink.notes.append(depth.told())
    if timeless:
        sink.notes.append(
            f"quotes: {timeless} say no venue time: they have the latest one said by any frame before them"
        )
    if not_market or others:
        sink.notes.append(f"left out: {not_market} trades outside the market, {others} frames of other streams")


class _Depth:
    """Follows the sequence of depth frames, and says which become rows of the book."""

    def __init__(self, sink: Sink, rows: "_Rows") -> None:
        self._sink, self._rows = sink, rows
        self._last: int | None = None  # The last update id in the book; None: no book
        self._kept: list[Delta] = []
        self._updates = self._dropped = self._gaps = self._snapshots = self._old_snapshots = 0

    def snapshot(self, frame: Frame, file: str, row: int, local_ns: int) -> None:
        if self._last is not None and frame.last < self._last:
            # Older than the book we have, and what happened since is in the book already
            self._old_snapshots += 1
            return
        before = [delta for delta in self._kept if delta.data.last <= frame.last]
        bridging = [delta for delta in self._kept if delta.data.last > frame.last]
        stated_ns = (frame.time_ms or frame.event_ms or 0) * NS_PER_MS
        venue_ns = stated_ns or (before[-1].venue_ns if before else local_ns)
        if bridging:
            venue_ns = min(venue_ns, bridging[0].venue_ns)
        self._dropped += len(before)
        self._kept, self._last = [], frame.last
        self._snapshots += 1
        for side, levels in ((1, frame.bids), (-1, frame.asks)):
            for price, quantity in levels:
                self._rows.add(file, row, venue_ns, local_ns, (frame.last, 1, side), (price,), (quantity,))
        first = True
        for delta in bridging:
            # Received earlier, but it could not be applied, so not known, before the snapshot came
            self._follow(msgspec.structs.replace(delta, local_ns=max(delta.local_ns, local_ns)), first=first)
            first = False
        self._fresh = not bridging

    def delta(self, delta: Delta) -> None:
        if self._last is None:
            self._keep(delta)
        elif self._fresh and delta.data.last <= self._last:
            self._dropped += 1
        else:
            self._follow(delta, first=self._fresh)
            self._fresh = False

    def finish(self) -> None:
        """Refuse what waited in vain for a snapshot. Raises ValueError when there never was one."""
        if self._kept and not self._snapshots:
            raise ValueError(
                f"file {self._kept[0].file}: depth frames but no depth snapshot line; name the file before it as well"
            )
        for delta in self._kept:
            self._sink.rejects.add(delta.file, delta.row, "depth after a gap, and no snapshot since")

    def told(self) -> str:
        return (
            f"book: {self._snapshots} snapshots, {self._updates} updates applied, {self._dropped} older than one"
            f" dropped, {self._gaps} sequence gaps, {self._old_snapshots} outdated snapshots left out"
        )

    _fresh = False

    def _follow(self, delta: Delta, *, first: bool) -> None:
        if self._last is None:
            self._keep(delta)
            return
        data = delta.data
        if first:
            # The first after a snapshot spans its id, or begins right behind it
            follows = data.first <= self._last + 1 if data.previous is None else data.previous <= self._last
        elif data.previous is not None:
            follows = data.previous == self._last
        else:
            follows = data.first == self._last + 1
        if not follows:
            before = data.previous if data.previous is not None else data.first - 1
            reason = f"sequence gap: continues from {before}, but the book is at {self._last}"
            self._sink.rejects.add(delta.file, delta.row, reason)
            self._gaps += 1
            self._last = None
            self._keep(delta)
            return
        self._last = data.last
        self._updates += 1
        for side, levels in ((1, data.b), (-1, data.a)):
            assert isinstance(levels, list), delta
            for price, quantity in levels:
                key = (data.last, 0, side)
                self._rows.add(delta.file, delta.row, delta.venue_ns, delta.local_ns, key, (price,), (quantity,))

    def _keep(self, delta: Delta) -> None:
        if len(self._kept) >= BUFFERED_DELTAS_MAX:
            raise ValueError(f"file {delta.file}: {BUFFERED_DELTAS_MAX} depth frames and still no snapshot")
        self._kept.append(delta)


# For each kind: integer columns, then price columns, then lot columns
_LAYOUT: dict[Kind, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    Kind.BOOK: (("sequence", "snapshot", "side"), ("price_ticks",), ("quantity_lots",)),
    Kind.TRADES: (("aggressor", "trade_id"), ("price_ticks",), ("quantity_lots",)),
    Kind.QUOTES: ((), ("bid_ticks", "ask_ticks"), ("bid_lots", "ask_lots")),
}


class _Rows:
    """Rows of one kind, kept as text until there are enough to convert at once."""

    def __init__(self, sink: Sink, kind: Kind) -> None:
        self.kind = kind
        self.clock_steps_back = 0
        self._sink = sink
        self._last_ns = 0
        self._rows: list[tuple[object, ...]] = []

    def add(
        self, file: str, row: int, venue_ns: int, local_ns: int, keys: tuple[int, ...], prices: tuple[str, ...],
        quantities: tuple[str, ...],
    ) -> None:  # fmt: skip
        if venue_ns < self._last_ns:
            self.clock_steps_back += 1
            venue_ns = self._last_ns
        self._last_ns = venue_ns
        self._rows.append((file, row, venue_ns, local_ns, *keys, *prices, *quantities))
        if len(self._rows) >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Convert and pass on; refuse rows whose numbers are not on the grid."""
        if not self._rows:
            return
        keys, prices, lots = _LAYOUT[self.kind]
        files, numbers, *rest = zip(*self._rows, strict=True)
        self._rows = []
        names = ("venue_time_ns", "local_time_ns", *keys)
        columns = {name: np.array(rest[at], dtype=np.int64) for at, name in enumerate(names)}
        good = np.ones(len(numbers), dtype=np.bool_)
        grid = self._sink.instrument
        zero_is_fine = self.kind is not Kind.TRADES
        for at, name in enumerate((*prices, *lots), len(names)):
            price = name in prices
            text = pa.array(rest[at], pa.string())
            values, codes = steps(text, Step(grid.price_tick if price else grid.quantity_lot))
            least = 1 if price or not zero_is_fine else 0
            bad = good & ((codes != FINE) | (values < least))
            for position in np.flatnonzero(bad).tolist():
                what = f"{'price' if price else 'quantity'} {rest[at][position]!r}"
                grid_text = f"{grid.price_tick if price else grid.quantity_lot:f}"
                reason = f"{what} is not a number > 0 on the grid of {grid_text}"
                self._sink.rejects.add(files[position], numbers[position], reason)
            good &= ~bad
            columns[name] = values
        self._sink.add(self.kind, None, {name: array[good] for name, array in columns.items()})


_DECODER = msgspec.json.Decoder(Frame)
_BARE = msgspec.json.Decoder(Data)


def _frames(file: str, first_row: int, block: bytes, rejects: Rejects) -> Iterator[tuple[tuple[int, int], Frame]]:
    for row, line in enumerate(block.splitlines(), first_row):
        stamp, _, text = line.partition(b" ")
        try:
            local_ns, frame = int(stamp), _DECODER.decode(text)
            if frame.data is None and not frame.last:
                frame = Frame(data=_BARE.decode(text))
        except (ValueError, msgspec.MsgspecError) as error:
            rejects.add(file, row, f"not a line of <local_ns> <json> ({error})"[:200])
            continue
        yield (row, local_ns), frame


def _first_local_ns(path: Path) -> int:
    _, block = next(line_blocks(path))
    stamp = block.partition(b" ")[0]
    return int(stamp) if stamp.isdigit() else 0
