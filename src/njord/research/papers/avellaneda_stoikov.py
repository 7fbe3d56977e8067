"""Avellaneda and Stoikov (2008), section 3.3: their simulation, what it tends to with more paths, and their tables.

A path has 200 steps. In each, in this order: quotes are made from the state; the ask is filled with a probability that
depends on its distance from the mid, then the bid; the mid goes up or down by sigma sqrt(dt). The symmetric strategy
quotes the time average of the inventory strategy's spread, centred on the mid.

Two things about the published tables. They rest on 1000 paths, so that their standard deviations carry 2 % of noise
and more: the printed 12.7 is 13.46 in the long run. And they come from filling with probability lambda dt, which with
A dt = 0.7 is not a small one; arrivals that are a Poisson process fill with 1 - exp(-lambda dt), and earn an eighth
less.
"""

import math
from typing import Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

from njord.strategies.market_making.avellaneda_stoikov import Parameters, reservation_price, total_spread
from njord.strategies.market_making.parameters import not_negative, positive

Floats = npt.NDArray[np.float64]

Fill = Literal["poisson", "paper_linear"]
Strategy = Literal["inventory", "symmetric"]

# A few MB at a time, however many there are
PATHS_PER_CHUNK = 10_000
PATHS_MAX = 10_000_000
STEPS_MAX = 10_000
# 28 standard deviations of the widest walk there is: that of STEPS_MAX steps with fills of probability 1/2
INVENTORY_SPAN_MAX = 2_000
# exp of it overflows nothing
CERTAIN = 300.0


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The paper's constants, in its units. Raises ValueError where out of range."""

    gamma: float = 0.1
    sigma: float = 2.0
    decay: float = 1.5
    intensity: float = 140.0
    horizon: float = 1.0
    steps: int = 200
    start: float = 100.0

    def __post_init__(self) -> None:
        not_negative("gamma", self.gamma)
        not_negative("sigma", self.sigma)
        for name in ("decay", "intensity", "horizon"):
            positive(name, getattr(self, name))
        if not 1 <= self.steps <= STEPS_MAX:
            raise ValueError(f"steps: must be 1 .. {STEPS_MAX}, was {self.steps}")

    @property
    def dt(self) -> float:
        """Return the length of a step."""
        return self.horizon / self.steps

    @property
    def model(self) -> Parameters:
        """Return the constants of the quotes."""
        return Parameters(gamma=self.gamma, sigma=self.sigma, decay=self.decay)

    @property
    def spread(self) -> float:
        """Return the time average of the inventory strategy's spread over the steps."""
        # It is linear in the time left, which is a horizon at first and a step at last
        return total_spread(self.model, (self.horizon + self.dt) / 2)

    def depths(self, strategy: Strategy, step: int, inventory: Floats) -> tuple[Floats, Floats]:
        """Return the distances of ask and bid from the mid in a step, for each inventory."""
        if strategy == "symmetric":
            half = np.full_like(inventory, self.spread / 2)
            return half, half
        shift = reservation_price(np.zeros_like(inventory), inventory, self.model, self._left(step))
        half_spread = total_spread(self.model, self._left(step)) / 2
        return half_spread + shift, half_spread - shift

    def fill_probability(self, fill: Fill, depth: Floats) -> Floats:
        """Return the probability that a quote at a distance from the mid is filled within a step."""
        # A quote far beyond the mid is filled for certain, with no need for the largest float
        expected = self.intensity * self.dt * np.exp(np.minimum(-self.decay * depth, CERTAIN))
        found: Floats = np.minimum(expected, 1.0) if fill == "paper_linear" else -np.expm1(-expected)
        return found

    def _left(self, step: int) -> float:
        return self.horizon - step * self.dt


class Estimate(msgspec.Struct, frozen=True):
    """A figure, and its standard error: 0 for an exact one."""

    value: float
    error: float = 0.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table: what a strategy ends with."""

    strategy: Strategy
    spread: float
    profit: Estimate
    profit_sd: Estimate
    final_q: Estimate
    final_q_sd: Estimate
    fills: Estimate  # Per path


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A row as the journal printed it, from 1000 paths."""

    gamma: float
    strategy: Strategy
    spread: float
    profit: float
    profit_sd: float
    final_q: float
    final_q_sd: float


