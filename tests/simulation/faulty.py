"""A venue behind a bad connection: each fault that trackers of other systems report, to be switched on and off."""

import errno
import random

from njord.domain.clock import NS_PER_MS
from njord.domain.event import Report
from njord.venues.port import Disconnected, NotTaken

# What life at the exchange goes on by while it cannot be reached
OUTAGE_STEP_NS = 50 * NS_PER_MS
_REPORTS = Report.__args__


class FaultyVenue:
    """``venues.port.Venue`` over an exchange, with faults."""

    def __init__(self, exchange, dice=None):
        self.exchange = exchange
        self.dice = dice or random.Random(0)
        self.refusing = False  # No connection at all, as when names cannot be resolved
        self.times_out = False  # A command arrives, and we are told that it may not have
        self.loses = False  # A command does not arrive, and we are told that it may have
        self.deaf_to = ()  # Kinds of reports that are lost while all else goes on
        self.doubles = False
        self.holds = False  # Reports are kept back, and come later in another order
        self.stale = None  # A truth to answer with, whatever is true
        self.sent = []
        self.held = []
        self.heard = []

    @property
    def ended(self):
        return self.exchange.ended and not self.held

    def send(self, command):
        if self.refusing:
            raise NotTaken(errno.ECONNREFUSED, "no name could be resolved")
        self.sent.append(command)
        if not self.loses:
            self.exchange.send(command)
        if self.loses or self.times_out:
            raise Disconnected("the connection timed out")

    def receive(self, timeout_s):
        if self.refusing:
            self.exchange.until(self.exchange.now_ns + OUTAGE_STEP_NS)  # Nobody hears it
            raise NotTaken(errno.ECONNREFUSED, "no name could be resolved")
        events = [each for each in self.exchange.receive(timeout_s) if not isinstance(each, self.deaf_to)]
        reports = [each for each in events if isinstance(each, _REPORTS)]
        self.heard += reports
        if self.holds:
            self.held += reports
            return [each for each in events if not isinstance(each, _REPORTS)]
        if self.held:
            self.dice.shuffle(self.held)
            events, self.held = [*self.held, *events], []
        return [*events, *(each for each in events if isinstance(each, _REPORTS))] if self.doubles else events

    def truth(self, asked=(), fills_from=0):
        if self.refusing:
            raise NotTaken(errno.ECONNREFUSED, "no name could be resolved")
        return self.stale or self.exchange.truth(asked, fills_from)

    def cancel_all(self):
        if self.refusing:
            raise NotTaken(errno.ECONNREFUSED, "no name could be resolved")
        self.exchange.cancel_all()

    def close(self):
        pass
