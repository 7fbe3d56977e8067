"""A compiled run: one kernel strategy and the venue in one loop over columns, for tapes that are too long for Python.

It does what the backtest does, fill for fill (the parity tests hold it to that), less the risk engine: a strategy has
the limits it sets itself. What it leaves behind is an assembly like any other, with fills, ledger and equity curve.
"""

import collections
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.command import Command, StrategyNote
from njord.domain.fill import Fill
from njord.domain.ids import StrategyId
from njord.domain.market import Funding, Kind
from njord.engine.assemble import Assembly, Source
from njord.engine.compiling import KernelError, compiled, measure, run_of
from njord.engine.config import ConfigError
from njord.engine.kernel_source import place as placed
from njord.engine.tape import KINDS, TAPE_ROWS, Stream, joined, merged, part
from njord.market.feed import Window, whole_updates
from njord.market.sequence import Guarded
from njord.market.view import ANSWER
from njord.strategies.kernel import KernelStrategy
from njord.venues.simulated.compiled import CompiledVenue
from njord.venues.simulated.kernels import layout
from njord.venues.simulated.kernels.layout import Tape

Array = npt.NDArray[Any]


class CompiledRun:
    """One kernel strategy over tapes. ``rows`` and ``events`` count what passed, ``log`` says what became of orders."""

    def __init__(self, venue: CompiledVenue, strategy: KernelStrategy, name: str, *, keep_log: bool = True) -> None:
        self.venue, self.strategy, self.name = venue, strategy, name
        self.rows = 0
        self.events = 0
        self.log: list[Array] = []
        self._keep_log = keep_log
        self._taken = 0  # Pieces of the log that were taken already
        self._run, self._measure = run_of(strategy), measure()
        self._lowest = np.full(len(venue.instruments), layout.NEVER_NS)
        self._highest = np.full(len(venue.instruments), -layout.NEVER_NS)
        self._answer = np.zeros(1, dtype=ANSWER)
        self._state = strategy.fresh()
        self._tail: Tape | None = None
        clock = venue.world.clock[0]
        clock["every_ns"], clock["wake_on_fills"] = strategy.every_ns, type(strategy).wake_on_fills
        clock["depth"] = type(strategy).depth
        self._params = np.asarray(strategy.params)

    def feed(self, tape: Tape) -> None:
        """Run over a piece of tape that holds whole updates, later than all before. Raises KernelError."""
        self.rows += len(tape.times_ns)
        tape = _fixed(tape)
        self.events += self._measure(tape, self._lowest, self._highest)
        clock = self.venue.world.clock[0]
        whole = tape if self._tail is None else _fixed(joined([self._tail, tape]))
        clock["base"] = self.rows - len(whole.times_ns)
        self.venue.make_room(self._lowest.tolist(), self._highest.tolist())
        self._go(whole)
        self._tail = self._under_way(whole)

    def finish(self) -> None:
        """Let what is due by the last event happen."""
        clock = self.venue.world.clock[0]
        clock["final"] = 1
        tape = self._tail if self._tail is not None else _nothing()
        clock["base"] = self.rows - len(tape.times_ns)
        self._go(tape)

    def taken(self) -> list[Any]:
        """Return the rows of the log since the last call; where the log is not kept, they are let go of."""
        rows = [row for piece in self.log[self._taken :] for row in piece]
        if self._keep_log:
            self._taken = len(self.log)
        else:
            self.log.clear()
        return rows

    def messages(self) -> Array:
        """Return the log: a ``layout.MESSAGE`` for all that was sent, answered, filled and noted, as we knew it."""
        return np.concatenate(self.log) if self.log else np.zeros(0, dtype=layout.MESSAGE)

    def fills(self) -> list[Fill]:
        """Return all fills, in the order we heard of them."""
        log = self.messages()
        return [self.venue.fill_of(row, self.name) for row in log[log["kind"] == layout.FILLED]]

    def _go(self, tape: Tape) -> None:
        world = self.venue.world
        arguments = (world, tape, self._params, self._state, self._answer)
        compiled(self.strategy, self._run, *arguments)
        while True:
            try:
                ended = self._run(*arguments)
            except Exception as error:  # noqa: BLE001 - a plugin is not our code: one line says what it did
                at = f"strategy {self.name} at {int(world.clock[0]['local_ns'])} ns"
                where = placed(self.strategy, int(self._answer[0]["line"]) or None)
                raise KernelError(f"{at}: {where}: {type(error).__name__}: {error}") from None
            clock = world.clock[0]
            if clock["log_count"]:
                self.log.append(world.log[: int(clock["log_count"])].copy())
                clock["log_count"] = 0
            if ended == layout.ENDED:
                return
            if ended == layout.FAILED:
                where = placed(self.strategy, int(clock["error_line"]) or None)
                raise KernelError(f"strategy {self.name} at {int(clock['local_ns'])} ns: {where}: {self.venue.error}")

    def _under_way(self, tape: Tape) -> Tape | None:
        # News on its way to us is still in the tape: keep what it will be read from
        world = self.venue.world
        clock = world.clock[0]
        if clock["shared"]:
            return None
        if clock["one_feed"]:
            waiting_from = int(clock["heard_row"] - clock["base"])
            return part(tape, waiting_from, None) if waiting_from < len(tape.times_ns) else None
        places = (int(clock["pending_head"]) + np.arange(int(clock["pending_count"]))) % layout.UNDER_WAY_MAX
        waiting = world.pending[places]
        rows = waiting["row"][waiting["what"] == layout.NEWS]
        return part(tape, int(rows.min() - clock["base"]), None) if len(rows) else None


