"""Stochastic processes in steps of any length, vectorised over assets.

A step is a function of the state and of normal variates, so that whoever keeps the state also keeps the dice. Times are
years, rates and volatilities a year.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FloatLike = float | Floats


def cholesky_of(correlation: Floats) -> Floats:
    """Return the lower factor that correlates independent normals. Raises ValueError for what is no correlation.

    Written out, and not by LAPACK, whose last digits depend on the processor: paths are to be the same on all.
    """
    if not np.allclose(correlation, correlation.T) or not np.allclose(np.diag(correlation), 1):
        raise ValueError("correlation: must be symmetric with ones on the diagonal")
    factor = np.zeros_like(correlation)
    for row in range(len(correlation)):
        for column in range(row + 1):
            left = correlation[row, column] - float((factor[row, :column] * factor[column, :column]).sum())
            if row > column:
                factor[row, column] = left / factor[column, column]
            elif left > 0:
                factor[row, row] = np.sqrt(left)
            else:
                raise ValueError("correlation: must be positive definite")
    return factor


def weighted(weights: Floats, values: Floats) -> Floats:
    """Return the product of a matrix and a vector, summed in an order that is the same on all processors."""
    found: Floats = (weights * values).sum(axis=1)
    return found


def diffusion(drift: FloatLike, variance: FloatLike, years: float, normals: Floats) -> Floats:
    """Return log returns of geometric Brownian motion: exact for a step in which ``variance`` stays as it is."""
    found: Floats = (drift - 0.5 * np.asarray(variance)) * years + np.sqrt(variance * np.float64(years)) * normals
    return found


def gbm_paths(
    rng: np.random.Generator, start: Floats, drift: Floats, volatility: Floats, correlation: Floats, years: float,
    steps: int,
) -> Floats:  # fmt: skip
    """Return steps x assets prices of correlated geometric Brownian motion, ``years`` a step."""
    normals = rng.standard_normal((steps, len(start))) @ cholesky_of(correlation).T
    moves = diffusion(drift, np.square(volatility), years, normals)
    found: Floats = start * np.exp(np.cumsum(moves, axis=0))
    return found


def jump_counts(rng: np.random.Generator, per_year: Floats, years: float) -> Ints:
    """Return how many jumps each asset makes in a step: Poisson."""
    return rng.poisson(per_year * years)


def jumps(counts: Ints, mean: FloatLike, deviation: FloatLike, normals: Floats) -> Floats:
    """Return the log return of so many jumps, each normal (Merton 1976): exact, a sum of normals being one."""
    found: Floats = counts * np.asarray(mean) + np.sqrt(counts) * deviation * normals
    return found


def jump_compensator(per_year: FloatLike, mean: FloatLike, deviation: FloatLike) -> Floats:
    """Return the drift a year that jumps add to the price, to be taken off again."""
    found: Floats = np.asarray(per_year) * np.expm1(np.asarray(mean) + 0.5 * np.square(deviation))
    return found


def mean_reverting(
    state: FloatLike, mean: FloatLike, reversion: FloatLike, volatility: FloatLike, years: float, normals: FloatLike
) -> Floats:
    """Return the next state of an Ornstein-Uhlenbeck process (Vasicek 1977), by its exact transition.

    Stationary: ``mean``, variance volatility^2 / (2 reversion), autocorrelation exp(-reversion t).
    """
    decay = np.exp(-np.asarray(reversion) * years)
    deviation = volatility * np.sqrt(-np.expm1(-2 * np.asarray(reversion) * years) / (2 * np.asarray(reversion)))
    found: Floats = mean + (np.asarray(state) - mean) * decay + deviation * normals
    return found


def square_root(
    state: FloatLike, mean: FloatLike, reversion: FloatLike, volatility: FloatLike, years: float, normals: FloatLike
) -> Floats:
    """Return the next state of a square-root process (Heston's variance), full truncation.

    Lord, Koekkoek and van Dijk (2010): the state may dip below zero, and counts as zero then. Its bias is of the order
    of the step, which must be short against 1 / reversion.
    """
    positive = np.maximum(state, 0.0)
    noise = volatility * np.sqrt(positive * years) * normals
    found: Floats = np.asarray(state) + np.asarray(reversion) * (mean - positive) * years + noise
    return found


def reversion_of(half_life_years: FloatLike) -> Floats:
    """Return the speed of reversion, a year, at which half of a deviation is gone after ``half_life_years``."""
    found: Floats = np.asarray(np.log(2) / np.asarray(half_life_years))
    return found
