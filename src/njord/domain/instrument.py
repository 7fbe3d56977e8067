"""Instrument: what is traded, and the grid its prices and quantities live on."""

import enum
import math
from decimal import Decimal, InvalidOperation

import msgspec

from njord.domain.ids import InstrumentId, VenueId, instrument_id, venue_of
from njord.domain.money import UNITS, on_grid

# Above this a float no longer names every tick, and what a strategy reads would differ from what the venue matches
TICKS_MAX = 2**53


class OffGrid(ValueError):
    """A price or quantity is not a whole number of ticks or lots of its instrument."""


class InstrumentKind(enum.StrEnum):
    """What kind of claim an instrument is."""

    SPOT = "spot"
    FX = "fx"
    EQUITY = "equity"
    BOND = "bond"
    OPTION = "option"
    FUTURE = "future"
    PERPETUAL = "perpetual"
    SWAP = "swap"

    __hash__ = str.__hash__  # Enum's own is a Python function


class OptionRight(enum.StrEnum):
    """The right an option gives."""

    CALL = "call"
    PUT = "put"


# Paid for in full when bought; all others settle gains and losses only, against margin
_PAID_IN_FULL = frozenset(
    {InstrumentKind.SPOT, InstrumentKind.FX, InstrumentKind.EQUITY, InstrumentKind.BOND, InstrumentKind.OPTION}
)
_NEEDS = {
    InstrumentKind.OPTION: ("underlier", "expiry_ns", "strike", "right"),
    InstrumentKind.FUTURE: ("underlier", "expiry_ns"),
    InstrumentKind.PERPETUAL: ("underlier",),
    InstrumentKind.BOND: ("expiry_ns", "coupon_rate"),
    InstrumentKind.SWAP: ("underlier", "expiry_ns", "coupon_rate"),
}
_OPTIONAL = ("underlier", "expiry_ns", "strike", "right", "coupon_rate")


