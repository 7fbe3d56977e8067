"""Bonds with fixed coupons: price, yield and what they lose when rates rise. All per 100 of face.

``maturity`` is years to the last payment, ``coupon`` a fraction of face a year, paid ``frequency`` times a year.
Accrued interest is linear in the running period. Yields are compounded ``frequency`` times a year (the street
convention; Fabozzi, Bond Markets, ch. 3-4). DV01 is what is lost for a rise of 1 bp, positive for a long bond.
"""

import numpy as np
import numpy.typing as npt

from njord.market.pricing.curve import BASIS_POINT, BUCKETS, ZeroCurve, payment_times

Floats = npt.NDArray[np.float64]

_ITERATIONS_MAX = 100


def cash_flows(maturity: float, coupon: float, frequency: int = 2) -> tuple[Floats, Floats]:
    """Return the times of the payments still to come, and the payments."""
    times = payment_times(maturity, frequency)
    amounts = np.full(len(times), 100.0 * coupon / frequency)
    amounts[-1] += 100.0
    return times, amounts


def accrued(maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the interest earned since the last payment."""
    first = float(payment_times(maturity, frequency)[0])
    return 100.0 * coupon / frequency * (1.0 - first * frequency)


def dirty_price(curve: ZeroCurve, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return what the payments are worth on a curve, accrued interest included."""
    times, amounts = cash_flows(maturity, coupon, frequency)
    return float(amounts @ curve.discount(times))


def clean_price(curve: ZeroCurve, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the price on a curve without accrued interest."""
    return dirty_price(curve, maturity, coupon, frequency) - accrued(maturity, coupon, frequency)


def dirty_price_at_yield(bond_yield: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the price at a yield, accrued interest included."""
    times, amounts = cash_flows(maturity, coupon, frequency)
    return float(amounts @ (1 + bond_yield / frequency) ** (-times * frequency))


def yield_of(dirty: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the yield at which the bond is worth ``dirty``. Raises ValueError where no yield fits.

    Price falls and is convex in the yield, so Newton from the left never overshoots.
    """
    if not dirty > 0:
        raise ValueError(f"price {dirty} must be > 0")
    times, amounts = cash_flows(maturity, coupon, frequency)
    guess = -0.5 * frequency
    for _ in range(_ITERATIONS_MAX):
        base = 1 + guess / frequency
        present = amounts * base ** (-times * frequency)
        error = float(present.sum()) - dirty
        step = error / float((present * times).sum() / base)
        guess += step
        if abs(step) < 1e-14 * (1 + abs(guess)):
            return guess
    raise ValueError(f"price {dirty}: no yield found for a bond of {maturity} years")


def macaulay_duration(bond_yield: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the mean time of the payments, by present value, in years."""
    times, amounts = cash_flows(maturity, coupon, frequency)
    present = amounts * (1 + bond_yield / frequency) ** (-times * frequency)
    return float(present @ times / present.sum())


def modified_duration(bond_yield: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the share of the dirty price lost per 1.0 of yield."""
    return macaulay_duration(bond_yield, maturity, coupon, frequency) / (1 + bond_yield / frequency)


def convexity(bond_yield: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the second derivative of the dirty price to the yield, over the price, in years squared."""
    times, amounts = cash_flows(maturity, coupon, frequency)
    base = 1 + bond_yield / frequency
    present = amounts * base ** (-times * frequency)
    return float(present @ (times * (times + 1 / frequency)) / (present.sum() * base**2))


def dv01_at_yield(bond_yield: float, maturity: float, coupon: float, frequency: int = 2) -> float:
    """Return the loss for a rise of the yield by 1 bp, from the derivative."""
    price = dirty_price_at_yield(bond_yield, maturity, coupon, frequency)
    return modified_duration(bond_yield, maturity, coupon, frequency) * price * BASIS_POINT


def curve_sensitivities(curve: ZeroCurve, maturity: float, coupon: float, frequency: int = 2) -> tuple[float, float]:
    """Return (DV01, convexity) for a parallel shift of the zero rates.

    DV01 is the loss for 1 bp; convexity is the second derivative of the price, for a change of 1.0, not over the price.
    """
    times, amounts = cash_flows(maturity, coupon, frequency)
    present = amounts * curve.discount(times)
    return float(present @ times) * BASIS_POINT, float(present @ times**2)


def key_rate_dv01(
    curve: ZeroCurve, maturity: float, coupon: float, frequency: int = 2, buckets: tuple[float, ...] = BUCKETS
) -> Floats:
    """Return the loss for a rise of each bucket by 1 bp, by central differences. They sum to the parallel DV01."""
    found = [
        (
            dirty_price(curve.bucket_shifted(bucket, -BASIS_POINT, buckets), maturity, coupon, frequency)
            - dirty_price(curve.bucket_shifted(bucket, BASIS_POINT, buckets), maturity, coupon, frequency)
        )
        / 2
        for bucket in range(len(buckets))
    ]
    return np.array(found)