PUBLISHED_PATHS = 1_000
# Tables 1 to 3 of the journal. Those of the 2006 preprint, with gamma 0.5, come from another recipe than it describes
PUBLISHED = (
    Published(gamma=0.1, strategy="inventory", spread=1.49, profit=65.0, profit_sd=6.6, final_q=0.08, final_q_sd=2.9),
    Published(gamma=0.1, strategy="symmetric", spread=1.49, profit=68.4, profit_sd=12.7, final_q=0.26, final_q_sd=8.4),
    Published(gamma=0.01, strategy="inventory", spread=1.35, profit=68.6, profit_sd=8.7, final_q=0.12, final_q_sd=5.1),
    Published(gamma=0.01, strategy="symmetric", spread=1.35, profit=68.8, profit_sd=12.8, final_q=0.09, final_q_sd=8.7),
    Published(gamma=1.0, strategy="inventory", spread=3.02, profit=31.4, profit_sd=5.0, final_q=0.02, final_q_sd=1.7),
    Published(gamma=1.0, strategy="symmetric", spread=3.02, profit=44.0, profit_sd=11.0, final_q=0.0, final_q_sd=5.1),
)


def simulate(setup: Setup, strategy: Strategy, paths: int, rng: np.random.Generator, fill: Fill = "poisson") -> Row:
    """Simulate paths and return their row, with standard errors.

    The same generator state gives the same row. Memory does not grow with the number of paths. Raises ValueError for a
    number outside 2 .. PATHS_MAX, and for a strategy or fill that is not one.
    """
    _known(strategy, fill)
    if not 2 <= paths <= PATHS_MAX:
        raise ValueError(f"paths: must be 2 .. {PATHS_MAX}, was {paths}")
    chunks = [
        _ends(setup, strategy, min(PATHS_PER_CHUNK, paths - done), rng, fill)
        for done in range(0, paths, PATHS_PER_CHUNK)
    ]
    profit, inventory, fills = (np.concatenate(column) for column in zip(*chunks, strict=True))
    return Row(
        strategy=strategy,
        spread=setup.spread,
        profit=_mean(profit),
        profit_sd=_deviation(profit),
        final_q=_mean(inventory),
        final_q_sd=_deviation(inventory),
        fills=_mean(fills),
    )


def expected(setup: Setup, strategy: Strategy, fill: Fill = "poisson") -> Row:
    """Return what the simulation tends to with ever more paths, without simulating.

    A quote depends on the past through the inventory alone. So the probability of each inventory, and with it the mean
    and the mean square of the wealth made so far, go from one step to the next exactly. Inventories beyond
    INVENTORY_SPAN_MAX are left out: no path gets there.
    """
    _known(strategy, fill)
    reach = min(setup.steps, INVENTORY_SPAN_MAX)
    held = np.arange(-reach, reach + 1, dtype=np.float64)
    # Per inventory: its probability, and that times the mean of wealth and of squared wealth, counted at today's mid
    chance, wealth, square = (np.zeros(2 * reach + 1) for _ in range(3))
    chance[reach] = 1.0
    fills = 0.0
    for step in range(setup.steps):
        ask, bid = setup.depths(strategy, step, held)
        sold, bought = setup.fill_probability(fill, ask), setup.fill_probability(fill, bid)
        fills += float(chance @ (sold + bought))
        moments = [np.zeros(2 * reach + 1) for _ in range(3)]
        for shift, share, gain in (
            (0, sold * bought, ask + bid),
            (-1, sold * (1 - bought), ask),
            (1, bought * (1 - sold), bid),
            (0, (1 - sold) * (1 - bought), np.zeros_like(held)),
        ):
            terms = (chance, wealth + gain * chance, square + 2 * gain * wealth + gain**2 * chance)
            for moment, term in zip(moments, terms, strict=True):
                moment += _shifted(share * term, shift)
        chance, wealth, square = moments
        # The mid moves either way alike: the mean stays, and the square grows with what is held
        square = square + held**2 * setup.sigma**2 * setup.dt * chance
    profit, inventory = float(wealth.sum()), float(chance @ held)
    return Row(
        strategy=strategy,
        spread=setup.spread,
        profit=Estimate(profit),
        profit_sd=Estimate(math.sqrt(float(square.sum()) - profit**2)),
        final_q=Estimate(inventory),
        final_q_sd=Estimate(math.sqrt(float(chance @ held**2) - inventory**2)),
        fills=Estimate(fills),
    )


