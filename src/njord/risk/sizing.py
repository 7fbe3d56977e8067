"""How large a position may be: volatility target and fractional Kelly. Fractions of equity, as floats: signals."""

import enum
import math

import msgspec


class SizingModel(enum.StrEnum):
    """How a position's size is found."""

    VOLATILITY_TARGET = "volatility_target"
    KELLY = "kelly"


class Sizing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size a strategy's positions: its ``target(1)`` then means the whole size, ``target(0.5)`` half of it.

    ``volatility`` is the one aimed at, a year; ``kelly_fraction`` the share of the full Kelly bet. Estimates are
    exponentially weighted with ``half_life_bars``. A position is at most ``equity_share_max`` of the equity.
    """

    model: SizingModel = SizingModel.VOLATILITY_TARGET
    volatility: float = 0.2
    kelly_fraction: float = 0.25
    half_life_bars: float = 60.0
    warm_up_bars: int = 60
    equity_share_max: float = 1.0

    def __post_init__(self) -> None:
        for name in ("volatility", "half_life_bars", "equity_share_max"):
            if not getattr(self, name) > 0:
                raise ValueError(f"sizing: {name} must be > 0, was {getattr(self, name)}")
        if not 0 < self.kelly_fraction <= 1:
            raise ValueError(f"sizing: kelly_fraction must be above 0 and at most 1, was {self.kelly_fraction}")
        if self.warm_up_bars < 2:
            raise ValueError(f"sizing: warm_up_bars must be at least 2, was {self.warm_up_bars}")


def volatility_target(volatility: float, target: float, fraction_max: float) -> float:
    """Return the fraction of equity to hold so that it moves with ``target`` volatility, at most ``fraction_max``.

    Both volatilities are of the same horizon, usually a year. An asset that does not move at all gets the maximum.
    """
    assert volatility >= 0, volatility
    assert target >= 0, target
    return fraction_max if volatility == 0 else min(target / volatility, fraction_max)


def kelly(mean: float, variance: float, *, fraction: float, fraction_max: float) -> float:
    """Return ``fraction`` of the Kelly bet mean / variance of a continuous return, within plus or minus the maximum.

    Kelly 1956; for continuous returns Thorp 2006, equation 7.3. Without an edge the answer is 0.
    """
    assert variance >= 0, variance
    assert 0 < fraction <= 1, fraction
    if mean == 0:
        return 0.0
    full = math.inf if variance == 0 else mean / variance
    full = math.copysign(abs(full), mean)
    return max(-fraction_max, min(fraction * full, fraction_max))


def kelly_binary(win_probability: float, payoff: float, *, fraction: float, fraction_max: float) -> float:
    """Return ``fraction`` of the Kelly bet p - (1 - p) / b of a bet that pays ``payoff`` or
    loses the stake; 0 if that is negative.
    """
    assert 0 <= win_probability <= 1, win_probability
    assert payoff > 0, payoff
    full = win_probability - (1 - win_probability) / payoff
    return max(0.0, min(fraction * full, fraction_max))


class Volatility:
    """Exponentially weighted volatility of log returns, per bar; RiskMetrics 1996, section 5.2. Read it when ready."""

    __slots__ = ("_decay", "_last", "_seen", "_variance", "_warm_up", "mean")

    def __init__(self, half_life_bars: float, warm_up_bars: int = 20) -> None:
        assert half_life_bars > 0, half_life_bars
        self._decay = 0.5 ** (1 / half_life_bars)
        self._warm_up = warm_up_bars
        self._last: float | None = None
        self._variance = 0.0
        self._seen = 0
        self.mean = 0.0  # Of log returns a bar

    @property
    def ready(self) -> bool:
        return self._seen >= self._warm_up

    @property
    def per_bar(self) -> float:
        return math.sqrt(self._variance)

    def update(self, price: float) -> None:
        """Take the next bar's price. A price that is not positive is passed over: it has no logarithm."""
        if price <= 0:
            return
        if self._last is not None:
            change = math.log(price / self._last)
            self._seen += 1
            # The plain mean while there are few, so that the first return does not weigh too much
            weight = max(1 - self._decay, 1 / self._seen)
            self._variance += weight * (change * change - self._variance)
            self.mean += weight * (change - self.mean)
        self._last = price


class Sizer:
    """The size of one strategy's position in one instrument, from the bars it has seen."""

    __slots__ = ("_bars_per_year", "_estimate", "_sizing")

    def __init__(self, sizing: Sizing, bars_per_year: float) -> None:
        self._sizing = sizing
        self._bars_per_year = bars_per_year
        self._estimate = Volatility(sizing.half_life_bars, sizing.warm_up_bars)

    def update(self, price: float) -> None:
        """Take the next bar's close."""
        self._estimate.update(price)

    def equity_share(self) -> float:
        """Return the fraction of equity a whole position is; 0 until enough bars have been seen."""
        estimate, sizing = self._estimate, self._sizing
        if not estimate.ready:
            return 0.0
        if sizing.model is SizingModel.VOLATILITY_TARGET:
            yearly = estimate.per_bar * math.sqrt(self._bars_per_year)
            return volatility_target(yearly, sizing.volatility, sizing.equity_share_max)
        # A simple return is the log return and half its variance
        variance = estimate.per_bar**2
        mean = estimate.mean + variance / 2
        return kelly(mean, variance, fraction=sizing.kelly_fraction, fraction_max=sizing.equity_share_max)
