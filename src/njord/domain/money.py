"""Money: whole units of 1e-18 of an asset, as Python integers of any size.

One scale for every asset. It is fine enough that price tick x lot x multiplier x fee rate is a whole number of units
for the instruments venues list, so a notional is exact, and splitting a fill in two changes nothing
(docs/decisions/0003-money.md). Where a venue's grid is finer still, rounding is against us, by one unit.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

SCALE = 18
UNITS = 10**SCALE

# Enough digits for 1e20 of an asset at full scale, the width of NUMERIC(38,0)
_CONTEXT = Context(prec=60)


def units(amount: Decimal | str | float) -> int:
    """Return ``amount`` of an asset in units. Floats are read by their shortest text, so 0.1 means one tenth.

    Raises ValueError when the amount is not finite or has more than 18 decimals.
    """
    try:
        exact = Decimal(str(amount)) if isinstance(amount, float) else Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"amount {amount!r}: not a number") from None
    if not exact.is_finite():
        raise ValueError(f"amount {amount!r}: not a finite number")
    scaled = exact.scaleb(SCALE, _CONTEXT)
    whole = int(scaled)
    if scaled != whole:
        raise ValueError(f"amount {amount!r}: more than {SCALE} decimals")
    return whole


def decimal(amount_units: int) -> Decimal:
    """Return an amount of units as an exact Decimal of the asset."""
    return Decimal(amount_units).scaleb(-SCALE, _CONTEXT)


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide, rounding towards plus infinity: how a cost is rounded."""
    return -(-numerator // denominator)


def on_grid(value: Decimal, step: Decimal, *, up: bool) -> int:
    """Return how many ``step`` there are in ``value``, rounded down or up."""
    return int((value / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
