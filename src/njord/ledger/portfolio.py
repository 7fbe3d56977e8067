"""The portfolio: cash, holdings and gains, computed from fills and payments and nothing else.

Each change returns the balanced entry that records it. Invariants:
1. every entry sums to zero for each asset;
2. cash of each asset is the sum of all its cash postings;
3. gains realised and unrealised, less fees, plus funding and dividends, are the change in net asset value less what
   was paid in: exactly, in integers.

Accounts: ``capital`` (paid in), ``cash``, ``position`` (holdings at cost), ``settlement`` (the notional of margined
contracts, which nobody pays), ``realised``, ``fees``, ``funding``, ``dividends``, ``market`` (the other side of lots).
"""

from collections.abc import Iterable

import msgspec

from njord.domain.command import Entry, Posting
from njord.domain.fill import Fill
from njord.domain.ids import EntryId, InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument
from njord.domain.market import Dividend, Expiry, Funding, Split
from njord.domain.order import Side
from njord.ledger.currency import Converter
from njord.ledger.lots import ClosedLot, Holding, Lot
from njord.ledger.rebuild import TOTALS, Money
from njord.ledger.record import OpenedLot

PICO = 10**12


class Unbalanced(AssertionError):
    """An entry does not sum to zero: our code is wrong, and nothing may go on."""


