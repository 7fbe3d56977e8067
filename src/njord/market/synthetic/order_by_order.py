"""A market order by order, with a truth that is known: who stands where in each queue, who takes and why.

A continuous double auction with exact queues, first come first served at each price. Limit orders, takers and
cancellations arrive as Poisson streams, limit prices at exponential distances (Smith, Farmer, Gillemot and
Krishnamurthy 2003, Statistical theory of the continuous double auction) from where liquidity providers believe the
price to be. That follows, ``lag_s`` behind, an efficient price that is a Brownian motion. Takers are of two kinds, as
in Glosten and Milgrom (1985): the uninformed take either side by a fair coin; the informed see the efficient price,
take what is offered below it or bid above it, no farther than up to it, and otherwise stay out.

Which order of a level is cancelled depends on its place: of n orders, the one with r in front of it has the hazard
``cancels_per_s`` x (1 + ``cancel_tilt`` x (2r + 1 - n) / n). So an L2 queue model has something to be wrong about.
"""

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.market import Kind

if TYPE_CHECKING:
    from njord.market.synthetic import kernels

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

BOOK, TRADE = 0, 1
UNINFORMED, INFORMED = 1, 2
CHUNK_ROWS = 1 << 16
ORDERS_MAX = 1 << 20
START_NS = 1_704_067_200 * NS_PER_S  # 2024-01-01
START_TICKS = 1_000_000


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """From ``at_s`` on, the volatility and the rate of takers are these multiples of what the flow says."""

    at_s: float
    volatility_factor: float = 1.0
    takers_factor: float = 1.0


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """The truth behind a tape. Rates are a second, distances in ticks, sizes in lots.

    ``cancels_per_s`` is the mean hazard of one order. Sizes are geometric from 1 with these means. ``informed_share``
    is of the takers who arrive; those who see nothing to gain leave no trace. Raises ValueError naming the field.
    """

    limits_per_s: float = 300.0
    takers_per_s: float = 10.0
    cancels_per_s: float = 0.3
    cancel_tilt: float = 0.0  # -1: only the front half cancels more, 1: the back; 0: all alike
    informed_share: float = 0.3
    volatility_ticks_per_sqrt_s: float = 1.0
    lag_s: float = 0.5
    distance_ticks: float = 10.0
    limit_lots_mean: float = 5.0
    taker_lots_mean: float = 10.0
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        for name in ("limits_per_s", "cancels_per_s", "distance_ticks"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, was {getattr(self, name)}")
        for name in ("takers_per_s", "volatility_ticks_per_sqrt_s", "lag_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0, was {getattr(self, name)}")
        for name in ("limit_lots_mean", "taker_lots_mean"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be >= 1, was {getattr(self, name)}")
        if not -1 <= self.cancel_tilt <= 1:
            raise ValueError(f"cancel_tilt must be from -1 to 1, was {self.cancel_tilt}")
        if not 0 <= self.informed_share <= 1:
            raise ValueError(f"informed_share must be from 0 to 1, was {self.informed_share}")
        times = [0.0, *(change.at_s for change in self.changes)]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(f"changes must be in time order and after 0 s, were at {times[1:]}")

    @property
    def orders_mean(self) -> float:
        """How many orders would rest on average if nobody took any."""
        return self.limits_per_s / self.cancels_per_s


class Arrivals(msgspec.Struct, frozen=True):
    """How many came while the market ran; ``stayed_out`` of the informed saw nothing to gain."""

    limits: int
    cancels: int
    uninformed: int
    informed: int
    stayed_out: int


class Tape(msgspec.Struct, frozen=True):
    """Rows in time order, no two at one nanosecond; the first ``opening_rows`` fill the empty book.

    ``kind`` is BOOK or TRADE. ``side`` is +1 bid, -1 ask; of a trade the taker's, +1 a buyer. ``lots_after`` is the
    total that its level has then, ``change_lots`` what came (negative: left); of a trade, what traded. ``order_id`` and
    ``entered_ns`` are those of the resting order. A trade is followed by the change of its level, a row of its own.
    ``taker`` is UNINFORMED or INFORMED for a trade and 0 otherwise; trades of one taker share ``taker_id``.
    ``bid_ticks`` and ``ask_ticks`` are the best prices after the row, -1 where there is none; ``efficient_ticks`` is
    the latent price.
    """

    flow: Flow
    duration_s: float
    start_ns: int
    opening_rows: int
    arrivals: Arrivals
    time_ns: Ints
    kind: Bytes
    side: Bytes
    price_ticks: Ints
    lots_after: Ints
    change_lots: Ints
    order_id: Ints
    entered_ns: Ints
    taker: Bytes
    taker_id: Ints
    bid_ticks: Ints
    ask_ticks: Ints
    efficient_ticks: Floats

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def is_trade(self) -> npt.NDArray[np.bool_]:
        """Which rows are trades."""
        found: npt.NDArray[np.bool_] = self.kind == TRADE
        return found

    def content_hash(self) -> str:
        """Return SHA-256 over all rows: equal seeds and flows give equal hashes, in any process."""
        digest = hashlib.sha256()
        for name in _ARRAYS:
            column = getattr(self, name)
            digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


# In the order of the kernel's columns; the latent price comes last
_ARRAYS = (
    "time_ns", "kind", "side", "price_ticks", "lots_after", "change_lots", "order_id", "entered_ns", "taker",
    "taker_id", "bid_ticks", "ask_ticks", "efficient_ticks",
)  # fmt: skip
_SMALL = ("kind", "side", "taker")
# What the kernel keeps for each order and for each level
_OF_ORDERS = (
    "lots", "price", "side", "order_id", "entered_ns", "before", "behind", "place", "live", "free",
)  # fmt: skip
_OF_LEVELS = ("first", "last", "level_price", "level_lots", "level_orders")


def generate(
    rng: np.random.Generator, flow: Flow, duration_s: float, *, start_ns: int = START_NS, start_ticks: int = START_TICKS
) -> Tape:
    """Return ``duration_s`` of a market. Raises ValueError where prices would leave what can be represented.

    Needs numba (the extra ``fast``); the first call in a process compiles for some seconds.
    """
    try:
        from njord.market.synthetic import kernels
    except ImportError:
        raise ModuleNotFoundError("order-by-order markets need numba: pip install 'njord[fast]'") from None

    exchange = _empty(flow, start_ns, start_ticks)
    opening = min(int(rng.poisson(flow.orders_mean)), len(exchange.live))
    # Whatever is live may be taken at once, at two rows an order
    room = CHUNK_ROWS + 2 * len(exchange.live) + 2
    rows, latent = np.zeros((kernels.COLUMNS, room), dtype=np.int64), np.zeros(room)
    kernels.open_book(exchange, rng, _rates(flow, None), opening, rows, latent)
    exchange.counts[kernels.LIMITS] = 0
    chunks: list[tuple[Array, ...]] = []
    ends = [change.at_s for change in flow.changes if change.at_s < duration_s]
    for change, until_s in zip([None, *flow.changes], [*ends, duration_s], strict=False):
        rates, reached = _rates(flow, change), False
        while not reached:
            reached = kernels.advance(exchange, rng, rates, start_ns, float(until_s), rows, latent)
            chunks.append(_taken(exchange, rows, latent))
    if exchange.counts[kernels.BROKEN]:
        raise ValueError(f"orders rest more than {kernels.CELLS} ticks apart: volatility or distances are too large")
    columns = {name: np.concatenate([chunk[at] for chunk in chunks]) for at, name in enumerate(_ARRAYS)}
    if len(columns["price_ticks"]) and columns["price_ticks"].min() <= 0:
        raise ValueError(f"the price fell to 0 from {start_ticks} ticks: start higher, or with less volatility")
    counted = exchange.counts[kernels.LIMITS : kernels.STAYED_OUT + 1].tolist()
    return Tape(flow, duration_s, start_ns, opening, Arrivals(*counted), **columns)


def _empty(flow: Flow, start_ns: int, start_ticks: int) -> "kernels.Exchange":
    from njord.market.synthetic import kernels

    # What rests is at most Poisson around this: twelve deviations are never reached
    mean = flow.orders_mean
    slots = int(mean + 12 * np.sqrt(mean)) + 64
    if slots > ORDERS_MAX:
        raise ValueError(f"limits_per_s / cancels_per_s is {mean:.0f} resting orders, more than {ORDERS_MAX}")
    counts = np.zeros(kernels.COUNTERS, dtype=np.int64)
    moving = np.array([0.0, start_ticks, start_ticks], dtype=np.float64)
    orders = {name: np.zeros(slots, dtype=np.int64) for name in _OF_ORDERS}
    levels = {name: np.zeros(kernels.CELLS, dtype=np.int64) for name in _OF_LEVELS}
    exchange = kernels.Exchange(**orders, **levels, counts=counts, moving=moving)
    exchange.free[:] = np.arange(slots)
    counts[kernels.FREE], counts[kernels.NOW] = slots, start_ns
    counts[kernels.BEST_BID] = counts[kernels.BEST_ASK] = kernels.NOBODY
    return exchange


def _rates(flow: Flow, change: Change | None) -> "kernels.Rates":
    from njord.market.synthetic import kernels

    volatility, takers = (change.volatility_factor, change.takers_factor) if change is not None else (1.0, 1.0)
    return kernels.Rates(
        float(flow.limits_per_s), float(flow.takers_per_s * takers), float(flow.cancels_per_s),
        float(flow.informed_share), float(flow.volatility_ticks_per_sqrt_s * volatility), float(flow.lag_s),
        float(flow.distance_ticks), float(flow.limit_lots_mean), float(flow.taker_lots_mean), float(flow.cancel_tilt),
    )  # fmt: skip


def _taken(exchange: "kernels.Exchange", rows: Array, latent: Floats) -> tuple[Array, ...]:
    from njord.market.synthetic import kernels

    filled = int(exchange.counts[kernels.ROWS])
    exchange.counts[kernels.ROWS] = 0
    columns = (
        rows[at, :filled].astype(np.int8 if name in _SMALL else np.int64) for at, name in enumerate(_ARRAYS[:-1])
    )
    return (*columns, latent[:filled].copy())


def columns_of(tape: Tape, kind: Kind) -> dict[str, Array]:
    """Return the tape as the catalog's columns of BOOK or TRADES. Raises ValueError for another kind.

    The book is a snapshot of what the opening left, then one update a row with a sequence that rises by one.
    """
    if kind is Kind.TRADES:
        return _trades(tape)
    if kind is Kind.BOOK:
        return _book(tape)
    raise ValueError(f"an order-by-order tape has book and trades, not {kind}")


def _trades(tape: Tape) -> dict[str, Array]:
    rows = tape.is_trade
    time_ns = tape.time_ns[rows]
    return {
        "venue_time_ns": time_ns, "local_time_ns": time_ns, "price_ticks": tape.price_ticks[rows],
        "quantity_lots": tape.change_lots[rows], "aggressor": tape.side[rows],
        "trade_id": np.arange(1, len(time_ns) + 1, dtype=np.int64),
    }  # fmt: skip


def _book(tape: Tape) -> dict[str, Array]:
    opened = slice(0, tape.opening_rows)
    # The last row of each level of the opening says what rests there
    price, side = tape.price_ticks[opened], tape.side[opened]
    _, latest = np.unique(price[::-1], return_index=True)
    levels = np.sort(len(price) - 1 - latest)
    changes = np.flatnonzero(~tape.is_trade[tape.opening_rows :]) + tape.opening_rows
    count = len(levels)
    snapshot_ns = int(tape.time_ns[opened][-1]) if tape.opening_rows else tape.start_ns
    time_ns = np.concatenate([np.full(count, snapshot_ns, dtype=np.int64), tape.time_ns[changes]])
    return {
        "venue_time_ns": time_ns, "local_time_ns": time_ns,
        "sequence": np.concatenate([np.ones(count, dtype=np.int64), np.arange(2, len(changes) + 2, dtype=np.int64)]),
        "snapshot": np.concatenate([np.ones(count, dtype=np.int8), np.zeros(len(changes), dtype=np.int8)]),
        "side": np.concatenate([side[levels], tape.side[changes]]),
        "price_ticks": np.concatenate([price[levels], tape.price_ticks[changes]]),
        "quantity_lots": np.concatenate([tape.lots_after[opened][levels], tape.lots_after[changes]]),
    }  # fmt: skip
