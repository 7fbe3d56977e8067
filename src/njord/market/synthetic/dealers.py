"""Dealers over the counter: each quotes both sides of what it deals in, in its own way, for a while."""

import math

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.market import DealerQuote


class Dealer(msgspec.Struct, frozen=True):
    """How a dealer quotes. Spread and size are relative to what is usual; ``skew`` to its half spread."""

    name: str
    spread: float
    skew: float
    size: float
    refresh_s: float
    ttl_s: float


DEALERS = (
    Dealer("BIFROST", spread=0.8, skew=0.15, size=1.0, refresh_s=7.0, ttl_s=20.0),
    Dealer("GJALLAR", spread=1.0, skew=0.25, size=3.0, refresh_s=9.0, ttl_s=30.0),
    Dealer("VIDAR", spread=1.3, skew=0.35, size=6.0, refresh_s=14.0, ttl_s=45.0),
    Dealer("HLIN", spread=1.1, skew=0.30, size=2.0, refresh_s=10.0, ttl_s=25.0),
)


class DeskState(msgspec.Struct):
    """What a desk remembers: how many quotes it made, and which way it leans."""

    quotes: int = 0
    lean: float = 0.0


class DealerDesk:
    """One dealer in one instrument."""

    def __init__(
        self, dealer: Dealer, instrument_id: InstrumentId, half_spread_ticks: float, lots: int, least_ticks: int | None
    ) -> None:
        self.dealer = dealer
        self.instrument_id = instrument_id
        self.state = DeskState()
        self._half = half_spread_ticks * dealer.spread
        self._lots = lots * dealer.size
        self._least_ticks = least_ticks

    def wait_ns(self, rng: np.random.Generator) -> int:
        """Return the time until the next quote: exponential."""
        return 1 + int(rng.exponential(self.dealer.refresh_s) * NS_PER_S)

    def quote(
        self, now_ns: int, fair: float, top: tuple[int, int, int, int], held_lots: int, spread: float, depth: float,
        rng: np.random.Generator,
    ) -> DealerQuote | None:  # fmt: skip
        """Return a quote around ``fair``, in ticks; None where a dealer would not be seen.

        Leans against the inventory and, slowly changing, as it likes. ``top`` is the best of all dealers: a quote never
        goes through it, so that the composite does not cross.
        """
        state, dealer = self.state, self.dealer
        state.lean = 0.8 * state.lean + 0.6 * rng.standard_normal()
        half = self._half * spread
        tilt = dealer.skew * max(-1.0, min(1.0, state.lean)) - max(-1.0, min(1.0, held_lots / (20 * self._lots)))
        centre = fair + half * tilt
        bid, ask = math.floor(centre - half), math.ceil(centre + half)
        best_bid, bid_lots, best_ask, ask_lots = top
        if ask_lots:
            bid = min(bid, best_ask - 1)
        if bid_lots:
            ask = max(ask, best_bid + 1)
        lots = round(self._lots * depth * math.exp(0.4 * rng.standard_normal() - 0.08))
        if lots <= 0 or (self._least_ticks is not None and bid < self._least_ticks):
            return None
        state.quotes += 1
        return DealerQuote(
            f"{dealer.name}-{self.instrument_id}-{state.quotes}", dealer.name, self.instrument_id, now_ns, now_ns, bid,
            lots, max(ask, bid + 1), lots, now_ns + round(dealer.ttl_s * NS_PER_S),
        )  # fmt: skip
