"""A platform's services asked through the bus: what becomes of questions when an end closes."""

import threading

from njord.bus.memory import MemoryBus
from njord.cli.clock import now_ns
from njord.ops.desk.remote import Answerer, Asker


class Slow:
    """A service that takes until it is let go."""

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()

    def double(self, number: int) -> int:
        self.asked.set()
        assert self.go.wait(10)
        return 2 * number


def test_an_end_that_closes_answers_what_it_is_answering_first():
    """Whoever closes the bus next would otherwise leave an answer without one."""
    bus, service = MemoryBus(), Slow()
    answerer = Answerer(bus, {"slow": (service, Slow, ("double",))}, now_ns)
    asker = Asker(bus, "one", now_ns, lambda: True)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(asker.service("slow", Slow, ("double",)).double(21)))
    asking.start()
    assert service.asked.wait(10)
    closing = threading.Thread(target=answerer.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    service.go.set()
    closing.join(10)
    asking.join(10)
    asker.close()
    assert answers == [42]
    assert not [each.name for each in threading.enumerate() if each.name.startswith("answering")]
