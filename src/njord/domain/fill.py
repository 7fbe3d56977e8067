"""Fill: a venue matched some of our order, and why."""

import enum

import msgspec

from njord.domain.ids import ClientOrderId, FillId, InstrumentId
from njord.domain.order import Side


class FillReason(enum.StrEnum):
    """Why a fill happened. Closed list; every fill of a simulated venue names one."""

    NEXT_OPEN = "next_open"  # market order at the open of the bar after the decision
    SAME_CLOSE = "same_close"  # market order at the close it was decided on: optimistic, opted into
    BAR_OPEN = "bar_open"  # limit order already marketable at the open
    BAR_THROUGH = "bar_through"  # the bar traded through the limit
    BAR_TOUCH = "bar_touch"  # the bar touched the limit: optimistic, opted into
    STOP_TRIGGERED = "stop_triggered"  # the bar reached the trigger
    STOP_GAPPED = "stop_gapped"  # the bar opened beyond the trigger
    CROSSED_QUOTE = "crossed_quote"  # took the displayed best price
    CROSSED_BOOK = "crossed_book"  # walked the displayed levels
    LAST_TRADE = "last_trade"  # took at the last traded price, where only trades are known
    QUOTE_THROUGH = "quote_through"  # the opposite quote moved through the resting limit
    TRADE_THROUGH = "trade_through"  # others traded at a price worse than the resting limit
    TRADE_AT_LIMIT = "trade_at_limit"  # others traded at the limit and the queue ahead was used up
    PARTICIPANT = "participant"  # another participant's order matched
    DEALER = "dealer"  # a dealer's quote was hit or lifted
    VENUE = "venue"  # a real venue said so


class Liquidity(enum.StrEnum):
    """Whether the fill took liquidity or made it."""

    MAKER = "maker"
    TAKER = "taker"


class Fill(msgspec.Struct, frozen=True, gc=False, tag="fill"):
    """A venue matched some of our order.

    ``fill_id`` comes from the venue's own trade id, so a fill that arrives twice is applied once.
    ``fee_units`` is in 1e-18 of ``fee_asset``; negative is a rebate. ``causation_id`` names the market event, or the
    order's own arrival, that made it happen.
    """

    fill_id: FillId
    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    side: Side
    price_ticks: int
    quantity_lots: int
    fee_units: int
    fee_asset: str
    liquidity: Liquidity
    reason: FillReason
    causation_id: str
    venue_time_ns: int
    local_time_ns: int

    def __post_init__(self) -> None:
        if self.quantity_lots <= 0:
            raise ValueError(f"{self.fill_id}: quantity_lots must be > 0, was {self.quantity_lots}")
