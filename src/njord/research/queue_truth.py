"""Queue models against the truth: on an order-by-order tape, where each order stood is known, and when it was filled.

Real resting orders are taken as probes. Each model sees of them what an L2 feed shows: where they joined, trades, and
the total of their level without themselves. What it believes is then compared with what was: lots ahead, whether the
order was filled within a horizon, and when. A probe that was cancelled says nothing of later moments, so model and
truth are both asked only about the time until then. Or else, asked to be ``patient``, it is taken to have stayed: who
stood ahead of it is still known, and so is when the first behind it was filled.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.market.synthetic.order_by_order import Tape
from njord.venues.simulated.queue import QueueModel, ahead_after

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HORIZONS_S = (5.0, 30.0, 120.0)
DECILES = 10
NEVER_NS = 2**62


class Candidate(NamedTuple):
    """A queue model with its exponent, which those that do not guess ignore."""

    model: QueueModel
    exponent: float

    @property
    def name(self) -> str:
        """The model, with the exponent where it has one."""
        return f"{self.model}-{self.exponent:g}" if self.model in _WITH_EXPONENT else str(self.model)


_WITH_EXPONENT = frozenset({QueueModel.POWER, QueueModel.POWER_OF_TOTAL, QueueModel.FRONT_SHARE})
CANDIDATES = (
    Candidate(QueueModel.CROSS, 1.0), Candidate(QueueModel.RISK_AVERSE, 1.0), Candidate(QueueModel.POWER, 1.0),
    Candidate(QueueModel.POWER, 2.0), Candidate(QueueModel.POWER, 3.0), Candidate(QueueModel.LOG, 1.0),
    Candidate(QueueModel.POWER_OF_TOTAL, 2.0), Candidate(QueueModel.LOG_OF_TOTAL, 1.0),
    Candidate(QueueModel.FRONT_SHARE, 3.0), Candidate(QueueModel.EXACT, 1.0), Candidate(QueueModel.TOUCH, 1.0),
)  # fmt: skip
# They know, or do not try to: not to be chosen among estimates
NOT_ESTIMATES = frozenset({QueueModel.EXACT, QueueModel.CROSS, QueueModel.TOUCH})


class Probes(msgspec.Struct, frozen=True):
    """Orders that joined a queue, (probes,) each. ``row`` is where each came on the tape; ``ahead_lots`` what it found.

    ``filled_ns`` is its first fill and ``cancelled_ns`` when it was taken away, NEVER_NS where it was not.
    """

    row: Ints
    ahead_lots: Ints
    filled_ns: Ints
    cancelled_ns: Ints


class Decile(msgspec.Struct, frozen=True):
    """Probes that found about equally much ahead of them: the share a model fills within the horizon, and the truth."""

    ahead_min_lots: int
    ahead_max_lots: int
    probes: int
    predicted: float
    realised: float

    @property
    def error(self) -> float:
        """Predicted less realised, as a fraction."""
        return self.predicted - self.realised


class Calibration(msgspec.Struct, frozen=True):
    """How one model did. Errors of lots ahead are taken at each change of the level while the probe waits.

    ``share_rmse`` is that error as a share of what was ahead when the probe joined. ``curves`` has the deciles of each
    horizon. ``fill_time_bias_s`` is the mean of (model's less true time) where both filled; ``filled_both`` and the
    others count probes until the longest horizon.
    """

    name: str
    model: QueueModel
    exponent: float
    rmse_lots: float
    bias_lots: float
    share_rmse: float
    curves: dict[float, list[Decile]]
    fill_time_bias_s: float | None
    filled_both: int
    filled_model_only: int
    filled_truth_only: int

    def worst_error(self, horizon_s: float | None = None) -> float:
        """Return the largest |predicted - realised| of any decile, at one horizon or all."""
        curves = self.curves.values() if horizon_s is None else [self.curves[horizon_s]]
        return max(abs(decile.error) for curve in curves for decile in curve)

    def mean_error(self) -> float:
        """Return the mean |predicted - realised| over all deciles and horizons, weighted by probes."""
        deciles = [decile for curve in self.curves.values() for decile in curve]
        return sum(abs(each.error) * each.probes for each in deciles) / sum(each.probes for each in deciles)


class QueueTruth(msgspec.Struct, frozen=True):
    """All models on the same probes, of which so many were filled or, unless patient, cancelled in time."""

    probes: int
    filled: int
    cancelled: int
    horizons_s: tuple[float, ...]
    models: list[Calibration]

    def of(self, name: str) -> Calibration:
        """Return one model's row by name. Raises KeyError."""
        return {each.name: each for each in self.models}[name]


def best(truth: QueueTruth) -> str:
    """Return the name of the estimate with the smallest mean calibration error; among equals, of lots ahead."""
    estimates = [each for each in truth.models if each.model not in NOT_ESTIMATES]
    return min(estimates, key=lambda each: (each.mean_error(), each.rmse_lots)).name


def find_probes(
    tape: Tape, rng: np.random.Generator, count: int, *, behind_ticks_max: int = 2, after_s: float = HORIZONS_S[-1]
) -> Probes:
    """Return up to ``count`` orders, drawn at random, that joined a queue at most so many ticks behind the touch.

    Only orders with others ahead of them, and at least ``after_s`` before the tape ends. In the order they came.
    """
    touch = np.where(tape.side > 0, tape.bid_ticks - tape.price_ticks, tape.price_ticks - tape.ask_ticks)
    joins = ~tape.is_trade & (tape.change_lots > 0) & (touch >= 0) & (touch <= behind_ticks_max)
    joins &= tape.lots_after > tape.change_lots
    joins[: tape.opening_rows] = False
    joins &= tape.time_ns <= tape.time_ns[-1] - round(after_s * NS_PER_S)
    rows = np.flatnonzero(joins)
    if len(rows) > count:
        rows = np.sort(rng.choice(rows, count, replace=False))
    # Fills and cancellations of all orders, by order: ids rise from 1
    orders = int(max(tape.order_id.max(), tape.taker_id.max())) + 1
    filled, cancelled = np.full(orders, NEVER_NS), np.full(orders, NEVER_NS)
    trades = np.flatnonzero(tape.is_trade)[::-1]
    filled[tape.order_id[trades]] = tape.time_ns[trades]  # Backwards: the first one stays
    gone = _cancellations(tape)
    cancelled[tape.order_id[gone]] = tape.time_ns[gone]
    ids = tape.order_id[rows]
    return Probes(rows, tape.lots_after[rows] - tape.change_lots[rows], filled[ids], cancelled[ids])


def measure(
    tape: Tape, probes: Probes, *, candidates: Sequence[Candidate] = CANDIDATES,
    horizons_s: tuple[float, ...] = HORIZONS_S, patient: bool = False,
) -> QueueTruth:  # fmt: skip
    """Return how each model did on the probes, ``patient`` as if none had been cancelled.

    Raises ValueError when there are fewer probes than deciles.
    """
    if len(probes.row) < DECILES:
        raise ValueError(f"calibration needs at least {DECILES} probes, had {len(probes.row)}")
    levels = _Levels(tape)
    longest_ns = round(horizons_s[-1] * NS_PER_S)
    # A row a model, and the truth last
    fills = np.full((len(candidates) + 1, len(probes.row)), NEVER_NS, dtype=np.int64)
    ends_ns = tape.time_ns[probes.row] + longest_ns
    if not patient:
        ends_ns = np.minimum(ends_ns, probes.cancelled_ns)
    sums, looks = np.zeros((len(candidates), 3)), 0
    for at, (row, end_ns) in enumerate(zip(probes.row.tolist(), ends_ns.tolist(), strict=True)):
        walk = _Walk(candidates, int(probes.ahead_lots[at]), patient=patient)
        walk.through(levels.rows_after(row, end_ns), tape, row)
        # A price beyond the limit fills whatever the queue
        fills[:, at] = np.minimum([*walk.fills_ns, walk.truth_ns], levels.beyond_ns(row, end_ns))
        sums += walk.sums
        looks += walk.looks
    models = [
        _calibration(tape, probes, each, fills[at], fills[-1], ends_ns, sums[at] / max(1, looks), horizons_s)
        for at, each in enumerate(candidates)
    ]
    cancelled = 0 if patient else int((probes.cancelled_ns <= ends_ns).sum())
    return QueueTruth(len(probes.row), int((fills[-1] <= ends_ns).sum()), cancelled, horizons_s, models)


def _cancellations(tape: Tape) -> Ints:
    # Rows where lots left a level without a trade just before them
    leaves = ~tape.is_trade & (tape.change_lots < 0)
    leaves[1:] &= ~tape.is_trade[:-1]
    return np.flatnonzero(leaves)


class _Levels:
    """The rows of each level, trades at it among them, and when prices went beyond it."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        side = np.where(tape.is_trade, -tape.side, tape.side)
        self._key = tape.price_ticks * 2 + (side > 0)
        self._order = np.argsort(self._key, kind="stable")
        self._sorted = self._key[self._order]

    def rows_after(self, row: int, until_ns: int) -> Ints:
        """Return the rows of the level of ``row`` after it, up to a time."""
        first, last = np.searchsorted(self._sorted, [self._key[row], self._key[row] + 1])
        rows = self._order[first:last]
        return rows[(rows > row) & (self.tape.time_ns[rows] <= until_ns)]

    def beyond_ns(self, row: int, until_ns: int) -> int:
        """Return when others first traded, or were quoted, beyond the price of ``row``."""
        tape, side, price = self.tape, int(self.tape.side[row]), int(self.tape.price_ticks[row])
        part = slice(row + 1, int(np.searchsorted(tape.time_ns, until_ns, side="right")))
        opposite = (tape.ask_ticks if side > 0 else tape.bid_ticks)[part]
        quoted = (opposite >= 0) & ((price - opposite) * side > 0)
        traded = tape.is_trade[part] & (tape.side[part] == -side) & ((price - tape.price_ticks[part]) * side > 0)
        found = quoted | traded
        first = int(found.argmax()) if len(found) else 0
        return int(tape.time_ns[part][first]) if len(found) and found[first] else NEVER_NS


class _Walk:
    """One probe through what happened at its level, by every model at once and by the truth."""

    def __init__(self, candidates: Sequence[Candidate], ahead_lots: int, *, patient: bool) -> None:
        self.candidates = candidates
        self.patient = patient
        self.truth = ahead_lots
        self.joined = ahead_lots
        self.ahead = [0.0 if each.model is QueueModel.TOUCH else float(ahead_lots) for each in candidates]
        self.before = float(ahead_lots)
        self.fills_ns = [NEVER_NS] * len(candidates)
        self.truth_ns = NEVER_NS
        self.waiting = sum(each.model is not QueueModel.CROSS for each in candidates)
        self.squares, self.errors = [0.0] * len(candidates), [0.0] * len(candidates)
        self.looks = 0

    def through(self, rows: Ints, tape: Tape, probe_row: int) -> None:
        """Take in the rows of the level, in order."""
        probe_id, own = int(tape.order_id[probe_row]), int(tape.change_lots[probe_row])
        # The change that follows a trade tells of it; any other one less is a cancellation
        told = tape.is_trade[rows - 1]
        columns = (tape.is_trade[rows], told, *(c[rows] for c in (tape.change_lots, tape.lots_after, tape.order_id)))
        each_row = zip(*(column.tolist() for column in columns), tape.time_ns[rows].tolist(), strict=True)
        for is_trade, of_trade, change, after, order_id, time_ns in each_row:
            ours, ahead = order_id == probe_id, order_id < probe_id
            if is_trade:
                own -= change if ours else 0
                self.truth -= change if ahead else 0
                if not ahead and self.truth_ns == NEVER_NS:
                    self.truth_ns = time_ns  # Ours, or where we would stand had we not left
                self._trade(change, time_ns, hidden=ours)
                if not self.waiting and self.truth_ns != NEVER_NS:
                    return
                continue
            cancelled = -change if change < 0 and not of_trade else 0
            if ours and cancelled:
                if not self.patient:
                    return
                own -= cancelled
            self.truth -= cancelled if ahead else 0
            self._change(float(after - own), cancelled if ahead else 0)
            if self.truth_ns == NEVER_NS:
                self._look()

    def _trade(self, lots: int, time_ns: int, *, hidden: bool) -> None:
        for at, each in enumerate(self.candidates):
            left = lots - self.ahead[at]
            self.ahead[at] = max(0.0, -left)
            if left >= 1.0 and each.model is not QueueModel.CROSS and self.fills_ns[at] == NEVER_NS:
                self.fills_ns[at] = time_ns
                self.waiting -= 1
        self.before = max(0.0, self.before - (0 if hidden else lots))

    def _change(self, shown: float, left_ahead: int) -> None:
        # What traded was taken off at once, so the change that tells of it changes nothing
        if shown == self.before:
            return
        for at, each in enumerate(self.candidates):
            if each.model is QueueModel.EXACT:
                self.ahead[at] = max(0.0, self.ahead[at] - left_ahead)
            self.ahead[at] = ahead_after(each.model, each.exponent, self.ahead[at], self.before, shown)
        self.before = shown

    def _look(self) -> None:
        for at, ahead in enumerate(self.ahead):
            error = ahead - self.truth
            self.squares[at] += error * error
            self.errors[at] += error
        self.looks += 1

    @property
    def sums(self) -> Floats:
        """Sums over all looks, (candidates, 3): squared errors, errors, and squared errors as shares of the queue."""
        squares = np.array(self.squares)
        return np.stack([squares, np.array(self.errors), squares / self.joined**2], axis=1)


def _calibration(
    tape: Tape, probes: Probes, each: Candidate, fills_ns: Ints, truth_ns: Ints, ends_ns: Ints, means: Floats,
    horizons_s: tuple[float, ...],
) -> Calibration:  # fmt: skip
    joined_ns = tape.time_ns[probes.row]
    curves = {}
    for horizon_s in horizons_s:
        until_ns = np.minimum(joined_ns + round(horizon_s * NS_PER_S), ends_ns)
        curves[horizon_s] = _deciles(probes.ahead_lots, fills_ns <= until_ns, truth_ns <= until_ns)
    model, truth = fills_ns <= ends_ns, truth_ns <= ends_ns
    both = model & truth
    late_s = (fills_ns[both] - truth_ns[both]) / NS_PER_S
    return Calibration(
        each.name, each.model, each.exponent, math.sqrt(means[0]), float(means[1]), math.sqrt(means[2]), curves,
        float(late_s.mean()) if len(late_s) else None, int(both.sum()), int((model & ~truth).sum()),
        int((truth & ~model).sum()),
    )  # fmt: skip


def _deciles(ahead_lots: Ints, predicted: Bools, realised: Bools) -> list[Decile]:
    order = np.argsort(ahead_lots, kind="stable")
    return [
        Decile(
            int(ahead_lots[part].min()), int(ahead_lots[part].max()), len(part), float(predicted[part].mean()),
            float(realised[part].mean()),
        )
        for part in np.array_split(order, DECILES)
    ]  # fmt: skip
