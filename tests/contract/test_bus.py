"""One contract, two buses: in memory, and on a real Redis."""

import random
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from njord.bus.codec import Envelope
from njord.bus.memory import MemoryBus
from njord.bus.outbox import Outbox
from njord.bus.port import AnotherWriter, BusUnavailable
from njord.bus.redis_streams import RedisBus
from njord.domain.market import TradingStatus

KEPT = 1_000
every_bus = pytest.mark.parametrize("bus", ["memory", pytest.param("redis", marks=pytest.mark.connects)], indirect=True)


@pytest.fixture
def bus(request):
    if request.param == "memory":
        yield MemoryBus(stream_messages_max=KEPT)
        return
    url, prefix = request.getfixturevalue("redis_space")
    made = RedisBus(url, prefix=prefix, stream_messages_max=KEPT)
    yield made
    made.close()


def status(number):
    return TradingStatus("A.B", number, number, number % 2 == 0)


def numbered(first, last):
    return [Envelope("md.status.A.B", number, "", "", status(number)) for number in range(first, last + 1)]


def numbers(envelopes):
    return [each.sequence for each in envelopes]


@every_bus
def test_who_subscribes_hears_what_comes_from_then_on_once_and_in_order(bus):
    bus.publish("md.status.A.B", status(0))
    one, other = bus.subscribe("md.status.A.B"), bus.subscribe("md.*")
    sent = [bus.publish("md.status.A.B", status(at), correlation_id=str(at), causation_id="x") for at in range(3)]
    bus.publish("md.trades.A.B", status(9))
    bus.publish("fills.new", status(9))

    assert list(one) == sent
    assert list(other)[:3] == sent
    assert list(one) == list(other) == []
    assert numbers(sent) == [2, 3, 4]


@every_bus
def test_each_stream_counts_its_own_messages_from_one(bus):
    assert bus.publish("md.status.A.B", status(0)).sequence == 1
    assert bus.publish("fills.new", status(0)).sequence == 1
    assert bus.publish("orders.accepted", status(0)).sequence == 2  # One stream with the fills: their order counts
    bus.append("risk", numbered(1, 5))
    assert numbers(bus.newest("risk", 3)) == [3, 4, 5]
    assert numbers(bus.newest("md", 3)) == [1]
    assert bus.newest("ctl", 3) == []


@every_bus
def test_a_group_gets_all_and_gets_again_what_it_did_not_acknowledge(bus):
    bus.append("md", numbered(1, 10))
    member = bus.join("md", "recorder", "one")
    first = member.read(messages_max=4)
    member.acknowledge(first[:2])
    second = member.read(messages_max=3)
    assert (numbers(first), numbers(second)) == ([1, 2, 3, 4], [5, 6, 7])
    assert member.behind() == 8

    again = bus.join("md", "recorder", "one")  # As after a crash
    bus.append("md", numbered(11, 12))
    read = [*again.read(messages_max=2), *again.read(messages_max=100), *again.read(), *again.read()]

    assert numbers(read) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    again.acknowledge(read)
    assert (again.behind(), again.lost, again.malformed) == (0, 0, 0)
    assert bus.join("md", "recorder", "one").read() == []


@every_bus
def test_groups_do_not_know_each_other(bus):
    bus.append("md", numbered(1, 3))
    one, other = bus.join("md", "one", "m"), bus.join("md", "other", "m")
    late = bus.join("md", "late", "m", from_start=False)
    one.acknowledge(one.read())

    assert numbers(other.read()) == [1, 2, 3]
    assert late.read() == []
    bus.append("md", numbered(4, 4))
    assert numbers(late.read()) == [4]


@every_bus
def test_members_of_a_group_share_the_work(bus):
    one, other = bus.join("md", "g", "one"), bus.join("md", "g", "other")
    bus.append("md", numbered(1, 6))
    taken = [one.read(messages_max=2), other.read(messages_max=2), one.read(messages_max=2)]

    assert sorted(n for each in taken for n in numbers(each)) == [1, 2, 3, 4, 5, 6]
    assert (one.lost, other.lost) == (0, 0)


@every_bus
def test_what_was_trimmed_before_it_was_read_is_counted(bus):
    member = bus.join("md", "slow", "one")
    bus.append("md", numbered(1, 5))
    unread = member.read()
    bus.append("md", numbered(6, 10 * KEPT))
    came = [each for _ in range(10) for each in member.read()]
    assert len(came) >= KEPT
    assert member.lost == 10 * KEPT - 5 - len(came)
    assert numbers(came)[-1] == 10 * KEPT
    member.acknowledge(came)

    again = bus.join("md", "slow", "one")
    assert again.read() == again.read() == []  # Handed out before, and gone by now
    assert again.lost == len(unread)
    assert again.behind() == 0


@every_bus
def test_a_hole_that_the_writer_left_is_counted(bus):
    member = bus.join("md", "g", "one")
    bus.append("md", numbered(1, 2))
    assert numbers(member.read()) == [1, 2]
    bus.append("md", numbered(5, 6))
    bus.append("md", numbered(9, 9))
    assert numbers(member.read()) == [5, 6, 9]
    assert member.lost == 4


