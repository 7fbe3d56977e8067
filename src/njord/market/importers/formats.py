"""The formats of files we read, apart from LEAN's folders and raw Binance streams, which have files of their own."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_HOUR
from njord.domain.market import Kind
from njord.domain.spelling import suggestion
from njord.market.importers import lean
from njord.market.importers.files import first_fields, first_rows, is_typed, typed_blocks, typed_names
from njord.market.importers.numbers import UNIT_NS, TimeRule, check_zone, detect_unit
from njord.market.importers.report import ImportOptions
from njord.market.importers.streams import Stream, usual_step_ns

BARS = ("open", "high", "low", "close", "volume")
EIGHT_HOURS_NS = 8 * NS_PER_HOUR
# A venue that pays every 8 hours misses its hour now and then; a wrong time zone misses it always
OFF_GRID_SHARE_MAX = 0.01


class Format(msgspec.Struct, frozen=True):
    """A format by name, and how a file of it is read."""

    name: str
    summary: str
    streams: Callable[[Path, ImportOptions], Stream]


def kraken_ohlcvt(path: Path, options: ImportOptions) -> Stream:
    """Read Kraken's OHLCVT dump: seconds, open, high, low, close, volume and, mostly, a count of trades; no header."""
    return _by_position(path, options, Kind.BARS, {7: ("ts", *BARS, ""), 6: ("ts", *BARS)}, "s")


def kraken_trades(path: Path, options: ImportOptions) -> Stream:
    """Read Kraken's dump of trades: seconds, price, volume; no header."""
    return _by_position(path, options, Kind.TRADES, {3: ("ts", "price", "quantity")}, "s")


def binance_klines(path: Path, options: ImportOptions) -> Stream:
    """Read klines as Binance publishes them in monthly files, with a header or without."""
    return _by_position(path, options, Kind.BARS, {12: ("ts", *BARS, *[""] * 6)}, None)


def binance_trades(path: Path, options: ImportOptions) -> Stream:
    """Read trades as Binance publishes them in monthly files, with a header or without."""
    spot = ("id", "price", "quantity", "", "ts", "side", "")
    aggregated = ("id", "price", "quantity", "", "", "ts", "side")
    layouts = {6: spot[:6], 8: (*aggregated, "")}
    fields = first_fields(path)
    if len(fields) == 7:
        # Spot trades and aggregated futures trades are both 7 wide; the sixth field tells them apart
        layouts[7] = spot if fields[5].lower() in ("true", "false", "isbuyermaker", "is_buyer_maker") else aggregated
    return _by_position(path, options, Kind.TRADES, layouts, None)


def tardis(path: Path, options: ImportOptions) -> Stream:
    """Read a Tardis file: trades, quotes or an incremental L2 book, told apart by their columns."""
    fields = first_fields(path)
    clocks = {"timestamp": "ts", "local_timestamp": "local"}
    if "is_snapshot" in fields:
        kind, names = Kind.BOOK, {"is_snapshot": "is_snapshot", "side": "side", "price": "price", "amount": "quantity"}
    elif "bid_price" in fields:
        kind = Kind.QUOTES
        names = {"bid_price": "bid", "bid_amount": "bid_size", "ask_price": "ask", "ask_amount": "ask_size"}
    else:
        kind, names = Kind.TRADES, {"id": "id", "side": "side", "price": "price", "amount": "quantity"}
    wanted = clocks | names
    _require(path, fields, {ours: theirs for theirs, ours in wanted.items()})
    columns = tuple(wanted.get(field, "") for field in fields)
    return Stream(path=path, kind=kind, columns=columns, header=True, time=TimeRule(options.time_unit or "us"))


