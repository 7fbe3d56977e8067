"""Options on what earns a constant carry: the generalised Black-Scholes-Merton formulas.

Haug, The Complete Guide to Option Pricing Formulas (2nd ed. 2007), sections 1.1.6 and 2. ``carry`` b is the cost of
carry, a fraction a year: r for a share without dividends, r - q with a yield q, 0 for a future. ``sign`` is +1 for
calls and -1 for puts. All arguments broadcast.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FloatLike = float | Floats

VOLATILITY_MAX = 20.0
_ITERATIONS_MAX = 100
_SQRT_2PI = float(np.sqrt(2 * np.pi))
# Hart (1968) 5666 as in West, Better approximations to cumulative normal functions (2005): 15 digits
_NUMERATOR = (3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871,
              221.213596169931, 220.206867912376)  # fmt: skip
_DENOMINATOR = (8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674,
                637.333633378831, 793.826512519948, 440.413735824752)  # fmt: skip
_TAIL_FROM = 7.07106781186547


def normal_density(x: FloatLike) -> Floats:
    """Return the density of the standard normal distribution."""
    found: Floats = np.exp(-0.5 * np.square(x)) / _SQRT_2PI
    return found


def normal_cdf(x: FloatLike) -> Floats:
    """Return the standard normal distribution function, within 1e-15."""
    size = np.minimum(np.abs(np.asarray(x, dtype=np.float64)), 37.0)
    exponential = np.exp(-0.5 * size * size)
    above, below = np.full_like(size, _NUMERATOR[0]), np.full_like(size, _DENOMINATOR[0])
    for factor in _NUMERATOR[1:]:
        above = above * size + factor
    for factor in _DENOMINATOR[1:]:
        below = below * size + factor
    tail = exponential * above / below
    far = size > _TAIL_FROM
    if far.any():
        fraction = size + 0.65
        for step in (4.0, 3.0, 2.0, 1.0):
            fraction = size + step / fraction
        tail = np.where(far, exponential / fraction / _SQRT_2PI, tail)
    found: Floats = np.where(np.asarray(x) > 0, 1 - tail, tail)
    return found


def _d1_d2(spot: FloatLike, strike: FloatLike, years: FloatLike, carry: FloatLike, volatility: FloatLike) -> tuple[
    Floats, Floats
]:  # fmt: skip
    deviation = volatility * np.sqrt(years)
    d1: Floats = np.asarray((np.log(spot / strike) + carry * years) / deviation + 0.5 * deviation)
    return d1, d1 - deviation


def price(
    sign: FloatLike, spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike,
    volatility: FloatLike,
) -> Floats:  # fmt: skip
    """Return the price of a European option."""
    d1, d2 = _d1_d2(spot, strike, years, carry, volatility)
    worth = spot * np.exp((carry - rate) * years) * normal_cdf(sign * d1)
    found: Floats = sign * (worth - strike * np.exp(-rate * years) * normal_cdf(sign * d2))
    return found


def delta(
    sign: FloatLike, spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike,
    volatility: FloatLike,
) -> Floats:  # fmt: skip
    """Return the change of the price per unit of the spot."""
    d1, _ = _d1_d2(spot, strike, years, carry, volatility)
    found: Floats = sign * np.exp((carry - rate) * years) * normal_cdf(sign * d1)
    return found


def gamma(
    spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike, volatility: FloatLike
) -> Floats:
    """Return the change of the delta per unit of the spot. Calls and puts are alike."""
    d1, _ = _d1_d2(spot, strike, years, carry, volatility)
    found: Floats = np.exp((carry - rate) * years) * normal_density(d1) / (spot * volatility * np.sqrt(years))
    return found


def vega(
    spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike, volatility: FloatLike
) -> Floats:
    """Return the change of the price per 1.0 of volatility: a hundredth of it is that per vol point."""
    d1, _ = _d1_d2(spot, strike, years, carry, volatility)
    found: Floats = spot * np.exp((carry - rate) * years) * normal_density(d1) * np.sqrt(years)
    return found


def theta(
    sign: FloatLike, spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike,
    volatility: FloatLike,
) -> Floats:  # fmt: skip
    """Return the change of the price per year that passes."""
    d1, d2 = _d1_d2(spot, strike, years, carry, volatility)
    grown = spot * np.exp((carry - rate) * years)
    found: Floats = (
        -grown * normal_density(d1) * volatility / (2 * np.sqrt(years))
        - sign * (carry - rate) * grown * normal_cdf(sign * d1)
        - sign * rate * strike * np.exp(-rate * years) * normal_cdf(sign * d2)
    )
    return found


def rho(
    sign: FloatLike, spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike, carry: FloatLike,
    volatility: FloatLike,
) -> Floats:  # fmt: skip
    """Return the change of the price per 1.0 of the rate, the yield ``rate - carry`` staying where it is."""
    _, d2 = _d1_d2(spot, strike, years, carry, volatility)
    found: Floats = sign * years * strike * np.exp(-rate * years) * normal_cdf(sign * d2)
    return found


def implied_volatility(
    sign: FloatLike, target: FloatLike, spot: FloatLike, strike: FloatLike, years: FloatLike, rate: FloatLike,
    carry: FloatLike,
) -> Floats:  # fmt: skip
    """Return the volatility at which the option is worth ``target``; NaN where none is, within 0 and 20.

    Newton's method kept inside a bracket that each step shrinks, so that it cannot run away where vega vanishes.
    """
    sign, target, spot, strike, years, rate, carry = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (sign, target, spot, strike, years, rate, carry))
    )
    least = np.maximum(sign * (spot * np.exp((carry - rate) * years) - strike * np.exp(-rate * years)), 0.0)
    low, high = np.full(target.shape, 1e-9), np.full(target.shape, VOLATILITY_MAX)
    guess = np.full(target.shape, 0.5)
    for _ in range(_ITERATIONS_MAX):
        error = price(sign, spot, strike, years, rate, carry, guess) - target
        low, high = np.where(error < 0, guess, low), np.where(error > 0, guess, high)
        slope = vega(spot, strike, years, rate, carry, guess)
        step = guess - error / np.where(slope > 1e-300, slope, np.inf)
        inside = (step > low) & (step < high) & (slope > 1e-12 * spot)
        following = np.where(error == 0, guess, np.where(inside, step, (low + high) / 2))
        if np.all(np.abs(following - guess) <= 1e-15 * (1 + guess)):
            guess = following
            break
        guess = following
    most = price(sign, spot, strike, years, rate, carry, np.full(target.shape, VOLATILITY_MAX))
    found: Floats = np.where((target > least) & (target <= most), guess, np.nan)
    return found
