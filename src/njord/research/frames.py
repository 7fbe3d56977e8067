"""Market data in memory, for notebooks: any frame, or dict of arrays, as a source a run can read."""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S, TIME_NS_MAX, time_ns
from njord.domain.ids import InstrumentId, instrument_id
from njord.domain.instrument import TICKS_MAX, Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.domain.spelling import suggestion
from njord.market.catalog import CatalogError, Dataset, DatasetId

Array = npt.NDArray[Any]
PRICES = ("open", "high", "low", "close")
DECIMALS_MAX = 12
STRETCH_ROWS = 65_536
# Unix times of this century, by the power of ten that separates their units
_UNIT_NS = ((10**16, 1), (10**14, 1_000), (10**11, 1_000_000), (0, NS_PER_S))


class FrameError(ValueError):
    """A frame cannot be bars. The message names the column and the row."""


class Frames:
    """Bars of one or more instruments held in memory. See ``engine.assemble.Source``."""

    def __init__(self) -> None:
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._bars: dict[DatasetId, dict[str, Array]] = {}
        self.notices: list[str] = []

    def add(self, name: str, frame: Any, definition: Instrument | None = None) -> DatasetId:
        """Take bars: columns ts (start of the bar), open, high, low, close and, where known, volume.

        Without a definition the grid is the coarsest decimal one that all prices are on. Raises FrameError.
        """
        columns = _columns(name, frame)
        columns["start_ns"] = _times(name, columns.pop("ts"))
        _check(name, columns)
        gaps = np.diff(columns["start_ns"])
        interval_ns = int(gaps.min()) if len(gaps) else NS_PER_S * 60
        if definition is None:
            definition, exact = _infer(name, columns)
            if not exact:
                self.notices.append(
                    f"{name}: prices are on no decimal grid; fills are put on one of {definition.price_tick}"
                )
        self._instruments[definition.instrument_id] = definition
        dataset_id = DatasetId(definition.instrument_id, Kind.BARS, interval_ns)
        self._bars[dataset_id] = columns
        return dataset_id

    def instrument(self, instrument_id: InstrumentId, /) -> Instrument:
        try:
            return self._instruments[instrument_id]
        except KeyError:
            raise CatalogError(f"no instrument {instrument_id}{suggestion(instrument_id, self._instruments)}") from None

    def dataset(self, dataset_id: DatasetId, /) -> Dataset | None:
        columns = self._bars.get(dataset_id)
        if columns is None:
            return None
        start_ns = columns["start_ns"]
        size = sum(array.nbytes for array in columns.values())
        return Dataset(dataset_id, len(start_ns), int(start_ns[0]), int(start_ns[-1]), size)

    def read(
        self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, chunk_rows: int, /
    ) -> Iterator[dict[str, Array]]:
        columns = self._bars[dataset_id]
        times_ns = columns["start_ns"]
        first = 0 if start_ns is None else int(np.searchsorted(times_ns, start_ns))
        last = len(times_ns) if end_ns is None else int(np.searchsorted(times_ns, end_ns))
        for row in range(first, last, chunk_rows):
            until = min(row + chunk_rows, last)
            yield {name: array[row:until] for name, array in columns.items()}

    def content_hash(self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, /) -> str:
        digest = hashlib.sha256(str(dataset_id).encode())
        for chunk in self.read(dataset_id, start_ns, end_ns, 2**62):
            for name in sorted(chunk):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(chunk[name]).astype(chunk[name].dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


def _columns(name: str, frame: Any) -> dict[str, Array]:
    if isinstance(frame, Mapping):
        have: dict[str, Any] = {str(key): value for key, value in frame.items()}
    elif hasattr(frame, "columns"):
        have = {str(key): frame[key] for key in list(frame.columns)}
        if "ts" not in have and hasattr(frame, "index") and getattr(frame.index, "dtype", np.dtype("i8")).kind == "M":
            have["ts"] = frame.index  # A frame indexed by time, as pandas users keep them
    else:
        raise FrameError(f"{name}: bars must be a frame or a dict of arrays, was {type(frame).__name__}")
    lower = {key.lower(): value for key, value in have.items()}
    for key in ("ts", *PRICES):
        if key not in lower:
            raise FrameError(f"{name}: no column {key!r}{suggestion(key, lower)}")
    found = {key: np.asarray(lower[key]) for key in PRICES}
    found["ts"] = _plain_times(lower["ts"])
    found["volume"] = np.asarray(lower["volume"]) if "volume" in lower else np.zeros(len(found["ts"]))
    lengths = {key: len(column) for key, column in found.items()}
    if len(set(lengths.values())) != 1:
        raise FrameError(f"{name}: columns differ in length: {lengths}")
    if lengths["ts"] == 0:
        raise FrameError(f"{name}: there are no rows")
    for key in (*PRICES, "volume"):
        try:
            found[key] = found[key].astype(np.float64, copy=False)
        except (TypeError, ValueError):
            raise FrameError(f"{name}: column {key!r} must hold numbers, was {found[key].dtype}") from None
    return found


def _plain_times(column: Any) -> Array:
    # pandas hands times with a zone over as objects, one by one, unless asked for what they are in UTC
    if str(getattr(column, "dtype", "")).startswith("datetime64") and hasattr(column, "to_numpy"):
        return np.asarray(column.to_numpy("datetime64[ns]"))
    return np.asarray(column)


def _times(name: str, column: Array) -> Array:
    if column.dtype.kind == "M":
        return column.astype("datetime64[ns]").astype(np.int64)
    if column.dtype.kind in "iuf":
        whole = column.astype(np.int64)
        size = int(np.abs(whole).max())
        scale = next(unit_ns for least, unit_ns in _UNIT_NS if size >= least)
        if size * scale > TIME_NS_MAX:
            raise FrameError(f"{name}: column 'ts': {size} is no time in seconds, ms, us or ns")
        return whole * scale
    try:
        return np.array([_moment(value) for value in column.tolist()], dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise FrameError(f"{name}: column 'ts': {error}") from None


def _moment(value: Any) -> int:
    stamp = getattr(value, "isoformat", None)
    return time_ns(stamp() if stamp is not None else str(value))


def _check(name: str, columns: dict[str, Array]) -> None:
    for key in (*PRICES, "volume"):
        bad = np.flatnonzero(~np.isfinite(columns[key]))
        if len(bad):
            raise FrameError(f"{name}: row {bad[0] + 1}: {key} must be a finite number, was {columns[key][bad[0]]}")
    bad = np.flatnonzero(columns["volume"] < 0)
    if len(bad):
        raise FrameError(f"{name}: row {bad[0] + 1}: volume must be >= 0, was {columns['volume'][bad[0]]}")
    late = np.flatnonzero(np.diff(columns["start_ns"]) <= 0)
    if len(late):
        again = columns["start_ns"][late[0] + 1] == columns["start_ns"][late[0]]
        what = "has the same ts as the row before" if again else "has a ts before that of the row before"
        raise FrameError(f"{name}: row {late[0] + 2} {what}: rows must be in time order, one a bar")
    top, bottom = columns["high"], columns["low"]
    inside = (bottom <= columns["open"]) & (columns["open"] <= top) & (bottom <= columns["close"])
    bad = np.flatnonzero(~(inside & (columns["close"] <= top)))
    if len(bad):
        raise FrameError(f"{name}: row {bad[0] + 1}: open and close must lie between low and high")


def _on_grid(prices: Array, per_unit: int) -> bool:
    # A stretch at a time: a column of a million prices has no need of three more beside it
    for first in range(0, len(prices), STRETCH_ROWS):
        part = prices[first : first + STRETCH_ROWS]
        if not (np.rint(part * per_unit) / per_unit == part).all():
            return False
    return True


def _infer(name: str, columns: dict[str, Array]) -> tuple[Instrument, bool]:
    # The coarsest decimal grid that gives every price back exactly, so a fill is at the very price of the frame
    largest = max(float(max(columns[key].max(), -columns[key].min())) for key in PRICES)
    decimals, exact = 0, False
    for decimals in range(DECIMALS_MAX + 1):
        if largest * 10**decimals > TICKS_MAX:
            decimals -= 1
            break
        exact = all(_on_grid(columns[key], 10**decimals) for key in PRICES)
        if exact:
            break
    symbol, _, _ = instrument_id(name).rpartition(".")
    base, slash, quote = symbol.partition("/")
    quote, colon, _ = quote.partition(":")
    kind = InstrumentKind.PERPETUAL if colon else InstrumentKind.SPOT if slash else InstrumentKind.EQUITY
    if any(columns[key].min() <= 0 for key in PRICES):
        kind = InstrumentKind.FUTURE
    definition = Instrument(
        instrument_id=InstrumentId(name), kind=kind, base=base, quote=quote or "USD",
        price_tick=Decimal(1).scaleb(-max(decimals, 0)), quantity_lot=Decimal(1).scaleb(-8),
        underlier=base if kind in (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE) else None,
        expiry_ns=2**62 if kind is InstrumentKind.FUTURE else None,
    )  # fmt: skip
    return definition, exact
