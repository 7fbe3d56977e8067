"""Quotes of Avellaneda and Stoikov (2008), "High-frequency trading in a limit order book", Quant. Finance 8(3):217-224.

Depths are measured from the mid, and one order is one unit. For a finite horizon; the approximation is of first order
in inventory, and there is no limit on inventory. For a horizon without end or with limits, see ``glft``.
"""

from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from njord.strategies.market_making.parameters import markup, not_negative, positive

# A number, or an array of them
Number = TypeVar("Number", float, npt.NDArray[np.float64])


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The model's constants, in one unit of price p, of quantity u and of time t. Raises ValueError where out of range.

    ``gamma``: risk aversion >= 0, in 1/(p u); 0 is the limit, whose spread is 2/k.
    ``sigma``: volatility >= 0, in p per square root of t.
    ``decay``: k > 0, in 1/p: how fast the rate of fills falls with the depth of a quote.
    """

    gamma: float
    sigma: float
    decay: float

    def __post_init__(self) -> None:
        not_negative("gamma", self.gamma)
        not_negative("sigma", self.sigma)
        positive("decay", self.decay)


def reservation_price(mid: Number, inventory: Number, given: Parameters, tau: float) -> Number:
    """Return r = s - q gamma sigma^2 tau (eq. 29 of the preprint), in price: what one unit is worth to who holds q.

    ``tau`` is the time left, >= 0. Raises ValueError for a negative one.
    """
    return mid - inventory * _penalty(given, tau)


def reservation_ask(mid: Number, inventory: Number, given: Parameters, tau: float) -> Number:
    """Return r^a = s + (1 - 2q) gamma sigma^2 tau / 2, in price: indifferent to selling one unit at it."""
    return mid + (1 - 2 * inventory) * _penalty(given, tau) / 2


def reservation_bid(mid: Number, inventory: Number, given: Parameters, tau: float) -> Number:
    """Return r^b = s - (1 + 2q) gamma sigma^2 tau / 2, in price: indifferent to buying one unit at it."""
    return mid - (1 + 2 * inventory) * _penalty(given, tau) / 2


def total_spread(given: Parameters, tau: float) -> float:
    """Return delta^a + delta^b = gamma sigma^2 tau + (2/gamma) ln(1 + gamma/k) (eq. 30 of the preprint), in price.

    It does not depend on the inventory.
    """
    return _penalty(given, tau) + 2 * markup(given.gamma, given.decay)


def quotes(mid: Number, inventory: Number, given: Parameters, tau: float) -> tuple[Number, Number]:
    """Return the bid and the ask: the total spread, centred on the reservation price. In price, on no grid."""
    half = total_spread(given, tau) / 2
    centre = reservation_price(mid, inventory, given, tau)
    return centre - half, centre + half


def _penalty(given: Parameters, tau: float) -> float:
    not_negative("tau", tau)
    return given.gamma * given.sigma**2 * tau
