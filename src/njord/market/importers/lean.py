"""QuantConnect LEAN's folders: ``<type>/<market>/<resolution>/…zip``, each one CSV whose columns its path tells.

Equity prices are integers of 1/10,000 and times are New York's; crypto, forex and CFD are plain decimals in UTC.
Beside the daily and minute folders of a market are ``factor_files`` (splits and dividends) and ``map_files`` (which
company had a ticker when).
"""

import bisect
import itertools
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S, time_ns
from njord.domain.market import Kind
from njord.domain.money import units
from njord.market.importers.numbers import TimeRule, day_start_ns, day_text, to_utc
from njord.market.importers.report import ImportOptions
from njord.market.importers.sieve import Array, Rejects
from njord.market.importers.streams import Stream

RESOLUTIONS_NS = {"daily": NS_PER_DAY, "hour": NS_PER_HOUR, "minute": NS_PER_MINUTE, "second": NS_PER_S, "tick": None}
ZONES = {"equity": "America/New_York", "crypto": None, "cryptofuture": None, "forex": None, "cfd": None}
SHIFTS = {"equity": 4}
ALWAYS_QUOTES = ("forex", "cfd")
FAR_NS = time_ns("2100-01-01")
SPLIT, DIVIDEND = 1, 2

_POINTS = ("open", "high", "low", "close")
_TRADE_BARS = ("ts", *_POINTS, "volume")
_QUOTE_BARS = (
    "ts", *(f"bid_{point}" for point in _POINTS), "bid_size", *(f"ask_{point}" for point in _POINTS), "ask_size",
)  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """What a file's path says about it."""

    type: str
    market_folder: Path
    resolution: str
    ticker: str
    quotes: bool
    day: str | None


class Tenure(msgspec.Struct, frozen=True):
    """A company had this ticker from and until (inclusive) these days, as nanoseconds of midnight, local time."""

    ticker: str
    from_ns: int
    until_ns: int


def stream(path: Path, options: ImportOptions) -> Stream:
    """Return how to read one LEAN zip. Raises ValueError when its path does not say what it is."""
    place = placed(path)
    interval = RESOLUTIONS_NS[place.resolution]
    if place.type == "equity" and interval is None:
        raise ValueError(f"file {path}: LEAN equity ticks are not supported; minute and daily bars are")
    if interval is None:
        kind = Kind.QUOTES if place.quotes else Kind.TRADES
        columns = _tick_columns(place)
    else:
        kind, columns = (Kind.QUOTE_BARS, _QUOTE_BARS) if place.quotes else (Kind.BARS, _TRADE_BARS)
    zone = options.timezone or ZONES[place.type]
    rule = TimeRule("ms", zone, day_start_ns(place.day)) if place.day else TimeRule("lean", zone)
    return Stream(
        path=path,
        kind=kind,
        interval_ns=interval,
        columns=columns,
        time=rule,
        price_shift=SHIFTS.get(place.type, 0),
    )


def placed(path: Path) -> Place:
    """Return what the path of a LEAN file says. Raises ValueError naming the part that is missing."""
    parts = [part.lower() for part in path.absolute().parts]
    type_at = next((at for at in range(len(parts) - 3, -1, -1) if parts[at] in ZONES), None)
    if type_at is None:
        raise ValueError(f"file {path}: not under one of {', '.join(ZONES)} as LEAN lays out its data")
    resolution = parts[type_at + 2]
    if resolution not in RESOLUTIONS_NS:
        raise ValueError(f"file {path}: {resolution!r} is not one of {', '.join(RESOLUTIONS_NS)}")
    stem, _, what = path.stem.lower().partition("_")
    daily_files = len(parts) == type_at + 4
    quotes = what.startswith("quote") or (parts[type_at] in ALWAYS_QUOTES)
    if what.startswith("openinterest"):
        raise ValueError(f"file {path}: open interest is not supported")
    market = Path(*path.absolute().parts[: type_at + 2])
    if daily_files:
        return Place(parts[type_at], market, resolution, stem, quotes, None)
    if len(stem) != 8 or not stem.isdigit():
        raise ValueError(f"file {path}: the name must start with the day, as in 20140606_trade.zip")
    return Place(parts[type_at], market, resolution, parts[type_at + 3], quotes, stem)


def tenures(market_folder: Path, symbol: str) -> list[Tenure]:
    """Return which tickers a company had when, oldest first, from its map file; none when there is no map file."""
    path = market_folder / "map_files" / f"{symbol.lower()}.csv"
    if not path.exists():
        return []
    rows = [line.split(",") for line in path.read_text().split()]
    found: list[Tenure] = []
    # The first row is the day of listing; each row after it the last day under its ticker
    start_ns = day_start_ns(rows[0][0])
    for row in rows[1:]:
        until_ns = min(day_start_ns(row[0]), FAR_NS)
        found.append(Tenure(row[1].lower(), start_ns, until_ns))
        start_ns = until_ns + NS_PER_DAY
    return found