class Portfolio:
    """What one account holds, by strategy and instrument, and the money it has."""

    def __init__(self, currency: str, instruments: list[Instrument]) -> None:
        self.currency = currency
        self.converter = Converter(currency, instruments)
        self._instruments = {instrument.instrument_id: instrument for instrument in instruments}
        self._grids = {instrument.instrument_id: Grid.of(instrument) for instrument in instruments}
        # What every fill asks of its instrument
        self._terms = {i.instrument_id: (Grid.of(i), i.settlement, i.paid_in_full) for i in instruments}
        self.cash: dict[str, int] = {currency: 0}
        self.fees: dict[str, int] = {}
        self.realised: dict[str, int] = {}
        self.funding: dict[str, int] = {}
        self.dividends: dict[str, int] = {}
        self.capital: dict[str, int] = {}
        self.lots: dict[InstrumentId, int] = {instrument.instrument_id: 0 for instrument in instruments}
        self.costs: dict[InstrumentId, int] = {instrument.instrument_id: 0 for instrument in instruments}
        self.holdings: dict[tuple[StrategyId, InstrumentId], Holding] = {}
        # Of which the lots or the cost changed, since whoever values them took note
        self.changed: dict[tuple[StrategyId, InstrumentId], None] = {}

    def restore(self, money: Money) -> None:
        """Take back what an account had when its last session ended. Raises KeyError for an instrument it lacks."""
        for name in ("cash", "capital", "realised", "fees", "funding", "dividends"):
            getattr(self, name).update(getattr(money, name))
        for (strategy_id, instrument_id), lots in money.holdings.items():
            holding = self.holding(strategy_id, instrument_id)
            holding.restore(msgspec.structs.replace(lot) for lot in lots)
            self.lots[instrument_id] += holding.lots
            self.costs[instrument_id] += holding.cost_units
            self.changed[strategy_id, instrument_id] = None

    @property
    def money(self) -> Money:
        """All there is and all that is held, as values."""
        holdings = {
            key: tuple(msgspec.structs.replace(lot) for lot in holding.open_lots)
            for key, holding in self.holdings.items()
            if holding.lots
        }
        return Money(
            dict(self.cash), dict(self.capital), dict(self.realised), dict(self.fees), dict(self.funding),
            dict(self.dividends), holdings,
        )  # fmt: skip

    def post(self, entry: Entry) -> None:
        """Add an entry that was made before to the totals of money; holdings stay as they are."""
        for posting in entry.postings:
            total = TOTALS.get(posting.account)
            if total is not None:
                amounts: dict[str, int] = getattr(self, posting.account)
                amounts[posting.asset] = amounts.get(posting.asset, 0) + total * posting.amount

    def restate(self, instrument_id: InstrumentId, opened: Iterable[OpenedLot]) -> None:
        """Hold exactly these lots of an instrument from now on, as a split that was recorded left them."""
        by_strategy: dict[StrategyId, list[Lot]] = {}
        for each in opened:
            by_strategy.setdefault(each.strategy_id, []).append(msgspec.structs.replace(each.lot))
        for (strategy_id, name), holding in self.holdings.items():
            if name == instrument_id:
                holding.restore(by_strategy.get(strategy_id, ()))
                self.changed[strategy_id, name] = None
        own = [holding for holding in self.holdings.values() if holding.instrument_id == instrument_id]
        self.lots[instrument_id] = sum(holding.lots for holding in own)
        self.costs[instrument_id] = sum(holding.cost_units for holding in own)

    def deposit(self, amount_units: int, asset: str, time_ns: int, entry_id: EntryId | None = None) -> Entry:
        """Pay in, or with a negative amount out. Without an id the entry is named by its asset and time."""
        self.capital[asset] = self.capital.get(asset, 0) + amount_units
        self._pay(asset, amount_units)
        return _entry(
            entry_id or EntryId(f"deposit:{asset}:{time_ns}"), "deposit", time_ns,
            [Posting("capital", asset, -amount_units), Posting("cash", asset, amount_units)],
        )  # fmt: skip

    def fill(self, fill: Fill, strategy_id: StrategyId) -> tuple[Entry, list[ClosedLot]]:
        """Apply a fill. Return its entry and the round trips it ended. The caller applies each fill once."""
        name = fill.instrument_id
        grid, asset, paid_in_full = self._terms[name]
        key = (strategy_id, name)
        holding = self.holdings.get(key) or self.holding(strategy_id, name)
        self.changed[key] = None
        cost_before = holding.cost_units
        closed = holding.apply(fill, grid)
        lots = fill.quantity_lots if fill.side is Side.BUY else -fill.quantity_lots
        self.lots[name] += lots

        fee_asset, fee = fill.fee_asset, fill.fee_units
        gain = 0
        for trip in closed:
            gain += trip.exit_units - trip.entry_units
        cost = holding.cost_units - cost_before
        self.costs[name] += cost
        # What the fill itself was worth, positive for a buy, is cost less gain. Margined contracts pay only the gain
        paid = gain - cost if paid_in_full else gain
        postings = [
            Posting("position", name, lots),
            Posting("market", name, -lots),
            Posting("position", asset, cost),
            Posting("cash", asset, paid - fee if fee_asset == asset else paid),
        ]
        if closed:
            self.realised[asset] = self.realised.get(asset, 0) + gain
            postings.append(Posting("realised", asset, -gain))
        if not paid_in_full:
            postings.append(Posting("settlement", asset, -cost))
        self.cash[asset] = self.cash.get(asset, 0) + paid
        if fee:
            self.fees[fee_asset] = self.fees.get(fee_asset, 0) + fee
            self.cash[fee_asset] = self.cash.get(fee_asset, 0) - fee
            postings.append(Posting("fees", fee_asset, fee))
            if fee_asset != asset:
                postings.append(Posting("cash", fee_asset, -fee))
        return _entry(EntryId(f"fill:{fill.fill_id}"), fill.fill_id, fill.local_time_ns, postings), closed

    def fund(self, funding: Funding, mark_ticks: int) -> Entry | None:
        """Pay or receive funding on what is held; None when nothing is. Rounded against us, by less than a unit."""
        lots = self.lots[funding.instrument_id]
        if not lots:
            return None
        instrument = self._instruments[funding.instrument_id]
        value = self._grids[funding.instrument_id].value_units(mark_ticks, lots)
        notional = -value if instrument.inverse else value
        paid = (-notional * funding.rate_pico) // PICO
        return self._income("funding", self.funding, instrument, funding.venue_time_ns, funding.local_time_ns, paid)

    def dividend(self, dividend: Dividend) -> Entry | None:
        """Receive a dividend on what is held, or pay it on what is short; None when nothing is."""
        lots = self.lots[dividend.instrument_id]
        if not lots:
            return None
        grid = self._grids[dividend.instrument_id]
        paid = dividend.amount_units * lots * grid.lot_numerator // grid.lot_denominator
        instrument = self._instruments[dividend.instrument_id]
        return self._income(
            "dividends", self.dividends, instrument, dividend.venue_time_ns, dividend.local_time_ns, paid
        )

    def split(self, split: Split, last_ticks: int | None) -> Entry | None:
        """Turn old shares into new ones. A fraction of a lot is paid out at ``last_ticks``, the old price."""
        instrument_id = split.instrument_id
        before = self.lots[instrument_id]
        instrument = self._instruments[instrument_id]
        asset = instrument.settlement
        paid = cost = 0
        for holding in self.holdings.values():
            if holding.instrument_id != instrument_id or not holding.lots:
                continue
            cost_before = holding.cost_units
            fraction = holding.split(split.numerator, split.denominator)
            self.changed[holding.strategy_id, instrument_id] = None
            cost += holding.cost_units - cost_before
            if fraction and last_ticks is not None:
                # fraction / denominator new lots are fraction / numerator old ones, at the old price
                paid += self._grids[instrument_id].value_units(last_ticks, fraction) // split.numerator
        after = sum(h.lots for h in self.holdings.values() if h.instrument_id == instrument_id)
        if not before:
            return None
        self.lots[instrument_id] = after
        self.costs[instrument_id] += cost
        gain = paid + cost
        self._pay(asset, paid)
        self.realised[asset] = self.realised.get(asset, 0) + gain
        return _entry(
            EntryId(f"split:{instrument_id}:{split.venue_time_ns}"), "split", split.local_time_ns,
            [
                Posting("position", instrument_id, after - before), Posting("market", instrument_id, before - after),
                Posting("position", asset, cost), Posting("cash", asset, paid), Posting("realised", asset, -gain),
            ],
        )  # fmt: skip

    def expire(self, expiry: Expiry) -> Entry | None:
        """Settle in cash all that is held of a contract that is over; None when nothing is."""
        name = expiry.instrument_id
        grid, asset, paid_in_full = self._terms[name]
        held = [each for each in self.holdings.values() if each.instrument_id == name and each.lots]
        if not held:
            return None
        lots, cost = self.lots[name], self.costs[name]
        worth = sum(grid.value_units(expiry.price_ticks, each.lots) for each in held)
        for each in held:
            each.restore(())
            self.changed[each.strategy_id, name] = None
        self.lots[name] = self.costs[name] = 0
        gain = worth - cost
        paid = worth if paid_in_full else gain
        self._pay(asset, paid)
        self.realised[asset] = self.realised.get(asset, 0) + gain
        postings = [
            Posting("position", name, -lots), Posting("market", name, lots), Posting("position", asset, -cost),
            Posting("cash", asset, paid), Posting("realised", asset, -gain),
        ]  # fmt: skip
        if not paid_in_full:
            postings.append(Posting("settlement", asset, cost))
        return _entry(EntryId(f"expiry:{name}:{expiry.local_time_ns}"), "expiry", expiry.local_time_ns, postings)

    def holding(self, strategy_id: StrategyId, instrument_id: InstrumentId) -> Holding:
        """Return what a strategy holds of an instrument, flat if it never traded it."""
        key = (strategy_id, instrument_id)
        found = self.holdings.get(key)
        if found is None:
            found = self.holdings[key] = Holding(strategy_id, instrument_id)
        return found

    def unrealised(self, last_ticks: dict[InstrumentId, int]) -> dict[str, int]:
        """Return by asset what open holdings have gained since they were bought."""
        gains: dict[str, int] = {}
        for holding in self.holdings.values():
            if holding.lots:
                asset = self._instruments[holding.instrument_id].settlement
                value = self._grids[holding.instrument_id].value_units(last_ticks[holding.instrument_id], holding.lots)
                gains[asset] = gains.get(asset, 0) + value - holding.cost_units
        return gains

    def value(self, instrument_id: InstrumentId, last_ticks: int, lots: int) -> int:
        """Return the worth of ``lots`` of an instrument, in units of its settlement asset."""
        return self._grids[instrument_id].value_units(last_ticks, lots)

    def equity(self, last_ticks: dict[InstrumentId, int]) -> int:
        """Return net asset value in units of the account's currency: cash, and holdings at the last price."""
        worth = dict(self.cash)
        for holding in self.holdings.values():
            if holding.lots:
                instrument = self._instruments[holding.instrument_id]
                grid = self._grids[holding.instrument_id]
                value = grid.value_units(last_ticks[holding.instrument_id], holding.lots)
                if not instrument.paid_in_full:
                    value -= holding.cost_units
                worth[instrument.settlement] = worth.get(instrument.settlement, 0) + value
        return sum(self.converter.convert(amount, asset, last_ticks) for asset, amount in worth.items())

    def _income(
        self, account: str, totals: dict[str, int], instrument: Instrument, venue_ns: int, local_ns: int, paid: int
    ) -> Entry:
        asset = instrument.settlement
        totals[asset] = totals.get(asset, 0) + paid
        self._pay(asset, paid)
        return _entry(
            EntryId(f"{account}:{instrument.instrument_id}:{venue_ns}"), account, local_ns,
            [Posting(account, asset, -paid), Posting("cash", asset, paid)],
        )  # fmt: skip

    def _pay(self, asset: str, amount_units: int) -> None:
        self.cash[asset] = self.cash.get(asset, 0) + amount_units


def _entry(entry_id: EntryId, cause: str, time_ns: int, postings: list[Posting]) -> Entry:
    totals: dict[str, int] = {}
    for posting in postings:
        asset = posting.asset
        totals[asset] = totals[asset] + posting.amount if asset in totals else posting.amount
    for total in totals.values():
        if total:
            raise Unbalanced(f"{entry_id}: {totals}")
    return Entry(entry_id, cause, time_ns, tuple(postings))
