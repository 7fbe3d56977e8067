"""The contract of venues.port, over both adapters: the exchange in this process, or in a thread or process of its own.

What only a connection can do to us (a server that is gone, a second client, half a line) comes after it.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderRejected, OrderReplaced
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.market import Bar
from njord.domain.order import NewOrder, OrderStatus, OrderType, Rejection, Side
from njord.engine.assemble import exchange_of
from njord.venues.port import Disconnected, NotTaken
from njord.venues.signing import Nonces, RequestRefusal, signed
from njord.venues.simulated import remote
from njord.venues.simulated.remote import ExchangeServer, RemoteVenue

from ..simulation.world import NAMES, config, market  # noqa: TID252 - tests are no package, and have no other name

pytestmark = pytest.mark.connects
TESTS = Path(__file__).parents[1]
BTC, ME = InstrumentId(NAMES[0]), StrategyId("me")
TURNS_MAX = 5_000
WAIT_S_MAX = 20.0

SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from simulation.world import config, market
from njord.engine.assemble import exchange_of
from njord.venues.simulated.remote import ExchangeServer
ExchangeServer(exchange_of(config(), market(80)), Path(sys.argv[2]), speed=0).serve(lambda: False)
"""


def exchange():
    return exchange_of(config(), market(80))


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="njord-"))  # The path of a socket may not be long
    yield folder / "x.sock"
    shutil.rmtree(folder)


@contextlib.contextmanager
def serving(path, speed=0.0, made=None):
    """An exchange in a thread; it ends with the context."""
    ending = threading.Event()
    server = ExchangeServer(made or exchange(), path, speed=speed)
    thread = threading.Thread(target=server.serve, args=(ending.is_set,))
    thread.start()
    try:
        yield server
    finally:
        ending.set()
        thread.join(WAIT_S_MAX)
        assert not thread.is_alive()


@contextlib.contextmanager
def process(path):
    """An exchange in a process, killed with the context."""
    started = subprocess.Popen([sys.executable, "-c", SERVER, str(TESTS), str(path)], stderr=subprocess.PIPE)
    try:
        give_up_s = time.monotonic() + WAIT_S_MAX
        while not remote.answers(path):
            assert started.poll() is None, started.stderr.read().decode()
            assert time.monotonic() < give_up_s
            time.sleep(0.01)
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.fixture(params=["here", "thread", "process"])
def venue(request, place):
    if request.param == "here":
        yield exchange()
        return
    with (serving if request.param == "thread" else process)(place), RemoteVenue(place, {}) as made:
        yield made


def order(name, lots=1_000, side=Side.BUY, limit=None, instrument=BTC):
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return NewOrder(ClientOrderId(name), ME, instrument, side, kind, lots, limit)


def hear(venue, enough):
    """Receive until ``enough`` of what was heard; fail when that never comes."""
    heard = []
    for _ in range(TURNS_MAX):
        heard += venue.receive(0.2)
        if enough(heard):
            return heard
        assert not venue.ended, [type(each).__name__ for each in heard]
    raise AssertionError(f"not within {TURNS_MAX} turns")


def again(what):
    for _ in range(TURNS_MAX):
        what()


def of(kind, heard):
    return [each for each in heard if type(each) is kind]


def test_an_order_is_accepted_then_filled_and_the_truth_says_the_same(venue):
    venue.send(order("a"))
    assert venue.truth((ClientOrderId("a"),), 0).asked_orders[0] is not None  # From the moment it is there

    heard = hear(venue, lambda all_: of(Fill, all_))

    kinds = [type(each) for each in heard if type(each) is not Bar]
    assert kinds == [OrderAccepted, Fill]
    fill = heard[-1]
    assert (fill.client_order_id, fill.side, fill.quantity_lots) == ("a", Side.BUY, 1_000)
    truth = venue.truth((ClientOrderId("a"), ClientOrderId("never")), 0)
    assert [None if each is None else each.status for each in truth.asked_orders] == [OrderStatus.FILLED, None]
    assert [each.fill_id for each in truth.fills] == [fill.fill_id]
    assert truth.positions == {BTC: 1_000}
    assert truth.open_orders == ()
    assert truth.fill_count == 1


def test_what_is_received_is_in_order_and_nothing_comes_twice(venue):
    venue.send(order("a"))
    heard = hear(venue, lambda all_: len(of(Bar, all_)) >= 20)
    times = [each.local_time_ns for each in heard]
    assert times == sorted(times)
    bars = [(each.instrument_id, each.venue_time_ns) for each in of(Bar, heard)]
    assert len(bars) == len(set(bars))


