"""What nobody knows about a maker's result: where its orders stood in their queues.

The same run twice more, with the least and the most that can be true: orders that are never reached at their limit,
only passed (``cross``), and orders with nobody ahead of them (``touch``). A strategy answers its own fills, so neither
end is a bound on profit by logic alone; it is how far apart the result's two readings lie.
"""

import copy
from pathlib import Path

import msgspec

from njord.domain.market import Kind
from njord.domain.money import UNITS
from njord.engine.assemble import Assembly, Source, assemble
from njord.engine.compiled import run_compiled
from njord.engine.config import RunConfig
from njord.engine.tape import KINDS
from njord.research.report.data import Bound, Interval
from njord.strategies.kernel import KernelStrategy
from njord.strategies.port import Strategy
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import LimitFill, QueueSettings, VenueSettings

Given = list[tuple[str, Strategy]]


def spare(given: Given | None, config: RunConfig) -> Given | None:
    """Return copies of strategies that exist already, for the runs that come after the one they are in."""
    books = any(spec.kind in (Kind.BOOK, Kind.QUOTES) for spec in config.data)
    return copy.deepcopy(given) if given is not None and books else None


def interval_of(assembly: Assembly, source: Source, *, here: Path | None, given: Given | None, fees: float) -> Interval:
    """Return the result between its two readings. ``given`` are fresh strategies where the config names none that can
    be made; ``fees`` those of the run itself.
    """
    made = assembly.backtest
    estimate = Bound(_net_pnl(assembly), len(made.fills), fees)
    return Interval(
        _bound(assembly.config, QueueModel.CROSS, source, here, given), estimate,
        _bound(assembly.config, QueueModel.TOUCH, source, here, given),
    )  # fmt: skip


def _bound(config: RunConfig, model: QueueModel, source: Source, here: Path | None, given: Given | None) -> Bound:
    at_limit = LimitFill.TOUCH if model is QueueModel.TOUCH else LimitFill.CROSS

    def with_queue(settings: VenueSettings) -> VenueSettings:
        return msgspec.structs.replace(settings, queue=QueueSettings(model=model), limit_fill=at_limit)

    venues = {name: with_queue(settings) for name, settings in config.venues.items()}
    changed = msgspec.structs.replace(config, venue=with_queue(config.venue), venues=venues)
    assembly = assemble(changed, source, here=here, given=copy.deepcopy(given))
    if _compiles(assembly):
        run_compiled(assembly, source, keep_log=False)  # Equal to the engine, and much sooner done
    else:
        assembly.run()
    state = assembly.backtest.state
    last = state.last_ticks()
    paid = sum(state.portfolio.converter.convert(units, asset, last) for asset, units in state.portfolio.fees.items())
    return Bound(_net_pnl(assembly), len(assembly.backtest.fills), paid / UNITS)


def _compiles(assembly: Assembly) -> bool:
    kinds = {each.dataset_id.kind for each in assembly.ranges}
    books = {each.dataset_id.instrument_id for each in assembly.ranges if each.dataset_id.kind is Kind.BOOK}
    alone = len(assembly.strategies) == 1 and isinstance(next(iter(assembly.strategies.values())), KernelStrategy)
    # The risk engine is in none of the profiles that refuse: with others a strategy may be refused what it asks
    free = assembly.config.risk == "research"
    return alone and free and kinds <= set(KINDS) and books == set(assembly.instruments)


def _net_pnl(assembly: Assembly) -> float:
    state = assembly.backtest.state
    paid_in = assembly.config.account.cash
    return float((state.equity_units() - int(paid_in * UNITS)) / UNITS)
