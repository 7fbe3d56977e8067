"""The quoting models and their online estimates as scalar functions that compiled strategies call. Needs numba.

Numbers in, numbers out, nothing held: a strategy keeps the state of an estimate in its own floats. Arguments are in the
order gamma, sigma, intensity (A), decay (k), size, xi, adverse; units as in the plain functions. Nothing is checked
here: check the parameters once, with the plain functions' Parameters, before the loop. Compiled when first called.
"""

import math

from njord.strategies.compilable import compilable

# exp of it is the largest a float holds, nearly
EXPONENT_MAX = 700.0
# Below it, numbers lose their digits
RISK_MIN = 1e-290


@compilable
def as_reservation_price(mid: float, inventory: float, gamma: float, sigma: float, tau: float) -> float:
    """Return s - q gamma sigma^2 tau, in price.

    Reference: avellaneda_stoikov.reservation_price.
    """
    return mid - inventory * gamma * sigma * sigma * tau


@compilable
def as_half_spread(gamma: float, sigma: float, decay: float, tau: float) -> float:
    """Return half of gamma sigma^2 tau + (2/gamma) ln(1 + gamma/k), in price; gamma may be 0.

    Reference: avellaneda_stoikov.total_spread, of which it is half.
    """
    return gamma * sigma * sigma * tau / 2 + markup(gamma, decay)


@compilable
def markup(aversion: float, decay: float) -> float:
    """Return (1/x) ln(1 + x/k), in price; 1/k at x = 0.

    Reference: parameters.markup.
    """
    ratio = aversion / decay
    if ratio > 0.0:
        return math.log1p(ratio) / ratio / decay
    return 1.0 / decay


@compilable
def glft_half_spread_and_skew(
    gamma: float, sigma: float, intensity: float, decay: float, size: float, xi: float, adverse: float
) -> tuple[float, float]:
    """Return the half-spread at no inventory, in price, and the skew, in price per unit of inventory.

    Bid depth = half + skew (q - wanted), ask depth = half - skew (q - wanted), from the mid. ``xi`` is gamma for
    exponential utility, 0 for a quadratic penalty; ``adverse`` the jump of the mid against a fill, 0 for none.

    Reference: glft.half_spread_and_skew.
    """
    aversion = xi * size
    ratio = aversion / decay
    thinning = (1.0 + 1.0 / ratio) * math.log1p(ratio) if ratio > 0.0 else 1.0
    growth = math.exp(min(EXPONENT_MAX, (thinning + decay * adverse / 2.0) / 2.0))
    skew = sigma * math.sqrt(gamma / (2.0 * decay * intensity * size)) * growth
    return markup(aversion, decay) + adverse / 2.0 + size / 2.0 * skew, skew


@compilable
def glft_inventory_wanted(gamma: float, sigma: float, drift: float) -> float:
    """Return mu / (gamma sigma^2), in units; 0 without drift, or where gamma sigma^2 is as good as 0: no meaning then.

    Reference: glft.inventory_wanted, which refuses drift without risk.
    """
    risk = gamma * sigma * sigma
    if risk > RISK_MIN:
        return drift / risk
    return 0.0


@compilable
def ewma_keep(step: float, half_life: float) -> float:
    """Return 2^(-step / half_life): what is kept of an estimate's weight after a step of time, or of one order.

    Reference: adaptation.keep.
    """
    return math.exp2(-step / half_life)


@compilable
def ewma_order(
    orders: float, waited_s: float, excess: float, touch: float, keep: float, wait_s: float, depth: float, best: float
) -> tuple[float, float, float, float]:
    """Return the first four numbers, the state, after one more market order of a side; all four start at 0.

    ``wait_s`` is the time since the last one, ``depth`` how far from the mid it reached, ``best`` how far the best
    quote was. Call it with ``keep = ewma_keep(1, half_life_orders)``.

    Reference: adaptation.Arrivals.update.
    """
    return (
        keep * orders + 1.0,
        keep * waited_s + wait_s,
        keep * excess + max(0.0, depth - best),
        keep * touch + best,
    )


@compilable
def ewma_intensity_and_decay(
    orders: float, waited_s: float, excess: float, touch: float, tick: float, open_s: float
) -> tuple[float, float]:
    """Return A (orders per second that would reach the mid) and k (1/price) of a state; NaN while they are unknown.

    ``tick`` is the grid depths lie on, 0 for none. ``open_s`` is the time since the last order: it counts as soon as it
    is longer than the mean wait, so that a market that falls silent is seen to.

    Reference: adaptation.Arrivals.estimate.
    """
    if excess <= 0.0 or waited_s <= 0.0:
        return math.nan, math.nan
    mean_excess = excess / orders
    decay = math.log1p(tick / mean_excess) / tick if tick > 0.0 else 1.0 / mean_excess
    at_touch = orders / waited_s
    if open_s * at_touch > 1.0:
        at_touch = (orders + 1.0) / (waited_s + open_s)
    return at_touch * math.exp(min(EXPONENT_MAX, decay * touch / orders)), decay


@compilable
def ewma_move(squares: float, watched_s: float, keep: float, change: float, elapsed_s: float) -> tuple[float, float]:
    """Return the first two numbers, the state, after the mid changed by ``change`` in ``elapsed_s``; both start at 0.

    Call it with ``keep = ewma_keep(elapsed_s, half_life_s)``.

    Reference: adaptation.Volatility.update.
    """
    return keep * squares + change * change, keep * watched_s + elapsed_s


@compilable
def ewma_volatility(squares: float, watched_s: float) -> float:
    """Return sigma, in price per square root of a second; NaN as long as it is unknown.

    Reference: adaptation.Volatility.sigma.
    """
    if watched_s <= 0.0:
        return math.nan
    return math.sqrt(squares / watched_s)