def test_the_same_id_a_thousand_times_is_one_order(venue):
    same = order("a", lots=7)
    for _ in range(1_000):
        venue.send(same)

    heard = hear(venue, lambda all_: len(of(OrderRejected, all_)) == 999 and of(Fill, all_))

    assert len(of(OrderAccepted, heard)) == 1
    assert {each.reason for each in of(OrderRejected, heard)} == {Rejection.DUPLICATE_ORDER_ID}
    truth = venue.truth((ClientOrderId("a"),), 0)
    assert truth.asked_orders[0].status is OrderStatus.FILLED
    assert sum(each.quantity_lots for each in truth.fills) == 7
    assert truth.positions == {BTC: 7}


def test_fills_are_told_from_the_one_asked_for_on(venue):
    for name in "abc":
        venue.send(order(name))
    fills = of(Fill, hear(venue, lambda all_: len(of(Fill, all_)) == 3))
    for start in range(5):
        truth = venue.truth((), start)
        # All but when it was heard, since a report cannot come before the market event that made it
        theirs, ours = ([replace(each, local_time_ns=0) for each in side] for side in (truth.fills, fills[start:]))
        assert theirs == ours
        assert truth.fill_count == 3


def test_a_replacement_and_a_cancel_are_told_of_and_are_true(venue):
    name = ClientOrderId("a")
    venue.send(order("a", limit=50_000))
    hear(venue, lambda all_: of(OrderAccepted, all_))
    venue.send(ReplaceOrder(name, ME, BTC, 600, 40_000))
    hear(venue, lambda all_: of(OrderReplaced, all_))
    changed = venue.truth((name,), 0).asked_orders[0]
    assert (changed.quantity_lots, changed.limit_ticks, changed.status) == (600, 40_000, OrderStatus.ACCEPTED)

    venue.send(CancelOrder(name, ME, BTC))
    assert of(OrderCancelled, hear(venue, lambda all_: of(OrderCancelled, all_)))[0].reason is Rejection.REQUESTED
    venue.send(CancelOrder(name, ME, BTC))
    assert of(CancelRejected, hear(venue, lambda all_: of(CancelRejected, all_)))[0].reason is Rejection.ORDER_DONE
    assert venue.truth((name,), 0).asked_orders[0].status is OrderStatus.CANCELLED


def test_cancel_all_leaves_nothing_open(venue):
    for number in range(10):
        venue.send(order(f"o{number}", limit=30_000 + number))
    hear(venue, lambda all_: len(of(OrderAccepted, all_)) == 10)
    assert len(venue.truth().open_orders) == 10

    venue.cancel_all()

    assert len(of(OrderCancelled, hear(venue, lambda all_: len(of(OrderCancelled, all_)) == 10))) == 10
    assert venue.truth().open_orders == ()


def test_what_is_not_traded_here_is_rejected_and_everything_else_goes_on(venue):
    nowhere = InstrumentId("NO/USD.SIM")
    venue.send(order("a", instrument=nowhere))
    venue.send(CancelOrder(ClientOrderId("a"), ME, nowhere))
    venue.send(order("b"))

    heard = hear(venue, lambda all_: of(Fill, all_))

    assert of(OrderRejected, heard)[0].reason is Rejection.INSTRUMENT_UNKNOWN
    assert of(CancelRejected, heard)[0].reason is Rejection.INSTRUMENT_UNKNOWN
    assert venue.truth((ClientOrderId("a"),), 0).asked_orders[0].status is OrderStatus.REJECTED


def test_it_ends_when_all_is_said(venue):
    for _ in range(TURNS_MAX):
        if venue.ended:
            break
        venue.receive(0.2)
    assert venue.ended
    assert venue.receive(0.0) == []


def test_nobody_there_means_that_nothing_was_taken(place):
    gone = RemoteVenue(place, {})
    for ask in (lambda: gone.send(order("a")), lambda: gone.receive(0), gone.truth, gone.cancel_all):
        with pytest.raises(NotTaken, match="no exchange"):
            ask()


def test_a_server_that_dies_leaves_what_was_being_sent_in_doubt_then_takes_nothing(place):
    with process(place) as started, RemoteVenue(place, {}) as venue:
        hear(venue, lambda all_: all_)
        os.kill(started.pid, signal.SIGKILL)
        started.wait()

        with pytest.raises(Disconnected):
            again(lambda: venue.send(order("a")))  # The first write after it died may still be taken by the system
        with pytest.raises(NotTaken):
            venue.send(order("b"))


def test_a_server_that_hangs_is_given_up(place, monkeypatch):
    monkeypatch.setattr(remote, "ANSWER_S_MAX", 0.3)
    with process(place) as started, RemoteVenue(place, {}) as venue:
        venue.truth()
        os.kill(started.pid, signal.SIGSTOP)
        with pytest.raises(Disconnected, match="no answer"):
            venue.truth()
        os.kill(started.pid, signal.SIGCONT)
        assert venue.truth().fills == ()  # It connects again by itself


