"""Instructions: what whoever an account belongs to wants done by hand. An event like any other, so a replay sees it."""

import msgspec

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.ids import ClientOrderId, StrategyId
from njord.domain.order import NewOrder

# The strategy in whose name orders by hand are sent
BY_HAND = StrategyId("by_hand")


class Instructed(msgspec.Struct, frozen=True, gc=False, tag="instructed"):
    """An order, a cancel or a replacement by hand. The risk engine judges it as it judges what strategies want."""

    intent: NewOrder | CancelOrder | ReplaceOrder
    actor: str
    venue_time_ns: int
    local_time_ns: int

    @property
    def client_order_id(self) -> ClientOrderId:
        return self.intent.client_order_id
