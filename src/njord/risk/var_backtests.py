"""Was value at risk right? Tests of its exceptions: the intervals that lost more than it said.

How many: Kupiec 1995, "Techniques for verifying the accuracy of risk measurement models", proportion of failures.
Whether they cluster: Christoffersen 1998, "Evaluating interval forecasts". What a regulator makes of them: Basel
Committee 1996, "Supervisory framework for the use of backtesting", table 2. Likelihood ratios are chi-square under the
null; with 1 and 2 degrees of freedom their tails have closed forms, erfc(sqrt(x / 2)) and exp(-x / 2).
"""

import enum
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

BASEL_INTERVALS = 250
_YELLOW = 5
_RED = 10
# Added to the multiplier of 3, from 5 exceptions to 9
_PLUS = (0.4, 0.5, 0.65, 0.75, 0.85)
_PLUS_RED = 1.0
assert len(_PLUS) == _RED - _YELLOW


class Verdict(NamedTuple):
    """A likelihood ratio and how probable one this large is where the model is right. Small p: reject the model."""

    ratio: float
    p_value: float


class Light(enum.StrEnum):
    """Basel's zones."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class TrafficLight(NamedTuple):
    """A zone, and what is added to the multiplier of market risk capital."""

    light: Light
    plus: float


def exceptions(pnl: Sequence[float], value_at_risk: Sequence[float]) -> list[bool]:
    """Return for each interval whether it lost more than the VaR forecast for it. Both in the same unit.

    Raises ValueError where they are not equally many.
    """
    if len(pnl) != len(value_at_risk):
        raise ValueError(f"backtest: one VaR for each P&L, were {len(value_at_risk)} and {len(pnl)}")
    return [-gain > limit for gain, limit in zip(pnl, value_at_risk, strict=True)]


def kupiec(failed: int, count: int, probability: float) -> Verdict:
    """Test whether ``failed`` exceptions of ``count`` intervals are what ``probability`` (1 - confidence) says.

    Raises ValueError where there are no intervals, or more exceptions than intervals.
    """
    if not 0 <= failed <= count or count == 0:
        raise ValueError(f"backtest: exceptions must be 0 to the number of intervals, was {failed} of {count}")
    if not 0 < probability < 1:
        raise ValueError(f"backtest: probability must be between 0 and 1, was {probability}")
    expected = _likelihood(count - failed, failed, probability)
    ratio = 2 * (_likelihood(count - failed, failed, failed / count) - expected)
    return _one_degree(ratio)


def independence(failed: Sequence[bool]) -> Verdict:
    """Test whether an exception is as likely after an exception as after none (Christoffersen, equation 8).

    Exceptions that never follow one another, or of which there are none, say nothing against it where they are too few:
    a state that was never left counts with its own likelihood of 1. Raises ValueError below two intervals.
    """
    if len(failed) < 2:
        raise ValueError(f"backtest: independence needs two intervals or more, was {len(failed)}")
    counts = [[0, 0], [0, 0]]
    for before, after in itertools.pairwise(failed):
        counts[before][after] += 1
    (calm, first), (back, again) = counts
    together = (first + again) / (len(failed) - 1)
    apart = _likelihood(calm, first, _share(first, calm)) + _likelihood(back, again, _share(again, back))
    return _one_degree(2 * (apart - _likelihood(calm + back, first + again, together)))


def conditional_coverage(failed: Sequence[bool], probability: float) -> Verdict:
    """Test number and independence together, with 2 degrees of freedom (Christoffersen, equation 10).

    The number is of all intervals, the transitions of all but the first. Raises ValueError like the other two.
    """
    ratio = kupiec(sum(failed), len(failed), probability).ratio + independence(failed).ratio
    return Verdict(ratio, math.exp(-ratio / 2))


def traffic_light(failed: int) -> TrafficLight:
    """Return the zone of ``failed`` exceptions in 250 intervals of a 99 % VaR. Raises ValueError beyond 0..250."""
    if not 0 <= failed <= BASEL_INTERVALS:
        raise ValueError(f"backtest: exceptions must be 0 to {BASEL_INTERVALS}, was {failed}")
    if failed < _YELLOW:
        return TrafficLight(Light.GREEN, 0.0)
    if failed < _RED:
        return TrafficLight(Light.YELLOW, _PLUS[failed - _YELLOW])
    return TrafficLight(Light.RED, _PLUS_RED)


def _likelihood(passed: int, failed: int, probability: float) -> float:
    # Of Bernoulli draws, as a logarithm; 0 log 0 is 0
    found = failed * math.log(probability) if failed else 0.0
    return found + (passed * math.log1p(-probability) if passed else 0.0)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part else 0.0


def _one_degree(ratio: float) -> Verdict:
    # What is 0 can come out as a rounding error below it
    ratio = max(0.0, ratio)
    return Verdict(ratio, math.erfc(math.sqrt(ratio / 2)))
