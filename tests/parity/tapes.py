"""Small L2 markets as rows, for both venues: rows become the events of one, and the tape of the other.

A row is ``book(k, t, ...)``, ``trade(k, t, ...)`` or ``status(k, t, ...)`` of instrument ``k`` at nanosecond ``t``.
"""

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import Aggressor, BookUpdate, Kind, Trade, TradingStatus
from njord.engine.assemble import assemble
from njord.engine.compiled import CompiledRun, run_compiled
from njord.engine.compiling import equip
from njord.engine.config import AccountSpec, DataSpec, RunConfig, StrategySpec
from njord.market.catalog import Dataset, DatasetId
from njord.market.feed import Window
from njord.venues.simulated.compiled import CompiledVenue
from njord.venues.simulated.kernels import layout

KINDS = (Kind.STATUS, Kind.BOOK, Kind.TRADES)


class Row(NamedTuple):
    kind: Kind
    k: int
    t: int
    bids: tuple = ()
    asks: tuple = ()
    snapshot: bool = False
    sequence: int = 0
    left: tuple = ()
    price: int = 0
    lots: int = 0
    aggressor: int = 0
    halted: bool = False


def book(k, t, bids=(), asks=(), *, snapshot=False, sequence=0, left=()):
    return Row(Kind.BOOK, k, t, tuple(bids), tuple(asks), snapshot, sequence, tuple(left))


def trade(k, t, price, lots, aggressor=0):
    return Row(Kind.TRADES, k, t, price=price, lots=lots, aggressor=aggressor)


def status(k, t, halted):
    return Row(Kind.STATUS, k, t, halted=halted)


def instruments(count, venues=1, **rules):
    """Return perpetuals A, B, ..., by turns of the venues X, Y, ..."""
    return [
        Instrument(
            instrument_id=InstrumentId(f"{'ABC'[k]}/USD:USD.{'XYZ'[k % venues]}"), kind=InstrumentKind.PERPETUAL,
            base="ABC"[k], quote="USD", underlier="ABC"[k], price_tick=Decimal("0.1"), quantity_lot=Decimal("0.01"),
            **rules,
        )
        for k in range(count)
    ]  # fmt: skip


class Market:
    """Rows in memory as what the engine reads from: a catalog without files. Rows of one data set are in order."""

    def __init__(self, listed, rows, chunk=3):
        self.listed = {each.instrument_id: each for each in listed}
        self.rows, self.chunk = rows, chunk
        self.columns = {}
        for k, each in enumerate(listed):
            for kind in KINDS:
                own = [row for row in rows if row.k == k and row.kind is kind]
                if own:
                    self.columns[DatasetId(each.instrument_id, kind)] = _COLUMNS[kind](own)

    def instrument(self, name):
        return self.listed[name]

    def dataset(self, name):
        found = self.columns.get(name)
        if found is None:
            return None
        times = found["venue_time_ns"]
        return Dataset(name, len(times), int(times[0]), int(times[-1]), 0)

    def read(self, name, start_ns, end_ns, chunk_rows):
        columns = self.columns[name]
        for start in range(0, len(columns["venue_time_ns"]), self.chunk):
            yield {each: column[start : start + self.chunk] for each, column in columns.items()}

    def content_hash(self, name, start_ns, end_ns):
        return str(name)

    def assembled(self, strategy, settings, *others):
        """Return a run over all of it; ``settings`` are those of each venue by name."""
        data = [DataSpec(instrument=str(each.instrument_id), kind=each.kind) for each in self.columns]
        config = RunConfig(
            data=data, strategies=[StrategySpec(name="given")] * (1 + len(others)), venues=settings, risk="research",
            account=AccountSpec(currency="USD", cash=Decimal(1_000_000)),
        )  # fmt: skip
        return assemble(config, self, given=[("given", each) for each in (strategy, *others)])


def both(listed, rows, make, settings, chunk=3):
    """Return the engine's assembly and the compiled one, with its run, over the same rows read from columns."""
    market = Market(listed, rows, chunk)
    plain, fast = market.assembled(make(), settings), market.assembled(make(), settings)
    plain.run()
    return plain, fast, run_compiled(fast, market)


def both_directly(listed, rows, make, settings):
    """The same, past the guards of the data: rows in just this order, whatever their sequences say."""
    market = Market(listed, rows)
    plain = market.assembled(make(), settings)
    assert not equip(plain.strategies, plain.notices)
    plain.backtest.run([window(listed, rows, settings)])
    return plain, in_pieces(listed, rows, make(), settings, len(rows))


