"""What the page's script draws: the report's series as compact JSON that is safe inside a script element."""

from collections.abc import Iterable
from math import isfinite
from typing import Any

import msgspec
import numpy as np

from njord.research.report.data import Floats, Integers, Making, ReportData
from njord.research.report.sampling import candles, curve_points, underwater
from njord.research.statistics import returns_of

HISTOGRAM_BINS = 61


def payload(report: ReportData) -> dict[str, Any]:
    """Return everything the script needs. Times are milliseconds UTC; a number JSON does not know is None."""
    fall = underwater(report.equity)
    chosen = curve_points(report.equity, fall)
    names: dict[str, int] = {}
    prices = []
    for bars in report.prices:
        names.setdefault(bars.instrument_id, len(names))
        drawn = candles(bars)
        count = report.merged_from.get(bars.instrument_id, len(bars.start_ns))
        prices.append(
            {
                "instrument": bars.instrument_id,
                "bars": count,
                "merged": count > len(drawn.start_ns),
                "t": _ms(drawn.start_ns),
                "o": _numbers(drawn.open),
                "h": _numbers(drawn.high),
                "l": _numbers(drawn.low),
                "c": _numbers(drawn.close),
            }
        )
    for instrument_id in [
        *(fill.instrument_id for fill in report.fills),
        *(one.instrument_id for one in report.trades),
    ]:
        names.setdefault(instrument_id, len(names))
    return {
        "currency": report.currency,
        "instruments": list(names),
        "equity": {
            "samples": len(report.equity),
            "t": _ms(report.equity_time_ns[chosen]),
            "v": _numbers(report.equity[chosen]),
            "d": _numbers(fall[chosen], 6),
            "b": None if report.benchmark is None else _numbers(report.benchmark[chosen]),
        },
        "prices": prices,
        "fills": _fills(report, names),
        "trades": _trades(report, names),
        "histogram": _histogram(report),
        "making": None if report.making is None else _making(report.making),
    }


def script_json(value: object) -> str:
    """Return JSON that no text in it can turn into markup."""
    text = msgspec.json.encode(value, enc_hook=_plain).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    # Whoever fills in fills and trades may do so from arrays
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a report cannot hold {type(value).__name__}")


def _ms(time_ns: Integers) -> list[int]:
    found: list[int] = (time_ns // 1_000_000).tolist()
    return found


def _numbers(values: Floats, digits: int = 10) -> list[float | None]:
    return [float(f"{one:.{digits}g}") if isfinite(one) else None for one in values.tolist()]


def _fills(report: ReportData, names: dict[str, int]) -> dict[str, Any]:
    fills = sorted(report.fills, key=lambda fill: fill.time_ns)
    words, places = _coded(f"{one.reason}\t{one.liquidity}\t{one.strategy_id}" for one in fills)
    return {
        "t": [one.time_ns // 1_000_000 for one in fills],
        "i": [names[one.instrument_id] for one in fills],
        "s": [1 if one.side == "buy" else -1 for one in fills],
        "p": [one.price for one in fills],
        "q": [one.quantity for one in fills],
        "f": [one.fee for one in fills],
        "w": places,
        "words": [word.split("\t") for word in words],
    }


def _trades(report: ReportData, names: dict[str, int]) -> dict[str, Any]:
    trades = report.trades
    return {
        "instrument": [names[one.instrument_id] for one in trades],
        "side": [1 if one.side == "long" else -1 for one in trades],
        "entry": [one.entry_ns // 1_000_000 for one in trades],
        "exit": [one.exit_ns // 1_000_000 for one in trades],
        "quantity": [one.quantity for one in trades],
        "entry_price": [one.entry_price for one in trades],
        "exit_price": [one.exit_price for one in trades],
        "pnl": [one.pnl for one in trades],
        "fees": [one.fees for one in trades],
        "bars": [one.bars_held for one in trades],
    }


def _making(found: Making) -> dict[str, Any]:
    paths = []
    for path in found.inventory:
        # As for equity: the lowest, highest and last of each stretch
        chosen = curve_points(path.quantity, path.quantity)
        paths.append(
            {
                "instrument": path.instrument_id,
                "t": _ms(path.time_ns[chosen]),
                "v": _numbers(path.quantity[chosen]),
            }
        )
    curves = [
        {
            "name": f"{one.instrument_id} {one.side}",
            "side": one.side,
            "x": [0, *one.horizons_s],
            "y": [one.capture_bps, *one.markout_bps],
            "e": [one.capture_error_bps, *one.error_bps],
            "n": [one.fills[0] + one.excluded[0], *one.fills],
        }
        for one in found.curves
    ]
    return {"inventory": paths, "curves": curves}


def _coded(words: Iterable[str]) -> tuple[list[str], list[int]]:
    places: dict[str, int] = {}
    found = [places.setdefault(word, len(places)) for word in words]
    return list(places), found


def _histogram(report: ReportData) -> dict[str, Any] | None:
    given = _given(report.stats.get("periods_per_year"))
    _, returns, per_year = returns_of(report.equity_time_ns, report.equity, given)
    moved = returns[np.isfinite(returns)]
    if len(moved) < 2 or np.ptp(moved) == 0:
        return None
    counts, edges = np.histogram(moved, bins=min(HISTOGRAM_BINS, max(9, int(np.sqrt(len(moved)) * 2))))
    return {
        "counts": counts.tolist(),
        "edges": _numbers(edges, 6),
        "mean": float(moved.mean()),
        "daily": per_year <= 366,
    }


def _given(per_year: float | None) -> float | None:
    # A summary of 365 means every calendar day; anything else was asked for, unless the run was too short for days
    if per_year is None or per_year == 365 or per_year > 366:
        return None
    return float(per_year)
