"""What moves an instrument's worth, and by how much: deltas by underlier, gamma, vega, theta, DV01 by curve bucket.

All for one unit of quantity, in the currency of the price. Delta is the change of worth for a change of the underlier
by one unit of price; gamma that of delta; vega for one point of volatility (0.01); theta for one day; DV01 the loss for
a rise of rates by one basis point. Bonds and swaps: ``market.pricing``; options: Black-Scholes with carry (Haug 2007,
The Complete Guide to Option Pricing Formulas, chapter 2).
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.market.pricing import black_scholes, bonds
from njord.market.pricing.curve import BUCKETS, ZeroCurve
from njord.market.synthetic.valuation import OptionTerms

Floats = npt.NDArray[np.float64]

DAYS_A_YEAR = 365.0
_POINT = 0.01


class Sensitivities(msgspec.Struct, frozen=True):
    """Of all instruments, in their order: arrays of shape (n,), and ``dv01`` of shape (n, buckets)."""

    instruments: tuple[InstrumentId, ...]
    underliers: tuple[str, ...]  # "" where there is none
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    dv01: Floats
    buckets: tuple[float, ...] = BUCKETS


def sensitivities(
    instruments: Sequence[Instrument], underliers: Sequence[str], prices: Floats, spots: Floats, curve: ZeroCurve,
    options: Mapping[InstrumentId, OptionTerms], years: Floats, coupons_a_year: int = 2,
) -> Sensitivities:  # fmt: skip
    """Return the sensitivities of instruments at one moment.

    ``prices`` are their own, ``spots`` their underliers' (their own where there is none), ``years`` until they expire.
    """
    count = len(instruments)
    delta, gamma, vega, theta = (np.zeros(count) for _ in range(4))
    dv01 = np.zeros((count, len(BUCKETS)))
    rows = [row for row, each in enumerate(instruments) if each.instrument_id in options]
    if rows:
        terms = [options[instruments[row].instrument_id] for row in rows]
        columns = [np.array([getattr(each, name) for each in terms]) for name in OptionTerms.__struct_fields__]
        multipliers = np.array([float(instruments[row].multiplier) for row in rows])
        delta[rows] = black_scholes.delta(*columns) * multipliers
        sign_free = columns[1:]
        gamma[rows] = black_scholes.gamma(*sign_free) * multipliers
        vega[rows] = black_scholes.vega(*sign_free) * multipliers * _POINT
        theta[rows] = black_scholes.theta(*columns) * multipliers / DAYS_A_YEAR
    for row, each in enumerate(instruments):
        multiplier = float(each.multiplier)
        if each.kind in (InstrumentKind.BOND, InstrumentKind.SWAP):
            coupon = float(each.coupon_rate or 0)
            dv01[row] = bonds.key_rate_dv01(curve, years[row], coupon, coupons_a_year) * multiplier
        elif each.kind is not InstrumentKind.OPTION:
            # A future moves with its underlier in proportion, whatever carry is; spot moves by itself
            delta[row] = multiplier * (prices[row] / spots[row] if spots[row] else 1.0)
    names = tuple(each.instrument_id for each in instruments)
    return Sensitivities(names, tuple(underliers), delta, gamma, vega, theta, dv01)
