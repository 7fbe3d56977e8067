"""``njord data``: bring market data in, list it, look at it, check it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from njord.cli.output import JsonOption, Progress, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from njord.domain.market import Kind
    from njord.market.catalog import Catalog, Dataset
    from njord.market.importers import ImportOptions, ImportReport

REJECTS_SHOWN = 10
PIPE_CHARS = 200
NUMBER_KEYS = ("gaps", "missing_bars", "largest_gap_bars", "largest_gap_s", "duplicates", "disorder", "crossed",
               "zero_volume", "price_jumps")  # fmt: skip

app = App(name="data", help="Import, list, show and check market data.")

CatalogOption = Annotated[Path | None, Parameter(name="--catalog", help="Folder of the catalog.")]


@app.command(name="import")
def import_(
    format_name: Annotated[str, Parameter(name="FORMAT")],
    /,
    *files: Annotated[Path, Parameter(name="FILE")],
    instrument: Annotated[str, Parameter(help="Such as BTC/USD.KRAKEN, or BTC/USDT:USDT.BINANCE for a perpetual.")],
    interval: Annotated[str | None, Parameter(help="Of bars, such as 1h; found out from the files.")] = None,
    columns: Annotated[str | None, Parameter(help="Ours=theirs for candles: ts=date,open=o,volume=none.")] = None,
    timezone: Annotated[str | None, Parameter(help="Of dates without one: +03:00, UTC, America/New_York.")] = None,
    time_unit: Annotated[str | None, Parameter(help="s, ms, us, ns or iso; found out from the files.")] = None,
    tick: Annotated[str | None, Parameter(help="Price tick of a new instrument.")] = None,
    lot: Annotated[str | None, Parameter(help="Quantity lot of a new instrument.")] = None,
    multiplier: Annotated[str | None, Parameter(help="Contract multiplier of a new instrument.")] = None,
    kind: Annotated[str | None, Parameter(help="spot, fx, equity, perpetual … of a new instrument.")] = None,
    skip_bad: Annotated[bool, Parameter(negative="", help="Write the good rows and report the others.")] = False,
    replace: Annotated[bool, Parameter(negative="", help="Overwrite stored rows that differ.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Read files into the catalog.

    Formats: kraken-ohlcvt, kraken-trades, binance-klines, binance-trades, binance-l2, lean, candles, tardis, funding.
    A row that cannot be right is refused with its file, number and reason; then nothing is written, unless --skip-bad.
    """
    from njord.cli.paths import catalog_root
    from njord.market.catalog import Catalog
    from njord.market.importers import import_files

    options = _options(
        interval, columns, timezone, time_unit, tick, lot, multiplier, kind, skip_bad=skip_bad, replace=replace
    )
    with Progress("importing", total=1.0) as progress:
        report = import_files(
            Catalog(catalog_root(catalog)), format_name, list(files), instrument, options, progress.told
        )
    if json:
        print_json(report)
    _tell(report)
    if not report.written:
        raise SystemExit(1)


@app.command
def generate(
    instrument: Annotated[str, Parameter(name="INSTRUMENT", help="Such as SYN/USD.SIM.")],
    /,
    *,
    minutes: Annotated[float, Parameter(help="How long; 120 at most.")] = 10.0,
    seed: Annotated[int, Parameter(help="The same seed makes the same market.")] = 1,
    informed: Annotated[float, Parameter(help="Share of takers who know where the price goes, 0 to 1.")] = 0.3,
    volatility: Annotated[float, Parameter(help="Of the efficient price, in ticks per square root of a second.")] = 1.0,
    takers: Annotated[float, Parameter(help="Market orders a second.")] = 10.0,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Make a book and its trades, order by order, in which everything is known; replaces what was made before."""
    from njord.cli.paths import catalog_root
    from njord.domain.ids import instrument_id
    from njord.engine.sample import write_book
    from njord.market.catalog import Catalog
    from njord.market.synthetic.order_by_order import Flow

    name = instrument_id(instrument)
    flow = Flow(informed_share=informed, volatility_ticks_per_sqrt_s=volatility, takers_per_s=takers)
    with Progress("generate"):
        book, trades = write_book(Catalog(catalog_root(catalog)), name, seed, minutes, flow)
    if json:
        print_json({"instrument": str(name), "book_rows": book, "trades_rows": trades, "seed": seed})
    else:
        print(f"{name}: {book:,} rows of book, {trades:,} trades")


@app.command
def tape(
    folder: Annotated[Path, Parameter(name="FOLDER")], /, *,
    lines: Annotated[bool, Parameter(negative="", help="Print each message as a line of JSON instead.")] = False,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Verify what njord role recorder has put on a tape, and say what is on it."""
    from njord.bus.codec import canonical
    from njord.domain.clock import iso
    from njord.ops.roles.recorder import contents, hours, read

    if not hours(folder):
        raise ValueError(f"{folder}: no tape")
    if lines:
        for envelope in read(folder):
            sys.stdout.buffer.write(canonical(envelope) + b"\n")
        return
    found = contents(folder)
    if json:
        print_json(found)
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.by_kind.items()))
    print(f"{found.messages:,} messages, {found.first:,} to {found.last:,}, {found.missing:,} missing: {kinds}")
    print(f"{iso(found.first_ns)} to {iso(found.last_ns)}, sha256 {found.digest}")


