"""Quotes of Gueant, Lehalle and Fernandez-Tapia (2013), Math. Financ. Econ. 7(4):477-507, exact and in closed form.

The exact quotes come from v' = (alpha n^2 - k mu n) v_n - eta (v_{n-1} + v_{n+1}) in time t, |n| <= Q, v(T) = 1, with n
the inventory in orders of ``size`` (Theorem 1; their sections on drift and on market impact for the rest). The closed
form is what they tend to far from the end and from the limits, as in Gueant (2016), arXiv 1605.01862, eqs 4.6-4.7:

    bid depth = h + (2q + size)/2 C,    ask depth = h - (2q - size)/2 C,    h = markup(xi size, k) + adverse/2.

Two things are called xi in these papers. Here ``xi`` is that of Gueant (2016): what the fills themselves are averse to,
gamma for exponential utility (the default, and the only case of the 2013 paper), 0 for a mean with a quadratic penalty.
The other, the jump of the price against whoever is filled, is ``adverse``.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from njord.strategies.market_making.parameters import EXPONENT_MAX, finite, log_thinning, markup, not_negative, positive

Floats = npt.NDArray[np.float64]

# The matrix is dense: this many orders on each side take a second and 10 MB
INVENTORY_ORDERS_MAX = 200
# Of log v; from about 900 on, what underflows on the way would be missed
LOG_RANGE_MAX = 600.0
# After this many times 1/gap what is left of the beginning is below 1e-34 of the whole
SETTLED_GAPS = 80.0
# A smaller gap is rounding
GAP_RELATIVE_MIN = 1e-12
# Beyond it exp(-H tau) takes too many squarings to be exact to 1e-6
NORM_MAX = 2.0**34
# Of the series, beyond the size of the matrix: 1/20! is below the precision of a float
TERMS_SPARE = 20


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The model's constants, in one unit of price p, of quantity u and of time t. Raises ValueError where out of range.

    ``gamma``: risk aversion >= 0, in 1/(p u). ``sigma``: volatility >= 0, in p per square root of t.
    ``intensity``: A > 0, orders per t and side that would reach the mid. ``decay``: k > 0, in 1/p.
    ``size``: Delta > 0, quantity of each quote, in u; A and k are those of fills of this size.
    ``drift``: mu, in p per t. ``adverse``: >= 0, in p: how far the mid jumps against each fill.
    ``xi``: aversion >= 0 of the fills themselves, in 1/(p u): None for gamma (exponential utility).
    """

    gamma: float
    sigma: float
    intensity: float
    decay: float
    size: float = 1.0
    drift: float = 0.0
    adverse: float = 0.0
    xi: float | None = None

    def __post_init__(self) -> None:
        not_negative("gamma", self.gamma)
        not_negative("sigma", self.sigma)
        positive("intensity", self.intensity)
        positive("decay", self.decay)
        positive("size", self.size)
        finite("drift", self.drift)
        not_negative("adverse", self.adverse)
        if self.xi is not None:
            not_negative("xi", self.xi)

    @property
    def fill_aversion(self) -> float:
        """Return xi times the size, in 1/price."""
        return (self.gamma if self.xi is None else self.xi) * self.size


class Depths(msgspec.Struct, frozen=True):
    """Distances from the mid, in price, for inventories of -Q .. Q orders: arrays of 2Q + 1, rising in inventory.

    A depth may be negative: beyond the mid. It is infinite where the limit forbids the fill: no quote.
    """

    inventory: Floats  # In units: multiples of the size
    bid: Floats
    ask: Floats

    def at(self, inventory: float) -> tuple[float, float]:
        """Return bid and ask depth at an inventory in units: linear between whole orders, beyond the limit as at it."""
        found = []
        for side in (self.bid, self.ask):
            known = np.isfinite(side)
            found.append(float(np.interp(inventory, self.inventory[known], side[known])))
        size = self.inventory[1] - self.inventory[0]
        # What a fill would carry past the limit is not quoted
        bid = found[0] if inventory + size <= self.inventory[-1] + 1e-9 * size else math.inf
        ask = found[1] if inventory - size >= self.inventory[0] - 1e-9 * size else math.inf
        return bid, ask


def eta(given: Parameters) -> float:
    """Return eta = A (1 + gamma/k)^-(1 + k/gamma) exp(-k adverse / 2), per time: how fills couple inventories."""
    return given.intensity * math.exp(-log_thinning(given.fill_aversion, given.decay) - given.decay * given.adverse / 2)


def alpha(given: Parameters) -> float:
    """Return alpha = k gamma sigma^2 size / 2, per time and squared number of orders: what holding them costs."""
    return given.decay * given.gamma * given.sigma**2 * given.size / 2


def eigenvalues(given: Parameters, inventory_orders_max: int) -> Floats:
    """Return the 2Q + 1 eigenvalues of the system, rising, per time. The first decides what lasts."""
    return np.asarray(np.linalg.eigvalsh(_matrix(given, inventory_orders_max)), dtype=np.float64)