def expected_symmetric(setup: Setup, fill: Fill = "poisson") -> Row:
    """Return ``expected`` of the symmetric strategy in closed form.

    With N steps, delta half the spread, p the probability of a fill and v = 2p(1 - p): mean 2Np delta, variance
    N v delta^2 + sigma^2 dt v N(N + 1)/2, variance of the final inventory N v, fills 2Np.
    """
    _known("symmetric", fill)
    count, depth = setup.steps, setup.spread / 2
    chance = float(setup.fill_probability(fill, np.array([depth]))[0])
    step_variance = 2 * chance * (1 - chance)
    variance = count * step_variance * depth**2
    variance += setup.sigma**2 * setup.dt * step_variance * count * (count + 1) / 2
    return Row(
        strategy="symmetric",
        spread=setup.spread,
        profit=Estimate(2 * count * chance * depth),
        profit_sd=Estimate(math.sqrt(variance)),
        final_q=Estimate(0.0),
        final_q_sd=Estimate(math.sqrt(count * step_variance)),
        fills=Estimate(2 * count * chance),
    )


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a row: simulated, exact, and as printed; deviations from the exact one in standard errors."""

    name: str
    simulated: float
    error: float
    exact: float
    published: float | None
    simulated_deviation: float | None  # In standard errors of the simulation; None for a figure that does not vary
    published_deviation: float | None  # In those of PUBLISHED_PATHS paths


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the paper's tables beside ours."""

    gamma: float
    strategy: Strategy
    figures: list[Figure]


def compare(gamma: float, paths: int, rng: np.random.Generator, fill: Fill = "poisson") -> list[Comparison]:
    """Return both rows of the table for a risk aversion: simulated, exact, and printed where the journal has them.

    With ``fill="poisson"`` the printed numbers are far from the exact ones: they are of the other recipe. Raises
    ValueError as ``simulate`` does.
    """
    setup = Setup(gamma=gamma)
    found = []
    for strategy in get_args(Strategy):
        ours, exact = simulate(setup, strategy, paths, rng, fill), expected(setup, strategy, fill)
        printed = next((row for row in PUBLISHED if (row.gamma, row.strategy) == (gamma, strategy)), None)
        figures = [
            _figure(name, getattr(ours, name), getattr(exact, name).value, getattr(printed, name, None), paths)
            for name in ("profit", "profit_sd", "final_q", "final_q_sd", "fills")
        ]
        spread = _figure("spread", Estimate(ours.spread), exact.spread, printed.spread if printed else None, paths)
        found.append(Comparison(gamma=gamma, strategy=strategy, figures=[spread, *figures]))
    return found


def _figure(name: str, ours: Estimate, exact: float, printed: float | None, paths: int) -> Figure:
    printed_error = ours.error * math.sqrt(paths / PUBLISHED_PATHS)
    return Figure(
        name=name,
        simulated=ours.value,
        error=ours.error,
        exact=exact,
        published=printed,
        simulated_deviation=(ours.value - exact) / ours.error if ours.error > 0 else None,
        published_deviation=(printed - exact) / printed_error if printed is not None and printed_error > 0 else None,
    )


def _known(strategy: str, fill: str) -> None:
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy {strategy!r}: must be one of {', '.join(get_args(Strategy))}")
    if fill not in get_args(Fill):
        raise ValueError(f"fill {fill!r}: must be one of {', '.join(get_args(Fill))}")


def _ends(
    setup: Setup, strategy: Strategy, paths: int, rng: np.random.Generator, fill: Fill
) -> tuple[Floats, Floats, Floats]:
    """Return profit, final inventory and number of fills of each path."""
    mid = np.full(paths, setup.start)
    cash, held, fills = np.zeros(paths), np.zeros(paths), np.zeros(paths)
    move = setup.sigma * math.sqrt(setup.dt)
    for step in range(setup.steps):
        ask, bid = setup.depths(strategy, step, held)
        sold = rng.random(paths) < setup.fill_probability(fill, ask)
        bought = rng.random(paths) < setup.fill_probability(fill, bid)
        cash += sold * (mid + ask) - bought * (mid - bid)
        held = held + bought - sold
        fills += sold
        fills += bought
        mid += np.where(rng.random(paths) < 0.5, move, -move)
    return cash + held * mid, held, fills


def _mean(values: Floats) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))


def _deviation(values: Floats) -> Estimate:
    # By the delta method from the variance of squared deviations: right for any distribution
    centred = values - values.mean()
    deviation = float(values.std(ddof=1))
    if deviation == 0:
        return Estimate(0.0)
    return Estimate(deviation, float((centred**2).std()) / math.sqrt(len(values)) / (2 * deviation))


def _shifted(values: Floats, by: int) -> Floats:
    if by == 0:
        return values
    moved = np.zeros_like(values)
    if by > 0:
        moved[1:] = values[:-1]
    else:
        moved[:-1] = values[1:]
    return moved
