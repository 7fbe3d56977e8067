"""Losses, and what they forbid: drawdown tiers, the day's loss, the severe loss at which we reduce by ourselves.

Drawdown is measured from the highest equity so far, never from where the account began: a gain given back is a loss.
Thresholds are compared as exact fractions; the rounded basis points are only for reading.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from njord.domain.clock import NS_PER_DAY
from njord.domain.ids import InstrumentId
from njord.domain.money import ceil_div
from njord.domain.order import Side
from njord.domain.profile import DrawdownTier, SevereLoss

BP = 10_000


class Marks:
    """The equities that losses are measured from: the highest so far, and what the UTC day began with.

    A day begins with the last equity known before its midnight, so that a loss across midnight belongs to a day.
    """

    __slots__ = ("_day", "_time_ns", "day_units", "equity_units", "peak_units")

    def __init__(self, equity_units: int, time_ns: int) -> None:
        self.equity_units = equity_units
        self.peak_units = equity_units
        self.day_units = equity_units
        self._time_ns = time_ns
        self._day = time_ns // NS_PER_DAY

    @property
    def time_ns(self) -> int:
        """When the equity was last taken."""
        return self._time_ns

    def stays(self, equity_units: int, time_ns: int) -> bool:
        """Take an equity that is no new highest on a day that is no new one, and return True; else False, untaken."""
        if equity_units > self.peak_units or time_ns // NS_PER_DAY != self._day:
            return False
        self.equity_units = equity_units
        self._time_ns = time_ns
        return True

    def update(self, equity_units: int, time_ns: int) -> None:
        """Take what the account is worth now. Time never runs backwards."""
        assert time_ns >= self._time_ns, (time_ns, self._time_ns)
        day = time_ns // NS_PER_DAY
        if day != self._day:
            self._day = day
            self.day_units = self.equity_units
        self._time_ns = time_ns
        self.equity_units = equity_units
        self.peak_units = max(self.peak_units, equity_units)


class Reduction(NamedTuple):
    """A reduce-only order that the risk engine itself asks for."""

    instrument_id: InstrumentId
    side: Side
    quantity_lots: int


def lost_bp(equity_units: int, from_units: int) -> int:
    """Return how far equity is below ``from_units``, in 1/10000 of it, rounded up; 0 at or above it.

    An account that never was worth anything has lost all of it: what cannot be judged is not allowed.
    """
    if from_units <= 0:
        return BP
    return max(0, ceil_div((from_units - equity_units) * BP, from_units))


def lost_share(equity_units: int, from_units: int, share: Decimal) -> bool:
    """Return whether equity is below ``from_units`` by at least ``share`` of it, exactly to the unit."""
    assert share >= 0, share
    if from_units <= 0:
        return True
    numerator, denominator = share.as_integer_ratio()
    return (from_units - equity_units) * denominator >= from_units * numerator


def tier_of(equity_units: int, peak_units: int, tiers: Sequence[DrawdownTier]) -> int:
    """Return in which tier the drawdown is, counted from 1; 0 above all of them."""
    assert peak_units >= equity_units, (peak_units, equity_units)
    tier = 0
    for number, each in enumerate(tiers, 1):
        if lost_share(equity_units, peak_units, each.drawdown):
            tier = number
    return tier


def entries_allowed(tiers: Sequence[DrawdownTier], tier: int) -> bool:
    """Return whether positions may grow in ``tier``."""
    return tier == 0 or tiers[tier - 1].entries


def size_factor(tiers: Sequence[DrawdownTier], tier: int) -> tuple[int, int]:
    """Return what every notional and leverage limit is multiplied by in ``tier``: numerator and denominator."""
    return (1, 1) if tier == 0 else tiers[tier - 1].size.as_integer_ratio()


def daily_loss_reached(equity_units: int, day_units: int, daily_loss_max: Decimal | None) -> bool:
    """Return whether the day's loss has reached its limit, a fraction of what the day began with."""
    return daily_loss_max is not None and lost_share(equity_units, day_units, daily_loss_max)


def severe_reductions(
    lots: Mapping[InstrumentId, int], severe: SevereLoss | None, equity_units: int, peak_units: int, *, done: bool
) -> tuple[list[Reduction], bool]:
    """Return what the risk engine itself sells or buys back, and whether this breach is dealt with.

    ``done`` is what the last call returned: a breach is answered once, and again only after the drawdown was shallower
    than ``severe.drawdown``. Of each position ``severe.reduce`` is taken, rounded up to a lot and never more than is
    held; in the order of ``lots``.
    """
    if severe is None or not lost_share(equity_units, peak_units, severe.drawdown):
        return [], False
    if done:
        return [], True
    numerator, denominator = severe.reduce.as_integer_ratio()
    wanted = [
        Reduction(name, Side.SELL if held > 0 else Side.BUY, ceil_div(abs(held) * numerator, denominator))
        for name, held in lots.items()
        if held
    ]
    assert all(each.quantity_lots <= abs(lots[each.instrument_id]) for each in wanted), wanted
    return wanted, True
