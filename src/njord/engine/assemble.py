"""Build a run from its config: the only place that connects rooms to each other."""

import dataclasses
import random
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from njord.bus.memory import MemoryBus
from njord.domain.clock import NS_PER_DAY, NS_PER_MINUTE
from njord.domain.ids import InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import (
    Bar,
    BookUpdate,
    Dividend,
    Expiry,
    Funding,
    Kind,
    Quote,
    QuoteBar,
    Split,
    Trade,
    TradingStatus,
)
from njord.domain.money import units
from njord.domain.profile import ANYWHERE
from njord.engine.backtest import Backtest
from njord.engine.compiling import equip
from njord.engine.config import ConfigError, DataSpec, RunConfig, StrategySpec
from njord.engine.desk import StrategyDesk
from njord.engine.equity import EquityCurve
from njord.engine.loading import built_in, from_file
from njord.engine.state import Slot, State
from njord.engine.tell import listen, stop
from njord.engine.watching import watch_by
from njord.ledger.journal import Journal
from njord.ledger.portfolio import Portfolio
from njord.market.book import Book
from njord.market.catalog import Dataset, DatasetId
from njord.market.feed import CHUNK_ROWS, Feed, merge, whole_updates
from njord.market.sequence import Guarded, Quarantine
from njord.risk.sizing import Sizer
from njord.strategies import registry
from njord.strategies.port import Strategy, overrides
from njord.venues.simulated.exchange import Exchange
from njord.venues.simulated.latency import Line
from njord.venues.simulated.venue import SimulatedVenue

Array = npt.NDArray[np.generic]

_CALLBACKS: dict[type, str] = {
    Bar: "on_bar", QuoteBar: "on_bar", Quote: "on_quote", Trade: "on_trade", BookUpdate: "on_book",
}  # fmt: skip
_OTHERS = (Funding, Split, Dividend, Expiry, TradingStatus)
_PRIVATE = {"on_fill": "on_fill", "on_order": "on_order", "on_timer": "on_timer"}
# Ticks are worth a point of the equity curve a minute; bars one each
TICK_SPACING_NS = NS_PER_MINUTE
YEAR_NS = 365 * NS_PER_DAY


class Source(Protocol):
    """Where market data comes from: a catalog, or frames in memory."""

    def instrument(self, instrument_id: InstrumentId, /) -> Instrument: ...
    def dataset(self, dataset_id: DatasetId, /) -> Dataset | None: ...
    def read(
        self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, chunk_rows: int, /
    ) -> Iterator[dict[str, Array]]: ...
    def content_hash(self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, /) -> str: ...


@dataclasses.dataclass(frozen=True)
class Range:
    """One data set and what of it a run reads."""

    dataset_id: DatasetId
    start_ns: int | None
    end_ns: int | None


@dataclasses.dataclass
class Parts:
    """What every world is made of, connected to no driver yet."""

    config: RunConfig
    instruments: dict[InstrumentId, Instrument]
    ranges: list[Range]
    venues: dict[InstrumentId, SimulatedVenue]
    order_lines: dict[InstrumentId, Line]
    feeds: list[Feed]
    state: State
    strategies: dict[StrategyId, Strategy]
    notices: list[str]
    quarantined: dict[DatasetId, Quarantine]


@dataclasses.dataclass
class Assembly:
    """A run, ready to go."""

    config: RunConfig
    backtest: Backtest
    feeds: list[Feed]
    ranges: list[Range]
    instruments: dict[InstrumentId, Instrument]
    strategies: dict[StrategyId, Strategy]
    venues: dict[InstrumentId, SimulatedVenue]
    notices: list[str]
    quarantined: dict[DatasetId, Quarantine]
    here: Path | None = None

    def path_of(self, spec: StrategySpec) -> Path:
        """Return the file of a strategy that comes from one."""
        assert spec.file is not None, spec
        return _resolved(spec.file, self.here)

    def run(self, progress: "Progress | None" = None) -> None:
        """Run from the first event to the last. A kernel strategy that does not compile is stopped before it begins."""
        state = self.backtest.state
        for name, reason in equip(self.strategies, self.notices).items():
            stop(state, state.slots[name], reason)
        self.backtest.run(merge(self.feeds), progress)


