"""How often market orders come and how far they reach: A and k of one side, with their standard errors.

The model: market orders of a side that reach a depth delta or more *from the mid* come at the rate A exp(-k delta).
None reaches less than the best quote, the touch: what is seen is cut off there, and A itself, the rate at the mid, is
an extrapolation. Fit each side by itself, and only the range where you quote.

Units are the caller's: k per half tick is half of k per tick, and A per second is not A per day.
"""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.strategies.market_making.parameters import EXPONENT_MAX, not_negative, positive

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Newton on two parameters of a concave likelihood takes about six
NEWTON_STEPS_MAX = 50
NEWTON_SETTLED = 1e-12


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """lambda(delta) = A exp(-k delta), delta from the mid, with standard errors (NaN where the method has none)."""

    intensity: float  # A, per unit of time: orders that would reach the mid
    decay: float  # k, per unit of price
    intensity_se: float
    decay_se: float
    orders: int  # How many market orders the fit rests on
    touch_rate: float  # Orders per unit of time that reached the start of the range

    def at(self, depth: float) -> float:
        """Return the rate of market orders that reach ``depth`` from the mid, per unit of time."""
        return self.intensity * math.exp(-self.decay * depth)


class VirtualFills(msgspec.Struct, frozen=True):
    """What became of virtual orders at each of some depths: how many were filled, and how long all of them waited."""

    depths: Floats
    fills: Floats
    waited: Floats  # In the unit of time; orders withdrawn unfilled count with the time they lay

    @property
    def rates(self) -> Floats:
        """Return fills per unit of time at each depth: 1 / mean time to a fill. NaN where nothing waited."""
        rates: Floats = np.divide(self.fills, self.waited, out=np.full(len(self.fills), np.nan), where=self.waited > 0)
        return rates


def fit_orders(
    depths: Array,
    duration: float,
    *,
    touch: Array | float = 0.0,
    depth_min: float = 0.0,
    depth_max: float = math.inf,
    tick: float = 0.0,
    stood: tuple[Array, Array] | None = None,
) -> Intensity:
    """Return the maximum-likelihood A and k of one side, from the depth each market order reached in ``duration``.

    ``depths`` and ``touch``, one number or one per order, are distances from the mid at the moment of the order. With
    start = max(touch, depth_min), orders that do not reach their start are left out (left truncation), those beyond
    ``depth_max`` are known to have got that far (right censoring): k = n / sum(min(depth, depth_max) - start) with n
    the orders that ended within the range; a standard error of k / sqrt(n). A = N exp(k start) / duration for a
    constant start, N / duration where it is the mid, with the standard error sqrt(A / duration) there, and that of k
    added elsewhere.

    Where the touch moves, say in ``stood`` which touches there were and how long each stood: A = N / sum(time
    exp(-k start)), the maximum of the likelihood. Without it A = sum exp(k start) / duration over the orders, which is
    as unbiased, and rests on the few orders that met the widest touch.

    ``tick`` > 0 says that depths lie on a grid: then depths past the start are whole ticks with a geometric
    distribution, and k = ln(1 + tick / mean) / tick. Without it, k on a grid comes out too high.

    Raises ValueError where lengths differ, a number is not finite, or no k can be told: fewer than two orders in the
    range, or none that went past its start.
    """
    positive("duration", duration)
    not_negative("depth_min", depth_min)
    not_negative("tick", tick)
    if not depth_max > depth_min:
        raise ValueError(f"depth_max: must be > depth_min {depth_min}, was {depth_max}")
    reached = _numbers("depths", depths)
    start = np.maximum(np.broadcast_to(_numbers("touch", touch), reached.shape), depth_min)
    # Half a tick of tolerance on a grid: a depth is a difference of floats
    counted = (reached >= start - tick / 2) & (start < depth_max)
    reached, start = reached[counted], start[counted]
    ended = int((reached < depth_max).sum())
    excess = float(np.maximum(np.minimum(reached, depth_max) - start, 0.0).sum())
    if len(reached) < 2 or ended < 1 or excess <= 0:
        raise ValueError(f"depths: {len(reached)} orders in the range, {ended} ended in it, {excess} past its start")
    mean = excess / ended
    decay = math.log1p(tick / mean) / tick if tick > 0 else 1 / mean
    # Of a geometric distribution; sinh(x)/x goes to 1 as the tick goes to 0
    half = decay * tick / 2
    decay_se = decay / math.sqrt(ended) * (math.sinh(half) / half if half > 0 else 1.0)
    if decay * float(start.max()) > EXPONENT_MAX:
        raise ValueError(f"touch: up to {start.max()}, too far out for a k of {decay} to say anything of the mid")
    rate, lever, share = _at_mid(start, float(duration), stood, decay, max(depth_min, 0.0), depth_max)
    return Intensity(
        intensity=rate,
        decay=decay,
        intensity_se=rate * math.hypot(share, lever * decay_se),
        decay_se=decay_se,
        orders=len(reached),
        touch_rate=len(reached) / float(duration),
    )


