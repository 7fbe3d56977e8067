"""What a fill costs."""

from njord.domain.fill import Liquidity
from njord.domain.instrument import Grid
from njord.domain.money import UNITS, ceil_div
from njord.venues.simulated.settings import Fees


class FeeSchedule:
    """Fees of one instrument as exact fractions. A fee is rounded up and a rebate down, to the unit: against us."""

    __slots__ = ("_grid", "_maker", "_per_lot", "_taker")

    def __init__(self, fees: Fees, grid: Grid) -> None:
        self._grid = grid
        self._maker = fees.maker.as_integer_ratio()
        self._taker = fees.taker.as_integer_ratio()
        numerator, denominator = fees.per_quantity.as_integer_ratio()
        self._per_lot = (numerator * UNITS * grid.lot_numerator, denominator * grid.lot_denominator)

    def fee_units(self, price_ticks: int, lots: int, liquidity: Liquidity) -> int:
        """Return the fee in units of the settlement asset; negative is a rebate."""
        numerator, denominator = self._maker if liquidity is Liquidity.MAKER else self._taker
        notional = abs(self._grid.value_units(price_ticks, lots))
        fee = ceil_div(notional * numerator, denominator)
        if self._per_lot[0]:
            fee += ceil_div(lots * self._per_lot[0], self._per_lot[1])
        return fee