class Progress(Protocol):
    """Told how far a run is: events so far, and the time it has reached."""

    def __call__(self, events: int, time_ns: int, /) -> None: ...


def assemble(
    config: RunConfig, source: Source, *, journal: Path | None = None, here: Path | None = None,
    given: list[tuple[str, Strategy]] | None = None, bus: MemoryBus | None = None,
) -> Assembly:  # fmt: skip
    """Connect everything a config names. ``here`` is what its relative paths start from; ``given`` are strategies that
    exist already, in place of those the config names; ``bus`` is told of all that is decided and filled. Raises
    ConfigError, CatalogError or NoStrategy.
    """
    parts = parts_of(config, source, here=here, given=given)
    state, instruments, currency = parts.state, parts.instruments, config.account.currency
    spacing_ns = None if any(each.dataset_id.interval_ns for each in parts.ranges) else TICK_SPACING_NS
    curve = EquityCurve(state.portfolio, instruments, [feed.instrument_id for feed in parts.feeds], spacing_ns)
    book = Journal(journal)
    backtest = Backtest(state, parts.venues, parts.order_lines, book, curve, bus)
    deposit = state.portfolio.deposit(units(config.account.cash), currency, 0)
    book.append(0, 0, "start", [deposit])
    curve.changed(0, deposit)
    return Assembly(
        config, backtest, parts.feeds, parts.ranges, instruments, parts.strategies, parts.venues, parts.notices,
        parts.quarantined, here,
    )  # fmt: skip


def parts_of(
    config: RunConfig, source: Source, *, here: Path | None = None, given: list[tuple[str, Strategy]] | None = None,
    shares_books: bool = True,
) -> Parts:  # fmt: skip
    """Build what every world is made of: the market, the venue's side, the engine's state with its strategies.

    ``shares_books``: the venue's books may be the engine's, where market data takes no time; not so where the two are
    to know nothing of each other. Raises ConfigError, CatalogError or NoStrategy.
    """
    notices: list[str] = []
    instruments = {spec.instrument_id: source.instrument(spec.instrument_id) for spec in config.data}
    ranges = [*_ranges(config.data, source), *_implied(config.data, instruments, source, notices)]
    settings = {name: config.venues.get(i.venue, config.venue) for name, i in instruments.items()}
    venues = _venues(config, instruments, ranges)
    quarantined: dict[DatasetId, Quarantine] = {}
    feeds: list[Feed] = []
    for each in ranges:
        name = each.dataset_id.instrument_id
        feeds.append(_feed(each, Grid.of(instruments[name]), source, settings[name].feed_line(), quarantined))

    currency = config.account.currency
    portfolio = Portfolio(currency, list(instruments.values()))
    for instrument in instruments.values():
        if not portfolio.converter.reaches(instrument.settlement):
            raise ConfigError(
                f"account.currency: {instrument.instrument_id} settles in {instrument.settlement}, and no data leads"
                f" from that to {currency}: add a pair, or choose {instrument.settlement}"
            )
    taker = max((each.fees.taker for each in settings.values()), default=config.venue.fees.taker)
    state = State(instruments, portfolio, config.profile, taker.as_integer_ratio())
    state.venue_profile = None if config.venue_profile == ANYWHERE else config.venue_profile
    watch_by(state)
    _share_books(state, venues, shares_books and all(each.feed_line().instant for each in settings.values()))

    made = given if given is not None else [_strategy(spec, here) for spec in config.strategies]
    strategies: dict[StrategyId, Strategy] = {}
    for (called, strategy), spec in zip(made, config.strategies, strict=True):
        strategy_id = unique_id(called, strategies)
        theirs = _instruments_of(spec, instruments)
        _size(state, strategy_id, spec, theirs, ranges)
        _connect(state, strategy_id, strategy, theirs, config.seed)
        state.slots[strategy_id].model_id = spec.model
        strategies[strategy_id] = strategy
    lines = _order_lines(instruments, config)
    return Parts(config, instruments, ranges, venues, lines, feeds, state, strategies, notices, quarantined)


def exchange_of(config: RunConfig, source: Source, *, here: Path | None = None, name: str = "") -> Exchange:
    """Build the simulated exchange of a config, with the market its data make. ``name`` begins the ids of its fills."""
    parts = parts_of(config, source, here=here, shares_books=False)
    for venue in dict.fromkeys(parts.venues.values()):
        venue.name_fills(name)
    return Exchange(parts.venues, parts.order_lines, merge(parts.feeds))


