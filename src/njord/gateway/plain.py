"""Domain values as what JSON can carry without loss: integers that may be large become text, names say which."""

from typing import Any

import msgspec

from njord.engine.simulation.blotter import FillLine, OrderLine
from njord.ops.desk.values import QuoteLine

_LARGE = ("_units", "_ns")


def plain(value: Any) -> Any:
    """Return a value as dicts, lists, numbers and text, with all ``*_units`` and ``*_ns`` as text."""
    return _walk(msgspec.to_builtins(value, str_keys=True), large=False)


def order(line: OrderLine, ahead_lots: int | None = None) -> dict[str, Any]:
    """Return an order."""
    found: dict[str, Any] = plain(line)
    found["ahead_lots"] = ahead_lots
    return found


def fill(line: FillLine) -> dict[str, Any]:
    """Return a fill."""
    found: dict[str, Any] = {"number": line.number, "strategy_id": line.strategy_id, **plain(line.fill)}
    return found


def quote(line: QuoteLine) -> dict[str, Any]:
    """Return a line of a watch list."""
    event = line.quote
    return {
        "instrument_id": event.instrument_id, "venue_time_ns": str(event.venue_time_ns), "bid_ticks": event.bid_ticks,
        "bid_lots": event.bid_lots, "ask_ticks": event.ask_ticks, "ask_lots": event.ask_lots,
        "last_ticks": line.last_ticks, "open_ticks": line.open_ticks, "halted": line.halted,
    }  # fmt: skip


def _walk(value: Any, *, large: bool) -> Any:
    if isinstance(value, dict):
        return {key: _walk(each, large=large or key.endswith(_LARGE)) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(each, large=large) for each in value]
    if large and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value
