"""One import from beginning to end: find out what the files are, read them, check, write all or nothing.

Order of things: format, files and instrument are settled first; then every row is read and staged; only when all
files are read, and no row was refused or skipping was asked for, does anything reach the catalog.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from njord.domain.clock import interval_text
from njord.domain.ids import InstrumentId, instrument_id
from njord.domain.instrument import Instrument
from njord.domain.market import Kind
from njord.market.catalog import Catalog, CatalogError, Columns, DatasetId, Writer
from njord.market.catalog.schema import PRICELESS, WITH_INTERVAL, time_column
from njord.market.importers import binance_l2, lean
from njord.market.importers.define import inferred
from njord.market.importers.formats import BINANCE_L2, FORMATS, check_format
from njord.market.importers.numbers import Step, day_text, decimals_used, read_times
from njord.market.importers.report import DatasetReport, ImportOptions, ImportReport, Progress
from njord.market.importers.shapes import SHAPES, Shape
from njord.market.importers.sieve import Block, Rejects, Sieve
from njord.market.importers.streams import Stream, usual_step_ns
from njord.market.quality import Check, check_of

_POINTS = [f"{side}{point}" for side in ("", "bid_", "ask_") for point in ("open", "high", "low", "close")]
PRICES = ("price", "bid", "ask", *_POINTS)
QUANTITIES = ("quantity", "bid_size", "ask_size")


class Sink:
    """Collects what an import writes: a staged writer, a quality check and counts for each data set."""

    def __init__(self, catalog: Catalog, instrument: Instrument, options: ImportOptions) -> None:
        self.catalog, self.instrument, self.options = catalog, instrument, options
        self.rejects = Rejects()
        self.notes: list[str] = []
        self._writers: dict[DatasetId, Writer] = {}
        self._checks: dict[DatasetId, Check] = {}
        self._ranges: dict[DatasetId, tuple[int, int, int]] = {}

    def add(self, kind: Kind, interval_ns: int | None, columns: Columns) -> None:
        """Stage rows, which are in time order."""
        dataset_id = DatasetId(self.instrument.instrument_id, kind, interval_ns)
        times = columns[time_column(kind)]
        if not len(times):
            return
        if dataset_id not in self._writers:
            self._writers[dataset_id] = self.catalog.writer(
                dataset_id, replace=self.options.replace, instrument=self.instrument
            )
            self._checks[dataset_id] = check_of(dataset_id)
            self._ranges[dataset_id] = (0, int(times[0]), 0)
        self._writers[dataset_id].write(columns)
        self._checks[dataset_id].add(columns)
        rows, first_ns, _ = self._ranges[dataset_id]
        self._ranges[dataset_id] = (rows + len(times), first_ns, int(times[-1]))

    def finish(self, format_name: str) -> ImportReport:
        """Write everything, or nothing when rows were refused and may not be skipped; say which."""
        written = not self.rejects.count or self.options.skip_bad
        if written and self._writers:
            self.catalog.define(self.instrument)
            for writer in self._writers.values():
                writer.commit()
        else:
            self.abandon()
        datasets = [self._dataset(dataset_id) for dataset_id in self._writers]
        main = max(self._ranges, key=lambda each: self._ranges[each][0], default=None)
        rows, first_ns, last_ns = self._ranges[main] if main else (0, None, None)
        return ImportReport(
            instrument=self.instrument.instrument_id,
            format=format_name,
            kind=main.kind.value if main else "",
            rows=rows,
            rows_new=sum(each.rows_new for each in datasets),
            first_ns=first_ns,
            last_ns=last_ns,
            written=written,
            datasets=datasets,
            rejected=self.rejects.listed,
            rejected_count=self.rejects.count,
            quality=self._quality(),
            notes=self.notes,
            definition=self.instrument,
        )

    def abandon(self) -> None:
        """Forget what was staged."""
        for writer in self._writers.values():
            writer.abandon()

    def _dataset(self, dataset_id: DatasetId) -> DatasetReport:
        rows, first_ns, last_ns = self._ranges[dataset_id]
        interval = interval_text(dataset_id.interval_ns) if dataset_id.interval_ns else None
        new = self._writers[dataset_id].rows_written
        return DatasetReport(dataset_id.kind.value, interval, rows, new, first_ns, last_ns)

    def _quality(self) -> dict[str, Any]:
        found = {dataset_id.folder: check.findings() for dataset_id, check in self._checks.items()}
        # One data set is the usual case: its findings need no second level
        return next(iter(found.values())) if len(found) == 1 else found


def import_files(
    catalog: Catalog,
    format_name: str,
    files: list[Path],
    instrument: str,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Read files of one format into the catalog as data of one instrument.

    Raises ValueError of one line when a file or the request is wrong as a whole, and CatalogError when rows contradict
    the catalog. Rows that are wrong by themselves are in the report; then nothing is written unless ``skip_bad``.
    """
    options = options or ImportOptions()
    check_format(format_name)
    wanted = instrument_id(instrument)
    if not files:
        raise ValueError("files: name at least one")
    said = progress or _silent
    if format_name == BINANCE_L2:
        return _run(binance_l2.define(catalog, files, wanted, options), catalog, options, format_name, files, said)
    streams = [FORMATS[format_name].streams(path, options) for path in files]
    changes: list[dict[str, str]] = []
    notes: list[str] = []
    if format_name == "lean":
        notes, changes = _lean_tickers(streams, wanted)
    ordered = _ordered(streams, options)
    defined, note = _instrument(catalog, wanted, ordered, options)
    sink = Sink(catalog, defined, options)
    sink.notes += [*notes, note]
    try:
        _read(sink, ordered, said)
        if format_name == "lean":
            _lean_actions(sink, ordered)
        report = sink.finish(format_name)
    except BaseException:
        sink.abandon()
        raise
    return msgspec.structs.replace(report, ticker_changes=changes)