def strategy_name(strategy: type[Strategy]) -> str:
    """Return a strategy's name: its class in snake case, as the registry has it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", strategy.__name__).lower()


def _ranges(specs: list[DataSpec], source: Source) -> list[Range]:
    found: list[Range] = []
    for position, spec in enumerate(specs):
        dataset_id = DatasetId(spec.instrument_id, spec.kind, spec.interval_ns)
        if any(each.dataset_id == dataset_id for each in found):
            raise ConfigError(f"data[{position}]: {dataset_id} is named twice")
        dataset = source.dataset(dataset_id)
        if dataset is None:
            raise ConfigError(f"data[{position}]: no data of {dataset_id}; import some, or see: njord data ls")
        start_ns, end_ns = spec.start_ns, spec.end_ns
        if (end_ns is not None and end_ns <= dataset.first_ns) or (start_ns is not None and start_ns > dataset.last_ns):
            raise ConfigError(
                f"data[{position}]: no data of {dataset_id} from {spec.start or 'the start'} to {spec.end or 'the end'}"
            )
        found.append(Range(dataset_id, start_ns, end_ns))
    return found


def _implied(
    specs: list[DataSpec], instruments: dict[InstrumentId, Instrument], source: Source, notices: list[str]
) -> list[Range]:
    # What a holder of the instrument is paid or charged belongs to a run whether or not somebody thought of it
    found: list[Range] = []
    for name, instrument in instruments.items():
        kind = {InstrumentKind.PERPETUAL: Kind.FUNDING, InstrumentKind.EQUITY: Kind.ACTIONS}.get(instrument.kind)
        own = [spec for spec in specs if spec.instrument_id == name]
        if kind is None or any(spec.kind is kind for spec in own):
            continue
        dataset_id = DatasetId(name, kind)
        if source.dataset(dataset_id) is None:
            what = "funding" if kind is Kind.FUNDING else "splits and dividends"
            notices.append(f"no {kind} data of {name}: its {what} are not part of this result")
            continue
        start_ns, end_ns = _span(own, source)
        found.append(Range(dataset_id, start_ns, end_ns))
    return found


def _span(specs: list[DataSpec], source: Source) -> tuple[int, int]:
    # From the first to the last moment at which the prices of these data sets are known
    starts: list[int] = []
    ends: list[int] = []
    for spec in specs:
        dataset = source.dataset(DatasetId(spec.instrument_id, spec.kind, spec.interval_ns))
        assert dataset is not None, spec
        last_ns = dataset.last_ns + (spec.interval_ns or 0) + 1
        starts.append(max(dataset.first_ns, spec.start_ns or dataset.first_ns))
        ends.append(min(last_ns, spec.end_ns or last_ns))
    return min(starts), max(ends)


def _feed(each: Range, grid: Grid, source: Source, line: Line, guards: dict[DatasetId, Quarantine]) -> Feed:
    dataset_id = each.dataset_id
    guarded = Guarded(dataset_id.kind, source.read(dataset_id, each.start_ns, each.end_ns, CHUNK_ROWS))
    guards[dataset_id] = guarded.quarantine
    chunks = whole_updates(guarded) if dataset_id.kind is Kind.BOOK else guarded
    return Feed(dataset_id.instrument_id, dataset_id.kind, dataset_id.interval_ns, grid, chunks, line)


def _venues(
    config: RunConfig, instruments: dict[InstrumentId, Instrument], ranges: list[Range]
) -> dict[InstrumentId, SimulatedVenue]:
    kinds: dict[InstrumentId, dict[Kind, int | None]] = {name: {} for name in instruments}
    for each in ranges:
        has = kinds[each.dataset_id.instrument_id]
        kind, interval_ns = each.dataset_id.kind, each.dataset_id.interval_ns
        known = has.get(kind)
        has[kind] = interval_ns if known is None or interval_ns is None else min(known, interval_ns)
    by_venue: dict[str, dict[InstrumentId, Instrument]] = {}
    for name, instrument in instruments.items():
        by_venue.setdefault(instrument.venue, {})[name] = instrument
    unknown = [name for name in config.venues if name not in by_venue]
    if unknown:
        raise ConfigError(f"venues.{unknown[0]}: no data of this venue; there are: {', '.join(by_venue)}")
    built = {
        venue: SimulatedVenue(theirs, kinds, config.venues.get(venue, config.venue))
        for venue, theirs in by_venue.items()
    }
    return {name: built[instrument.venue] for name, instrument in instruments.items()}


def _order_lines(instruments: dict[InstrumentId, Instrument], config: RunConfig) -> dict[InstrumentId, Line]:
    # One connection to a venue carries the orders of all its instruments
    lines = {i.venue: config.venues.get(i.venue, config.venue).order_line() for i in instruments.values()}
    return {name: lines[instrument.venue] for name, instrument in instruments.items()}


def _share_books(state: State, venues: dict[InstrumentId, SimulatedVenue], shared: bool) -> None:
    # Where market data takes no time to reach us, the venue's book is ours, and is built once
    for name, venue in venues.items():
        book = venue.book_of(name)
        if book is not None:
            state.books[name] = book if shared else Book(name)
    state.books_shared = shared
    state.quoted.update(name for name, venue in venues.items() if venue.fidelity.get(name) in (Kind.BOOK, Kind.QUOTES))


def _strategy(spec: StrategySpec, here: Path | None) -> tuple[str, Strategy]:
    if spec.name is not None:
        return spec.name, registry.build(built_in(spec.name), spec.name, spec.params)
    assert spec.file is not None, spec
    kind = from_file(_resolved(spec.file, here))
    name = strategy_name(kind)
    return name, registry.build(kind, name, spec.params)


def _resolved(file: str, here: Path | None) -> Path:
    path = Path(file).expanduser()
    return path if here is None or path.is_absolute() else here / path


def _instruments_of(spec: StrategySpec, instruments: dict[InstrumentId, Instrument]) -> list[InstrumentId]:
    if spec.instruments is None:
        return list(instruments)
    for name in spec.instruments:
        if name not in instruments:
            raise ConfigError(f"strategies: instruments: no data of {name}; there are: {', '.join(instruments)}")
    return [InstrumentId(name) for name in spec.instruments]


def unique_id(name: str, taken: Container[StrategyId]) -> StrategyId:
    """Return a strategy's id: its name, with a number where there is one of that name already."""
    strategy_id, count = StrategyId(name), 1
    while strategy_id in taken:
        count += 1
        strategy_id = StrategyId(f"{name}_{count}")
    return strategy_id