CANDLE_NAMES = {
    "ts": ("ts", "time", "timestamp", "date", "datetime", "open_time", "open time", "unix", "start", "start_ns"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
}


def candles(path: Path, options: ImportOptions) -> Stream:
    """Read candles of any layout, by the column mapping of the options."""
    fields = typed_names(path) if is_typed(path) else first_fields(path)
    lower = {field.lower(): field for field in reversed(fields)}
    wanted = {
        ours: options.columns.get(ours) or next((lower[name] for name in names if name in lower), ours)
        for ours, names in CANDLE_NAMES.items()
    }
    constants = {"volume": "0"} if wanted["volume"] == "none" else {}
    for name in constants:
        del wanted[name]
    for ours in options.columns:
        if ours not in CANDLE_NAMES:
            raise ValueError(f"columns: {ours!r} is not one of {', '.join(CANDLE_NAMES)}")
    _require(path, fields, wanted)
    return _by_name(path, options, Kind.BARS, fields, wanted, constants)


def funding(path: Path, options: ImportOptions) -> Stream:
    """Read funding rates, as CSV or feather, by the column mapping of the options."""
    fields = typed_names(path) if is_typed(path) else first_fields(path)
    if not is_typed(path) and len(fields) == 2 and _is_time(fields[0]):
        stream = Stream(path=path, kind=Kind.FUNDING, columns=("ts", "rate"), time=_rule(options, fields[0], None))
    else:
        named = {"ts": options.columns.get("ts"), "rate": options.columns.get("rate")}
        rates = ("Funding Rate", "funding_rate", "fundingRate", "last_funding_rate", "rate", "open")
        times = ("Date", "date", "ts", "timestamp", "fundingTime", "calc_time", "time")
        wanted = {
            "ts": named["ts"] or next((name for name in times if name in fields), "Date"),
            "rate": named["rate"] or next((name for name in rates if name in fields), "Funding Rate"),
        }
        _require(path, fields, wanted)
        stream = _by_name(path, options, Kind.FUNDING, fields, wanted, {})
    if options.timezone is None:
        _check_funding_hours(stream)
    return stream


FORMATS = {
    each.name: each
    for each in (
        Format("kraken-ohlcvt", "Kraken's bar archive: CSV unix_s,open,high,low,close,volume,trades", kraken_ohlcvt),
        Format("kraken-trades", "Kraken's trade archive: CSV unix_s,price,volume", kraken_trades),
        Format("binance-klines", "Binance's public bars: CSV of 12 columns, with or without header", binance_klines),
        Format("binance-trades", "Binance's public trades and aggTrades: CSV of 6, 7 or 8 columns", binance_trades),
        Format("lean", "QuantConnect LEAN zips: bars, quote bars, ticks; splits and dividends", lean.stream),
        Format("candles", "Bars in CSV, feather or Parquet with a header; see --columns", candles),
        Format("tardis", "Tardis CSV: trades, incremental_book_L2, quotes, book_ticker", tardis),
        Format("funding", "Funding rates: CSV Symbol,Date,Funding Rate, or feather with the rate in open", funding),
    )
}
BINANCE_L2 = "binance-l2"
FORMAT_NAMES = (*FORMATS, BINANCE_L2)
L2_SUMMARY = "Raw Binance streams: lines of <local_ns> <json> with depth, trade, bookTicker and one depth snapshot"


def check_format(name: str) -> None:
    """Raise ValueError, with a suggestion, unless there is such a format."""
    if name not in FORMAT_NAMES:
        raise ValueError(f"format {name!r}: there is no such format{suggestion(name, sorted(FORMAT_NAMES))}")


def _by_position(
    path: Path, options: ImportOptions, kind: Kind, layouts: dict[int, tuple[str, ...]], unit: str | None
) -> Stream:
    fields = first_fields(path)
    columns = layouts.get(len(fields))
    if columns is None:
        widths = " or ".join(str(width) for width in sorted(layouts))
        raise ValueError(f"file {path}: row 1 has {len(fields)} columns, expected {widths}")
    header = not _is_time(fields[columns.index("ts")])
    sample = _second_row(path)[columns.index("ts")] if header else fields[columns.index("ts")]
    return Stream(path=path, kind=kind, columns=columns, header=header, time=_rule(options, sample, unit))


def _by_name(
    path: Path, options: ImportOptions, kind: Kind, fields: list[str], wanted: dict[str, str], constants: dict[str, str]
) -> Stream:
    ours = {theirs: name for name, theirs in wanted.items()}
    if is_typed(path):
        rule = TimeRule(options.time_unit or _typed_unit(path, wanted["ts"]), options.timezone)
        return Stream(
            path=path, kind=kind, renamed=ours, time=rule, constants=constants, interval_ns=options.interval_ns
        )
    columns = tuple(ours.get(field, "") for field in fields)
    rule = _rule(options, _second_row(path)[fields.index(wanted["ts"])], None)
    return Stream(path=path, kind=kind, columns=columns, header=True, time=rule, constants=constants)


def _rule(options: ImportOptions, sample: str, unit: str | None) -> TimeRule:
    if options.timezone:
        check_zone(options.timezone)
    found = options.time_unit or unit or detect_unit(sample)
    if options.timezone and found in UNIT_NS:
        raise ValueError(f"timezone {options.timezone}: the times count {found} since 1970, which is UTC everywhere")
    if found not in (*UNIT_NS, "iso", "lean"):
        raise ValueError(f"time unit {found!r}: must be one of s, ms, us, ns, iso")
    return TimeRule(found, options.timezone)


def _typed_unit(path: Path, name: str) -> str:
    for block in typed_blocks(path, {name: "ts"}, "ts"):
        if block.time_ns is None and len(block.rows):
            return detect_unit(str(block.text["ts"][0].as_py()))
    return "iso"


def _require(path: Path, fields: list[str], wanted: dict[str, str]) -> None:
    for ours, theirs in wanted.items():
        if theirs in fields:
            continue
        role = "" if ours == theirs else f" for {ours}"
        hint = suggestion(theirs, fields)
        raise ValueError(f"file {path}: no column {theirs!r}{role}; it has {', '.join(fields)}{hint}")


def _second_row(path: Path) -> list[str]:
    rows = first_rows(path, 2)
    if len(rows) < 2:
        raise ValueError(f"file {path}: has a header but no rows")
    return rows[1]


def _is_time(text: str) -> bool:
    return text[:1].isdigit()


def _check_funding_hours(stream: Stream) -> None:
    times = stream.first_times()
    if len(times) < 3 or usual_step_ns(times) != EIGHT_HOURS_NS:
        return
    past = times % EIGHT_HOURS_NS
    # Stamps some milliseconds late are on time
    off = (past > 60 * 10**9) & (past < EIGHT_HOURS_NS - 60 * 10**9)
    if off.mean() <= OFF_GRID_SHARE_MAX:
        return
    values, counts = np.unique(times % (24 * NS_PER_HOUR) // NS_PER_HOUR, return_counts=True)
    hours = ", ".join(f"{hour:02d}:00" for hour in sorted(values[np.argsort(-counts)[:3]].tolist()))
    raise ValueError(
        f"file {stream.path}: funding every 8 hours at {hours}, not 00:00, 08:00, 16:00 UTC: the dates look like local"
        " time; say which with --timezone, such as +03:00 (or UTC if the venue does pay at these hours)"
    )