def restrict(stream: Stream, known: list[Tenure]) -> str | None:
    """Leave out rows of days when the file's ticker was another company's; return a note when that can be."""
    place = placed(stream.path)
    mine = [tenure for tenure in known if tenure.ticker == place.ticker]
    if not known:
        return None
    if not mine:
        had = ", ".join(dict.fromkeys(tenure.ticker for tenure in known))
        raise ValueError(f"file {stream.path}: by its map file the company never had this ticker, it had {had}")
    zone = ZONES[place.type]
    stream.from_ns = int(to_utc(np.array([mine[0].from_ns]), zone)[0])
    stream.until_ns = int(to_utc(np.array([mine[-1].until_ns + NS_PER_DAY]), zone)[0])
    first, last = day_text(mine[0].from_ns), day_text(mine[-1].until_ns)
    return f"{stream.path.name}: ticker {place.ticker} is this company's {first} .. {last}; other days are left out"


def actions(market_folder: Path, symbol: str, days_ns: list[int]) -> dict[str, Array] | None:
    """Return splits and dividends from a factor file, or None when there is none.

    A factor applies up to and including its day, so the event is on the next day of trading: the next of ``days_ns``
    (midnights, local time), or the next weekday where those have ended.
    """
    path = market_folder / "factor_files" / f"{symbol.lower()}.csv"
    if not path.exists():
        return None
    rows = [line.split(",") for line in path.read_text().split()]
    found: list[tuple[int, int, int, int, str]] = []
    for row, after in itertools.pairwise(rows):
        ex_ns = _next_day(day_start_ns(row[0]), days_ns)
        close, split = Decimal(row[3]), Decimal(after[2]) / Decimal(row[2])
        if split != 1:
            numerator, denominator = _ratio(split)
            found.append((ex_ns, SPLIT, numerator, denominator, ""))
        if row[1] != after[1] and close > 0:
            amount = _dividend(close, Decimal(row[1]), Decimal(after[1]))
            found.append((ex_ns, DIVIDEND, 0, 0, str(units(amount))))
    times = to_utc(np.array([each[0] for each in found], dtype=np.int64), ZONES["equity"])
    return {
        "venue_time_ns": times,
        "action": np.array([each[1] for each in found], dtype=np.int8),
        "numerator": np.array([each[2] for each in found], dtype=np.int64),
        "denominator": np.array([each[3] for each in found], dtype=np.int64),
        "amount_units_text": np.array([each[4] for each in found], dtype=np.str_),
    }


def trading_days(streams: list[Stream]) -> list[int]:
    """Return the days of the daily files among the streams, as nanoseconds of midnight, local time."""
    found: set[int] = set()
    for stream_ in streams:
        if stream_.interval_ns == NS_PER_DAY:
            for block in stream_.blocks(Rejects()):
                found.update(day_start_ns(text) for text in block.text["ts"].to_pylist() if text[:8].isdigit())
    return sorted(found)


def _tick_columns(place: Place) -> tuple[str, ...]:
    if not place.quotes:
        return ("ts", "price", "quantity")
    return ("ts", "bid", "ask") if place.type in ALWAYS_QUOTES else ("ts", "bid", "bid_size", "ask", "ask_size")


def _next_day(day_ns: int, days_ns: list[int]) -> int:
    at = bisect.bisect_right(days_ns, day_ns)
    if at < len(days_ns) and days_ns[0] <= day_ns:
        return days_ns[at]
    # 1970-01-01 was a Thursday
    weekday = (day_ns // NS_PER_DAY + 3) % 7
    return day_ns + NS_PER_DAY * (3 if weekday == 4 else 2 if weekday == 5 else 1)


def _ratio(split: Decimal) -> tuple[int, int]:
    # Factors have seven decimals, so 7 for 1 reads as 0.25 / 0.0357143: the simplest fraction that near
    for denominator in range(1, 101):
        numerator = round(split * denominator)
        if numerator > 0 and abs(split * denominator / numerator - 1) < Decimal("1e-5"):
            return numerator, denominator
    numerator, denominator = split.quantize(Decimal("1e-6")).as_integer_ratio()
    return numerator, denominator


def _dividend(close: Decimal, factor: Decimal, factor_after: Decimal) -> Decimal:
    # The file holds the factor, 1 - dividend / close, to seven decimals; the dividend is known to no more than that
    exact = close * (1 - factor / factor_after)
    error = 2 * close * Decimal("1e-7") / factor_after
    places = next((k for k in (4, 3, 2) if 2 * error < Decimal(1).scaleb(-k)), 2)
    return exact.quantize(Decimal(1).scaleb(-places))