def run_compiled(
    assembly: Assembly, source: Source, progress: Callable[[int, int], None] | None = None, *, keep_log: bool = True
) -> CompiledRun:
    """Run an assembly's one kernel strategy over its L2 data; what came of it is in the assembly's ledger, fills and
    equity curve. Without ``keep_log`` memory does not grow with the orders that were sent. Raises ConfigError where
    this cannot be done, KernelError where the strategy is at fault.
    """
    if assembly.config.risk != "research":
        raise ConfigError("risk: a compiled run has no risk engine; it needs risk: research")
    name, strategy = _only_strategy(assembly)
    streams, fundings = _streams(assembly, source)
    instruments = [assembly.instruments[name] for name in assembly.backtest.state.slots[name].desk.instruments]
    run = CompiledRun(CompiledVenue(instruments, _settings(assembly)), strategy, name, keep_log=keep_log)
    books = _Books(assembly, run, fundings)
    for tape in merged(streams):
        run.feed(tape)
        books.add(tape)
        if progress is not None:
            progress(run.events, int(tape.times_ns[-1]))
    run.finish()
    books.finish()
    return run


def _only_strategy(assembly: Assembly) -> tuple[StrategyId, KernelStrategy]:
    if len(assembly.strategies) != 1:
        raise ConfigError(f"a compiled run has one strategy, was {len(assembly.strategies)}")
    name, strategy = next(iter(assembly.strategies.items()))
    if not isinstance(strategy, KernelStrategy):
        raise ConfigError(
            f"strategy {name} is no kernel: a compiled run needs one with decide(view, params, state, out)"
        )
    return name, strategy


def _settings(assembly: Assembly) -> dict[str, Any]:
    config = assembly.config
    return {i.venue: config.venues.get(i.venue, config.venue) for i in assembly.instruments.values()}


def _streams(assembly: Assembly, source: Source) -> tuple[list[Stream], list[Iterator[Any]]]:
    order = list(assembly.instruments)
    streams: list[Stream] = []
    fundings: list[Iterator[Any]] = []
    for each, feed in zip(assembly.ranges, assembly.feeds, strict=True):
        dataset_id = each.dataset_id
        if dataset_id.kind is Kind.FUNDING:
            fundings.append(iter(feed))
            continue
        if dataset_id.kind not in KINDS:
            raise ConfigError(f"a compiled run takes books, trades and trading status, was {dataset_id}")
        guarded = Guarded(dataset_id.kind, source.read(dataset_id, each.start_ns, each.end_ns, TAPE_ROWS))
        assembly.quarantined[dataset_id] = guarded.quarantine
        chunks = whole_updates(guarded) if dataset_id.kind is Kind.BOOK else guarded
        streams.append(Stream(dataset_id.kind, order.index(dataset_id.instrument_id), chunks))
    with_books = {stream.market for stream in streams if stream.kind is Kind.BOOK}
    for k, name in enumerate(order):
        if k not in with_books:
            raise ConfigError(f"a compiled run needs a book of every instrument; {name} has none")
    return streams, fundings