@every_bus
def test_what_is_appended_again_is_not_doubled_and_a_second_writer_is_refused(bus):
    bus.append("md", numbered(1, 10))
    bus.append("md", numbered(6, 12))
    member = bus.join("md", "g", "one")
    assert numbers(member.read()) == list(range(1, 13))
    with pytest.raises(AnotherWriter, match="12 is somebody else's"):
        bus.append("md", [Envelope("md.status.A.B", 12, "", "", status(0))])
    assert member.read() == []


@every_bus
def test_whoever_waits_is_woken(bus):
    member = bus.join("md", "g", "one")
    began_s = time.monotonic()
    timer = threading.Timer(0.1, lambda: bus.append("md", numbered(1, 1)))
    timer.start()
    found = member.read(wait_s=1.0) or member.read(wait_s=1.0)
    timer.join()
    assert numbers(found) == [1]
    assert time.monotonic() - began_s < 2.0
    assert member.read(wait_s=0.01) == []


@every_bus
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(st.tuples(st.sampled_from("wrax"), st.integers(1, 7)), max_size=40), seed=st.integers(0, 99))
def test_however_a_member_dies_each_message_has_its_effect_once(bus, script, seed):
    # w: write, r: read, a: acknowledge some of what was read, x: die and come back. The effect is done before the
    # acknowledgement, and by number once
    stream, group = "md", f"g{time.perf_counter_ns()}"
    newest = bus.newest(stream, 1)
    first = last = newest[0].sequence if newest else 0
    member, held, done, dice = bus.join(stream, group, "m", from_start=False), [], [], random.Random(seed)
    for what, count in [*script, ("x", 0), *[("r", 1_000)] * 4, ("a", 1_000)]:
        if what == "w":
            bus.append(stream, numbered(last + 1, last + count))
            last += count
        elif what == "r":
            held += member.read(messages_max=count)
        elif what == "a":
            for each in held[:count]:
                if not done or each.sequence > done[-1]:
                    done.append(each.sequence)
            if dice.random() < 0.7:
                member.acknowledge(held[:count])
            held = held[count:]
        else:
            member, held = bus.join(stream, group, "m"), []
    assert done == list(range(first + 1, last + 1))


@every_bus
def test_an_outbox_goes_on_where_the_stream_ends(bus):
    first = Outbox(bus, "md")
    first.put(("md.status.A.B", status(at), "", "") for at in range(5_000))
    first.close()
    second = Outbox(bus, "md")
    second.put([("md.status.A.B", status(7), "", "")])
    second.close()
    assert numbers(bus.newest("md", 3)) == [4_999, 5_000, 5_001]
    assert (first.dropped, second.dropped, second.failure) == (0, 0, None)


@pytest.mark.connects
@pytest.mark.parametrize("bus", ["redis"], indirect=True)
def test_a_redis_that_lost_its_memory_is_gone_on_with(bus, monkeypatch):
    member, heard = bus.join("md", "g", "one"), bus.subscribe("ctl.kill")
    bus.append("md", numbered(1, 10))
    for _ in range(5):
        bus.publish("ctl.kill", status(0))
    assert (len(member.read()), len(list(heard))) == (10, 5)

    def down(*_words):
        raise BusUnavailable("gone")

    with monkeypatch.context() as patch:  # It goes down, and comes up with nothing
        patch.setattr(bus, "call", down)
        with pytest.raises(BusUnavailable):
            list(heard)
    for stream in ("md", "ctl"):
        bus.call("DEL", bus.key(stream))
    bus.append("md", numbered(11, 12))
    bus.publish("ctl.kill", status(1))
    assert [*numbers(member.read()), *numbers(member.read())] == [11, 12]
    assert [each.body for each in heard] == [status(1)]
    member.acknowledge(numbered(11, 12))
    assert member.behind() == 0
    bus.call("DEL", bus.key("md"))
    with pytest.raises(BusUnavailable, match="is gone"):
        member.behind()
    bus.call("SET", bus.key("md"), "something else")
    with pytest.raises(BusUnavailable, match="WRONGTYPE"):
        member.read()
    with pytest.raises(BusUnavailable, match="WRONGTYPE"):
        bus.append("md", numbered(13, 13))


@pytest.mark.connects
@pytest.mark.parametrize("bus", ["redis"], indirect=True)
def test_a_bus_that_was_closed_opens_no_connection_again(bus):
    member = bus.join("md", "g", "one")
    bus.close()
    for act in (
        member.read,
        lambda: bus.publish("ctl.kill", status(0)),
        lambda: bus.append("md", numbered(1, 1)),
        lambda: bus.subscribe("ctl.kill"),
    ):
        with pytest.raises(BusUnavailable, match="was closed"):
            act()


@pytest.mark.connects
@pytest.mark.parametrize("bus", ["redis"], indirect=True)
@pytest.mark.parametrize("entry", [(b"e", b""), (b"e", b"\x86\xff"), (b"x", b"y"), (b"e", b"{" * 999), (b"e", b"null")])
def test_what_is_no_message_is_counted_and_passed_over(bus, entry):
    member = bus.join("md", "g", "one")
    bus.append("md", numbered(1, 1))
    bus.call("XADD", bus.key("md"), "1-*", *entry)
    bus.append("md", numbered(3, 3))
    assert numbers(member.read()) == [1, 3]
    assert (member.malformed, member.lost) == (1, 0)
    assert member.behind() == 2
    assert numbers(bus.newest("md", 10)) == [1, 3]
