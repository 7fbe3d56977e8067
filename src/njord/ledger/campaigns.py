"""Campaigns: all that happened to a position between flat and flat, as legs: entries, partial exits, re-entries, exit.

Invariants, after every leg:
1. the lots of the legs sum to what is held, and to zero when the campaign is over;
2. the gain of a campaign is the sum of what its legs realised, less the fees of its fills: the ledger's own figures.
"""

import enum
from collections.abc import Iterable

import msgspec

from njord.domain.command import Entry
from njord.domain.fill import Fill
from njord.domain.ids import FillId, InstrumentId, StrategyId
from njord.ledger.record import StepRecord


class LegKind(enum.StrEnum):
    """What a leg did to the position."""

    ENTRY = "entry"
    ADD = "add"
    PARTIAL_EXIT = "partial_exit"
    REENTRY = "reentry"  # An addition after something was sold
    FINAL_EXIT = "final_exit"


class Leg(msgspec.Struct, frozen=True):
    """One fill's part in a campaign. ``lots`` has its sign; gain and fee are units of the settlement and fee asset."""

    kind: LegKind
    fill_id: FillId
    time_ns: int
    lots: int
    price_ticks: int
    held_lots: int  # After it
    gain_units: int
    fee_units: int


class Campaign(msgspec.Struct, kw_only=True):
    """From the first fill to flat, or to now. Named by its first fill, so that it has one name for ever."""

    campaign_id: str
    strategy_id: StrategyId
    instrument_id: InstrumentId
    legs: list[Leg]

    @property
    def over(self) -> bool:
        return self.legs[-1].held_lots == 0

    @property
    def gain_units(self) -> int:
        """What was realised so far, before fees."""
        return sum(leg.gain_units for leg in self.legs)

    @property
    def fee_units(self) -> int:
        return sum(leg.fee_units for leg in self.legs)

    @property
    def held_ns(self) -> int:
        """From the first fill to the last so far."""
        return self.legs[-1].time_ns - self.legs[0].time_ns


def campaigns(records: Iterable[StepRecord]) -> list[Campaign]:
    """Return all campaigns of an account's records, in the order in which they began.

    A fill that turns a position round ends one campaign and begins the next: it is a leg of both, its fee in proportion
    to its lots.
    """
    found: list[Campaign] = []
    running: dict[tuple[StrategyId, InstrumentId], Campaign] = {}
    for record in records:
        fill = record.event
        if not isinstance(fill, Fill) or not any(isinstance(command, Entry) for command in record.commands):
            continue
        closed_lots = -sum(lot.lots for lot in record.closed)
        opened_lots = sum(opened.lot.lots for opened in record.opened)
        gain = sum(lot.gain_units for lot in record.closed)
        strategy_id = record.closed[0].strategy_id if record.closed else record.opened[0].strategy_id
        key = (strategy_id, fill.instrument_id)
        fee_closed = fill.fee_units * abs(closed_lots) // fill.quantity_lots
        if closed_lots:
            _add(running[key], fill, closed_lots, gain, fee_closed)
            if running[key].over:
                del running[key]
        if opened_lots:
            campaign = running.get(key)
            if campaign is None:
                campaign = Campaign(
                    campaign_id=fill.fill_id, strategy_id=strategy_id, instrument_id=fill.instrument_id, legs=[]
                )
                running[key] = campaign
                found.append(campaign)
            _add(campaign, fill, opened_lots, 0, fill.fee_units - fee_closed)
    return found


def _add(campaign: Campaign, fill: Fill, lots: int, gain_units: int, fee_units: int) -> None:
    before = campaign.legs[-1].held_lots if campaign.legs else 0
    held = before + lots
    if before == 0:
        kind = LegKind.ENTRY
    elif held == 0:
        kind = LegKind.FINAL_EXIT
    elif abs(held) < abs(before):
        kind = LegKind.PARTIAL_EXIT
    else:
        reduced = any(leg.kind is LegKind.PARTIAL_EXIT for leg in campaign.legs)
        kind = LegKind.REENTRY if reduced else LegKind.ADD
    assert before * held >= 0, fill
    campaign.legs.append(
        Leg(kind, fill.fill_id, fill.venue_time_ns, lots, fill.price_ticks, held, gain_units, fee_units)
    )
