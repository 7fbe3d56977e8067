"""Where the risk is: exposure by asset class, how concentrated it is, gross and net leverage.

Amounts are integer units of the account's currency; a long is > 0. Shares and leverage are exact Fractions, for a
reader to round. Concentration: Herfindahl and Hirschman, the sum of squared shares of gross exposure, 1 / n where n
positions are equal and 1 where there is one.
"""

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind


class ClassExposure(msgspec.Struct, frozen=True):
    """What is held of one kind of instrument."""

    long_units: int
    short_units: int  # >= 0
    gross_share: Fraction  # Of the portfolio's gross exposure

    @property
    def gross_units(self) -> int:
        return self.long_units + self.short_units

    @property
    def net_units(self) -> int:
        return self.long_units - self.short_units


class Concentration(msgspec.Struct, frozen=True):
    """How much of the gross exposure is in how few positions. All None where nothing is held."""

    herfindahl: Fraction | None
    largest: InstrumentId | None
    largest_share: Fraction | None


class Leverage(msgspec.Struct, frozen=True):
    """Exposure over equity: long plus short, and long less short. None where there is no equity to speak of."""

    gross: Fraction | None
    net: Fraction | None


def by_class(
    exposure_units: Mapping[InstrumentId, int], instruments: Mapping[InstrumentId, Instrument]
) -> dict[InstrumentKind, ClassExposure]:
    """Return exposure by kind of instrument, in the order in which kinds are met; only kinds that are held.

    Raises KeyError where an instrument is not known.
    """
    long: dict[InstrumentKind, int] = {}
    short: dict[InstrumentKind, int] = {}
    for name, units in exposure_units.items():
        if units:
            kind = instruments[name].kind
            long[kind] = long.get(kind, 0) + max(units, 0)
            short[kind] = short.get(kind, 0) + max(-units, 0)
    gross = sum(long.values()) + sum(short.values())
    return {kind: ClassExposure(long[kind], short[kind], Fraction(long[kind] + short[kind], gross)) for kind in long}


def concentration(exposure_units: Mapping[InstrumentId, int]) -> Concentration:
    """Return how concentrated exposures are; of two that are equally large, the first is the largest."""
    gross = sum(abs(units) for units in exposure_units.values())
    if gross == 0:
        return Concentration(None, None, None)
    largest = max(exposure_units, key=lambda name: abs(exposure_units[name]))
    squares = sum(units * units for units in exposure_units.values())
    return Concentration(Fraction(squares, gross * gross), largest, Fraction(abs(exposure_units[largest]), gross))


def leverage(exposure_units: Mapping[InstrumentId, int], equity_units: int) -> Leverage:
    """Return gross and net exposure over equity; None at or below no equity, where any exposure is too much."""
    if equity_units <= 0:
        return Leverage(None, None)
    gross = sum(abs(units) for units in exposure_units.values())
    return Leverage(Fraction(gross, equity_units), Fraction(sum(exposure_units.values()), equity_units))