def test_a_second_client_takes_the_place_of_the_first_after_all_the_first_had_sent(place):
    with serving(place), RemoteVenue(place, {}) as first, RemoteVenue(place, {}) as second:
        first.truth()
        for number in range(200):
            first.send(order(f"o{number}", limit=30_000 + number))
        truth = second.truth(tuple(ClientOrderId(f"o{n}") for n in range(200)), 0)
        assert None not in truth.asked_orders
        with pytest.raises(Disconnected):
            again(lambda: first.receive(0.1))
        assert second.receive(0.5)


def raw(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(WAIT_S_MAX)
    connection.connect(str(path))
    return connection


NONCES = Nonces(time.monotonic_ns)


def signer(path):
    """Return a maker of signed lines, once the exchange is there and has left its key."""
    key = remote.key_file(path).read_bytes()

    def line(message):
        return signed(key, NONCES.next(), msgspec.json.encode(message)) + b"\n"

    return line, line(remote.Hello({}))


def true_of(path, *names):
    with RemoteVenue(path, {}) as venue:
        return venue.truth(tuple(ClientOrderId(name) for name in names), 0).asked_orders


@pytest.mark.parametrize("nonsense", [b"nonsense\n", b'{"type":"ask"}\n', b"\xff\xfe\n", b"[]\n"])
def test_who_speaks_nonsense_is_cut_off_what_came_before_it_counts_and_the_exchange_lives(place, nonsense):
    with serving(place):
        with raw(place) as connection:
            line, hello = signer(place)
            connection.sendall(hello + line(order("before")) + nonsense + line(order("after")))
            while connection.recv(1 << 16):
                pass  # Until it hangs up
        with raw(place) as stranger:
            stranger.sendall(nonsense)
            assert stranger.recv(1) == b""
        before, after = true_of(place, "before", "after")
        assert before is not None
        assert after is None


def test_a_client_that_holds_what_is_not_traded_here_is_cut_off(place):
    with serving(place):
        with raw(place) as connection:
            line, _ = signer(place)
            connection.sendall(line(remote.Hello({InstrumentId("NO/USD.SIM"): 5})))
            assert connection.recv(1) == b""
        assert true_of(place, "a") == (None,)


@pytest.mark.parametrize("cut", [1, 20, -2, -1])
def test_a_client_killed_in_the_middle_of_a_line_has_sent_the_whole_ones(place, cut):
    with serving(place):
        with raw(place) as connection:
            line, hello = signer(place)
            connection.sendall(hello + line(order("whole")) + line(order("half"))[:cut])
        whole, half = true_of(place, "whole", "half")
        assert whole is not None
        assert half is None


def test_what_a_dead_client_had_sent_counts_though_it_died_with_news_unread(place):
    with serving(place):
        connection = raw(place)
        line, hello = signer(place)
        connection.sendall(hello + line(remote.Ask((), 0)))
        assert connection.recv(1)  # The rest of the answer is never read: the system then says it broke off
        connection.sendall(b"".join(line(order(f"o{n}")) for n in range(50)))
        connection.close()
        assert None not in true_of(place, *(f"o{n}" for n in range(50)))


def test_a_client_that_does_not_listen_loses_nothing(place, monkeypatch):
    monkeypatch.setattr(remote, "OUTBOX_BYTES_MAX", 2_000)
    made = exchange_of(config(), market(3_000))
    with serving(place, speed=1e9, made=made), RemoteVenue(place, {}) as venue:
        venue.truth()
        time.sleep(0.3)  # The whole market goes by, if it may
        bars = []
        give_up_s = time.monotonic() + WAIT_S_MAX
        while not venue.ended:
            bars += of(Bar, venue.receive(0.2))
            assert time.monotonic() < give_up_s
    assert len(bars) == 2 * 3_000


def test_a_request_that_was_seen_before_or_is_not_signed_is_refused(place):
    with serving(place) as server:
        line, hello = signer(place)
        first = line(remote.Hello({}))
        once = line(order("once"))
        for sent, refusal in [
            (first + once + once, RequestRefusal.REPLAYED),
            (hello, RequestRefusal.REPLAYED),
            (line(remote.Hello({})) + line(order("more")).replace(b"more", b"less"), RequestRefusal.BAD_SIGNATURE),
            (line(remote.Hello({})) + b"1 x {}\n", RequestRefusal.MALFORMED),
        ]:
            before = server.refused[refusal]
            with raw(place) as connection:
                connection.sendall(sent)
                while connection.recv(1 << 16):
                    pass  # Until it hangs up
            assert server.refused[refusal] == before + 1
        once_known, less_known = true_of(place, "once", "less")
        assert once_known is not None
        assert less_known is None
    assert not remote.key_file(place).exists()