def wait_for_fills(
    order_times: Array, depths: Array, at_depths: Array, placed_times: Array, horizon: float
) -> VirtualFills:
    """Place virtual orders at each depth and time, and see how long each waits for a market order that reaches it.

    ``order_times`` rise and have one ``depths`` each, from the mid; a virtual order follows the mid. One placed at t is
    filled by the first order after t that reaches it, or withdrawn at t + ``horizon``. Times in any one unit.
    Placements closer together than the horizon see the same orders: rates stay right, but standard errors are too
    small. Raises ValueError where lengths differ or times do not rise.
    """
    positive("horizon", horizon)
    times, reached = _numbers("order_times", order_times), _numbers("depths", depths)
    wanted, placed = _numbers("at_depths", at_depths), _numbers("placed_times", placed_times)
    if len(times) != len(reached):
        raise ValueError(f"depths: {len(reached)} for {len(times)} order_times")
    if (np.diff(times) < 0).any():
        raise ValueError("order_times: must rise")
    fills, waited = np.zeros(len(wanted)), np.zeros(len(wanted))
    for row, depth in enumerate(wanted):
        hits = np.append(times[reached >= depth], np.inf)
        wait = hits[np.searchsorted(hits, placed, side="right").clip(max=len(hits) - 1)] - placed
        fills[row] = (wait <= horizon).sum()
        waited[row] = np.minimum(wait, horizon).sum()
    return VirtualFills(wanted, fills, waited)


def fit_waits(seen: VirtualFills) -> Intensity:
    """Return A and k from virtual orders: fills at depth d are Poisson with mean A exp(-k d) times the time waited.

    Maximum likelihood by Newton's method; standard errors from the information, right for virtual orders that did not
    wait for the same market orders. Raises ValueError unless fills were seen at two depths or more.
    """
    used = seen.waited > 0
    depths, fills, waited = seen.depths[used], seen.fills[used], seen.waited[used]
    if len(np.unique(depths[fills > 0])) < 2:
        raise ValueError("fills: must be seen at two depths or more")
    rows = np.column_stack([np.ones(len(depths)), -depths])
    with np.errstate(divide="ignore"):
        heard = fills > 0
        start = np.linalg.lstsq(rows[heard], np.log(fills[heard] / waited[heard]), rcond=None)[0]
    found = start
    for _ in range(NEWTON_STEPS_MAX):
        mean = waited * np.exp(rows @ found)
        step = np.linalg.solve(rows.T @ (mean[:, None] * rows), rows.T @ (fills - mean))
        found = found + step
        if np.abs(step).max() <= NEWTON_SETTLED * (1 + np.abs(found).max()):
            break
    else:
        raise ValueError("fills: no A and k fit them")
    mean = waited * np.exp(rows @ found)
    spread = np.linalg.inv(rows.T @ (mean[:, None] * rows))
    intensity, decay = math.exp(found[0]), float(found[1])
    return Intensity(
        intensity=intensity,
        decay=decay,
        intensity_se=intensity * math.sqrt(spread[0, 0]),
        decay_se=math.sqrt(spread[1, 1]),
        orders=int(fills.sum()),
        touch_rate=float((fills / waited)[np.argmin(depths)]),
    )


def fit_log_linear(depths: Array, duration: float, at_depths: Array) -> Intensity:
    """Return A and k by regressing the logarithm of the rate of orders that reach each depth on the depth.

    For comparison only. It is common, and worse than ``fit_orders``: its points are cumulative counts of the same
    orders, so their errors are correlated and largest where few orders reach, and all weigh the same. It has no
    standard errors worth stating. Raises ValueError unless orders reach two depths or more.
    """
    positive("duration", duration)
    reached, grid = np.sort(_numbers("depths", depths)), _numbers("at_depths", at_depths)
    counts = len(reached) - np.searchsorted(reached, grid, side="left")
    seen = counts > 0
    if len(np.unique(grid[seen])) < 2:
        raise ValueError("at_depths: orders must reach two of them or more")
    slope, level = np.polyfit(grid[seen], np.log(counts[seen] / duration), 1)
    return Intensity(
        intensity=math.exp(level),
        decay=-float(slope),
        intensity_se=math.nan,
        decay_se=math.nan,
        orders=int(counts.max()),
        touch_rate=float(counts.max()) / duration,
    )


def _at_mid(
    start: Floats, duration: float, stood: tuple[Array, Array] | None, decay: float, depth_min: float, depth_max: float
) -> tuple[float, float, float]:
    """Return A, how its logarithm goes with k, and the relative error that counting alone gives it."""
    if stood is None:
        weights = np.exp(decay * start)
        total = float(weights.sum())
        return total / duration, float((start * weights).sum()) / total, math.sqrt(float((weights**2).sum())) / total
    touch, time = _numbers("stood", stood[0]), _numbers("stood", stood[1])
    if touch.shape != time.shape or (time < 0).any():
        raise ValueError("stood: must be touches and as many times, none of them negative")
    begins = np.maximum(touch, depth_min)
    # The time in which the whole range lay inside the spread tells nothing, as its orders do
    exposed = np.where(begins < depth_max, time * np.exp(-decay * begins), 0.0)
    total = float(exposed.sum())
    if total <= 0:
        raise ValueError("stood: no time with a touch inside the range")
    return len(start) / total, float((begins * exposed).sum()) / total, 1 / math.sqrt(len(start))


def _numbers(name: str, values: Array | float) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: must be finite numbers")
    return found
