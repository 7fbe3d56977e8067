"""What every instrument of a universe is worth, all at once, from the state of the factors.

Everything is priced off its underlier, the curve and the surface of the same moment, so parity, carry and par hold
between any of them. Fair values are floats in the quote currency.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.instrument import InstrumentKind, OptionRight
from njord.market.pricing import black_scholes, surface
from njord.market.pricing.curve import ZeroCurve
from njord.market.pricing.futures import cost_of_carry
from njord.market.synthetic.factors import Factors
from njord.market.synthetic.processes import weighted
from njord.market.synthetic.universe import YEAR_NS, Listing, Universe, underlier_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COUPONS_A_YEAR = 2
_PERIOD_NS = YEAR_NS // COUPONS_A_YEAR
# An option in its last instant is worth what exercise brings, and a division by zero time is avoided
_YEARS_MIN = 1e-9
# Even where a scenario lets nothing move: a surface of no variance has no shape
_VOLATILITY_MIN = 0.01


class OptionTerms(msgspec.Struct, frozen=True):
    """What the Black-Scholes functions take, of one option at one moment."""

    sign: float
    spot: float
    strike: float
    years: float
    rate: float
    carry: float
    volatility: float


class Valuation:
    """The arrays behind a universe's prices. ``values`` fills one array in the order of its listings."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        asset_places = {each.name: place for place, each in enumerate(universe.assets)}
        self.places = asset_places | {each.name: len(asset_places) + n for n, each in enumerate(universe.baskets)}
        self._weights = np.zeros((len(universe.baskets), len(universe.assets)))
        for row, basket in enumerate(universe.baskets):
            for member, units in basket.members:
                self._weights[row, asset_places[member]] = units
        self._basket_variance = np.array([each.volatility**2 for each in universe.baskets])
        smiles = [each.smile for each in universe.assets] + [each.smile for each in universe.baskets]
        self._skew = np.array([each.skew for each in smiles])
        self._wings = np.array([each.wings for each in smiles])
        self._asset_variance = np.array([each.volatility**2 for each in universe.assets])
        self._index(universe.listings)
        self._payments(universe)

    def _index(self, listings: tuple[Listing, ...]) -> None:
        def of(*kinds: InstrumentKind) -> Ints:
            found = [n for n, each in enumerate(listings) if each.instrument.kind in kinds]
            return np.array(found, dtype=np.int64)

        kind = InstrumentKind
        self._spots, self._futures = of(kind.EQUITY, kind.SPOT), of(kind.FUTURE)
        self._options, self._perpetuals = of(kind.OPTION), of(kind.PERPETUAL)
        self._debts = of(kind.BOND, kind.SWAP)
        places = [underlier_of(each.instrument) for each in listings]
        self._on = np.array([-1 if name is None else self.places[name] for name in places], dtype=np.int64)
        self._expiry_ns = np.array([each.instrument.expiry_ns or 0 for each in listings], dtype=np.int64)
        options = [listings[place].instrument for place in self._options]
        self._strike = np.array([float(each.strike or 0) for each in options])
        self._sign = np.array([1.0 if each.right is OptionRight.CALL else -1.0 for each in options])
        self._option_row = {int(place): row for row, place in enumerate(self._options)}

    def _payments(self, universe: Universe) -> None:
        debts = [universe.listings[place].instrument for place in self._debts]
        counts = [round(((each.expiry_ns or 0) - universe.start_ns) / _PERIOD_NS) for each in debts]
        most = max(counts, default=0)
        self._coupon = np.array([100 * float(each.coupon_rate or 0) / COUPONS_A_YEAR for each in debts])
        self._pay_ns = universe.start_ns + _PERIOD_NS * np.arange(1, most + 1, dtype=np.int64)
        self._pays = np.zeros((len(debts), most))
        for row, count in enumerate(counts):
            self._pays[row, :count] = self._coupon[row]
            self._pays[row, count - 1] += 100.0
        self._is_swap = np.array([each.kind is InstrumentKind.SWAP for each in debts], dtype=bool)

    def underliers(self, factors: Factors) -> Floats:
        """Return the prices of all assets, and then of all baskets."""
        assets = np.exp(factors.log_price)
        return np.concatenate([assets, weighted(self._weights, assets)])

    def values(
        self, factors: Factors, curve: ZeroCurve, underliers: Floats, now_ns: int, fixings: list[float]
    ) -> Floats:
        """Return the fair value of every listing. ``fixings`` is ``money`` at each payment date that is past."""
        found = np.empty(len(self._universe.listings))
        found[self._spots] = underliers[self._on[self._spots]]
        found[self._perpetuals] = underliers[self._on[self._perpetuals]] * np.exp(factors.basis)
        income = np.concatenate([factors.income, np.zeros(len(self._basket_variance))])
        on, years = self._on[self._futures], self._years(self._futures, now_ns)
        found[self._futures] = cost_of_carry(underliers[on], years, curve.zero(years), income[on])
        if len(self._options):
            on, spot, years, rate, carry, volatility = self._option_terms(factors, curve, underliers, now_ns)
            found[self._options] = black_scholes.price(self._sign, spot, self._strike, years, rate, carry, volatility)
        if len(self._debts):
            found[self._debts] = self._debt_values(curve, factors.money, now_ns, fixings)
        return found

    def option_terms(
        self, place: int, factors: Factors, curve: ZeroCurve, underliers: Floats, now_ns: int
    ) -> OptionTerms:
        """Return what the option at a place of the listings is priced with."""
        return self.all_option_terms(factors, curve, underliers, now_ns)[1][self._option_row[place]]

    def all_option_terms(
        self, factors: Factors, curve: ZeroCurve, underliers: Floats, now_ns: int
    ) -> tuple[list[int], list[OptionTerms]]:
        """Return the places of all options in the listings, and what each is priced with."""
        if not len(self._options):
            return [], []
        _, spot, years, rate, carry, volatility = self._option_terms(factors, curve, underliers, now_ns)
        columns = (self._sign, spot, self._strike, years, rate, carry, volatility)
        rows = zip(*(each.tolist() for each in columns), strict=True)
        return self._options.tolist(), [OptionTerms(*row) for row in rows]

    def is_option(self, place: int) -> bool:
        """Return whether the listing at a place is an option."""
        return place in self._option_row

    def _years(self, places: Ints, now_ns: int) -> Floats:
        found: Floats = np.maximum((self._expiry_ns[places] - now_ns) / YEAR_NS, _YEARS_MIN)
        return found

    def _option_terms(
        self, factors: Factors, curve: ZeroCurve, underliers: Floats, now_ns: int
    ) -> tuple[Ints, Floats, Floats, Floats, Floats, Floats]:
        on, years = self._on[self._options], self._years(self._options, now_ns)
        spot, rate = underliers[on], curve.zero(years)
        income = np.concatenate([factors.income, np.zeros(len(self._basket_variance))])[on]
        carry = rate - income
        money = self._at_the_money(factors, on, years)
        forward = cost_of_carry(spot, years, rate, income)
        volatility = surface.volatility(self._strike, forward, years, money, self._skew[on], self._wings[on])
        return on, spot, years, rate, carry, volatility

    def _at_the_money(self, factors: Factors, on: Ints, years: Floats) -> Floats:
        jumps = factors.jump_variance * factors.volatility_scale**2
        spot, long = factors.spot_variance() + jumps, factors.long_variance() + jumps
        # A basket's variance moves with its members', each by its share of the money
        shares = self._weights * np.exp(factors.log_price)
        shares = shares / shares.sum(axis=1, keepdims=True)
        spots = np.concatenate([spot, self._basket_variance * (weighted(shares, spot / self._asset_variance))])
        longs = np.concatenate([long, self._basket_variance * (weighted(shares, long / self._asset_variance))])
        reversion = np.concatenate([factors.variance_reversion, weighted(shares, factors.variance_reversion)])
        found = surface.expected_variance(spots[on], longs[on], reversion[on], years)
        return np.maximum(found, _VOLATILITY_MIN**2 * years)

    def _debt_values(self, curve: ZeroCurve, money: float, now_ns: int, fixings: list[float]) -> Floats:
        past = len(fixings)
        times = (self._pay_ns[past:] - now_ns) / YEAR_NS
        worth: Floats = weighted(self._pays[:, past:], curve.discount(times))
        # Swaps are quoted as 100 + NPV + what has been paid so far, so that nothing jumps when it is paid
        last = fixings[-1] if fixings else 1.0
        floating = 100.0 * money / last
        paid = sum(100.0 * (after / before - 1) for before, after in zip([1.0, *fixings], fixings, strict=False))
        swaps = 100.0 + worth - floating + past * self._coupon - paid
        found: Floats = np.where(self._is_swap, swaps, worth)
        return found

    def next_payment_ns(self, past: int) -> int | None:
        """Return when the payment after so many is due."""
        return int(self._pay_ns[past]) if past < len(self._pay_ns) else None

    def coupons(self) -> list[tuple[int, float]]:
        """Return (place of the listing, what each half year pays per 100) of the bonds."""
        rows = zip(self._debts, self._coupon, self._is_swap, strict=True)
        return [(int(place), float(coupon)) for place, coupon, swap in rows if not swap]