def in_pieces(listed, rows, strategy, settings, size):
    """Return a compiled run that is fed so many rows at once."""
    run = CompiledRun(CompiledVenue(listed, settings), strategy, "given")
    for start in range(0, len(rows), size):
        run.feed(tape_of(rows[start : start + size]))
    run.finish()
    return run


def window(listed, rows, settings):
    """Return rows as events, with the times they reach us."""
    lines = {}
    events = []
    for row in rows:
        each = listed[row.k]
        line = lines.setdefault((row.k, row.kind), settings[each.venue].feed_line())
        events.append(_event(each, row, line.arrives_ns(row.t)))
    times = np.array([row.t for row in rows], dtype=np.int64)
    return Window(events, times, np.full(len(rows), np.nan), np.zeros(len(rows), dtype=np.int64))


def _event(each, row, local_ns):
    name, grid = each.instrument_id, Grid.of(each)
    if row.kind is Kind.TRADES:
        return Trade(
            name, row.t, local_ns, grid.price(row.price), grid.quantity(row.lots), row.price, row.lots,
            Aggressor(row.aggressor),
        )  # fmt: skip
    if row.kind is Kind.STATUS:
        return TradingStatus(name, row.t, local_ns, row.halted)
    return BookUpdate(name, row.t, local_ns, row.sequence, row.snapshot, row.bids, row.asks, row.left)


def tape_of(rows):
    """Return rows as a tape, in just this order."""
    lines = []
    for row in rows:
        own = []
        if row.kind is Kind.TRADES:
            what = {1: layout.TRADE_BUY, -1: layout.TRADE_SELL, 0: layout.TRADE_UNKNOWN}[row.aggressor]
            own.append((what, row.price, row.lots, 0))
        elif row.kind is Kind.STATUS:
            own.append((layout.HALT if row.halted else layout.RESUME, 0, 0, 0))
        else:
            own += [(layout.CLEAR, 0, 0, 0)] if row.snapshot else []
            own += [
                (layout.BID_LEFT if sign > 0 else layout.ASK_LEFT, price, lots, entered)
                for sign, price, lots, entered in row.left
            ]
            own += [(layout.BID, price, lots, 0) for price, lots in row.bids]
            own += [(layout.ASK, price, lots, 0) for price, lots in row.asks]
        for place, (what, price, lots, entered) in enumerate(own):
            last = layout.LAST if place == len(own) - 1 else 0
            lines.append((row.t, int(what) | last, row.k, price, lots, row.sequence, entered))
    columns = np.array(lines, dtype=np.int64).reshape(-1, 7).T
    times, what, markets, price, lots, sequence, entered = (np.ascontiguousarray(column) for column in columns)
    return layout.Tape(times, what.astype(np.uint8), markets.astype(np.uint8), price, lots, sequence, entered)


def _book_columns(rows):
    lines = []
    for row in rows:
        sides = [(1, row.bids), (-1, row.asks)]
        for sign, levels in sides:
            # How the catalog keeps a side of a snapshot that is empty
            levels = levels or (((0, 0),) if row.snapshot else ())
            lines += [(row.t, row.t, row.sequence, row.snapshot, sign, price, lots) for price, lots in levels]
    names = ("venue_time_ns", "local_time_ns", "sequence", "snapshot", "side", "price_ticks", "quantity_lots")
    return _named(names, lines)


def _trade_columns(rows):
    lines = [(row.t, row.t, row.price, row.lots, row.aggressor, n) for n, row in enumerate(rows)]
    return _named(("venue_time_ns", "local_time_ns", "price_ticks", "quantity_lots", "aggressor", "trade_id"), lines)


def _status_columns(rows):
    return _named(("venue_time_ns", "halted"), [(row.t, row.halted) for row in rows])


def _named(names, lines):
    columns = np.array(lines, dtype=np.int64).T
    return {
        name: np.ascontiguousarray(column).astype(np.int8 if name in _SMALL else np.int64)
        for name, column in zip(names, columns, strict=True)
    }


_SMALL = ("snapshot", "side", "aggressor", "halted")
_COLUMNS = {Kind.BOOK: _book_columns, Kind.TRADES: _trade_columns, Kind.STATUS: _status_columns}
