"""The outcome of a run: what happened, in figures and tables."""

import functools
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.fill import Fill, Liquidity
from njord.domain.ids import InstrumentId
from njord.domain.money import UNITS, decimal
from njord.engine.assemble import Assembly, Source
from njord.engine.desk import strategy_of
from njord.ledger.lots import ClosedLot
from njord.research import markouts
from njord.research.attribution import LINES, Attribution, Payments, attribute
from njord.research.making_tops import Tops, tops_of
from njord.research.markouts import Markouts, mark_out
from njord.research.report.data import Interval
from njord.research.trades import RoundTrip
from njord.research.uptime import Lives

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Outcome:
    """What came of a run. ``stats`` is a plain dict; ``digest`` is SHA-256 over the run's canonical commands."""

    def __init__(
        self, assembly: Assembly, manifest: dict[str, Any], source: Source, times_ns: Integers, equity: Floats,
        benchmark: Floats | None, trips: list[RoundTrip], stats: dict[str, float | int | None], cpu_s: float,
    ) -> None:  # fmt: skip
        self.assembly = assembly
        self.manifest = manifest
        self.source = source
        self.times_ns = times_ns
        self.equity_values = equity
        self.benchmark = benchmark
        self.round_trips = trips
        self.stats = stats
        self.cpu_s = cpu_s
        self.fees = 0.0
        self.funding = 0.0
        self.warnings: list[str] = []
        self.payments: Payments = {}  # What the ledger received other than by trading
        self.lives: Lives | None = None  # Of the orders of a market maker
        self.interval: Interval | None = None  # What its queues leave open, where that was asked for
        self.digest = assembly.backtest.journal.digest
        self.run_id: str = manifest["run_id"]

    @property
    def final_equity(self) -> str:
        """What the account is worth at the end, exactly, in its currency."""
        return str(decimal(self.assembly.backtest.state.equity_units()).normalize())

    @property
    def rejected(self) -> dict[str, int]:
        """How many orders were refused, by our risk engine or the venue, by reason."""
        return dict(sorted(Counter(self.assembly.backtest.refused).items()))

    @functools.cached_property
    def tops(self) -> dict[InstrumentId, Tops]:
        """The best bid and ask of each instrument over the run, read again from its data."""
        return tops_of(self.assembly, self.source)

    @functools.cached_property
    def parts(self) -> Attribution:
        """The net result in parts that add up to it to the unit."""
        return attribute(self.assembly, self.tops, self.payments)

    @functools.cached_property
    def marked(self) -> list[Markouts]:
        """What became of the fills of each instrument that has a book or quotes."""
        fills_of: dict[InstrumentId, list[Fill]] = {}
        for fill in self.assembly.backtest.fills:
            fills_of.setdefault(fill.instrument_id, []).append(fill)
        return [mark_out(n, fills_of[n], top) for n, top in self.tops.items() if top.quoted and n in fills_of]

    @functools.cached_property
    def makes_markets(self) -> bool:
        """Whether anything was filled as a maker, where it can be said what that was worth."""
        quoted = self.assembly.backtest.state.quoted
        fills = self.assembly.backtest.fills
        return any(fill.liquidity is Liquidity.MAKER and fill.instrument_id in quoted for fill in fills)

    def document(self) -> dict[str, Any]:
        """Return what ``njord backtest --json`` prints, less the artifacts."""
        backtest = self.assembly.backtest
        figures = {name: self.stats.get(name) for name in ("total_return", "sharpe", "sortino", "max_drawdown")}
        return {
            "run_id": self.run_id,
            "digest": self.digest,
            "events": backtest.events,
            "orders": backtest.orders,
            "fills": len(backtest.fills),
            "rejected": sum(self.rejected.values()),
            "rejected_by_reason": self.rejected,
            "final_equity": float(self.final_equity),
            "final_equity_exact": self.final_equity,
            "net_pnl": self.stats.get("net_pnl"),
            "fees": self.fees,
            "funding": self.funding,
            **figures,
            "trades": len(self.round_trips),
            "run_cpu_s": round(self.cpu_s, 6),
            "events_per_cpu_s": round(backtest.events / self.cpu_s) if self.cpu_s > 0 else None,
            "stopped": {each.strategy_id: each.reason for each in backtest.stopped},
            "warnings": self.warnings,
            "attribution": self.parts.document() if self.makes_markets else None,
            "markouts": markouts.document(self.marked) if self.makes_markets else None,
            "interval": msgspec.to_builtins(self.interval),
        }

    def __repr__(self) -> str:
        backtest, currency = self.assembly.backtest, self.assembly.config.account.currency
        return (
            f"{type(self).__name__}({self.run_id}: {backtest.events:,} events, {len(backtest.fills):,} fills, "
            f"final equity {self.final_equity} {currency}, digest {self.digest[:12]}…)"
        )


def round_trips(assembly: Assembly) -> list[RoundTrip]:
    """Return what was opened and closed, in the account's currency at the last rates."""
    return [_round_trip(assembly, closed) for closed in assembly.backtest.state.closed]


