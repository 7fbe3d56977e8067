"""From a result to what its report shows: prices to draw, fills to mark, and what was assumed."""

from njord.domain.fill import Fill
from njord.domain.instrument import Grid
from njord.domain.market import Kind
from njord.domain.money import UNITS
from njord.engine.assemble import Range
from njord.engine.desk import strategy_of
from njord.research.assumptions import assumptions
from njord.research.candles import Drawn, candles
from njord.research.making_reading import maker_reading
from njord.research.outcome import Outcome
from njord.research.report.data import FillMark, ReportData

INSTRUMENTS_DRAWN_MAX = 12


def report_data(result: Outcome) -> ReportData:
    """Return all that the report of a result shows."""
    drawn = _drawn(result)
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
        prices=[each.prices for each in drawn],
        merged_from={each.prices.instrument_id: each.rows for each in drawn if each.rows > len(each.prices.start_ns)},
        fills=[_mark(fill, backtest.state.grids[fill.instrument_id]) for fill in backtest.fills],
        trades=result.round_trips,
        refused=result.rejected,
        assumptions=assumptions(result.assembly),
        warnings=result.warnings,
        manifest=result.manifest,
        making=maker_reading(result) if result.makes_markets else None,
        interval=result.interval,
    )


def _mark(fill: Fill, grid: Grid) -> FillMark:
    return FillMark(
        fill.venue_time_ns, fill.instrument_id, fill.side.value, grid.price(fill.price_ticks),
        grid.quantity(fill.quantity_lots), fill.fee_units / UNITS, fill.liquidity.value, fill.reason.value,
        strategy_of(fill.client_order_id),
    )  # fmt: skip


def _drawn(outcome: Outcome) -> list[Drawn]:
    # The kind that says most about prices, of each instrument
    ranges: dict[str, Range] = {}
    for kind in (Kind.BARS, Kind.QUOTE_BARS, Kind.TRADES, Kind.QUOTES):
        for each in outcome.assembly.ranges:
            if each.dataset_id.kind is kind:
                ranges.setdefault(each.dataset_id.instrument_id, each)
    chosen = list(ranges.values())[:INSTRUMENTS_DRAWN_MAX]
    return [candles(outcome.source, each, outcome.assembly.instruments) for each in chosen]
