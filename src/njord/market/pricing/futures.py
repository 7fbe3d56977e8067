"""Futures: what carry makes of a spot price, and when contracts expire."""

import calendar
import datetime
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR

Floats = npt.NDArray[np.float64]
FloatLike = float | Floats

MONTH_CODES = "FGHJKMNQUVXZ"
QUARTERS = (3, 6, 9, 12)
# Contracts stop trading in the evening of the last day, UTC
_EXPIRY_HOUR = 20
_LISTED_MAX = 40


def cost_of_carry(spot: FloatLike, years: FloatLike, rate: FloatLike, income: FloatLike) -> Floats:
    """Return the future's price. ``income`` is the dividend or convenience yield, less what storage costs.

    Hull, Options, Futures and Other Derivatives, ch. 5: F = S exp((r - y) T).
    """
    found: Floats = spot * np.exp((np.asarray(rate) - income) * years)
    return found


def third_friday(year: int, month: int) -> datetime.date:
    """Return the third Friday of a month, when index contracts expire."""
    first = datetime.date(year, month, 1)
    return first + datetime.timedelta(days=(calendar.FRIDAY - first.weekday()) % 7 + 14)


def third_last_weekday(year: int, month: int) -> datetime.date:
    """Return the third last weekday of a month, when commodity contracts stop trading here. Holidays are not known."""
    day = datetime.date(year, month, calendar.monthrange(year, month)[1])
    weekdays = 0
    while True:
        weekdays += day.weekday() < 5
        if weekdays == 3:
            return day
        day -= datetime.timedelta(days=1)


def expiry_ns(day: datetime.date) -> int:
    """Return the moment a contract that expires on a day stops trading."""
    return (day - datetime.date(1970, 1, 1)).days * NS_PER_DAY + _EXPIRY_HOUR * NS_PER_HOUR


def quarterly(start_ns: int, count: int, notice_days: int = 0) -> list[tuple[str, int]]:
    """Return (code such as H26, expiry_ns) of the next third Fridays of a quarter at least ``notice_days`` away."""
    return _listed(start_ns, count, notice_days, QUARTERS, third_friday)


def monthly(start_ns: int, count: int, notice_days: int = 0) -> list[tuple[str, int]]:
    """Return (code, expiry_ns) of the next commodity months at least ``notice_days`` away."""
    return _listed(start_ns, count, notice_days, tuple(range(1, 13)), third_last_weekday)


def option_months(start_ns: int, count: int, notice_days: int = 0) -> list[tuple[str, int]]:
    """Return (code, expiry_ns) of the next third Fridays of any month at least ``notice_days`` away."""
    return _listed(start_ns, count, notice_days, tuple(range(1, 13)), third_friday)


def _listed(
    start_ns: int, count: int, notice_days: int, months: tuple[int, ...], rule: Callable[[int, int], datetime.date]
) -> list[tuple[str, int]]:
    if not 0 < count <= _LISTED_MAX:
        raise ValueError(f"contracts: 1 to {_LISTED_MAX}, was {count}")
    year = (datetime.date(1970, 1, 1) + datetime.timedelta(days=start_ns // NS_PER_DAY)).year
    found: list[tuple[str, int]] = []
    while len(found) < count:
        for month in months:
            at_ns = expiry_ns(rule(year, month))
            if at_ns >= start_ns + notice_days * NS_PER_DAY and at_ns > start_ns and len(found) < count:
                found.append((f"{MONTH_CODES[month - 1]}{year % 100:02d}", at_ns))
        year += 1
    return found