def fill_table(outcome: Outcome) -> Any:
    """Return all fills as an Arrow table."""
    import pyarrow as pa

    backtest = outcome.assembly.backtest
    fills, grids = backtest.fills, backtest.state.grids
    return pa.table(
        {
            "time": pa.array([f.venue_time_ns for f in fills], pa.timestamp("ns", tz="UTC")),
            "strategy": [strategy_of(f.client_order_id) for f in fills],
            "instrument": [f.instrument_id for f in fills],
            "side": [f.side.value for f in fills],
            "price": [grids[f.instrument_id].price(f.price_ticks) for f in fills],
            "quantity": [grids[f.instrument_id].quantity(f.quantity_lots) for f in fills],
            "fee": [f.fee_units / UNITS for f in fills],
            "fee_asset": [f.fee_asset for f in fills],
            "liquidity": [f.liquidity.value for f in fills],
            "reason": [f.reason.value for f in fills],
            "order_id": [f.client_order_id for f in fills],
            "fill_id": [f.fill_id for f in fills],
            "cause": [f.causation_id for f in fills],
            "price_ticks": pa.array([f.price_ticks for f in fills], pa.int64()),
            "quantity_lots": pa.array([f.quantity_lots for f in fills], pa.int64()),
        }
    )


def equity_table(outcome: Outcome) -> Any:
    """Return the equity curve as an Arrow table."""
    import pyarrow as pa

    return pa.table({"time": pa.array(outcome.times_ns, pa.timestamp("ns", tz="UTC")), "equity": outcome.equity_values})


def trade_table(outcome: Outcome) -> Any:
    """Return the round trips as an Arrow table."""
    import pyarrow as pa

    names = [name for name in RoundTrip.__struct_fields__ if name != "bars_held"]
    columns: dict[str, Any] = {name: [getattr(trip, name) for trip in outcome.round_trips] for name in names}
    for name in ("entry_ns", "exit_ns"):
        columns[name.replace("_ns", "_time")] = pa.array(columns.pop(name), pa.timestamp("ns", tz="UTC"))
    return pa.table(columns)


def attribution_table(outcome: Outcome) -> Any:
    """Return the parts of the net result as an Arrow table: a row a line, of each instrument and of all."""
    import pyarrow as pa

    parts = outcome.parts
    rows = [("", parts.currency, name, getattr(parts.lines, name)) for name in LINES]
    rows.append(("", parts.currency, "conversion", parts.conversion))
    rows.append(("", parts.currency, "net_pnl", parts.net_units))
    for each in parts.by_instrument:
        rows += [(each.instrument_id, each.asset, name, getattr(each.lines, name)) for name in LINES]
        rows.append((each.instrument_id, each.asset, "net_pnl", each.lines.total))
    return pa.table(
        {
            "instrument": [row[0] for row in rows],
            "asset": [row[1] for row in rows],
            "line": [row[2] for row in rows],
            "amount": [row[3] / UNITS for row in rows],
            "amount_exact": [f"{decimal(row[3]):f}" for row in rows],
        }
    )


def markout_table(outcome: Outcome, by: str | None) -> Any:
    """Return markouts as an Arrow table: a row a fill, or ``by`` a dimension one a group and horizon."""
    import pyarrow as pa

    if by is not None:
        names = [name for name in markouts.At.__struct_fields__ if name != "fills"]
        rows = [(group, at) for one in outcome.marked for group in markouts.grouped(one, by) for at in group.horizons]
        heads = [name for name in markouts.Group.__struct_fields__ if name not in ("horizons", "dimension")]
        columns: dict[str, Any] = {name: [getattr(group, name) for group, _ in rows] for name in heads}
        columns |= {"fills_known": [at.fills for _, at in rows]}
        return pa.table(columns | {name: [getattr(at, name) for _, at in rows] for name in names})
    tables = [_marked_table(pa, one) for one in outcome.marked]
    return pa.concat_tables(tables) if tables else pa.table({})


def _marked_table(pa: Any, one: Markouts) -> Any:
    columns: dict[str, Any] = {
        "time": pa.array(one.time_ns, pa.timestamp("ns", tz="UTC")),
        "instrument": [one.instrument_id] * len(one.time_ns),
        "side": np.where(one.side > 0, "buy", "sell").tolist(),
        "liquidity": np.where(one.maker, "maker", "taker").tolist(),
        "lots": one.lots,
        "capture_ticks": one.capture_ticks,
        "imbalance": one.imbalance,
        "queue": one.queue,
    }
    for column, horizon_s in enumerate(one.horizons_s):
        columns[f"markout_{horizon_s:g}s_ticks"] = one.markout_ticks[:, column]
    return pa.table(columns)


def _round_trip(assembly: Assembly, closed: ClosedLot) -> RoundTrip:
    state = assembly.backtest.state
    instrument = assembly.instruments[closed.instrument_id]
    grid = state.grids[closed.instrument_id]
    last = state.last_ticks() if instrument.settlement != state.portfolio.currency else {}

    def money(units: int) -> float:
        return float(state.portfolio.converter.convert(units, instrument.settlement, last) / UNITS)

    def price(worth_units: int) -> float:
        # From worth back to price; after a split the price is that of a new share
        value, worth = grid.value_numerator * closed.lots, worth_units * grid.value_denominator
        ticks = -value / worth if grid.inverse else worth / value
        return ticks * grid.price_numerator / grid.price_denominator

    return RoundTrip(
        closed.instrument_id, closed.entry_ns, closed.exit_ns, "long" if closed.lots > 0 else "short",
        grid.quantity(abs(closed.lots)), price(closed.entry_units), price(closed.exit_units),
        money(closed.gain_units - closed.fee_units), money(closed.fee_units),
    )  # fmt: skip
