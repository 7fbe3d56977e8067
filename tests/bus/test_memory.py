"""The bus inside one process: order, fan-out, bounds."""

import pytest

from njord.bus.memory import MemoryBus, QueueFull
from njord.domain.market import TradingStatus

HALTED = TradingStatus("A.B", 1, 1, True)


def test_each_reader_gets_each_message_once_in_order():
    bus = MemoryBus()
    one, other = bus.subscribe("md.status"), bus.subscribe("md.*")

    sent = [bus.publish("md.status", HALTED, correlation_id=str(i)) for i in range(3)]

    assert list(one) == list(other) == sent
    assert [envelope.sequence for envelope in sent] == [1, 2, 3]
    assert list(one) == []


def test_topics_count_by_themselves_and_reach_only_their_readers():
    bus = MemoryBus()
    fills = bus.subscribe("fills.new")

    bus.publish("md.status", HALTED)
    bus.publish("fills.new", HALTED)

    assert [envelope.sequence for envelope in fills] == [1]


def test_a_full_queue_is_the_publishers_to_deal_with_and_nobody_gets_half():
    bus = MemoryBus()
    slow, fast = bus.subscribe("x", queue_messages_max=1), bus.subscribe("x")
    bus.publish("x", HALTED)

    with pytest.raises(QueueFull, match="x"):
        bus.publish("x", HALTED)

    assert len(slow) == len(fast) == 1
    list(slow)
    assert bus.publish("x", HALTED).sequence == 2
