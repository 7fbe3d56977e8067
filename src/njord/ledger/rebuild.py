"""An account's money and holdings, from nothing but its records: postings and lots, added up.

This is another way to the same figures than ``Portfolio``, which computes them from fills; at every start the two are
held against each other.
"""

import collections
from collections.abc import Iterable

import msgspec

from njord.domain.command import Entry
from njord.domain.ids import FillId, InstrumentId, StrategyId
from njord.domain.market import RESTATING
from njord.ledger.lots import Lot
from njord.ledger.record import StepRecord

Holdings = dict[tuple[StrategyId, InstrumentId], tuple[Lot, ...]]


class Disagrees(ValueError):
    """Records do not fit together: a lot is closed that is not open, or closed by more than it has."""


class Money(msgspec.Struct):
    """What an account has, by asset in units, and what it holds, by strategy and instrument in lots, oldest first."""

    cash: dict[str, int] = {}
    capital: dict[str, int] = {}
    realised: dict[str, int] = {}
    fees: dict[str, int] = {}
    funding: dict[str, int] = {}
    dividends: dict[str, int] = {}
    holdings: Holdings = {}


# The accounts there are totals of, and the sign by which a posting adds to its total
TOTALS = {"cash": 1, "capital": -1, "realised": -1, "fees": 1, "funding": -1, "dividends": -1}


def bare(money: Money) -> Money:
    """Return the same money without the assets there is nothing of, so that two accounts of it can be compared."""
    kept = {name: {a: units for a, units in getattr(money, name).items() if units} for name in TOTALS}
    return Money(**kept, holdings={key: lots for key, lots in money.holdings.items() if lots})


def rebuild(records: Iterable[StepRecord], start: Money | None = None) -> Money:
    """Return the money after ``records``, beginning with ``start``. Raises Disagrees naming the record."""
    money = Money() if start is None else start
    totals = {name: dict(getattr(money, name)) for name in TOTALS}
    held: dict[tuple[StrategyId, InstrumentId], collections.OrderedDict[FillId, Lot]] = {
        key: collections.OrderedDict((lot.fill_id, msgspec.structs.replace(lot)) for lot in lots)
        for key, lots in money.holdings.items()
    }
    for record in records:
        for command in record.commands:
            if isinstance(command, Entry):
                _post(totals, command)
        if isinstance(record.event, RESTATING):
            _restate(held, record, record.event.instrument_id)
        else:
            _move(held, record)
    holdings = {key: tuple(lots.values()) for key, lots in held.items() if lots}
    return Money(**totals, holdings=holdings)


def _post(totals: dict[str, dict[str, int]], entry: Entry) -> None:
    for posting in entry.postings:
        sign = TOTALS.get(posting.account)
        if sign is not None:
            total = totals[posting.account]
            total[posting.asset] = total.get(posting.asset, 0) + sign * posting.amount


def _move(
    held: dict[tuple[StrategyId, InstrumentId], collections.OrderedDict[FillId, Lot]], record: StepRecord
) -> None:
    for closed in record.closed:
        lots = held.get((closed.strategy_id, closed.instrument_id), collections.OrderedDict())
        lot = lots.get(closed.entry_fill_id)
        if lot is None or abs(lot.lots) < abs(closed.lots) or (lot.lots > 0) != (closed.lots > 0):
            raise Disagrees(
                f"{record.session_id} step {record.sequence}: closes {closed.lots} lots of {closed.entry_fill_id},"
                f" which has {0 if lot is None else lot.lots}"
            )
        # The entry's share of the fees, by the rule of Holding.apply
        fee = lot.fee_units * abs(closed.lots) // abs(lot.lots)
        lot.lots -= closed.lots
        lot.cost_units -= closed.entry_units
        lot.fee_units -= fee
        if lot.lots == 0:
            del lots[closed.entry_fill_id]
    for opened in record.opened:
        lots = held.setdefault((opened.strategy_id, opened.instrument_id), collections.OrderedDict())
        if opened.lot.fill_id in lots:
            raise Disagrees(f"{record.session_id} step {record.sequence}: opens {opened.lot.fill_id} twice")
        lots[opened.lot.fill_id] = msgspec.structs.replace(opened.lot)


def _restate(
    held: dict[tuple[StrategyId, InstrumentId], collections.OrderedDict[FillId, Lot]], record: StepRecord,
    instrument_id: InstrumentId,
) -> None:  # fmt: skip
    # A record of a split or of an expiry has every lot of the instrument as it is now
    for key in [key for key in held if key[1] == instrument_id]:
        del held[key]
    _move(held, msgspec.structs.replace(record, closed=()))
