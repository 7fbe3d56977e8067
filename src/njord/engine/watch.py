"""What the risk engine keeps an eye on between orders: equity, drawdown, the day's loss, VaR, breakers.

It holds what is restricted now, and why; what follows for an order is asked in ``only_reducing``.
"""

from decimal import Decimal
from typing import Any

import msgspec

from njord.domain.clock import interval_ns
from njord.domain.command import Cause, Level, Snapshot
from njord.domain.ids import InstrumentId
from njord.domain.limits import Refusal
from njord.domain.profile import RiskProfile
from njord.risk.breakers import CircuitBreakers
from njord.risk.drawdown import Marks, entries_allowed, size_factor, tier_of
from njord.risk.scenarios import PortfolioVar

# A new highest equity is put on record at once when it is so much higher than the last on record
PEAK_STEP = (1_001, 1_000)
NOWHERE = (0, -1)
_BREAKERS = frozenset({Cause.VOLATILITY, Cause.REJECT_RATE, Cause.LOSS_VELOCITY, Cause.STALE_MARKET})


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch brings into the next session."""

    marks: tuple[int, int, int, int] | None  # Equity, highest, what the day began with, and when
    snapshot_ns: int
    recorded_peak_units: int
    restricted: tuple[tuple[Cause, str, Level, str], ...]
    var: dict[str, Any] | None


class Watch:
    """The eye on one account. ``wanted`` says whether a profile asks for one at all."""

    def __init__(self, profile: RiskProfile, seed: int = 0) -> None:
        self.profile = profile
        self.interval_ns = interval_ns(profile.watch_interval)
        self.mark_interval_ns = interval_ns(profile.mark_interval)
        limit = profile.value_at_risk
        self.var = None if limit is None else PortfolioVar(limit, seed)
        self.var_interval_ns = None if limit is None else interval_ns(limit.interval)
        self.breakers = None if profile.breakers is None else CircuitBreakers(profile.breakers)
        self.marks: Marks | None = None
        self.tier = 0
        self.drawdown_bp = 0
        self.size = (1, 1)
        self.tier_entries = True  # Whether positions may grow, as deep in a drawdown as we are
        self._band = NOWHERE
        self.snapshot_ns = 0  # When the account was last marked on record
        self.recorded_peak_units = 0
        # What is restricted, by cause and instrument ("": all), and the detail that was put on record
        self.restricted: dict[tuple[Cause, str], tuple[Level, str]] = {}
        self.seen: dict[InstrumentId, float] = {}  # Prices as of the last look: one that is the same object is no news

    @staticmethod
    def wanted(profile: RiskProfile) -> bool:
        """Return whether a profile has anything to watch."""
        return bool(
            profile.drawdown_tiers or profile.severe_loss or profile.value_at_risk or profile.breakers
            or profile.daily_loss_max is not None
        )  # fmt: skip

    def only_reducing(self, name: InstrumentId) -> Refusal | None:
        """Return why only orders that make a position smaller may go, or None."""
        if not self.restricted:
            return None
        causes = [cause for cause, whose in self.restricted if whose in ("", name)]
        if Cause.STALE_MARKET in causes:
            return Refusal.MARKET_STALE
        if any(cause in _BREAKERS for cause in causes):
            return Refusal.BREAKER_OPEN
        return Refusal.REDUCE_ONLY if causes else None

    def quiet(self, equity_units: int, time_ns: int) -> bool:
        """Take an equity from which nothing new can follow, and return True: the case of nearly every look.

        It is on the same side of every threshold as the last one that was judged, and nothing else is watched.
        """
        if self.marks is None or not self._band[0] < equity_units <= self._band[1] or self.var is not None:
            return False
        if self.breakers is not None and not self.breakers.quiet:
            return False
        return self.marks.stays(equity_units, time_ns)

    def mark(self, equity_units: int, time_ns: int) -> None:
        """Take what the account is worth now."""
        if self.marks is None:
            self.marks = Marks(equity_units, time_ns)
        else:
            self.marks.update(equity_units, time_ns)
        marks, tiers = self.marks, self.profile.drawdown_tiers
        self.tier = tier_of(equity_units, marks.peak_units, tiers)
        self.size = size_factor(tiers, self.tier)
        self.tier_entries = entries_allowed(tiers, self.tier)
        lost = marks.peak_units - equity_units
        self._band = self._same_side(equity_units)
        self.drawdown_bp = 10_000 if marks.peak_units <= 0 else min(10_000, lost * 10_000 // marks.peak_units)

    def _same_side(self, equity_units: int) -> tuple[int, int]:
        # Above the first and up to the second, every rule about losses says what it says of this equity
        marks, profile = self.marks, self.profile
        assert marks is not None, profile
        if marks.peak_units <= 0 or marks.day_units <= 0:
            return NOWHERE
        losses = [(marks.peak_units, tier.drawdown) for tier in profile.drawdown_tiers]
        if profile.severe_loss is not None:
            losses.append((marks.peak_units, profile.severe_loss.drawdown))
        if profile.daily_loss_max is not None:
            losses.append((marks.day_units, profile.daily_loss_max))
        reached = [units * left[0] // left[1] for units, left in _left(losses)]
        below = [each for each in reached if each < equity_units]
        return max(below, default=-1), min([each for each in reached if each >= equity_units], default=marks.peak_units)

    def take_snapshot(self, snapshot: Snapshot, prices: dict[InstrumentId, float]) -> None:
        """Take in a mark that is on record: now, or from the records of an earlier session."""
        before_ns, self.snapshot_ns = self.snapshot_ns, snapshot.time_ns
        self.recorded_peak_units = max(self.recorded_peak_units, snapshot.peak_units)
        if self.var is not None and self.closes_interval(before_ns, snapshot.time_ns):
            self.var.close_interval(prices)

    def closes_interval(self, before_ns: int, now_ns: int) -> bool:
        """Return whether an interval of the risk estimate ended between two marks."""
        return self.var_interval_ns is not None and before_ns // self.var_interval_ns != now_ns // self.var_interval_ns

    def restore_marks(self, snapshot: Snapshot) -> None:
        """Measure losses from what an earlier session measured them from."""
        self._restore(snapshot.equity_units, snapshot.peak_units, snapshot.day_units, snapshot.time_ns)

    def _restore(self, equity_units: int, peak_units: int, day_units: int, time_ns: int) -> None:
        marks = self.marks = Marks(equity_units, time_ns)
        marks.peak_units, marks.day_units = peak_units, day_units
        self.mark(equity_units, time_ns)  # Only now: how deep the drawdown is depends on the highest

    def shift(self, amount_units: int) -> None:
        """Let money that was paid in or out be neither gain nor loss."""
        self._band = NOWHERE
        if self.marks is not None:
            self.marks.equity_units += amount_units
            self.marks.peak_units += amount_units
            self.marks.day_units += amount_units
            self.recorded_peak_units += amount_units
        if self.breakers is not None:
            self.breakers.forget_equity()

    def dump(self) -> WatchState:
        """Return what the next session needs of it, as values."""
        marks = self.marks
        kept = None if marks is None else (marks.equity_units, marks.peak_units, marks.day_units, marks.time_ns)
        return WatchState(
            marks=kept, snapshot_ns=self.snapshot_ns, recorded_peak_units=self.recorded_peak_units,
            restricted=tuple((*key, *value) for key, value in self.restricted.items()),
            var=None if self.var is None else dict(self.var.dump()),
        )  # fmt: skip

    def load(self, kept: WatchState) -> None:
        """Take back what ``dump`` gave. What was restricted stays so until it is judged anew."""
        if kept.marks is not None:
            self._restore(*kept.marks)
        self.snapshot_ns, self.recorded_peak_units = kept.snapshot_ns, kept.recorded_peak_units
        limit = self.profile.value_at_risk
        if kept.var is not None and limit is not None:
            self.var = PortfolioVar.restore(limit, kept.var)
        for cause, whose, level, detail in kept.restricted:
            if cause in _BREAKERS and self.breakers is None:
                continue  # The profile has no breakers any more
            self.restrict(cause, whose, level, detail, kept.snapshot_ns)

    def restrict(self, cause: Cause, whose: str, level: Level, detail: str, time_ns: int) -> None:
        """Take back a restriction of an earlier session. A breaker cools down from then on."""
        if level is Level.NORMAL:
            self.restricted.pop((cause, whose), None)
            return
        self.restricted[cause, whose] = (level, detail)
        if self.breakers is not None and cause in _BREAKERS:
            self.breakers.reopen(cause, InstrumentId(whose) if whose else None, detail, time_ns)


def _left(losses: list[tuple[int, Decimal]]) -> list[tuple[int, tuple[int, int]]]:
    return [(units, (1 - share).as_integer_ratio()) for units, share in losses]
