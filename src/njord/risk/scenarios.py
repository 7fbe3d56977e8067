"""Value at risk of the portfolio for the pre-trade gate: what it is, and what it would be after one more order.

State is the last ``window`` interval returns of each instrument and the last prices, which ``dump`` gives as plain
values. Rules for what is missing:

1. No estimate until ``warm_up`` intervals are known of at least one instrument. No estimate, no limit (``VarLimit``).
2. A price that is not a finite number above 0 is passed over: no return for that interval, and the next good price
   brings the return since the last good one.
3. An instrument that came late or has gaps: its missing intervals repeat those it has, oldest first, so that its own
   spread is right and only its correlation is diluted.
4. An instrument with fewer than ``warm_up`` returns of its own is not believed: its exposure counts in full at the
   largest move any known instrument made in the window, and offsets nothing.
5. Prices that never moved make no risk: VaR is 0.

Every sum is made in one order on every machine, since an estimate is part of what a run's digest covers.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.profile import VarLimit, VarModel
from njord.risk.value_at_risk import Floats, ewma_covariance, normal_quantiles, rank, scenarios

INSTRUMENTS_MAX = 1_000
KEPT_MAX = 128  # To keep so many worst scenarios in order costs less than to partition all of them
_NAN = float("nan")


class Dumped(TypedDict):
    """The state of a ``PortfolioVar`` in plain values. A return is None where there was none."""

    intervals: int
    prices: dict[InstrumentId, float]
    returns: dict[InstrumentId, list[float | None]]


Weighed = Callable[[Floats, Floats, Floats], None]
Ranked = Callable[[Floats, Floats, Floats, bool, int, float, Floats], tuple[float, float]]


def weighed(columns: Floats, exposures: Floats, sums: Floats) -> None:
    """Make ``sums`` the sum of all rows times their exposures, in the order of the rows."""
    np.sum(columns * exposures[:, None], axis=0, out=sums)


def ranked(
    columns: Floats, exposures: Floats, sums: Floats, weigh: bool, row: int, change: float, worst: Floats
) -> tuple[float, float]:
    """Return the P&L that ``len(worst) - 1`` scenarios are worse than, as it is and with one exposure changed.

    ``weigh``: make ``sums``, the P&L of each scenario, anew from the exposures; else the first of the two is 0.
    """
    whole, before = len(worst) - 1, 0.0
    if weigh:
        weighed(columns, exposures, sums)
        before = float(np.partition(sums, whole)[whole])
    return before, float(np.partition(sums + change * columns[row], whole)[whole])


def _fastest() -> tuple[Weighed, Ranked]:
    # Compiled now, and not when the first order waits for it; plain where numba is not there
    try:
        from njord.risk import kernels
    except ModuleNotFoundError:
        return weighed, ranked
    nothing = np.zeros(1)
    kernels.weighed(np.zeros((1, 1)), nothing, nothing)
    kernels.ranked(np.zeros((1, 1)), nothing, nothing, True, 0, 0.0, np.zeros(1))
    return kernels.weighed, kernels.ranked


class PortfolioVar:
    """VaR of linear exposures over one interval, before and after an order. Exposures are in account units, as floats.

    One order costs O(window) for historical, O(paths) for simulated and O(1) for parametric VaR; a changed exposure
    or a closed interval is paid for at the next question.
    """

    __slots__ = (
        "_before", "_columns", "_dirty", "_exposures", "_fastest", "_intervals", "_known", "_limit", "_names",
        "_parametric", "_places", "_prices", "_ranked", "_returns", "_seed", "_sums", "_unknown_rows", "_weighed",
        "_worst", "_worst_pnl", "_z",
    )  # fmt: skip

    def __init__(self, limit: VarLimit, seed: int = 0) -> None:
        self._limit = limit
        self._parametric = limit.model is VarModel.PARAMETRIC
        self._seed = seed
        self._z = normal_quantiles(limit.confidence).value_at_risk
        self._names: dict[InstrumentId, int] = {}  # Its row in each of the arrays
        self._prices: dict[InstrumentId, float] = {}
        self._returns: Floats = np.empty((0, 0))  # (m, n), oldest first, NaN where there was none
        self._intervals = 0  # Closed so far, also those that have left the window
        self._exposures: Floats = np.empty(0)
        self._places: Any = self._exposures.data  # The same, where to set one number takes a third of the time
        self._known: list[bool] = []
        self._unknown_rows: list[int] = []
        self._worst = 0.0
        # Of each instrument its returns by scenario, or its covariances; zeros where it is not known. None: to be made
        self._columns: Floats | None = None
        self._sums: Floats = np.empty(0)  # Over all instruments: P&L by scenario, or covariance with the portfolio
        self._before: float | None = None
        self._weighed, self._fastest = _fastest()
        self._ranked: Ranked = ranked  # Whichever is faster for so many scenarios
        self._worst_pnl: Floats = np.empty(1)  # Room for those that are worse than what counts, and that
        self._dirty = True  # Whether an exposure changed since the last estimate

    def close_interval(self, prices: Mapping[InstrumentId, float]) -> None:
        """Take the prices at the end of an interval. Raises ValueError where there are too many instruments."""
        for name in prices:
            self._row(name)
        latest = np.full(len(self._names), _NAN)
        for name, price in prices.items():
            if not (math.isfinite(price) and price > 0):
                continue
            before = self._prices.get(name)
            if before is not None:
                latest[self._names[name]] = price / before - 1
            self._prices[name] = price
        self._intervals += 1
        if self._intervals > 1:  # The first prices make no return
            kept = self._returns[:, 1:] if self._returns.shape[1] == self._limit.window else self._returns
            self._returns = np.concatenate([kept, latest[:, None]], axis=1)
        self._columns = None

    def set_exposure(self, name: InstrumentId, worth: float) -> None:
        """Say what is held of an instrument, in account units at its last price; a short is negative."""
        assert worth - worth == 0, (name, worth)  # Finite
        row = self._names[name] if name in self._names else self._row(name)
        self._places[row] = worth
        self._dirty = True

    def before(self) -> float | None:
        """Return VaR of what is held, at least 0; None where there is no estimate yet."""
        if self._columns is None:
            self._learn()
        if self._dirty:
            self._judge(0, 0.0)
        return self._before

    def after(self, name: InstrumentId, change_units: float) -> float | None:
        """Return VaR if the exposure to one instrument changed by so much; None where there is no estimate yet.

        What ``before`` then says is made in the same go.
        """
        row = self._names[name] if name in self._names else self._row(name)
        if self._columns is None:
            self._learn()
        return self._judge(row, change_units)

    def dump(self) -> Dumped:
        """Return the state in plain values, which JSON keeps exactly. Exposures are not part of it: the ledger is."""
        returns: dict[InstrumentId, list[float | None]] = {
            name: [None if math.isnan(each) else each for each in self._returns[row].tolist()]
            for name, row in self._names.items()
        }
        return {"intervals": self._intervals, "prices": dict(self._prices), "returns": returns}

    @classmethod
    def restore(cls, limit: VarLimit, document: Mapping[str, Any], seed: int = 0) -> "PortfolioVar":
        """Return what was dumped, with the same estimates. Raises ValueError where it is no dump for ``limit``."""
        made = cls(limit, seed)
        try:
            returns: dict[InstrumentId, list[float | None]] = dict(document["returns"])
            intervals = int(document["intervals"])
            prices = {InstrumentId(name): float(price) for name, price in document["prices"].items()}
            rows = [[_NAN if each is None else float(each) for each in row] for row in returns.values()]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"value at risk: this is no saved window: {error}") from None
        held = min(max(0, intervals - 1), limit.window)
        if any(len(row) != held for row in rows) or not set(prices) <= set(returns):
            raise ValueError(f"value at risk: the saved window must have {held} returns of each instrument")
        if not all(math.isfinite(price) and price > 0 for price in prices.values()):
            raise ValueError("value at risk: a saved price must be a finite number above 0")
        if any(math.isinf(each) for row in rows for each in row):
            raise ValueError("value at risk: a saved return must be a finite number")
        for name in returns:
            made._row(name)
        made._returns = np.array(rows, dtype=np.float64).reshape(len(rows), held)
        made._intervals = intervals
        made._prices = prices
        return made

    def _row(self, name: InstrumentId) -> int:
        row = self._names.get(name)
        if row is not None:
            return row
        if len(self._names) == INSTRUMENTS_MAX:
            raise ValueError(f"value at risk: at most {INSTRUMENTS_MAX} instruments")
        row = self._names[name] = len(self._names)
        missing = np.full((1, self._returns.shape[1]), _NAN)
        self._returns = np.concatenate([self._returns, missing])
        self._exposures = np.append(self._exposures, 0.0)
        self._places = self._exposures.data
        self._columns = None
        return row

    def _learn(self) -> None:
        # What the window says, once an interval: which instruments are known, their scenarios and covariance
        there = ~np.isnan(self._returns)
        counts = there.sum(axis=1)
        self._known = (counts >= self._limit.warm_up).tolist()
        self._unknown_rows = [row for row, known in enumerate(self._known) if not known]
        filled = np.zeros_like(self._returns)
        for row, known in enumerate(self._known):
            if known:
                own = self._returns[row, there[row]]
                filled[row, there[row]] = own
                filled[row, ~there[row]] = np.resize(own, int((~there[row]).sum()))
        self._worst = float(np.max(np.abs(filled))) if filled.size else 0.0
        limit = self._limit
        if limit.model is not VarModel.HISTORICAL and any(self._known):
            filled = ewma_covariance(filled, limit.half_life)
            if limit.model is VarModel.MONTE_CARLO:
                # Seeded with the interval, so that a restored window simulates the same
                filled = scenarios(filled, limit.paths, np.random.default_rng([self._seed, self._intervals]))
        self._columns = columns = np.ascontiguousarray(filled)
        count = columns.shape[1]
        self._sums = np.zeros(count)
        self._worst_pnl = np.empty(1 + rank(count, limit.confidence).whole if count else 1)
        self._ranked = self._fastest if len(self._worst_pnl) <= KEPT_MAX else ranked
        self._dirty = True

    def _judge(self, row: int, change_units: float) -> float | None:
        # What the exposures make of it, where they changed, and what they would after a change of one
        weigh, self._dirty = self._dirty, False
        columns = self._columns
        assert columns is not None, row
        if len(self._unknown_rows) == len(self._known):
            self._before = None
            return None
        unknown = then_unknown = self._unknown() if self._unknown_rows else 0.0
        if not self._known[row]:
            # Its column is zeros: this is all it adds
            held = float(self._exposures[row])
            then_unknown += (abs(held + change_units) - abs(held)) * self._worst
        if self._parametric:
            if weigh:
                self._weighed(columns, self._exposures, self._sums)
                self._before = self._deviated(self._variance()) + unknown
            own = change_units * (2 * float(self._sums[row]) + change_units * float(columns[row, row]))
            return self._deviated(self._variance() + own) + then_unknown
        now, then = self._ranked(columns, self._exposures, self._sums, weigh, row, change_units, self._worst_pnl)
        if weigh:
            self._before = max(0.0, -now) + unknown
        return max(0.0, -then) + then_unknown

    def _variance(self) -> float:
        return float((self._sums * self._exposures).sum())

    def _deviated(self, variance: float) -> float:
        # What is 0 can come out as a rounding error below it
        return self._z * math.sqrt(max(0.0, variance))

    def _unknown(self) -> float:
        return self._worst * float(np.abs(self._exposures[self._unknown_rows]).sum())
