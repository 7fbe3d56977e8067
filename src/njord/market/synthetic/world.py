"""The world behind a synthetic market: what everything is worth, moving in fixed steps of virtual time.

The same universe, seed and actions make the same path, however ``advance`` is called: the world moves on a grid of its
own and stands still in between. It never looks at the order books; they look at it.
"""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.instrument import InstrumentKind
from njord.market.pricing.curve import BASIS_POINT, ZeroCurve
from njord.market.synthetic.factors import Factors, FactorState
from njord.market.synthetic.scenarios import Drift, FlashCrash, RatesShift, Volatility
from njord.market.synthetic.universe import YEAR_NS, Universe
from njord.market.synthetic.valuation import OptionTerms, Valuation

Floats = npt.NDArray[np.float64]

# Crashes that run at the same time
CRASHES_MAX = 100
# The recovery is an exponential that has done 95 % of its way, and is there
_RECOVERY_RATE = 3.0


class Occurrence(enum.StrEnum):
    """What the world does to holders of an instrument."""

    FUNDING = "funding"  # value: the rate of the interval
    COUPON = "coupon"  # value: paid per 100 of face
    EXPIRY = "expiry"  # value: the settlement price


class Happening(msgspec.Struct, frozen=True):
    """Something that was due at a moment."""

    time_ns: int
    occurrence: Occurrence
    instrument_id: InstrumentId
    value: float


class _Crash(msgspec.Struct, frozen=True):
    start_ns: int
    action: FlashCrash


class WorldState(msgspec.Struct):
    """All there is to know of a world: with the universe it goes on from here exactly as it would have."""

    now_ns: int
    factors: FactorState
    crashes: list[_Crash]
    fixings: list[float]
    settled: dict[InstrumentId, float]
    premium_sum: list[float]
    premium_count: int
    dice: dict[str, Any]