def exact(given: Parameters, inventory_orders_max: int, tau: float = math.inf) -> Depths:
    """Return the optimal depths for every inventory of at most ``inventory_orders_max`` orders, ``tau`` before the end.

    ``tau`` is >= 0 and may be infinite: the stationary quotes. Nothing overflows, however long the horizon, and depths
    are exact to about 1e-10 / k also where v is 1e-200 of its largest value. Raises ValueError for a limit outside
    1 .. INVENTORY_ORDERS_MAX or so far out that v falls below exp(-LOG_RANGE_MAX), and for a negative ``tau``.
    """
    if math.isnan(tau) or tau < 0:
        raise ValueError(f"tau: must be >= 0, was {tau}")
    matrix = _matrix(given, inventory_orders_max)
    orders = np.arange(-inventory_orders_max, inventory_orders_max + 1, dtype=np.float64)
    # Without the jumps v ends at 1; with them the change of variables that makes the system linear ends lower
    log_end = -given.decay * given.adverse * orders**2 / 2
    log_v = _log_propagated(matrix, _settled(matrix, tau), log_end)
    if not log_v.max() - log_v.min() < LOG_RANGE_MAX:
        raise ValueError(f"inventory_orders_max: {inventory_orders_max} is too wide for this much risk; quote less far")
    margin = markup(given.fill_aversion, given.decay) + given.adverse / 2
    slope = np.diff(log_v) / given.decay
    return Depths(orders * given.size, np.append(margin - slope, np.inf), np.insert(margin + slope, 0, np.inf))


def closed_form(given: Parameters, inventory: float) -> tuple[float, float]:
    """Return the asymptotic bid and ask depth at an inventory in units, in price; good well inside the limits.

    Raises ValueError for a drift without risk (gamma sigma^2 = 0): nothing bounds the inventory one would want.
    """
    half, skew = half_spread_and_skew(given)
    held = inventory - inventory_wanted(given)
    return half + skew * held, half - skew * held


def half_spread_and_skew(given: Parameters) -> tuple[float, float]:
    """Return h + size/2 C in price, and C in price per unit of inventory: Gueant (2016), eqs 4.6-4.7.

    C = sqrt(gamma sigma^2 / (2 k A size) (1 + xi size / k)^(1 + k / (xi size))) exp(k adverse / 4).
    """
    exponent = log_thinning(given.fill_aversion, given.decay) + given.decay * given.adverse / 2
    # Beyond the largest float there is no quote to be told from another
    growth = math.exp(min(EXPONENT_MAX, exponent / 2))
    skew = given.sigma * math.sqrt(given.gamma / (2 * given.decay * given.intensity * given.size)) * growth
    half = markup(given.fill_aversion, given.decay) + given.adverse / 2 + given.size / 2 * skew
    return half, skew


def inventory_wanted(given: Parameters) -> float:
    """Return mu / (gamma sigma^2), in units: the inventory around which drift makes the quotes symmetric.

    Raises ValueError for a drift without risk.
    """
    if given.drift == 0:
        return 0.0
    risk = given.gamma * given.sigma**2
    if risk == 0:
        raise ValueError(f"drift: {given.drift} with gamma sigma^2 = 0 has no closed form")
    return given.drift / risk


def _matrix(given: Parameters, inventory_orders_max: int) -> Floats:
    if not 1 <= inventory_orders_max <= INVENTORY_ORDERS_MAX:
        raise ValueError(f"inventory_orders_max: must be 1 .. {INVENTORY_ORDERS_MAX}, was {inventory_orders_max}")
    orders = np.arange(-inventory_orders_max, inventory_orders_max + 1, dtype=np.float64)
    coupling = np.full(2 * inventory_orders_max, -eta(given))
    holding = alpha(given) * orders**2 - given.decay * given.drift * orders
    return np.asarray(np.diag(holding) + np.diag(coupling, 1) + np.diag(coupling, -1), dtype=np.float64)


def _settled(matrix: Floats, tau: float) -> float:
    # The quotes stop changing; from there on a longer horizon is the same horizon
    lowest = np.linalg.eigvalsh(matrix)[:2]
    gap = max(float(lowest[1] - lowest[0]), GAP_RELATIVE_MIN * float(np.abs(matrix).max()))
    return min(tau, SETTLED_GAPS / gap)


def _log_propagated(matrix: Floats, tau: float, log_end: Floats) -> Floats:
    """Return log(exp(-matrix tau) exp(log_end)), up to a constant.

    An eigenvector has an absolute precision, and at the limits v is tiny. Shifted by its largest diagonal, -matrix has
    no negative entry, so the series and the squarings of its exponential only ever add and multiply positive numbers:
    every entry is right to its own precision. Squared row by row in logarithms, nothing that matters underflows.
    """
    count = len(matrix)
    positive_tau = (np.eye(count) * matrix.diagonal().max() - matrix) * tau
    norm = float(positive_tau.sum(axis=1).max())
    if norm > NORM_MAX:
        raise ValueError(f"tau: rates times the horizon must be <= {NORM_MAX:.3g}, was {norm:.3g}")
    squarings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0 else 0
    with np.errstate(divide="ignore"):
        logs = np.log(_series(positive_tau / 2.0**squarings))
        for _ in range(squarings):
            largest = logs.max(axis=1)
            scaled = np.exp(logs - largest[:, None])
            logs = np.log(scaled @ scaled.T) + largest[:, None] + largest
            logs -= logs.max()
    logs += log_end
    largest = logs.max(axis=1)
    found: Floats = largest + np.log(np.exp(logs - largest[:, None]).sum(axis=1))
    return found


def _series(step: Floats) -> Floats:
    # exp of a tridiagonal matrix of norm <= 1, all entries >= 0; a product with it needs three rows
    diagonal, beside = step.diagonal()[:, None], step.diagonal(1)[:, None]
    total = term = np.eye(len(step))
    # Enough terms for the corners: n steps away are n multiplications away
    for index in range(1, len(step) + TERMS_SPARE):
        product = diagonal * term
        product[:-1] += beside * term[1:]
        product[1:] += beside * term[:-1]
        term = product / index
        total = total + term
    return total