def _size(
    state: State, strategy_id: StrategyId, spec: StrategySpec, instruments: list[InstrumentId], ranges: list[Range]
) -> None:
    if spec.sizing is None:
        return
    for name in instruments:
        bars = [r.dataset_id.interval_ns for r in ranges if r.dataset_id.instrument_id == name]
        intervals = [interval_ns for interval_ns in bars if interval_ns]
        if not intervals:
            raise ConfigError(f"strategies: sizing: {name} has no bars to size positions by")
        state.sizers[strategy_id, name] = Sizer(spec.sizing, YEAR_NS / min(intervals))


def _connect(
    state: State, strategy_id: StrategyId, strategy: Strategy, instruments: list[InstrumentId], seed: int
) -> None:
    # Each strategy has dice of its own, so that adding another one changes nothing for it
    desk = StrategyDesk(state, strategy_id, instruments, random.Random(f"{seed}:{strategy_id}"))  # noqa: S311 - not for secrets
    slot = state.slots[strategy_id] = Slot(strategy_id, strategy, desk)
    everything = overrides(strategy, "on_event")
    kinds = {kind: name for kind, name in _CALLBACKS.items() if overrides(strategy, name)}
    if everything:
        kinds = {kind: kinds.get(kind, "on_event") for kind in (*_CALLBACKS, *_OTHERS)}
    if any(owner == strategy_id for owner, _ in state.sizers):
        kinds = {Bar: "on_bar", QuoteBar: "on_bar", **kinds}
    listen(state, slot, kinds)
    for news, callback in _PRIVATE.items():
        if overrides(strategy, callback):
            slot.callbacks[news] = getattr(strategy, callback)
        elif everything:
            slot.callbacks[news] = strategy.on_event