class _Books:
    """Ledger, journal and equity curve of a compiled run, written piece by piece in the order we heard of things."""

    def __init__(self, assembly: Assembly, run: CompiledRun, fundings: list[Iterator[Any]]) -> None:
        self.assembly, self.run = assembly, run
        self._codes = {feed.instrument_id: code for code, feed in reversed(list(enumerate(assembly.feeds)))}
        events = [event for windows in fundings for window in windows for event in window.events]
        self._fundings = collections.deque(sorted(events, key=lambda event: event.local_time_ns))
        self._told: collections.deque[Any] = collections.deque()  # Rows of the log that are not written yet

    def add(self, tape: Tape) -> None:
        """Write what was heard of up to the end of a piece of tape."""
        backtest = self.assembly.backtest
        if backtest.first_ns is None:
            backtest.first_ns = int(tape.times_ns[0])
            backtest.curve.start(backtest.first_ns)
        window = self._window(tape)
        self._told.extend(self.run.taken())
        self._write(int(window.times_ns[-1]))
        backtest.curve.add(window)

    def finish(self) -> None:
        """Write the rest, and what the market was left at."""
        self._told.extend(self.run.taken())
        self._write(layout.NEVER_NS)
        backtest = self.assembly.backtest
        backtest.events = self.run.events
        _final_prices(self.assembly, self.run)
        backtest.state.time_ns = int(self.run.venue.world.clock[0]["local_ns"])
        backtest.journal.flush()

    def _write(self, until_ns: int) -> None:
        told, fundings = self._told, self._fundings
        while True:
            row_ns = int(told[0]["local_ns"]) if told else layout.NEVER_NS + 1
            paid_ns = fundings[0].local_time_ns if fundings else layout.NEVER_NS + 1
            if min(row_ns, paid_ns) > until_ns:
                return
            if row_ns <= paid_ns:
                self._post(row_ns, told.popleft())
            else:
                self._fund(paid_ns, fundings.popleft())

    def _fund(self, time_ns: int, event: Funding) -> None:
        backtest = self.assembly.backtest
        if event.mark_ticks is None:
            return  # Without a mark the engine takes the last price it saw, which is not kept here
        funded = backtest.state.portfolio.fund(event, event.mark_ticks)
        if funded is not None:
            backtest.journal.append(0, time_ns, "compiled", [funded])
            backtest.curve.changed(time_ns, funded)

    def _post(self, time_ns: int, row: Any) -> None:
        backtest, venue, run = self.assembly.backtest, self.run.venue, self.run
        strategy_id, kind = StrategyId(run.name), row["kind"]
        command: Command | None = None
        if kind == layout.FILLED:
            fill = venue.fill_of(row, run.name)
            backtest.fills.append(fill)
            entry, closed = backtest.state.portfolio.fill(fill, strategy_id)
            backtest.state.closed.extend(closed)
            backtest.journal.append(0, time_ns, f"fill:{fill.fill_id}", [entry])
            backtest.curve.changed(time_ns, entry)
        elif kind in (layout.SEND_NEW, layout.SEND_CANCEL, layout.SEND_REPLACE):
            backtest.orders += int(kind == layout.SEND_NEW)
            command = venue.command_of(row, strategy_id)
        elif kind == layout.REFUSED:
            command = venue.refused_of(row, strategy_id)
        elif kind == layout.NOTE:
            name = venue.instruments[int(row["market"])].instrument_id
            text = run.strategy.note_text(int(row["number"]), float(row["value"]))
            command = StrategyNote(strategy_id, f"{name}: {text}")
        if kind in (layout.REJECTED, layout.REFUSED):
            reason = venue.rejection_of(row)
            backtest.refused[reason] = backtest.refused.get(reason, 0) + 1
        if command is not None:
            backtest.journal.append(0, time_ns, "compiled", [command])

    def _window(self, tape: Tape) -> Window:
        # The moments of a piece of tape that the curve has points at, and the last traded prices before them
        times, venue = tape.times_ns, self.run.venue
        spacing_ns = self.assembly.backtest.curve.spacing_ns
        assert spacing_ns is not None
        buckets = np.arange(int(times[0]) // spacing_ns, int(times[-1]) // spacing_ns + 1)
        ends = np.searchsorted(times, (buckets + 1) * spacing_ns) - 1
        chosen = [np.unique(ends[ends >= 0])]
        what = tape.what & layout.WHAT
        trades = np.flatnonzero((what >= layout.TRADE_BUY) & (what <= layout.TRADE_UNKNOWN))
        for k in range(len(venue.instruments)):
            own = trades[tape.markets[trades] == k]
            if len(own):
                last = np.searchsorted(own, chosen[0], side="right") - 1
                chosen.append(own[np.unique(last[last >= 0])])
        rows = np.unique(np.concatenate(chosen))
        marks = np.full(len(rows), np.nan)
        codes = np.zeros(len(rows), dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            k = int(tape.markets[row])
            codes[place] = self._codes[venue.instruments[k].instrument_id]
            if layout.TRADE_BUY <= what[row] <= layout.TRADE_UNKNOWN:
                marks[place] = venue.grids[k].price(int(tape.price_ticks[row]))
        return Window([], times[rows].copy(), marks, codes)


def _final_prices(assembly: Assembly, run: CompiledRun) -> None:
    state, world = assembly.backtest.state, run.venue.world
    for k, instrument in enumerate(run.venue.instruments):
        view, grid = world.views[k], run.venue.grids[k]
        if view["heard_ns"]:
            bid, ask = grid.price(int(view["bid_ticks"])), grid.price(int(view["ask_ticks"]))
            state.last_price[instrument.instrument_id] = (bid + ask) / 2
    for fill in assembly.backtest.fills:  # Until the market says otherwise, a price somebody traded at is the last one
        if fill.instrument_id not in state.last_price:
            price = assembly.backtest.state.grids[fill.instrument_id].price(fill.price_ticks)
            state.last_price[fill.instrument_id] = price


def _fixed(tape: Tape) -> Tape:
    # Columns of always the same kind, for what is compiled is compiled for just these
    columns = [np.ascontiguousarray(column).view() for column in tape]
    for column in columns:
        column.flags.writeable = False
    return Tape(*columns)


def _nothing() -> Tape:
    empty = np.zeros(0, dtype=np.int64)
    byte = np.zeros(0, dtype=np.uint8)
    return _fixed(Tape(empty, byte, byte, empty, empty, empty, empty))
