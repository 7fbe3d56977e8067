"""The default synthetic market: fictional names, real proportions. All ids end in ``.SIM``."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from njord.domain.ids import instrument_id
from njord.domain.instrument import Instrument, InstrumentKind, OptionRight
from njord.market.pricing import futures
from njord.market.pricing.curve import ZeroCurve, nelson_siegel
from njord.market.synthetic.universe import YEAR_NS, Asset, Basis, Basket, Liquidity, Listing, Rates, Universe

CURRENCY = "USD"
BOND_YEARS = (2, 3, 5, 7, 10, 30)
SWAP_YEARS = (2, 5, 10, 30)
# A contract is listed with at least this long to live
NOTICE_DAYS = 14
_STRIKES_EACH_SIDE = 3
# The first so many coins have a perpetual beside the spot
_PERPETUALS = 3

# symbol, name, sector, start, volatility, drift, correlation with the market and with its sector
_SHARES = (
    ("BRAGE", "Brage Semiconductors", "technology", 142.0, 0.36, 0.09, 0.62, 0.40),
    ("IDUN", "Idun Software", "technology", 318.0, 0.30, 0.10, 0.64, 0.40),
    ("SKALD", "Skald Media", "technology", 57.5, 0.42, 0.07, 0.55, 0.35),
    ("FENRIR", "Fenrir Bank", "financials", 48.2, 0.27, 0.06, 0.66, 0.45),
    ("GULLVEIG", "Gullveig Insurance", "financials", 96.4, 0.22, 0.06, 0.60, 0.40),
    ("HEIMDAL", "Heimdal Defence", "industrials", 211.0, 0.24, 0.07, 0.55, 0.30),
    ("MJOLNIR", "Mjolnir Heavy Works", "industrials", 83.3, 0.28, 0.06, 0.62, 0.35),
    ("RAN", "Ran Shipping", "industrials", 24.8, 0.38, 0.05, 0.50, 0.30),
    ("EIR", "Eir Pharma", "health", 165.0, 0.25, 0.07, 0.45, 0.40),
    ("YGGDRA", "Yggdra Biotech", "health", 39.6, 0.48, 0.08, 0.42, 0.35),
    ("SURTR", "Surtr Energy", "energy", 72.1, 0.31, 0.05, 0.48, 0.45),
    ("SIF", "Sif Foods", "staples", 61.9, 0.17, 0.04, 0.42, 0.30),
)
_COINS = (
    ("DRAUPNIR", "Draupnir", 61_250.0, "1", "0.0001", 0.55, 0.05),
    ("RUNE9", "Rune Nine", 2_940.0, "0.1", "0.001", 0.65, 0.10),
    ("EMBLA", "Embla", 148.0, "0.01", "0.01", 0.80, 0.10),
    ("ASKR", "Askr", 0.6120, "0.0001", "1", 0.95, 0.0),
)
_COMMODITIES = (
    ("NORCRUDE", "Norse crude oil", "energy", 78.4, 0.34, "0.01", "1000", "6000", 0.02),
    ("NIDGOLD", "Nidavellir gold", "metals", 2_045.0, 0.17, "0.1", "100", "9000", -0.005),
)
_INDEX, _INDEX_START = "ASGARD", 4_850.0
# underlier: strike distance, as it would be at the start
_CHAINS = {_INDEX: 100.0, "BRAGE": 5.0, "IDUN": 10.0}


def default_universe(start_ns: int) -> Universe:
    """Return the default market, its contracts dated from ``start_ns``."""
    rates = Rates()
    years = np.array(rates.years)
    zeros = nelson_siegel(years, rates.level[0], rates.slope[0], rates.curvature[0], rates.decay)
    curve = ZeroCurve(years, zeros)
    return Universe(
        start_ns=start_ns,
        assets=tuple(_assets()),
        baskets=(_index(),),
        rates=rates,
        listings=(
            *_shares(), *_futures(start_ns), *_options(start_ns), *_bonds(start_ns, curve), *_swaps(start_ns, curve),
            *_coins(),
        ),
    )  # fmt: skip


def _assets() -> Iterator[Asset]:
    for symbol, _, sector, start, volatility, drift, market, group in _SHARES:
        yield Asset(name=symbol, start=start, volatility=volatility, drift=drift, group=sector, market=market,
                    group_loading=group)  # fmt: skip
    for symbol, _, sector, start, volatility, _, _, _, income in _COMMODITIES:
        yield Asset(name=symbol, start=start, volatility=volatility, drift=0.02, group=sector, market=0.15,
                    group_loading=0.4, leverage=0.1, income=income, income_volatility=0.05)  # fmt: skip
    for symbol, _, start, _, _, volatility, drift in _COINS:
        yield Asset(name=symbol, start=start, volatility=volatility, drift=drift, group="crypto", market=0.3,
                    group_loading=0.7, leverage=-0.1)  # fmt: skip


def _index() -> Basket:
    # Equal money in each share at the start
    each = _INDEX_START / len(_SHARES)
    members = tuple((share[0], each / share[3]) for share in _SHARES)
    return Basket(name=_INDEX, members=members, volatility=0.18)


def _shares() -> Iterator[Listing]:
    for symbol, name, sector, start, *_ in _SHARES:
        instrument = Instrument(
            instrument_id=instrument_id(f"{symbol}.SIM"), kind=InstrumentKind.EQUITY, base=symbol, quote=CURRENCY,
            price_tick=Decimal("0.01"), quantity_lot=Decimal(1),
        )  # fmt: skip
        yield Listing(
            instrument=instrument, name=name, sector=sector, liquidity=Liquidity.LIQUID,
            half_spread_ticks=max(0.6, start * 0.008), lots_typical=max(20, round(12_000 / start / 10) * 10),
        )  # fmt: skip


def _futures(start_ns: int) -> Iterator[Listing]:
    margined = [(_INDEX, "Asgard index", "index", _INDEX_START, "0.25", "50", "12000", 1.0, 3)]
    margined += [
        (symbol, name, sector, start, tick, multiplier, margin, 1.2, 4)
        for symbol, name, sector, start, _, tick, multiplier, margin, _ in _COMMODITIES
    ]
    for symbol, name, sector, _, tick, multiplier, margin, half_spread, lots in margined:
        calendar = futures.quarterly if symbol == _INDEX else futures.monthly
        for place, (code, expiry_ns) in enumerate(calendar(start_ns, 3, NOTICE_DAYS)):
            instrument = Instrument(
                instrument_id=instrument_id(f"{symbol}-{code}.SIM"), kind=InstrumentKind.FUTURE, base=symbol,
                quote=CURRENCY, price_tick=Decimal(tick), quantity_lot=Decimal(1), multiplier=Decimal(multiplier),
                underlier=symbol, expiry_ns=expiry_ns, initial_margin=Decimal(margin),
            )  # fmt: skip
            yield Listing(
                instrument=instrument, name=f"{name} {code}", sector=sector,
                liquidity=Liquidity.MEDIUM if place else Liquidity.LIQUID,
                half_spread_ticks=half_spread * (1 + place), lots_typical=lots,
            )  # fmt: skip


def _options(start_ns: int) -> Iterator[Listing]:
    shares = {symbol: (start, volatility, sector) for symbol, _, sector, start, volatility, *_ in _SHARES}
    shares[_INDEX] = (_INDEX_START, 0.18, "index")
    for symbol, distance in _CHAINS.items():
        start, volatility, sector = shares[symbol]
        tick = Decimal("0.05") if symbol == _INDEX else Decimal("0.01")
        for code, expiry_ns in futures.option_months(start_ns, 2, NOTICE_DAYS):
            # A few hundredths of what is at the money, nearly 0.4 S sigma sqrt(T)
            money = 0.4 * start * volatility * ((expiry_ns - start_ns) / YEAR_NS) ** 0.5
            for step in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1):
                strike = Decimal(round((round(start / distance) + step) * distance))
                for right in OptionRight:
                    letter = right.value[0].upper()
                    instrument = Instrument(
                        instrument_id=instrument_id(f"{symbol}-{code}-{strike}-{letter}.SIM"),
                        kind=InstrumentKind.OPTION, base=symbol, quote=CURRENCY, price_tick=tick,
                        quantity_lot=Decimal(1), multiplier=Decimal(100), underlier=symbol, expiry_ns=expiry_ns,
                        strike=strike, right=right,
                    )  # fmt: skip
                    yield Listing(
                        instrument=instrument, name=f"{symbol} {code} {strike} {right}", sector=sector,
                        liquidity=Liquidity.MEDIUM, half_spread_ticks=max(1.0, 0.015 * money / float(tick)),
                        lots_typical=5,
                    )  # fmt: skip


def _bonds(start_ns: int, curve: ZeroCurve) -> Iterator[Listing]:
    for years in BOND_YEARS:
        coupon = Decimal(round(curve.par_rate(years) * 800)) / 800  # Eighths of a percent
        instrument = Instrument(
            instrument_id=instrument_id(f"NGB-{years}Y.SIM"), kind=InstrumentKind.BOND, base=f"NGB{years}Y",
            quote=CURRENCY, price_tick=Decimal("0.005"), quantity_lot=Decimal(1), multiplier=Decimal(10),
            expiry_ns=start_ns + years * YEAR_NS, coupon_rate=coupon,
        )  # fmt: skip
        yield Listing(
            instrument=instrument, name=f"Njord government bond {years} years", sector="government",
            liquidity=Liquidity.OTC, half_spread_ticks=1.5 + years / 4, lots_typical=1_000,
        )  # fmt: skip


def _swaps(start_ns: int, curve: ZeroCurve) -> Iterator[Listing]:
    for years in SWAP_YEARS:
        rate = Decimal(round(curve.par_rate(years) * 10_000)) / 10_000  # Whole basis points
        # What 60 bp cost, by a duration of about 0.85 years a year, less for the long ones
        margin = Decimal(round(600 * (1 - 0.955**years) / 0.045))
        instrument = Instrument(
            instrument_id=instrument_id(f"IRS-{years}Y.SIM"), kind=InstrumentKind.SWAP, base=f"IRS{years}Y",
            quote=CURRENCY, price_tick=Decimal("0.005"), quantity_lot=Decimal(1), multiplier=Decimal(1_000),
            underlier="USD-OVERNIGHT", expiry_ns=start_ns + years * YEAR_NS, coupon_rate=rate, initial_margin=margin,
        )  # fmt: skip
        yield Listing(
            instrument=instrument, name=f"Interest-rate swap {years} years, receive fixed", sector="rates",
            liquidity=Liquidity.OTC, half_spread_ticks=1.5 + years / 4, lots_typical=50,
        )  # fmt: skip


def _coins() -> Iterator[Listing]:
    for place, (symbol, name, start, tick, lot, *_) in enumerate(_COINS):
        lots = max(1, round(2_500 / start / float(lot)))
        half_spread = max(0.6, start * 5e-5 / float(tick))
        spot = Instrument(
            instrument_id=instrument_id(f"{symbol}/USD.SIM"), kind=InstrumentKind.SPOT, base=symbol, quote=CURRENCY,
            price_tick=Decimal(tick), quantity_lot=Decimal(lot),
        )  # fmt: skip
        yield Listing(instrument=spot, name=name, sector="crypto", liquidity=Liquidity.LIQUID,
                      half_spread_ticks=half_spread, lots_typical=lots)  # fmt: skip
        if place < _PERPETUALS:
            perpetual = Instrument(
                instrument_id=instrument_id(f"{symbol}/USD:USD.SIM"), kind=InstrumentKind.PERPETUAL, base=symbol,
                quote=CURRENCY, price_tick=Decimal(tick), quantity_lot=Decimal(lot), underlier=symbol,
                initial_margin=Decimal(str(start)) / 10,
            )  # fmt: skip
            yield Listing(instrument=perpetual, name=f"{name} perpetual", sector="crypto", liquidity=Liquidity.LIQUID,
                          half_spread_ticks=half_spread, lots_typical=lots, basis=Basis())  # fmt: skip
