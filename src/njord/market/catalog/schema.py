"""What each kind of data set holds: its columns, what orders them, what makes a row the same row, how it is split."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from njord.domain.clock import interval_text
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument
from njord.domain.market import Kind

SCHEMA_VERSION = 1

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Columns = Mapping[str, Array]


class CatalogError(ValueError):
    """The catalog does not have it, or what it has contradicts what it is given. The message says which."""


class DatasetId(msgspec.Struct, frozen=True):
    """Names one data set. Bars and quote bars have an interval, the other kinds have none."""

    instrument_id: InstrumentId
    kind: Kind
    interval_ns: int | None = None

    @property
    def folder(self) -> str:
        return self.kind.value if self.interval_ns is None else f"{self.kind.value}-{interval_text(self.interval_ns)}"

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.folder}"


_INT, _FLOAT, _BYTE, _TEXT = pa.int64(), pa.float64(), pa.int8(), pa.string()
_TWO_CLOCKS = {"venue_time_ns": _INT, "local_time_ns": _INT}
_SIDES = [f"{side}_{point}_ticks" for side in ("bid", "ask") for point in ("open", "high", "low", "close")]

COLUMNS: dict[Kind, dict[str, pa.DataType]] = {
    Kind.BARS: {
        "start_ns": _INT,
        **{f"{point}_ticks": _INT for point in ("open", "high", "low", "close")},
        "volume": _FLOAT,
    },
    Kind.QUOTE_BARS: {"start_ns": _INT, **dict.fromkeys(_SIDES, _INT), "bid_size": _FLOAT, "ask_size": _FLOAT},
    Kind.QUOTES: {**_TWO_CLOCKS, "bid_ticks": _INT, "ask_ticks": _INT, "bid_lots": _INT, "ask_lots": _INT},
    Kind.TRADES: {
        **_TWO_CLOCKS, "price_ticks": _INT, "quantity_lots": _INT, "aggressor": _BYTE, "trade_id": _INT,
    },
    Kind.BOOK: {
        **_TWO_CLOCKS, "sequence": _INT, "snapshot": _BYTE, "side": _BYTE, "price_ticks": _INT, "quantity_lots": _INT,
    },
    Kind.FUNDING: {"venue_time_ns": _INT, "rate_pico": _INT, "mark_ticks": _INT},
    Kind.ACTIONS: {
        "venue_time_ns": _INT, "action": _BYTE, "numerator": _INT, "denominator": _INT, "amount_units_text": _TEXT,
    },
    Kind.STATUS: {"venue_time_ns": _INT, "halted": _BYTE},
}  # fmt: skip

# Rows that agree on these are the same row. Several events of a tick stream can share a moment: there the n-th row
# of equal keys is the same as the n-th row of a second delivery.
KEYS: dict[Kind, tuple[str, ...]] = {
    Kind.BARS: ("start_ns",),
    Kind.QUOTE_BARS: ("start_ns",),
    Kind.QUOTES: ("venue_time_ns", "local_time_ns"),
    Kind.TRADES: ("venue_time_ns", "trade_id"),
    Kind.BOOK: ("venue_time_ns", "sequence"),
    Kind.FUNDING: ("venue_time_ns",),
    Kind.ACTIONS: ("venue_time_ns", "action"),
    Kind.STATUS: ("venue_time_ns",),
}
REPEATABLE = frozenset({Kind.QUOTES, Kind.TRADES, Kind.BOOK})
SPLIT_DAILY = REPEATABLE
WITH_INTERVAL = frozenset({Kind.BARS, Kind.QUOTE_BARS})
# Their rows do not depend on the grid: an instrument that has only these can still be given its tick
PRICELESS = frozenset({Kind.FUNDING, Kind.ACTIONS, Kind.STATUS})


def time_column(kind: Kind) -> str:
    """Return the column a kind is ordered by: the start of a bar, the venue's time of anything else."""
    return "start_ns" if kind in WITH_INTERVAL else "venue_time_ns"


def check_id(dataset_id: DatasetId) -> None:
    """Raise CatalogError unless exactly the kinds that need an interval have one."""
    if (dataset_id.kind in WITH_INTERVAL) != (dataset_id.interval_ns is not None):
        need = "need an interval, such as 1h" if dataset_id.kind in WITH_INTERVAL else "have no interval"
        raise CatalogError(f"{dataset_id.instrument_id}: {dataset_id.kind} {need}")
    if dataset_id.interval_ns is not None and dataset_id.interval_ns <= 0:
        raise CatalogError(f"{dataset_id.instrument_id}: interval must be > 0, was {dataset_id.interval_ns} ns")


