"""The basis: how far a derivative trades from its underlying, moment by moment, in basis points of the underlying."""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid
from njord.domain.market import Kind
from njord.engine.assemble import Range, Source
from njord.market.catalog import DatasetId
from njord.research.making_tops import Tops, read_tops

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

POINTS_MAX = 10_000_000
LAGS = 20


class Basis(msgspec.Struct, frozen=True):
    """Mids of both on one clock, and the basis in basis points. ``lead`` is at which lag, in steps, the moves of the
    second say most of those of the first: above 0 where the second comes first; ``lead_correlation`` says how much.
    """

    time_ns: Ints
    first: Floats
    second: Floats
    basis_bps: Floats
    every_ns: int
    half_life_s: float | None
    lead: int
    lead_correlation: float
    same_correlation: float


def basis_of(source: Source, first: InstrumentId, second: InstrumentId, every_ns: int) -> Basis:
    """Return the basis of ``first`` over ``second`` every ``every_ns``, where both have a book.

    ``half_life_s`` is that of its deviations from their mean, from an autoregression of one step; None where they do
    not revert. Raises ValueError where there is no book, or the two never overlap.
    """
    one, other = _tops(source, first), _tops(source, second)
    start_ns = max(int(one.time_ns[0]), int(other.time_ns[0]))
    end_ns = min(one.end_ns, other.end_ns)
    if end_ns - start_ns < (LAGS + 2) * every_ns:
        raise ValueError(f"{first} and {second} overlap for less than {LAGS + 2} steps")
    if (end_ns - start_ns) // every_ns > POINTS_MAX:
        raise ValueError(f"more than {POINTS_MAX} points: choose a longer step")
    times: Ints = np.arange(start_ns - start_ns % every_ns + every_ns, end_ns, every_ns, dtype=np.int64)
    mids: list[Floats] = []
    for name, tops in ((first, one), (second, other)):
        grid = Grid.of(source.instrument(name))
        scale = grid.price_numerator / grid.price_denominator / 2
        mids.append(np.asarray(tops.half_ticks[tops.at(times)] * scale, dtype=np.float64))
    basis: Floats = (mids[0] / mids[1] - 1) * 1e4
    moves = [np.diff(np.log(mid)) for mid in mids]
    correlations = [_correlation(moves[0], moves[1], lag) for lag in range(-LAGS, LAGS + 1)]
    best = int(np.argmax(np.abs(correlations)))
    return Basis(
        times, mids[0], mids[1], basis, every_ns, _half_life_s(basis, every_ns), best - LAGS, correlations[best],
        correlations[LAGS],
    )  # fmt: skip


def _tops(source: Source, name: InstrumentId) -> Tops:
    dataset_id = DatasetId(name, Kind.BOOK)
    if source.dataset(dataset_id) is None:
        raise ValueError(f"no book of {name}; see: njord data ls")
    tops = read_tops(source, Range(dataset_id, None, None), Grid.of(source.instrument(name)))
    if not len(tops.time_ns):
        raise ValueError(f"the book of {name} is never two-sided")
    return tops


def _correlation(first: Floats, second: Floats, lag: int) -> float:
    # Of the first's move now and the second's ``lag`` steps before
    count = len(first) - abs(lag)
    now = first[lag:] if lag > 0 else first[:count]
    before = second[:count] if lag > 0 else second[-lag:]
    spread = float(now.std() * before.std())
    return float(((now - now.mean()) * (before - before.mean())).mean() / spread) if spread > 0 else 0.0


def _half_life_s(basis: Floats, every_ns: int) -> float | None:
    away = basis - basis.mean()
    squares = float((away[:-1] ** 2).sum())
    kept = float((away[1:] * away[:-1]).sum()) / squares if squares > 0 else 1.0
    return math.log(0.5) / math.log(kept) * every_ns / NS_PER_S if 0 < kept < 1 else None