class World:
    """Factors, curve, surface and the fair value of every instrument at ``now_ns``."""

    def __init__(self, universe: Universe, seed: int) -> None:
        self.universe = universe
        self.now_ns = universe.start_ns
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0])))
        self._factors = Factors(universe)
        self._valuation = Valuation(universe)
        self.ids = tuple(each.instrument.instrument_id for each in universe.listings)
        self._places = {name: place for place, name in enumerate(self.ids)}
        # What was computed for this step already
        self._fairs: Floats | None = None
        self._curve: ZeroCurve | None = None
        self._prices: Floats | None = None
        self._crashes: list[_Crash] = []
        self._fixings: list[float] = []
        self._settled: dict[InstrumentId, float] = {}
        self._happened: list[Happening] = []
        bonds = (InstrumentKind.BOND, InstrumentKind.SWAP)
        self._expiries: list[tuple[int, int]] = sorted(
            (each.instrument.expiry_ns, place)
            for place, each in enumerate(universe.listings)
            if each.instrument.expiry_ns is not None and each.instrument.kind not in bonds
        )
        self._perpetuals = [place for place, each in enumerate(universe.listings) if each.basis is not None]
        self._premium_sum, self._premium_count = np.zeros(len(self._perpetuals)), 0

    def advance(self, to_ns: int) -> None:
        """Let time pass. Raises ValueError when it would have to run backwards."""
        if to_ns < self.now_ns:
            raise ValueError(f"world: is at {self.now_ns} and cannot go back to {to_ns}")
        step_ns, start_ns = self.universe.step_ns, self.universe.start_ns
        done, due = (self.now_ns - start_ns) // step_ns, (to_ns - start_ns) // step_ns
        for step in range(done + 1, due + 1):
            self._step(start_ns + step * step_ns)
        self.now_ns = to_ns

    @property
    def settled(self) -> Mapping[InstrumentId, float]:
        """What each contract that has expired settled at."""
        return self._settled

    def fair(self, instrument_id: InstrumentId) -> float:
        """Return what an instrument is worth; an expired one, what it settled at."""
        return float(self.fairs()[self._places[instrument_id]])

    def fairs(self) -> Floats:
        """Return what every instrument is worth, in the order of ``ids``."""
        if self._fairs is None:
            fairs = self._valuation.values(
                self._factors, self.curve, self._underliers(), self._moved_ns(), self._fixings
            )
            for name, value in self._settled.items():
                fairs[self._places[name]] = value
            self._fairs = fairs
        return self._fairs

    def fairs_if(self, *, price_factors: Floats | float = 1.0, rates_shift: float = 0.0) -> Floats:
        """Return what everything would be worth now, in the order of ``ids``, had prices and rates jumped.

        ``price_factors`` multiplies underliers, all alike or one by one in the order of ``underliers``; rates move in
        parallel, as a fraction. Volatilities by moneyness stay as they are.
        """
        moved = self._underliers() * price_factors
        return self._valuation.values(
            self._factors, self.curve.shifted(rates_shift), moved, self._moved_ns(), self._fixings
        )

    @property
    def underliers(self) -> tuple[str, ...]:
        """The names of all assets, and then of all baskets."""
        return tuple(self._valuation.places)

    @property
    def curve(self) -> ZeroCurve:
        """The zero curve now."""
        if self._curve is None:
            self._curve = self._factors.curve()
        return self._curve

    def underlier_price(self, name: str) -> float:
        """Return the price of an asset or basket, listed or not."""
        return float(self._underliers()[self._valuation.places[name]])

    def income(self, name: str) -> float:
        """Return the dividend or convenience yield of an asset now; 0 for a basket."""
        place = self._valuation.places[name]
        return float(self._factors.income[place]) if place < len(self._factors.income) else 0.0

    def years_to(self, time_ns: int) -> float:
        """Return the years until a moment, as prices count them."""
        return (time_ns - self._moved_ns()) / YEAR_NS

    def option_terms(self, instrument_id: InstrumentId) -> OptionTerms:
        """Return spot, rate, carry and volatility of an option. Raises ValueError for what is none."""
        place = self._places[instrument_id]
        if not self._valuation.is_option(place):
            raise ValueError(f"{instrument_id}: is no option")
        return self._valuation.option_terms(place, self._factors, self.curve, self._underliers(), self._moved_ns())

    def options(self) -> dict[InstrumentId, OptionTerms]:
        """Return what every option is priced with now."""
        places, terms = self._valuation.all_option_terms(
            self._factors, self.curve, self._underliers(), self._moved_ns()
        )
        return {self.ids[place]: each for place, each in zip(places, terms, strict=True)}

    def vol(self, instrument_id: InstrumentId) -> float:
        """Return the implied volatility of an option, a year."""
        return self.option_terms(instrument_id).volatility

    def apply(self, action: Volatility | Drift | FlashCrash | RatesShift) -> None:
        """Change how the world moves, from now on. Raises ValueError for an underlier that is not there."""
        factors = self._factors
        if isinstance(action, RatesShift):
            factors.rates_shift += action.bp * BASIS_POINT
        elif isinstance(action, FlashCrash):
            self._assets(action.underliers)
            if len(self._crashes) >= CRASHES_MAX:
                raise ValueError(f"world: {CRASHES_MAX} crashes run already")
            self._crashes.append(_Crash(self._moved_ns(), action))
        elif isinstance(action, Volatility):
            factors.volatility_scale[self._assets(action.underliers)] = action.scale
        else:
            factors.drift_shift[self._assets(action.underliers)] = action.shift
        self._forget()

    @property
    def crashes(self) -> int:
        """How many crashes run."""
        return len(self._crashes)

    def check(self, action: Volatility | Drift | FlashCrash | RatesShift) -> None:
        """Raise ValueError for an underlier that is not there."""
        if not isinstance(action, RatesShift):
            self._assets(action.underliers)

    def drain(self) -> list[Happening]:
        """Return what was due since the last call, in order."""
        found, self._happened = self._happened, []
        return found

    def snapshot(self) -> WorldState:
        """Return the state as plain data. What happened and was not drained is not in it."""
        return WorldState(
            now_ns=self.now_ns, factors=self._factors.state(), crashes=list(self._crashes),
            fixings=list(self._fixings), settled=dict(self._settled), premium_sum=self._premium_sum.tolist(),
            premium_count=self._premium_count, dice=dice_state(self._rng),
        )  # fmt: skip

    def restore(self, state: WorldState) -> None:
        """Go on from a state. Raises ValueError where it is of another universe."""
        self._factors.set_state(state.factors)
        self.now_ns, self._crashes = state.now_ns, list(state.crashes)
        self._fixings, self._settled = list(state.fixings), dict(state.settled)
        self._premium_sum, self._premium_count = np.array(state.premium_sum), state.premium_count
        set_dice(self._rng, state.dice)
        self._happened = []
        self._forget()

    def _moved_ns(self) -> int:
        start_ns, step_ns = self.universe.start_ns, self.universe.step_ns
        return start_ns + (self.now_ns - start_ns) // step_ns * step_ns

    def _forget(self) -> None:
        self._fairs, self._curve, self._prices = None, None, None

    def _step(self, now_ns: int) -> None:
        before = self._displacement(now_ns - self.universe.step_ns) if self._crashes else 0.0
        self._factors.step(self._rng)
        if self._crashes:
            self._factors.log_price = self._factors.log_price + (self._displacement(now_ns) - before)
            self._crashes = [each for each in self._crashes if now_ns < _over_ns(each)]
        self.now_ns = now_ns
        self._forget()
        self._premium_sum = self._premium_sum + np.expm1(self._factors.basis)
        self._premium_count += 1
        self._due(now_ns)

    def _due(self, now_ns: int) -> None:
        payment_ns = self._valuation.next_payment_ns(len(self._fixings))
        if payment_ns is not None and payment_ns <= now_ns:
            self._fixings.append(self._factors.money)
            for place, coupon in self._valuation.coupons():
                expiry_ns = self.universe.listings[place].instrument.expiry_ns
                if expiry_ns is not None and expiry_ns >= payment_ns:
                    self._happened.append(Happening(now_ns, Occurrence.COUPON, self.ids[place], coupon))
        while self._expiries and len(self._settled) < len(self._expiries):
            expiry_ns, place = self._expiries[len(self._settled)]
            if expiry_ns > now_ns:
                break
            value = self.fair(self.ids[place])
            self._settled[self.ids[place]] = value
            self._happened.append(Happening(now_ns, Occurrence.EXPIRY, self.ids[place], value))
        self._fund(now_ns)

    def _fund(self, now_ns: int) -> None:
        before_ns = now_ns - self.universe.step_ns
        paid = False
        for row, place in enumerate(self._perpetuals):
            basis = self.universe.listings[place].basis
            if basis is not None and now_ns // basis.funding_interval_ns > before_ns // basis.funding_interval_ns:
                premium = float(self._premium_sum[row]) / self._premium_count
                rate = premium + min(max(basis.interest - premium, -basis.clamp), basis.clamp)
                rate = min(max(rate, -basis.rate_max), basis.rate_max)
                self._happened.append(Happening(now_ns, Occurrence.FUNDING, self.ids[place], rate))
                paid = True
        if paid:
            self._premium_sum, self._premium_count = np.zeros(len(self._perpetuals)), 0

    def _underliers(self) -> Floats:
        if self._prices is None:
            self._prices = self._valuation.underliers(self._factors)
        return self._prices

    def _assets(self, names: tuple[str, ...]) -> list[int]:
        known = self._factors.names
        for name in names:
            if name not in known:
                raise ValueError(f"scenario: {name} is no asset of this universe")
        return [place for place, name in enumerate(known) if not names or name in names]

    def _displacement(self, now_ns: int) -> Floats:
        found = np.zeros(len(self._factors.log_price))
        for crash in self._crashes:
            found[self._assets(crash.action.underliers)] += _fallen(crash, now_ns)
        return found


