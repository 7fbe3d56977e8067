"""From a result to what its report shows: prices to draw, fills to mark, and what was assumed."""

import numpy as np

from njord.domain.fill import Fill
from njord.domain.instrument import Grid
from njord.domain.market import Kind
from njord.domain.money import UNITS
from njord.engine.assemble import Range
from njord.engine.desk import strategy_of
from njord.market.feed import CHUNK_ROWS, Feed, whole_updates
from njord.research.assumptions import assumptions
from njord.research.report.data import FillMark, Prices, ReportData
from njord.research.result import Result

# Enough to fill the widest screen; the page itself shows fewer
CANDLES_MAX = 6_000
INSTRUMENTS_DRAWN_MAX = 12


def report_data(result: Result) -> ReportData:
    """Return all that the report of a result shows."""
    assembly, backtest = result.assembly, result.assembly.backtest
    names = list(assembly.strategies)
    return ReportData(
        title=f"{', '.join(names)} on {', '.join(assembly.instruments)}",
        run_id=result.run_id,
        digest=result.digest,
        strategies=[str(name) for name in names],
        start_ns=int(result.times_ns[0]) if len(result.times_ns) else 0,
        end_ns=int(result.times_ns[-1]) if len(result.times_ns) else 0,
        currency=assembly.config.account.currency,
        stats=result.stats,
        equity_time_ns=result.times_ns,
        equity=result.equity_values,
        benchmark=result.benchmark,
        prices=_prices(result),
        fills=[_mark(fill, backtest.state.grids[fill.instrument_id]) for fill in backtest.fills],
        trades=result.round_trips,
        refused=result.rejected,
        assumptions=assumptions(result.assembly),
        warnings=result.warnings,
        manifest=result.manifest,
    )


def _mark(fill: Fill, grid: Grid) -> FillMark:
    return FillMark(
        fill.venue_time_ns, fill.instrument_id, fill.side.value, grid.price(fill.price_ticks),
        grid.quantity(fill.quantity_lots), fill.fee_units / UNITS, fill.liquidity.value, fill.reason.value,
        strategy_of(fill.client_order_id),
    )  # fmt: skip


def _prices(result: Result) -> list[Prices]:
    drawn: dict[str, Range] = {}
    order = (Kind.BARS, Kind.QUOTE_BARS, Kind.TRADES, Kind.QUOTES)
    for kind in order:
        for each in result.assembly.ranges:
            if each.dataset_id.kind is kind:
                drawn.setdefault(each.dataset_id.instrument_id, each)
    return [_candles(result, each) for each in list(drawn.values())[:INSTRUMENTS_DRAWN_MAX]]


def _candles(result: Result, each: Range) -> Prices:
    """Read the prices again, a chunk at a time, into as many candles as a chart can show."""
    dataset_id = each.dataset_id
    dataset = result.source.dataset(dataset_id)
    assert dataset is not None, dataset_id
    first_ns = max(dataset.first_ns, each.start_ns or dataset.first_ns)
    last_ns = min(dataset.last_ns, each.end_ns or dataset.last_ns)
    width_ns = max(dataset_id.interval_ns or 1_000_000_000, (last_ns - first_ns) // CANDLES_MAX + 1)
    if dataset_id.interval_ns:
        width_ns = -(-width_ns // dataset_id.interval_ns) * dataset_id.interval_ns
    chunks = result.source.read(dataset_id, each.start_ns, each.end_ns, CHUNK_ROWS)
    if dataset_id.kind is Kind.BOOK:
        chunks = whole_updates(chunks)
    grid = Grid.of(result.assembly.instruments[dataset_id.instrument_id])
    rows: dict[int, list[float]] = {}
    for window in Feed(dataset_id.instrument_id, dataset_id.kind, dataset_id.interval_ns, grid, chunks):
        starts = (window.times_ns - (dataset_id.interval_ns or 0)) // width_ns * width_ns
        known = ~np.isnan(window.marks)
        marks, starts = window.marks[known], starts[known]
        if not len(marks):
            continue
        if dataset_id.interval_ns:
            events = window.events
            columns = [np.array([getattr(event, name) for event in events]) for name in ("open", "high", "low")]
        else:
            columns = [marks, marks, marks]
        at = np.flatnonzero(np.append(True, starts[1:] != starts[:-1]))
        highs, lows = np.maximum.reduceat(columns[1], at), np.minimum.reduceat(columns[2], at)
        ends = np.append(at[1:], len(starts)) - 1
        columns = [columns[0][at], highs, lows, marks[ends]]
        for start, opened, high, low, close in zip(starts[at].tolist(), *(c.tolist() for c in columns), strict=True):
            row = rows.get(start)
            if row is None:
                rows[start] = [opened, high, low, close]
            else:
                row[1], row[2], row[3] = max(row[1], high), min(row[2], low), close
    values = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 4)
    return Prices(dataset_id.instrument_id, np.array(list(rows), dtype=np.int64), *(values[:, i] for i in range(4)))
