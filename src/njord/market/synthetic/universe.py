"""What a synthetic market is made of, as data: assets that move, rates, and the instruments listed on them."""

import enum

import msgspec

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument
from njord.market.pricing.surface import Smile

# A year of the synthetic market: it never closes, and maturities are whole multiples of this
YEAR_NS = 365 * NS_PER_DAY
LISTINGS_MAX = 2_000


class Liquidity(enum.StrEnum):
    """How busy an instrument is, and how it trades: the first two in a book, the last by dealers' quotes."""

    LIQUID = "liquid"
    MEDIUM = "medium"
    OTC = "otc"

    __hash__ = str.__hash__  # Enum's own is a Python function


# Updates of an instrument, a second, that a class stands for
UPDATES_PER_S = {Liquidity.LIQUID: 5.0, Liquidity.MEDIUM: 1.0, Liquidity.OTC: 0.45}
# Wakes of all participants of a book together, a second: some look and do nothing
WAKES_PER_S = {Liquidity.LIQUID: 6.6, Liquidity.MEDIUM: 2.1}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Something whose price moves of itself: a share, a commodity, a coin. Rates and volatilities are a year.

    ``market`` and ``group_loading`` are its correlations with the market and with its group. Variance returns to its
    mean with a half-life; ``variance_spread`` is its standard deviation over its mean. ``income`` is the dividend or
    convenience yield: constant, or mean-reverting where ``income_volatility`` is above zero.
    """

    name: str
    start: float
    volatility: float
    drift: float
    group: str
    market: float
    group_loading: float
    variance_half_life_s: float = 1_800.0
    variance_spread: float = 1.2
    leverage: float = -0.4  # Correlation of price and variance
    level_half_life_days: float = 10.0  # Of the long-run volatility
    level_volatility: float = 0.6  # Of its logarithm, stationary standard deviation over one year's root
    jumps_per_year: float = 6 * 24 * 365
    jump_share: float = 0.25  # Of all variance: what jumps make
    income: float = 0.0
    income_volatility: float = 0.0
    smile: Smile = Smile(skew=-0.4, wings=1.0)


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """An index: so many units of each member. Its volatility is quoted, as options on it are quoted."""

    name: str
    members: tuple[tuple[str, float], ...]
    volatility: float
    smile: Smile = Smile(skew=-0.6, wings=1.0)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """A Nelson-Siegel curve whose three factors return to their means: (mean, reversion, volatility) each."""

    years: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0)
    level: tuple[float, float, float] = (0.045, 0.2, 0.008)
    slope: tuple[float, float, float] = (-0.012, 0.4, 0.010)
    curvature: tuple[float, float, float] = (-0.008, 0.8, 0.015)
    decay: float = 0.6


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """How far a perpetual strays from its spot: a mean-reverting logarithm. Standard deviation is stationary."""

    mean: float = 0.0001
    half_life_s: float = 1_800.0
    deviation: float = 0.0004
    funding_interval_ns: int = 8 * NS_PER_HOUR
    interest: float = 0.0001  # An interval
    clamp: float = 0.0005
    rate_max: float = 0.0075


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument of the market, and how it is quoted: half the usual spread, and the lots of a usual trade."""

    instrument: Instrument
    name: str
    sector: str
    liquidity: Liquidity
    half_spread_ticks: float
    lots_typical: int
    basis: Basis | None = None


class Universe(msgspec.Struct, frozen=True, kw_only=True):
    """A whole market. Raises ValueError naming what does not fit together."""

    start_ns: int
    assets: tuple[Asset, ...]
    baskets: tuple[Basket, ...]
    rates: Rates
    listings: tuple[Listing, ...]
    step_ns: int = 100 * NS_PER_MS  # The world moves in steps of this; between them it stands still

    def __post_init__(self) -> None:
        if not 0 < len(self.listings) <= LISTINGS_MAX:
            raise ValueError(f"universe: 1 to {LISTINGS_MAX} listings, was {len(self.listings)}")
        if self.step_ns <= 0:
            raise ValueError(f"universe: step_ns must be > 0, was {self.step_ns}")
        known = [each.name for each in self.assets] + [each.name for each in self.baskets]
        ids = [each.instrument.instrument_id for each in self.listings]
        for what, names in (("underlier", known), ("listing", ids)):
            if len(dict.fromkeys(names)) != len(names):
                raise ValueError(f"universe: a {what} has the name of another")
        for basket in self.baskets:
            for member, _ in basket.members:
                if member not in known:
                    raise ValueError(f"universe: {basket.name} has the member {member}, which is no asset")
        for listing in self.listings:
            on = underlier_of(listing.instrument)
            if on is not None and on not in known:
                raise ValueError(f"universe: {listing.instrument.instrument_id} is on {on}, which is not there")

    def listing(self, instrument_id: InstrumentId) -> Listing:
        """Return the listing of an instrument. Raises KeyError where there is none."""
        for each in self.listings:
            if each.instrument.instrument_id == instrument_id:
                return each
        raise KeyError(instrument_id)


def underlier_of(instrument: Instrument) -> str | None:
    """Return the asset or basket an instrument is priced off; None where that is the curve."""
    if instrument.kind in ("bond", "swap"):
        return None
    return instrument.underlier or instrument.base
