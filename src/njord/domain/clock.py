"""Time as int64 nanoseconds UTC. Nobody here asks what time it is: time is always an argument."""

import datetime

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_S
NS_PER_HOUR = 3_600 * NS_PER_S
NS_PER_DAY = 86_400 * NS_PER_S
# 2262-04-11: the last day int64 nanoseconds can name
TIME_NS_MAX = 2**63 - 1

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_INTERVAL_UNITS_NS = {
    "ms": NS_PER_MS, "s": NS_PER_S, "m": NS_PER_MINUTE, "h": NS_PER_HOUR, "d": NS_PER_DAY, "w": 7 * NS_PER_DAY,
}  # fmt: skip


def time_ns(text: str) -> int:
    """Return an ISO 8601 date or date-time as nanoseconds UTC; no zone means UTC.

    Keeps all nine decimals of a second. Raises ValueError naming the text.
    """
    body, dot, tail = text.strip().partition(".")
    fraction, zone = "", tail
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        fraction, zone = tail[:digits], tail[digits:]
        if not 1 <= len(fraction) <= 9:
            raise ValueError(f"time {text!r}: 1 to 9 decimals of a second, was {len(fraction)}")
    try:
        moment = datetime.datetime.fromisoformat(body + zone)
    except ValueError:
        raise ValueError(
            f"time {text!r}: not an ISO 8601 date or time, such as 2020-01-31 or 2020-01-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    delta = moment - _EPOCH
    whole_ns = (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * NS_PER_US
    return whole_ns + int(fraction.ljust(9, "0") or "0")


def iso(time_ns: int) -> str:
    """Return ``time_ns`` as ISO 8601 UTC, with only as many decimals as it has: ``2020-01-31T12:00:00Z``."""
    seconds, fraction_ns = divmod(time_ns, NS_PER_S)
    moment = _EPOCH + datetime.timedelta(seconds=seconds)
    decimals = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{decimals}Z"


def interval_ns(text: str) -> int:
    """Return an interval such as ``1m``, ``4h`` or ``1d`` in nanoseconds. Raises ValueError naming the text."""
    count = text.rstrip("msdhw")
    unit = text[len(count) :]
    if not count.isdigit() or int(count) == 0 or unit not in _INTERVAL_UNITS_NS:
        raise ValueError(
            f"interval {text!r}: a whole number and one of {', '.join(_INTERVAL_UNITS_NS)}, such as 1m or 4h"
        )
    return int(count) * _INTERVAL_UNITS_NS[unit]


def interval_text(interval_ns: int) -> str:
    """Return the shortest text that ``interval_ns`` reads back from, such as ``1h``."""
    assert interval_ns > 0, interval_ns
    for unit, unit_ns in reversed(_INTERVAL_UNITS_NS.items()):
        if interval_ns % unit_ns == 0 and not (unit == "w" and interval_ns != unit_ns):
            return f"{interval_ns // unit_ns}{unit}"
    raise ValueError(f"interval {interval_ns} ns: not a whole number of milliseconds")
