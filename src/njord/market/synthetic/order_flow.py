"""Order flow: who sends what to a market, at random times, around a value that wanders.

Limit orders, market orders and cancellations arrive as Poisson streams, limit prices at exponential distances from the
value (Smith, Farmer, Gillemot and Krishnamurthy 2003, Statistical theory of the continuous double auction, with a
moving centre). A share of the market orders knows where the value is and trades towards it.
"""

import enum
from collections.abc import Iterator

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_S
from njord.domain.order import Side


class Act(enum.StrEnum):
    """What a participant does."""

    LIMIT = "limit"
    MARKET = "market"
    CANCEL = "cancel"


class Action(msgspec.Struct, frozen=True, gc=False):
    """One message to the market. ``pick`` chooses, among the sender's own resting orders, the one to cancel."""

    time_ns: int
    act: Act
    participant: str
    side: Side
    price_ticks: int
    lots: int
    value_ticks: float
    pick: float


class FlowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are a second, distances in ticks."""

    limits_per_s: float = 2.0
    markets_per_s: float = 0.5
    cancels_per_s: float = 1.4
    informed_share: float = 0.2
    distance_ticks: float = 12.0
    volatility_ticks_per_s: float = 1.5
    lots_mean: float = 40.0
    makers: int = 8
    takers: int = 20


def actions(
    rng: np.random.Generator, settings: FlowSettings, start_ns: int, duration_s: float, value_ticks: float
) -> Iterator[Action]:
    """Yield what everybody does, in time order."""
    total = settings.limits_per_s + settings.markets_per_s + settings.cancels_per_s
    chances = np.cumsum([settings.limits_per_s, settings.markets_per_s, settings.cancels_per_s]) / total
    at_s = 0.0
    while True:
        wait_s = rng.exponential(1 / total)
        at_s += wait_s
        if at_s >= duration_s:
            return
        value_ticks += settings.volatility_ticks_per_s * np.sqrt(wait_s) * rng.standard_normal()
        time_ns = start_ns + int(at_s * NS_PER_S)
        kind, pick = rng.random(), rng.random()
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        lots = 1 + int(rng.exponential(settings.lots_mean))
        if kind < chances[0]:
            maker = f"maker-{rng.integers(settings.makers)}"
            price = round(value_ticks - side.sign * (1 + rng.exponential(settings.distance_ticks)))
            yield Action(time_ns, Act.LIMIT, maker, side, price, lots, value_ticks, pick)
        elif kind < chances[1]:
            informed = rng.random() < settings.informed_share
            taker = f"informed-{rng.integers(3)}" if informed else f"taker-{rng.integers(settings.takers)}"
            yield Action(time_ns, Act.MARKET, taker, side, 0, lots, value_ticks, pick)
        else:
            maker = f"maker-{rng.integers(settings.makers)}"
            yield Action(time_ns, Act.CANCEL, maker, side, 0, 0, value_ticks, pick)