@app.command
def ls(*, catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List what the catalog has."""
    from njord.cli.paths import catalog_root
    from njord.market.catalog import Catalog

    datasets = Catalog(catalog_root(catalog)).datasets()
    if json:
        print_json({"catalog": str(catalog_root(catalog)), "datasets": [_described(each) for each in datasets]})
        return
    if not datasets:
        print(f"{catalog_root(catalog)}: empty", file=sys.stderr)
        return
    from rich.table import Table

    table = Table("instrument", "kind", "interval", "rows", "first", "last", "size")
    for each in datasets:
        row = _described(each)
        size = f"{row['bytes'] / 1e6:.2f} MB"
        table.add_row(
            row["instrument"], row["kind"], row["interval"] or "", f"{row['rows']:,}", row["first"], row["last"], size
        )
    _console().print(table)


@app.command
def show(
    instrument: Annotated[str, Parameter(name="INSTRUMENT")],
    /,
    *,
    kind: Annotated[str | None, Parameter(help="bars, quotes, trades, book, funding …; the only one there is.")] = None,
    interval: str | None = None,
    head: Annotated[int, Parameter(help="How many rows.")] = 10,
    start: Annotated[str | None, Parameter(name="--from", help="First time, ISO 8601.")] = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Show an instrument's definition and the first rows of one of its data sets, prices as decimals."""
    import msgspec

    from njord.cli.paths import catalog_root
    from njord.domain.clock import time_ns
    from njord.domain.ids import instrument_id
    from njord.market.catalog import Catalog

    if head < 0:
        raise ValueError(f"head: must be >= 0, was {head}")
    store = Catalog(catalog_root(catalog))
    defined = store.instrument(instrument_id(instrument))
    dataset = _one_dataset(store, instrument, kind, interval)
    start_ns = time_ns(start) if start else None
    rows = _rows(store, dataset, start_ns, head)
    if json:
        definition = msgspec.to_builtins(defined)
        print_json({"instrument": instrument, "definition": definition, **_described(dataset), "head": rows})
        return
    from rich.table import Table

    console = _console()
    console.print(f"{defined.instrument_id}: {defined.kind}, tick {defined.price_tick:f}, lot {defined.quantity_lot:f}")
    if rows:
        table = Table(*rows[0], title=f"{dataset.id}, {dataset.rows:,} rows")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console.print(table)


@app.command
def check(
    instrument: Annotated[str | None, Parameter(name="INSTRUMENT")] = None,
    /,
    *,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Say what is odd about stored data: holes, jumps, crossed prices, silence, disorder."""
    from njord.cli.paths import catalog_root
    from njord.domain.ids import instrument_id
    from njord.market.catalog import Catalog
    from njord.market.quality import quality

    store = Catalog(catalog_root(catalog))
    if instrument is not None:
        store.instrument(instrument_id(instrument))
    datasets = [each for each in store.datasets() if instrument in (None, each.id.instrument_id)]
    found: list[dict[str, Any]] = []
    with Progress("checking", total=1.0) as progress:
        for index, each in enumerate(datasets):
            progress.told(str(each.id), index / len(datasets))
            found.append({**_described(each), "quality": quality(store, each.id)})
    if json:
        print_json({"catalog": str(store.root), "checked": found})
        return
    for row in found:
        print(f"{row['instrument']} {row['kind']} {row['interval'] or ''}: {_numbers(row['quality'])}")


def _options(
    interval: str | None,
    columns: str | None,
    timezone: str | None,
    time_unit: str | None,
    tick: str | None,
    lot: str | None,
    multiplier: str | None,
    kind: str | None,
    *,
    skip_bad: bool,
    replace: bool,
) -> "ImportOptions":
    from njord.domain.clock import interval_ns
    from njord.domain.instrument import InstrumentKind
    from njord.market.importers import ImportOptions

    kinds = [each.value for each in InstrumentKind]
    if kind is not None and kind not in kinds:
        raise ValueError(f"kind {kind!r}: must be one of {', '.join(kinds)}")
    mapping: dict[str, str] = {}
    for pair in (columns or "").split(","):
        ours, equals, theirs = pair.partition("=")
        if pair and not (ours and equals and theirs):
            raise ValueError(f"columns: {pair!r} must look like ts=date")
        if pair:
            mapping[ours.strip()] = theirs.strip()
    return ImportOptions(
        interval_ns=interval_ns(interval) if interval else None,
        columns=mapping,
        timezone=timezone,
        time_unit=time_unit,
        price_tick=_positive("tick", tick),
        quantity_lot=_positive("lot", lot),
        multiplier=_positive("multiplier", multiplier),
        kind=InstrumentKind(kind) if kind else None,
        skip_bad=skip_bad,
        replace=replace,
    )


def _positive(name: str, text: str | None) -> Any:
    from decimal import Decimal, InvalidOperation

    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name} {text!r}: not a number") from None
    if not (value.is_finite() and value > 0):
        raise ValueError(f"{name} {text!r}: must be > 0")
    return value


def _one_dataset(store: "Catalog", instrument: str, kind: str | None, interval: str | None) -> "Dataset":
    from njord.domain.clock import interval_ns

    wanted_ns = interval_ns(interval) if interval else None
    there = [each for each in store.datasets() if each.id.instrument_id == instrument]
    fits = [
        each
        for each in there
        if (kind is None or each.id.kind == kind) and (wanted_ns is None or each.id.interval_ns == wanted_ns)
    ]
    if len(fits) != 1:
        names = ", ".join(each.id.folder for each in there) or "nothing"
        say = "no such data" if not fits else "several fit, say --kind and --interval"
        raise ValueError(f"{instrument}: {say}; there is {names}")
    return fits[0]


def _rows(store: "Catalog", dataset: "Dataset", start_ns: int | None, head: int) -> list[dict[str, Any]]:
    if head == 0:
        return []
    from njord.domain.clock import iso
    from njord.domain.instrument import Grid

    grid = Grid.of(store.instrument(dataset.id.instrument_id))
    chunk = next(store.read(dataset.id, start_ns, chunk_rows=head), {})
    rows: list[dict[str, Any]] = []
    for values in zip(*(array.tolist() for array in chunk.values()), strict=True):
        row: dict[str, Any] = {}
        for name, value in zip(chunk, values, strict=True):
            if name.endswith("_time_ns") or name == "start_ns":
                row[name.removesuffix("_ns")] = iso(value)
            elif name.endswith("_ticks"):
                row[name.removesuffix("_ticks")] = grid.price(value)
            elif name.endswith("_lots"):
                row[name.removesuffix("_lots")] = grid.quantity(value)
            else:
                row[name] = value
        rows.append(row)
    return rows


def _described(dataset: "Dataset") -> dict[str, Any]:
    from njord.domain.clock import interval_text, iso

    kind: Kind = dataset.id.kind
    return {
        "instrument": dataset.id.instrument_id,
        "kind": kind.value,
        "interval": interval_text(dataset.id.interval_ns) if dataset.id.interval_ns else None,
        "rows": dataset.rows,
        "first_ns": dataset.first_ns,
        "last_ns": dataset.last_ns,
        "first": iso(dataset.first_ns),
        "last": iso(dataset.last_ns),
        "bytes": dataset.bytes,
    }


def _tell(report: "ImportReport") -> None:
    from njord.domain.clock import iso

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    for note in report.notes:
        say(f"  {note}")
    for each in report.datasets:
        span = f"{iso(each.first_ns)} .. {iso(each.last_ns)}" if each.first_ns is not None and each.last_ns else ""
        new = f", {each.rows_new:,} new" if report.written else ""
        say(f"{report.instrument} {each.kind} {each.interval or ''}: {each.rows:,} rows{new}, {span}")
    if report.quality:
        say(f"  {_numbers(report.quality)}")
    for refused in report.rejected[:REJECTS_SHOWN]:
        say(f"  {refused.file} row {refused.row}: {refused.reason}")
    if report.rejected_count > REJECTS_SHOWN:
        say(f"  … and {report.rejected_count - min(REJECTS_SHOWN, len(report.rejected)):,} more")
    if report.rejected_count:
        done = "the others were written" if report.written else "nothing was written; --skip-bad writes the good rows"
        say(f"{report.rejected_count:,} rows refused: {done}")


def _numbers(found: dict[str, Any]) -> str:
    if found and all(isinstance(value, dict) for value in found.values()):
        return "; ".join(f"{name}: {_numbers(value)}" for name, value in found.items())
    return ", ".join(f"{found[key]} {key.replace('_', ' ')}" for key in NUMBER_KEYS if key in found)


def _console() -> "Console":
    from rich.console import Console

    # A pipe has no width: cut nothing off for a reader that is not a terminal
    return Console() if sys.stdout.isatty() else Console(width=PIPE_CHARS)