class Instrument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is traded. Prices are whole ``price_tick``, quantities whole ``quantity_lot``.

    ``multiplier`` is what one unit of quantity is worth per unit of price: 100 shares an option, 50 an ES future.
    ``inverse`` contracts are quoted in one currency and settle in the base: a unit is worth multiplier / price of it.
    ``expiry_ns`` is the maturity of a bond or swap; ``coupon_rate`` its coupon or fixed rate, as a fraction a year.
    Raises ValueError naming the instrument and the field.
    """

    instrument_id: InstrumentId
    kind: InstrumentKind
    base: str
    quote: str  # The currency of the price
    price_tick: Decimal
    quantity_lot: Decimal
    quantity_min: Decimal = Decimal(0)
    notional_min: Decimal = Decimal(0)
    multiplier: Decimal = Decimal(1)
    inverse: bool = False
    underlier: str | None = None
    expiry_ns: int | None = None
    strike: Decimal | None = None
    right: OptionRight | None = None
    coupon_rate: Decimal | None = None
    initial_margin: Decimal | None = None  # Of the settlement asset, per unit of quantity; None: the whole notional

    def __post_init__(self) -> None:
        instrument_id(self.instrument_id)
        for name in ("price_tick", "quantity_lot", "multiplier"):
            value: Decimal = getattr(self, name)
            if not (value.is_finite() and value > 0):
                raise ValueError(f"{self.instrument_id}: {name} must be > 0, was {value}")
        for name in ("quantity_min", "notional_min", "initial_margin", "strike"):
            bound: Decimal | None = getattr(self, name)
            if bound is not None and not (bound.is_finite() and bound >= 0):
                raise ValueError(f"{self.instrument_id}: {name} must be >= 0, was {bound}")
        for name in ("base", "quote"):
            if not getattr(self, name):
                raise ValueError(f"{self.instrument_id}: {name} must not be empty")
        needed = _NEEDS.get(self.kind, ())
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"{self.instrument_id}: {self.kind} needs {name}")
        for name in _OPTIONAL:
            if name not in needed and name != "underlier" and getattr(self, name) is not None:
                raise ValueError(f"{self.instrument_id}: {self.kind} has no {name}")
        if self.inverse and self.paid_in_full:
            raise ValueError(
                f"{self.instrument_id}: only margined contracts can be inverse, {self.kind} is paid in full"
            )

    @property
    def venue(self) -> VenueId:
        return venue_of(self.instrument_id)

    @property
    def settlement(self) -> str:
        """The asset in which it is paid, and in which its gains and fees arise."""
        return self.base if self.inverse else self.quote

    @property
    def price_can_be_negative(self) -> bool:
        """Whether a price at or below zero means something: a rate, or a future on what costs to get rid of."""
        return self.kind in (InstrumentKind.SWAP, InstrumentKind.FUTURE) and not self.inverse

    @property
    def paid_in_full(self) -> bool:
        """Whether buying exchanges the whole notional for the thing, rather than margin for a claim."""
        return self.kind in _PAID_IN_FULL


class Grid(msgspec.Struct, frozen=True, gc=False):
    """The numbers of one instrument's grid, as exact fractions, for the paths that convert all day.

    A price is ``ticks * price_numerator / price_denominator``; likewise a quantity. ``value_numerator`` over
    ``value_denominator`` is the worth in settlement units of one tick times one lot (or, of an inverse contract,
    of one lot divided by one tick).
    """

    instrument_id: str
    price_numerator: int
    price_denominator: int
    lot_numerator: int
    lot_denominator: int
    value_numerator: int
    value_denominator: int
    inverse: bool
    price_tick: Decimal
    quantity_lot: Decimal

    @classmethod
    def of(cls, instrument: Instrument) -> "Grid":
        tick, lot = instrument.price_tick, instrument.quantity_lot
        price_numerator, price_denominator = tick.as_integer_ratio()
        lot_numerator, lot_denominator = lot.as_integer_ratio()
        factor, divisor = instrument.multiplier.as_integer_ratio()
        if instrument.inverse:
            numerator = UNITS * factor * lot_numerator * price_denominator
            denominator = divisor * lot_denominator * price_numerator
        else:
            numerator = UNITS * factor * lot_numerator * price_numerator
            denominator = divisor * lot_denominator * price_denominator
        if numerator % denominator == 0:
            numerator, denominator = numerator // denominator, 1
        return cls(
            instrument.instrument_id, price_numerator, price_denominator, lot_numerator, lot_denominator,
            numerator, denominator, instrument.inverse, tick, lot,
        )  # fmt: skip

    def price(self, ticks: int) -> float:
        """Return the float nearest to the price of ``ticks``: the same float its decimal text reads as."""
        return ticks * self.price_numerator / self.price_denominator

    def quantity(self, lots: int) -> float:
        """Return the float nearest to the quantity of ``lots``."""
        return lots * self.lot_numerator / self.lot_denominator

    def ticks(self, price: Decimal | str) -> int:
        """Return a price as ticks. Raises OffGrid rather than round what a venue said."""
        return _whole(price, self.price_tick, "price", self.instrument_id)

    def lots(self, quantity: Decimal | str) -> int:
        """Return a quantity as lots. Raises OffGrid rather than round what a venue said."""
        return _whole(quantity, self.quantity_lot, "quantity", self.instrument_id)

    def nearest_ticks(self, price: float) -> int:
        """Return the ticks of a float that came from this grid: exact below TICKS_MAX."""
        return round(price * self.price_denominator / self.price_numerator)

    def wanted_ticks(self, price: Decimal | float | str, *, up: bool) -> int:
        """Put a price somebody wants on the grid, towards the side that asks for no more than they did.

        Raises OffGrid when it is no finite number.
        """
        if isinstance(price, (str, Decimal)):
            value = Decimal(price)
            if not value.is_finite():
                raise OffGrid(f"{self.instrument_id}: price {price!r} is not a finite number")
            return on_grid(value, self.price_tick, up=up)
        if not math.isfinite(price):
            raise OffGrid(f"{self.instrument_id}: price {price!r} is not a finite number")
        # The quotient may be off by a rounding; comparing with the tick's own float settles it
        ticks = round(price * self.price_denominator / self.price_numerator)
        if up:
            return ticks if self.price(ticks) >= price else ticks + 1
        return ticks if self.price(ticks) <= price else ticks - 1

    def wanted_lots(self, quantity: Decimal | float | str) -> int:
        """Put a quantity somebody wants on the grid, rounded down: never more than asked.

        Raises OffGrid when it is no finite number.
        """
        if isinstance(quantity, (str, Decimal)):
            value = Decimal(quantity)
            if not value.is_finite():
                raise OffGrid(f"{self.instrument_id}: quantity {quantity!r} is not a finite number")
            return on_grid(value, self.quantity_lot, up=False)
        if not math.isfinite(quantity):
            raise OffGrid(f"{self.instrument_id}: quantity {quantity!r} is not a finite number")
        lots = round(quantity * self.lot_denominator / self.lot_numerator)
        return lots if self.quantity(lots) <= quantity else lots - 1

    def value_units(self, price_ticks: int, lots: int) -> int:
        """Return the signed worth of ``lots`` at a price, in settlement units.

        A position gained ``value(mark) - value(entry)``. Exact for linear instruments whose grid fits the money scale;
        otherwise rounded down, which is against a long and a buyer alike. Inverse contracts lose worth as the
        base gets dearer: -(lots x multiplier / price).
        """
        if self.inverse:
            return -lots * self.value_numerator // (self.value_denominator * price_ticks)
        if self.value_denominator == 1:
            return price_ticks * lots * self.value_numerator
        return price_ticks * lots * self.value_numerator // self.value_denominator


def _whole(value: Decimal | str, step: Decimal, what: str, name: str) -> int:
    try:
        count = Decimal(value) / step
    except InvalidOperation:
        raise OffGrid(f"{name}: {what} {value!r} is not a number") from None
    if not count.is_finite() or count != count.to_integral_value():
        raise OffGrid(f"{name}: {what} {value} is not a multiple of {step}")
    if abs(count) > TICKS_MAX:
        raise OffGrid(f"{name}: {what} {value} is more than 2**53 steps of {step}")
    return int(count)
