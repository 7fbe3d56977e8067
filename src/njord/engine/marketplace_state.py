"""The state of a marketplace as plain data, which any msgspec codec writes and reads."""

from typing import Any

import msgspec

from njord.domain.ids import InstrumentId
from njord.domain.market import DealerQuote
from njord.engine.pit import PitState
from njord.market.synthetic.dealers import DeskState
from njord.market.synthetic.scenarios import Action
from njord.market.synthetic.world import WorldState
from njord.venues.simulated.crossing import Working


class Counters(msgspec.Struct, frozen=True):
    """What a book has counted, so that ids and sequence numbers go on."""

    updates: int
    trades: int
    last_ticks: int | None


class Pending(msgspec.Struct, frozen=True):
    """A step of a scenario that waits in the queue under its number."""

    number: int
    action: Action


class MarketplaceState(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to know: with the same universe and seed, a marketplace goes on from here as it would have."""

    schema_version: int = 1
    world: WorldState
    queue: list[tuple[int, int, int]]
    pits: list[PitState]
    desks: list[DeskState]
    desk_dice: dict[str, Any]
    desk_liquidity: dict[InstrumentId, tuple[float, float]]
    pending: list[Pending]
    pending_last: int
    positions: dict[str, dict[InstrumentId, int]]
    resting: list[Working]
    asleep: list[Working]  # Stops, and what queues for the end of a halt
    halted: list[InstrumentId]
    counters: dict[InstrumentId, Counters]
    quotes: list[DealerQuote]
    board_trades: dict[InstrumentId, int]
