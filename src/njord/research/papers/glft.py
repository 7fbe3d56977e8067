"""Gueant, Lehalle and Fernandez-Tapia (2013): how good their closed form is, beside the exact quotes it stands for.

The paper draws its quotes and prints no table; the sets of parameters are the one of its figures and that of Avellaneda
and Stoikov.
"""

import math

import msgspec

from njord.strategies.market_making.glft import (
    Parameters,
    alpha,
    closed_form,
    eigenvalues,
    eta,
    exact,
    half_spread_and_skew,
)

INVENTORY_ORDERS_MAX = 30
INVENTORIES = (0, 1, 5, 10, 20)
# Name, parameters, time left
SETS = (
    ("figures of the paper", Parameters(gamma=0.01, sigma=0.3, intensity=0.9, decay=0.3), 600.0),
    ("Avellaneda-Stoikov", Parameters(gamma=0.1, sigma=2.0, intensity=140.0, decay=1.5), 1.0),
)


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The depths at one inventory, in price; bid for -q is ask for q."""

    inventory: int
    bid_exact: float
    bid_closed: float
    ask_exact: float
    ask_closed: float

    @property
    def error(self) -> float:
        """Return the larger of the two errors of the closed form, in price."""
        return max(abs(self.bid_closed - self.bid_exact), abs(self.ask_closed - self.ask_exact))


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One set of parameters, its constants and its depths."""

    name: str
    parameters: Parameters
    tau: float
    inventory_orders_max: int
    half_spread: float
    skew: float
    eta: float
    alpha: float
    lowest_eigenvalue: float
    rows: list[Depth]


def tables() -> list[Table]:
    """Return the depths of both sets, exact and closed, at a few inventories."""
    return [_table(name, given, tau) for name, given, tau in SETS]


def _table(name: str, given: Parameters, tau: float) -> Table:
    assert math.isfinite(tau), tau
    found = exact(given, INVENTORY_ORDERS_MAX, tau)
    half, skew = half_spread_and_skew(given)
    rows = []
    for inventory in INVENTORIES:
        bid, ask = found.at(inventory)
        bid_closed, ask_closed = closed_form(given, inventory)
        rows.append(
            Depth(inventory=inventory, bid_exact=bid, bid_closed=bid_closed, ask_exact=ask, ask_closed=ask_closed)
        )
    return Table(
        name=name,
        parameters=given,
        tau=tau,
        inventory_orders_max=INVENTORY_ORDERS_MAX,
        half_spread=half,
        skew=skew,
        eta=eta(given),
        alpha=alpha(given),
        lowest_eigenvalue=float(eigenvalues(given, INVENTORY_ORDERS_MAX)[0]),
        rows=rows,
    )