def _run(
    defined: tuple[Instrument, str],
    catalog: Catalog,
    options: ImportOptions,
    format_name: str,
    files: list[Path],
    progress: Progress,
) -> ImportReport:
    sink = Sink(catalog, defined[0], options)
    sink.notes.append(defined[1])
    try:
        binance_l2.read(sink, files, progress)
        return sink.finish(format_name)
    except BaseException:
        sink.abandon()
        raise


def _read(sink: Sink, streams: list[Stream], progress: Progress) -> None:
    shapes: dict[tuple[Kind, int | None], Shape] = {}
    grid, options = sink.instrument, sink.options
    sizes = [stream.path.stat().st_size for stream in streams]
    unstated = int(options.quote_size / grid.quantity_lot)
    for index, stream in enumerate(streams):
        key = (stream.kind, stream.interval_ns)
        price = Step(grid.price_tick, stream.price_shift)
        shape = shapes.setdefault(key, Shape(price, Step(grid.quantity_lot), stream.time, unstated))
        shape.time, shape.price = stream.time, price
        left_out = 0
        for whole in stream.blocks(sink.rejects):
            block = whole
            if stream.from_ns is not None or stream.until_ns is not None:
                block = _inside(stream, whole)
                left_out += len(whole.rows) - len(block.rows)
            sieve = Sieve(block, sink.rejects)
            columns = SHAPES[stream.kind](block, sieve, shape)
            good = sieve.finish()
            kept = columns if good.all() else {name: array[good] for name, array in columns.items()}
            sink.add(stream.kind, stream.interval_ns, kept)
            progress(stream.path.name, (sum(sizes[:index]) + sizes[index] / 2) / sum(sizes))
        if left_out:
            sink.notes.append(f"{stream.path.name}: {left_out} rows left out: another company had the ticker then")
        progress(stream.path.name, sum(sizes[: index + 1]) / sum(sizes))
    for (kind, _), shape in shapes.items():
        if shape.clock_steps_back:
            sink.notes.append(f"{kind}: the venue's clock stepped back {shape.clock_steps_back} times")
    if any("bid" in stream.columns and "bid_size" not in stream.columns for stream in streams):
        sink.notes.append(f"quotes state no size: taken as {options.quote_size:f} on each side")


def _inside(stream: Stream, block: Block) -> Block:
    # Rows whose time cannot be read stay, to be refused
    sieve = Sieve(block, Rejects())
    times = read_times(sieve, block.text["ts"], stream.time, "ts")
    inside = np.ones(len(times), dtype=np.bool_)
    if stream.from_ns is not None:
        inside &= times >= stream.from_ns
    if stream.until_ns is not None:
        inside &= times < stream.until_ns
    inside |= ~sieve.good
    text = {name: column.filter(pa.array(inside)) for name, column in block.text.items()}
    return Block(block.file, block.rows[inside], text)


