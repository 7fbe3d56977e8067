"""Managing a position once it is there: partial exits, re-entries, a stop that follows, and patience that adapts.

Distances are in units of volatility, so the plan is the same for a quiet market and a wild one. There is no longest
time to hold: patience is how long a random walk of the present volatility takes to cover the distance to the next
target, which is the square of their ratio. When volatility doubles, that is a quarter of the time.
"""

import enum
import math

import msgspec


class Move(enum.StrEnum):
    """What a campaign does next. Closed list."""

    HOLD = "hold"
    PARTIAL_EXIT = "partial_exit"
    REENTRY = "reentry"
    STOP = "stop"
    OUT_OF_PATIENCE = "out_of_patience"


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a position is managed. Raises ValueError naming the field.

    ``target``, ``pullback`` and ``stop`` are distances in volatilities of a bar, the first two as of entry, the stop as
    of now; ``partial`` is the share of the whole position sold at each target, ``partials`` at most at a time.
    """

    target: float = 4.0
    pullback: float = 2.0
    stop: float = 6.0
    partial: float = 0.25
    partials: int = 2
    patience: float = 3.0

    def __post_init__(self) -> None:
        for name in ("target", "pullback", "stop", "patience"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"campaign: {name} must be > 0, was {value}")
        if not 0 < self.partial < 1 or self.partials < 0 or self.partial * self.partials >= 1:
            raise ValueError(
                f"campaign: partial must be a share, and {self.partials} times {self.partial} less than all of it"
            )


class Campaign:
    """One position in one direction: 1 for a long, -1 for a short. Prices and volatility are signals, as floats.

    ``share`` is how much of the whole position to hold; at 0 the campaign is over.
    """

    __slots__ = ("_best", "_from", "_plan", "_reach", "_sign", "_sold_at", "_waited", "bars", "share")

    def __init__(self, plan: CampaignPlan, sign: int, price: float, volatility: float) -> None:
        assert sign in (1, -1), sign
        assert volatility > 0, volatility
        self._plan, self._sign = plan, sign
        self._reach = volatility  # Of a bar, in price, as of entry
        self._best = self._from = price  # Best price so far, and where the next target is measured from
        self._sold_at: list[float] = []  # Partial exits that were not bought back
        self._waited = 0  # Bars since the best price was bettered
        self.bars = 0
        self.share = 1.0

    def horizon_bars(self, volatility: float) -> float:
        """Return how many bars it may go without progress, at the present volatility of a bar in price.

        A driftless random walk takes (d / sigma)^2 steps on average to leave an interval of half-width d (Feller,
        Introduction to Probability I, XIV.3); times ``patience``. Without volatility there is no end to it.
        """
        if volatility <= 0:
            return math.inf
        return self._plan.patience * (self._plan.target * self._reach / volatility) ** 2

    def update(self, price: float, volatility: float) -> Move:
        """Take the next bar's close and the volatility of a bar, in price. Return what to do, and set ``share``."""
        assert self.share > 0, "the campaign is over"
        plan, sign = self._plan, self._sign
        self.bars += 1
        if sign * (price - self._best) > 0:
            self._best, self._waited = price, 0
        else:
            self._waited += 1
        if sign * (self._best - price) >= plan.stop * volatility:
            return self._end(Move.STOP)
        if self._waited > self.horizon_bars(volatility):
            return self._end(Move.OUT_OF_PATIENCE)
        if len(self._sold_at) < plan.partials and sign * (price - self._from) >= plan.target * self._reach:
            self._sold_at.append(price)
            self._from = price
            self.share = 1.0 - plan.partial * len(self._sold_at)
            return Move.PARTIAL_EXIT
        if self._sold_at and sign * (self._sold_at[-1] - price) >= plan.pullback * self._reach:
            self._sold_at.pop()
            self._from = price
            self.share = 1.0 - plan.partial * len(self._sold_at)
            return Move.REENTRY
        return Move.HOLD

    def _end(self, move: Move) -> Move:
        self.share = 0.0
        return move
