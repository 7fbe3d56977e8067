"""Price processes: geometric Brownian motion whose volatility and drift change with a hidden regime."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# (drift, volatility) a year, and the chance of leaving the regime at each bar
REGIMES = ((0.9, 0.45, 0.002), (-0.7, 0.75, 0.004), (0.0, 0.30, 0.003))


def regime_path(rng: np.random.Generator, start: float, bars: int, bars_per_year: float, steps: int) -> Floats:
    """Return ``bars`` x ``steps`` prices: log returns of (mu - sigma^2 / 2) dt + sigma sqrt(dt) z, by regime.

    ``steps`` prices lie within each bar, so its high and low are those of a path, not of two draws.
    """
    regime, regimes = 0, np.empty(bars, dtype=np.int64)
    leaves, where = rng.random(bars), rng.integers(1, len(REGIMES), bars)
    for bar in range(bars):
        if leaves[bar] < REGIMES[regime][2]:
            regime = (regime + int(where[bar])) % len(REGIMES)
        regimes[bar] = regime
    drift = np.array([each[0] for each in REGIMES])[regimes][:, None]
    volatility = np.array([each[1] for each in REGIMES])[regimes][:, None]
    dt = 1 / (bars_per_year * steps)
    noise = rng.standard_normal((bars, steps))
    moves = (drift - volatility**2 / 2) * dt + volatility * np.sqrt(dt) * noise
    path: Floats = start * np.exp(np.cumsum(moves.ravel())).reshape(bars, steps)
    return path


def volumes(rng: np.random.Generator, path: Floats, mean: float) -> Floats:
    """Return a volume for each bar: log-normal around ``mean``, larger where the price moved more."""
    reach = (path.max(axis=1) - path.min(axis=1)) / path[:, 0]
    usual = np.median(reach)
    spread: Floats = mean * np.sqrt(reach / usual) * rng.lognormal(-0.125, 0.5, len(path))
    return spread
