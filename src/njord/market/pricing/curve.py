"""A zero curve: what money at a later time is worth now, and what happens to it when rates are bumped.

Continuously compounded zero rates at nodes, straight lines between them, flat outside (Hagan and West 2006,
Interpolation methods for curve construction, section 3). Rates are fractions a year, times years, bumps fractions:
0.0001 is 1 bp.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FloatLike = float | Floats

BASIS_POINT = 1e-4
# Where the risk of a book is looked at: 2, 5, 10 and 30 years
BUCKETS = (2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class ZeroCurve:
    """Zero rates at ascending times. Raises ValueError where the times do not ascend from above zero."""

    years: Floats
    zeros: Floats

    def __post_init__(self) -> None:
        if self.years.shape != self.zeros.shape or self.years.ndim != 1 or not len(self.years):
            raise ValueError(f"curve: {self.years.shape} times for {self.zeros.shape} zero rates")
        if self.years[0] <= 0 or (np.diff(self.years) <= 0).any():
            raise ValueError("curve: times must ascend and be > 0")

    def zero(self, years: FloatLike) -> Floats:
        """Return the continuously compounded zero rate to a time."""
        found: Floats = np.asarray(np.interp(years, self.years, self.zeros))
        return found

    def discount(self, years: FloatLike) -> Floats:
        """Return what one unit at a time is worth now."""
        found: Floats = np.exp(-self.zero(years) * years)
        return found

    def forward(self, start: FloatLike, end: FloatLike) -> Floats:
        """Return the continuously compounded forward rate between two times."""
        found: Floats = (self.zero(end) * end - self.zero(start) * start) / (np.asarray(end) - start)
        return found

    def par_rate(self, maturity: float, frequency: int = 2) -> float:
        """Return the coupon, a fraction a year, at which a bond of that maturity is worth its face."""
        times = payment_times(maturity, frequency)
        discounts = self.discount(times)
        # A first period that has begun earlier is whole: its accrued part has been earned already
        begun = times[0] * frequency
        annuity = float(discounts.sum() - (1 - begun)) / frequency
        return (1.0 - float(discounts[-1])) / annuity

    def shifted(self, shift: FloatLike) -> "ZeroCurve":
        """Return the curve with all zero rates moved by ``shift``, one number or one for each node."""
        return ZeroCurve(self.years, self.zeros + shift)

    def bucket_shifted(self, bucket: int, shift: float, buckets: tuple[float, ...] = BUCKETS) -> "ZeroCurve":
        """Return the curve with one bucket moved, by a tent that ends at its neighbours. All buckets make a parallel
        shift."""
        nodes = np.union1d(self.years, np.asarray(buckets))  # So that the tents keep their corners
        return ZeroCurve(nodes, self.zero(nodes) + shift * bucket_weights(nodes, buckets)[bucket])


def payment_times(maturity: float, frequency: int) -> Floats:
    """Return the times of what is still to be paid, backwards from maturity, in ascending order."""
    if not maturity > 0:
        raise ValueError(f"maturity {maturity} must be > 0 years")
    count = int(np.ceil(maturity * frequency - 1e-9))
    times: Floats = maturity - np.arange(count - 1, -1, -1) / frequency
    return times


def bucket_weights(years: FloatLike, buckets: tuple[float, ...] = BUCKETS) -> Floats:
    """Return how much each bucket moves each time: tents, flat beyond the first and last, that sum to one."""
    corners = np.eye(len(buckets))
    return np.stack([np.interp(years, np.asarray(buckets), corner) for corner in corners])


def nelson_siegel(years: FloatLike, level: float, slope: float, curvature: float, decay: float) -> Floats:
    """Return zero rates: Nelson and Siegel (1987) in the factors of Diebold and Li (2006). ``decay`` is a year."""
    x = np.asarray(years) * decay
    loading = -np.expm1(-x) / x
    found: Floats = level + slope * loading + curvature * (loading - np.exp(-x))
    return found
