"""Where a result came from, exactly: what was captured at each fill, what holding made, what it cost.

For fill k at a mid h_k, with a position q_k after it and the value V(h, q) of a position, in whole money units:

    capture_k   = V(h_k, q_k) - V(h_k, q_k-1) - (what the fill cost)
    inventory_k = V(h_k, q_k-1) - V(h_k-1, q_k-1)

Sums telescope whatever the instrument, linear or inverse, and whatever V rounds, so the lines add up to the ledger's
net result to the unit. What the ledger marks at the nearest tick rather than the mid is a line of its own.
"""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.command import Entry
from njord.domain.fill import Fill, Liquidity
from njord.domain.ids import InstrumentId, StrategyId
from njord.domain.instrument import Grid
from njord.domain.market import Kind
from njord.domain.money import UNITS, decimal
from njord.domain.order import Side
from njord.engine.assemble import Assembly
from njord.engine.desk import strategy_of
from njord.ledger.journal import Journal, Record
from njord.ledger.lots import Holding
from njord.research.making_tops import Tops

LINES = (
    "capture_maker", "capture_taker", "inventory", "mark", "unpriced", "fees", "rebates", "funding", "dividends",
    "splits",
)  # fmt: skip


class Lines(msgspec.Struct):
    """Parts of a net result, in money units (1e-18) of one asset; what was paid is negative.

    ``capture``: fills against the mid of their moment, by liquidity. ``inventory``: moves of the mid while something
    was held. ``mark``: the ledger's last price, on a tick, less the last mid. ``unpriced``: trading in instruments that
    have no prices to compare with, or were split meanwhile. ``splits``: fractions paid out.
    """

    capture_maker: int = 0
    capture_taker: int = 0
    inventory: int = 0
    mark: int = 0
    unpriced: int = 0
    fees: int = 0
    rebates: int = 0
    funding: int = 0
    dividends: int = 0
    splits: int = 0

    @property
    def total(self) -> int:
        """What they add up to."""
        return sum(getattr(self, name) for name in LINES)


class InstrumentLines(msgspec.Struct):
    """The lines of one instrument in the asset they arose in, and what its fills were compared with."""

    instrument_id: InstrumentId
    asset: str
    mids: Kind | None
    fills: int
    lines: Lines


class Attribution(msgspec.Struct):
    """A net result in parts, in money units (1e-18).

    ``net_units`` is the ledger's, in the account's currency. ``lines`` are in that currency at the last rates, and
    ``conversion`` is what rounding each at those rates differs from rounding their sum: 0 where there is one currency.
    ``unexplained_units`` by asset is what the ledger has beyond the lines: always 0, or our arithmetic is wrong.
    """

    currency: str
    net_units: int
    lines: Lines
    conversion: int
    by_instrument: list[InstrumentLines]
    unexplained_units: dict[str, int]

    @property
    def reconciles(self) -> bool:
        """Whether the lines are the ledger's result to the unit."""
        return not any(self.unexplained_units.values()) and self.lines.total + self.conversion == self.net_units

    def document(self) -> dict[str, object]:
        """Return it for JSON: amounts in the currency as floats and, exactly, as text."""
        named = {name: getattr(self.lines, name) for name in LINES} | {"conversion": self.conversion}
        return {
            "currency": self.currency,
            "net_pnl": self.net_units / UNITS,
            "net_pnl_exact": _text(self.net_units),
            "reconciles": self.reconciles,
            "lines": {name: amount / UNITS for name, amount in named.items()},
            "lines_exact": {name: _text(amount) for name, amount in named.items()},
            "by_instrument": [
                {
                    "instrument": each.instrument_id,
                    "asset": each.asset,
                    "mids": each.mids,
                    "fills": each.fills,
                    "lines": {name: getattr(each.lines, name) / UNITS for name in LINES},
                }
                for each in self.by_instrument
            ],
        }


Payments = dict[InstrumentId, dict[str, int]]  # instrument -> funding, dividends, splits -> units received


def payments_of(book: Journal, paid: Iterable[object]) -> Payments:
    """Return what the ledger received for each instrument other than by trading. Reads the journal, which is open.

    ``paid`` are the ledger's totals of such payments: where all are empty nothing is read.
    """
    found: Payments = {}
    if not any(paid):
        return found
    for line in book.lines():
        for account, tag in _TAGS.items():
            if tag in line:
                entry = _decode(line).command
                if not isinstance(entry, Entry):
                    continue
                name = InstrumentId(entry.entry_id.partition(":")[2].rpartition(":")[0])
                of = "realised" if account == "splits" else account
                amount = -sum(posting.amount for posting in entry.postings if posting.account == of)
                theirs = found.setdefault(name, {})
                theirs[account] = theirs.get(account, 0) + amount
    return found


_decode = msgspec.json.Decoder(Record).decode
_TAGS = {"funding": b'"funding:', "dividends": b'"dividends:', "splits": b'"split:'}


