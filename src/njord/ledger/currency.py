"""What an amount of one asset is worth in the account's currency, through the pairs whose prices are known."""

import collections

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, Instrument, InstrumentKind

_CONVERTS = (InstrumentKind.SPOT, InstrumentKind.FX)


class NoRate(LookupError):
    """There is no price that leads from one asset to the other."""


class Converter:
    """Convert into ``currency``, by the fewest pairs; among equals by those listed first. Exact to a unit a step."""

    def __init__(self, currency: str, instruments: list[Instrument]) -> None:
        self.currency = currency
        self._grids = {i.instrument_id: Grid.of(i) for i in instruments if i.kind in _CONVERTS}
        self._paths = _paths(currency, [i for i in instruments if i.kind in _CONVERTS])

    def reaches(self, asset: str) -> bool:
        """Return whether there are pairs that lead from ``asset`` to the account's currency."""
        return asset == self.currency or asset in self._paths

    def path(self, asset: str) -> tuple[tuple[InstrumentId, bool], ...]:
        """Return the pairs from ``asset`` to the account's currency; True where the pair is used backwards."""
        return self._paths[asset] if asset != self.currency else ()

    def convert(self, amount_units: int, asset: str, last_ticks: dict[InstrumentId, int]) -> int:
        """Return the worth in units of the account's currency, rounded down. Raises NoRate."""
        if asset == self.currency or amount_units == 0:
            return amount_units
        if asset not in self._paths:
            raise NoRate(f"no pair leads from {asset} to {self.currency}: add its data, or choose another currency")
        for pair, backwards in self._paths[asset]:
            ticks = last_ticks.get(pair)
            if ticks is None or ticks <= 0:
                raise NoRate(f"no price of {pair} yet, which {asset} is valued by")
            grid = self._grids[pair]
            if backwards:
                amount_units = amount_units * grid.price_denominator // (ticks * grid.price_numerator)
            else:
                amount_units = amount_units * ticks * grid.price_numerator // grid.price_denominator
        return amount_units


def _paths(currency: str, pairs: list[Instrument]) -> dict[str, tuple[tuple[InstrumentId, bool], ...]]:
    # Breadth first from the account's currency, so the first path found is the shortest
    paths: dict[str, tuple[tuple[InstrumentId, bool], ...]] = {currency: ()}
    queue = collections.deque([currency])
    while queue:
        reached = queue.popleft()
        for pair in pairs:
            step = None
            if pair.quote == reached and pair.base not in paths:
                step = (pair.base, (pair.instrument_id, False))
            elif pair.base == reached and pair.quote not in paths:
                step = (pair.quote, (pair.instrument_id, True))
            if step is not None:
                paths[step[0]] = (step[1], *paths[reached])
                queue.append(step[0])
    del paths[currency]
    return paths
