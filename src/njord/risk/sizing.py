"""How large a position may be: volatility target and fractional Kelly. Fractions of equity, as floats: signals."""

import math


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

    __slots__ = ("_decay", "_last", "_seen", "_variance", "_warm_up")

    def __init__(self, half_life_bars: float, warm_up_bars: int = 20) -> None:
        assert half_life_bars > 0, half_life_bars
        self._decay = 0.5 ** (1 / half_life_bars)
        self._warm_up = warm_up_bars
        self._last: float | None = None
        self._variance = 0.0
        self._seen = 0

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
        self._last = price