def attribute(assembly: Assembly, tops: Mapping[InstrumentId, Tops], payments: Payments) -> Attribution:
    """Return the parts of a finished run's net result."""
    backtest = assembly.backtest
    portfolio, last = backtest.state.portfolio, backtest.state.last_ticks()
    rows: list[InstrumentLines] = []
    fills_of: dict[InstrumentId, list[Fill]] = {}
    for fill in backtest.fills:
        fills_of.setdefault(fill.instrument_id, []).append(fill)
    for name, instrument in assembly.instruments.items():
        fills = fills_of.get(name, [])
        theirs = payments.get(name, {})
        priced = tops.get(name) if "splits" not in theirs else None
        row = InstrumentLines(name, instrument.settlement, priced.kind if priced else None, len(fills), Lines(**theirs))
        rows.append(row)
        for fee_asset in dict.fromkeys(fill.fee_asset for fill in fills):
            fees = [fill.fee_units for fill in fills if fill.fee_asset == fee_asset]
            to = row
            if fee_asset != instrument.settlement:
                to = InstrumentLines(name, fee_asset, row.mids, 0, Lines())
                rows.append(to)
            to.lines.fees = -sum(fee for fee in fees if fee > 0)
            to.lines.rebates = -sum(fee for fee in fees if fee < 0)
        if priced is None:
            closed = sum(each.gain_units for each in backtest.state.closed if each.instrument_id == name)
            row.lines.unpriced = closed + _open_units(assembly, name, last, costs=True)
        elif fills:
            _trading(row.lines, assembly, fills, priced)
            row.lines.mark += _open_units(assembly, name, last, costs=False)
    return _in_currency(assembly, rows, portfolio.currency, last)


def value_units(grid: Grid, half_ticks: int, lots: int) -> int:
    """Return the worth of ``lots`` at a mid of ``half_ticks`` / 2 ticks, in settlement units, rounded down."""
    if grid.inverse:
        return -2 * lots * grid.value_numerator // (grid.value_denominator * half_ticks)
    return half_ticks * lots * grid.value_numerator // (2 * grid.value_denominator)


def fill_rows(fills: list[Fill], tops: Tops) -> npt.NDArray[np.int64]:
    """Return for each fill the row of the prices it met.

    A maker is hit by what happens at that moment, so it met what stood before; a taker comes after all of the moment.
    A fill before the first price is given that.
    """
    times_ns = np.array([fill.venue_time_ns for fill in fills], dtype=np.int64)
    maker = np.array([fill.liquidity is Liquidity.MAKER for fill in fills], dtype=np.bool_)
    return np.maximum(np.where(maker, tops.before(times_ns), tops.at(times_ns)), 0)


def _trading(lines: Lines, assembly: Assembly, fills: list[Fill], tops: Tops) -> None:
    # Costs are what the ledger booked: each strategy's holding, replayed fill by fill
    grid = assembly.backtest.state.grids[fills[0].instrument_id]
    mids = tops.half_ticks
    holdings: dict[StrategyId, Holding] = {}
    position = held = 0  # What is held, and its worth at the last mid
    for fill, half_ticks in zip(fills, mids[fill_rows(fills, tops)].tolist(), strict=True):
        strategy_id = strategy_of(fill.client_order_id)
        holding = holdings.get(strategy_id)
        if holding is None:
            holding = holdings[strategy_id] = Holding(strategy_id, fill.instrument_id)
        cost_before = holding.cost_units
        gain = sum(closed.gain_units for closed in holding.apply(fill, grid))
        cost = holding.cost_units - cost_before - gain
        before = value_units(grid, half_ticks, position) if position else 0
        lines.inventory += before - held
        position += fill.quantity_lots if fill.side is Side.BUY else -fill.quantity_lots
        held = value_units(grid, half_ticks, position) if position else 0
        if fill.liquidity is Liquidity.MAKER:
            lines.capture_maker += held - before - cost
        else:
            lines.capture_taker += held - before - cost
    final = value_units(grid, int(mids[-1]), position) if position else 0
    lines.inventory += final - held
    lines.mark -= final


def _open_units(assembly: Assembly, name: InstrumentId, last: dict[InstrumentId, int], *, costs: bool) -> int:
    # What the ledger says open holdings are worth, or with their costs taken off
    portfolio = assembly.backtest.state.portfolio
    total = 0
    for holding in portfolio.holdings.values():
        if holding.instrument_id == name:
            total += portfolio.value(name, last[name], holding.lots) if holding.lots else 0
            total -= holding.cost_units if costs else 0
    return total


def _in_currency(
    assembly: Assembly, rows: list[InstrumentLines], currency: str, last: dict[InstrumentId, int]
) -> Attribution:
    portfolio = assembly.backtest.state.portfolio
    worth = dict(portfolio.cash)
    for holding in portfolio.holdings.values():
        if holding.lots:
            instrument = assembly.instruments[holding.instrument_id]
            value = portfolio.value(holding.instrument_id, last[holding.instrument_id], holding.lots)
            value -= 0 if instrument.paid_in_full else holding.cost_units
            worth[instrument.settlement] = worth.get(instrument.settlement, 0) + value
    unexplained: dict[str, int] = {}
    for asset in dict.fromkeys([*worth, *(row.asset for row in rows)]):
        made = worth.get(asset, 0) - portfolio.capital.get(asset, 0)
        unexplained[asset] = made - sum(row.lines.total for row in rows if row.asset == asset)
    lines = Lines()
    for row in rows:
        for name in LINES:
            amount = portfolio.converter.convert(getattr(row.lines, name), row.asset, last)
            setattr(lines, name, getattr(lines, name) + amount)
    paid_in = sum(portfolio.converter.convert(amount, asset, last) for asset, amount in portfolio.capital.items())
    net = portfolio.equity(last) - paid_in
    foreign = any(row.asset != currency for row in rows)
    conversion = net - lines.total - unexplained.get(currency, 0) if foreign else 0
    return Attribution(currency, net, lines, conversion, rows, unexplained)


def _text(amount_units: int) -> str:
    return f"{decimal(amount_units):f}"