def _ordered(streams: list[Stream], options: ImportOptions) -> list[Stream]:
    # Files may be named in any order: what counts is the time of their first rows
    starts: dict[int, int] = {}
    for stream in streams:
        times = stream.first_times()
        starts[id(stream)] = int(times[0]) if len(times) else 0
        if stream.kind not in WITH_INTERVAL:
            if options.interval_ns is not None:
                raise ValueError(f"interval: {stream.kind} have none; it goes with bars")
            continue
        found = stream.interval_ns or options.interval_ns or usual_step_ns(times)
        if found is None:
            raise ValueError(f"file {stream.path}: too few good rows to tell the interval; say it with --interval")
        if options.interval_ns is not None and found != options.interval_ns:
            raise ValueError(
                f"file {stream.path}: bars of {interval_text(found)}, but --interval says"
                f" {interval_text(options.interval_ns)}"
            )
        stream.interval_ns = found
    return sorted(streams, key=lambda stream: (stream.kind, stream.interval_ns or 0, starts[id(stream)]))


def _instrument(
    catalog: Catalog, wanted: InstrumentId, streams: list[Stream], options: ImportOptions
) -> tuple[Instrument, str]:
    try:
        known = catalog.instrument(wanted)
    except CatalogError:
        prices, quantities = _decimals(streams, options)
        found = inferred(wanted, options, price_decimals=prices, quantity_decimals=quantities)
        return found, f"defined from the files: {described(found)}"
    priceless = catalog.is_priceless(wanted)
    if priceless and any(stream.kind not in PRICELESS for stream in streams):
        # Its tick was a guess: nothing with a price had been seen
        prices, quantities = _decimals(streams, options)
        found = inferred(wanted, options, price_decimals=prices, quantity_decimals=quantities)
        if found.price_tick < known.price_tick:
            refined = msgspec.structs.replace(known, price_tick=found.price_tick)
            return refined, f"defined anew, since only data without prices was there: {described(refined)}"
    for name in ("price_tick", "quantity_lot", "multiplier", "kind"):
        asked = getattr(options, name)
        if asked is not None and asked != getattr(known, name):
            raise ValueError(f"{wanted}: the catalog has {name} {getattr(known, name)}, not {asked}")
    return known, f"defined in the catalog: {described(known)}"


def described(instrument: Instrument) -> str:
    """Return an instrument's grid and kind as a short text."""
    extra = f", multiplier {instrument.multiplier:f}" if instrument.multiplier != 1 else ""
    inverse = ", inverse" if instrument.inverse else ""
    return f"{instrument.kind}, tick {instrument.price_tick:f}, lot {instrument.quantity_lot:f}{extra}{inverse}"


def _decimals(streams: list[Stream], options: ImportOptions) -> tuple[int, int]:
    # A pass over all files of its own, unless both grids are given
    prices = quantities = 0
    if options.price_tick is not None and options.quantity_lot is not None:
        return 0, 0
    for stream in streams:
        for block in stream.blocks(Rejects()):
            for name, text in block.text.items():
                if name in PRICES:
                    prices = max(prices, decimals_used(text, stream.price_shift))
                elif name in QUANTITIES and stream.kind is not Kind.QUOTE_BARS:
                    quantities = max(quantities, decimals_used(text))
    return prices, quantities


def _lean_tickers(streams: list[Stream], wanted: InstrumentId) -> tuple[list[str], list[dict[str, str]]]:
    place = lean.placed(streams[0].path)
    symbol = wanted.rpartition(".")[0]
    if place.type != "equity":
        return [], []
    known = lean.tenures(place.market_folder, symbol)
    notes = [note for stream in streams if (note := lean.restrict(stream, known))]
    changes = [
        {"ticker": each.ticker, "from": day_text(each.from_ns), "until": day_text(each.until_ns)} for each in known
    ]
    return list(dict.fromkeys(notes)), changes


def _lean_actions(sink: Sink, streams: list[Stream]) -> None:
    place = lean.placed(streams[0].path)
    if place.type != "equity":
        return
    symbol = sink.instrument.instrument_id.rpartition(".")[0]
    found = lean.actions(place.market_folder, symbol, lean.trading_days(streams))
    if found is None:
        sink.notes.append(f"no factor file for {symbol}: splits and dividends are not known")
    else:
        sink.add(Kind.ACTIONS, None, found)


def _silent(file: str, share: float) -> None:
    del file, share