def arrow_schema(dataset_id: DatasetId, instrument: Instrument) -> pa.Schema:
    """Return the schema of a data set's files, which carries what is needed to read them alone."""
    fields = [pa.field(name, type_, nullable=False) for name, type_ in COLUMNS[dataset_id.kind].items()]
    return pa.schema(fields, metadata=_metadata(dataset_id, instrument))


def check_metadata(found: Mapping[bytes, bytes] | None, dataset_id: DatasetId, instrument: Instrument) -> None:
    """Raise CatalogError when a file says it holds other data, or data on another grid, than expected."""
    found = found or {}
    for key, wanted in _metadata(dataset_id, instrument).items():
        was = found.get(key.encode(), b"nothing").decode()
        if was != wanted:
            name = key.removeprefix("njord.")
            raise CatalogError(f"{dataset_id}: stored with {name} {was}, but the instrument is defined with {wanted}")


def _metadata(dataset_id: DatasetId, instrument: Instrument) -> dict[str, str]:
    said = {
        "njord.schema": str(SCHEMA_VERSION),
        "njord.instrument_id": dataset_id.instrument_id,
        "njord.kind": dataset_id.kind.value,
        "njord.interval_ns": str(dataset_id.interval_ns or 0),
    }
    if dataset_id.kind in PRICELESS:
        return said
    return said | {
        # Normalised: 0.10 and 0.1 are the same grid
        "njord.price_tick": f"{instrument.price_tick.normalize():f}",
        "njord.quantity_lot": f"{instrument.quantity_lot.normalize():f}",
    }


def checked(dataset_id: DatasetId, columns: Columns) -> dict[str, Array]:
    """Return the columns in their stored order and types. Raises CatalogError when one is missing, extra or odd."""
    wanted = COLUMNS[dataset_id.kind]
    for name in wanted:
        if name not in columns:
            raise CatalogError(f"{dataset_id}: no column {name}; there are {', '.join(columns)}")
    for name in columns:
        if name not in wanted:
            raise CatalogError(f"{dataset_id}: no column {name} in {dataset_id.kind}; it has {', '.join(wanted)}")
    length = len(columns[time_column(dataset_id.kind)])
    out: dict[str, Array] = {}
    for name, type_ in wanted.items():
        array = np.asarray(columns[name])
        if len(array) != length:
            raise CatalogError(f"{dataset_id}: column {name} has {len(array)} rows, others {length}")
        out[name] = _typed(dataset_id, name, array, type_)
    return out


def _typed(dataset_id: DatasetId, name: str, array: Array, type_: pa.DataType) -> Array:
    if type_ == _TEXT:
        return array.astype(np.str_)
    target = np.dtype(type_.to_pandas_dtype())
    if target.kind == "i" and array.dtype.kind not in "iub" and len(array):
        raise CatalogError(f"{dataset_id}: column {name} must hold integers, was {array.dtype}")
    typed = array.astype(target, copy=False)
    if target.kind == "f" and not np.isfinite(typed).all():
        raise CatalogError(f"{dataset_id}: column {name} holds a number that is not finite")
    if target.itemsize == 1 and not np.array_equal(typed, array):
        raise CatalogError(f"{dataset_id}: column {name} holds a number that does not fit into 8 bits")
    return typed


def partition_starts(kind: Kind, times_ns: Ints) -> Ints:
    """Return for each time the start of its partition, nanoseconds UTC."""
    unit = "D" if kind in SPLIT_DAILY else "Y"
    whole = times_ns.astype("datetime64[ns]").astype(f"datetime64[{unit}]")
    starts: Ints = whole.astype("datetime64[ns]").astype(np.int64)
    return starts


def partition_name(kind: Kind, start_ns: int) -> str:
    """Return the file name of the partition that starts at ``start_ns``."""
    day = str(np.datetime64(start_ns, "ns").astype("datetime64[D]"))
    return f"{day if kind in SPLIT_DAILY else day[:4]}.parquet"


def path_safe(symbol: str) -> str:
    """Return a symbol as one folder name. Distinct symbols give distinct names: BTC/USDT:USDT is BTC-USDT_USDT."""
    swapped = {"/": "-", ":": "_"}
    return "".join(
        swapped.get(char) or (char if char.isalnum() or char == "." else "".join(f"%{b:02X}" for b in char.encode()))
        for char in symbol
    )
