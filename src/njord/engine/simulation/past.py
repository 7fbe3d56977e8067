"""A past for a market that is new: its world is let live a day in coarse steps, so that charts have a yesterday.

Nobody traded in it: candles are of fair values, and their volume is nothing. What comes after goes on from its end.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.market import Bar
from njord.market.synthetic.universe import Universe
from njord.market.synthetic.world import World, WorldState

STEP_NS = 20 * NS_PER_S

Floats = npt.NDArray[np.float64]


def lived(universe: Universe, seed: int, until_ns: int, intervals_ns: tuple[int, ...]) -> tuple[WorldState, list[Bar]]:
    """Return the world at a moment and the candles from the universe's start to it, of intervals a step divides."""
    world = World(msgspec.structs.replace(universe, step_ns=STEP_NS), seed)
    count = (until_ns - universe.start_ns) // STEP_NS
    values: Floats = np.empty((count + 1, len(world.ids)))
    values[0] = world.fairs()
    for step in range(1, count + 1):
        world.advance(universe.start_ns + step * STEP_NS)
        values[step] = world.fairs()
    world.advance(until_ns)
    world.drain()
    bars = [bar for interval_ns in intervals_ns for bar in _bars(world, values, universe.start_ns, interval_ns)]
    return world.snapshot(), bars


def _bars(world: World, values: Floats, start_ns: int, interval_ns: int) -> list[Bar]:
    if interval_ns % STEP_NS:
        return []
    steps = interval_ns // STEP_NS
    skipped = -(start_ns // STEP_NS) % steps  # A candle begins at a whole multiple of its interval
    count = (len(values) - 1 - skipped) // steps
    if count <= 0:
        return []
    # Each candle also has the value that the next one begins with: its close
    windows = np.stack([values[skipped + k : skipped + k + steps + 1] for k in range(0, count * steps, steps)])
    first_ns = start_ns + skipped * STEP_NS
    opens, closes, highs, lows = windows[:, 0], windows[:, -1], windows.max(axis=1), windows.min(axis=1)
    found = []
    for column, name in enumerate(world.ids):
        for row in range(count):
            end_ns = first_ns + (row + 1) * interval_ns
            found.append(
                Bar(
                    name, interval_ns, end_ns, end_ns, float(opens[row, column]), float(highs[row, column]),
                    float(lows[row, column]), float(closes[row, column]), 0.0,
                )
            )  # fmt: skip
    return found