def _fallen(crash: _Crash, now_ns: int) -> float:
    action = crash.action
    passed_s = (now_ns - crash.start_ns) / NS_PER_S
    down = float(np.log1p(-action.drop))
    if passed_s < action.fall_s:
        return down * max(passed_s, 0.0) / action.fall_s
    share = min((passed_s - action.fall_s) / action.recovery_s, 1.0)
    back = float(np.expm1(-_RECOVERY_RATE * share) / np.expm1(-_RECOVERY_RATE))
    return down * (1 - action.recovery * back)


def _over_ns(crash: _Crash) -> int:
    return crash.start_ns + round((crash.action.fall_s + crash.action.recovery_s) * NS_PER_S)


def dice_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator as plain data; its 128-bit numbers as text, which JSON can hold."""
    state = rng.bit_generator.state
    inner = state["state"]
    return {
        "state": str(inner["state"]), "inc": str(inner["inc"]),
        "has_uint32": int(state["has_uint32"]), "uinteger": int(state["uinteger"]),
    }  # fmt: skip


def set_dice(rng: np.random.Generator, state: dict[str, Any]) -> None:
    """Let a PCG64 generator go on from a state."""
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(state["state"]), "inc": int(state["inc"])},
        "has_uint32": state["has_uint32"], "uinteger": state["uinteger"],
    }  # fmt: skip
