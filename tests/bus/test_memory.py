"""What the bus inside one process has of its own: a subscriber's queue is bounded. The rest is the bus's contract."""

import pytest

from njord.bus.memory import MemoryBus
from njord.bus.port import QueueFull
from njord.domain.market import TradingStatus

HALTED = TradingStatus("A.B", 1, 1, True)


def test_a_full_queue_is_the_publishers_to_deal_with_and_nobody_gets_half():
    bus = MemoryBus()
    slow, fast = bus.subscribe("x", queue_messages_max=1), bus.subscribe("x")
    bus.publish("x", HALTED)

    with pytest.raises(QueueFull, match="x"):
        bus.publish("x", HALTED)

    assert len(slow) == len(fast) == 1
    list(slow)
    assert bus.publish("x", HALTED).sequence == 2
