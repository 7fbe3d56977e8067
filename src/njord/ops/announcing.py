"""What the platform does, told to the bus: the market as it happens, accounts as their ledger has them, exposures.

Nothing here makes the market wait. Market data and exposures go through outboxes. What happened to an account is read
from the ledger, by a thread of its own, after it is durable there: so it is told even where the platform was killed
before it could tell it, and each message once. Its ``correlation_id`` is ``<account>/<position in the ledger>.<n>``.

What others ask of the platform by bus, to stop or clear one account, is taken in by the same thread.
"""

import threading
from collections.abc import Iterator, Sequence

from njord.bus.codec import Envelope, Message
from njord.bus.outbox import Outbox
from njord.bus.port import STREAM_MESSAGES_MAX, Bus, BusUnavailable, Member
from njord.bus.topics import ACCOUNTS, CONTROL, EXPOSURE, KILL, MARKET, RISK, topic_of
from njord.domain.exposure import Exposure
from njord.domain.governance import Cleared, Tripped, TripSource
from njord.engine.gate import Trip
from njord.engine.marketplace import PublicEvent
from njord.engine.simulation.appraisal import PortfolioView
from njord.engine.simulation.house import UnknownAccount
from njord.ledger.port import Ledger, LedgerUnavailable
from njord.ledger.record import StepRecord
from njord.ops.platform import Busy, Platform, Stopped

GROUP = "platform"
LOOK_S = 0.05
RETRY_S = 0.5
CLOSE_S_MAX = 5.0
RECORDS_A_LOOK_MAX = 2_000
WAITING_MAX = 20_000  # Messages of accounts that the bus has not taken: then the ledger is read no further


class Announcing:
    """Between a platform and a bus. ``ledger`` is a handle of its own on the platform's ledger."""

    def __init__(self, platform: Platform, bus: Bus, ledger: Ledger) -> None:
        """Go on where the streams end. Raises BusUnavailable."""
        self._platform, self._bus, self._ledger = platform, bus, ledger
        self.market, self.risk, self.accounts = (Outbox(bus, stream) for stream in (MARKET, RISK, ACCOUNTS))
        self._asked: Member = bus.join(CONTROL, GROUP, GROUP, from_start=False)
        self._told = told(bus.newest(ACCOUNTS, STREAM_MESSAGES_MAX))
        self._changed: dict[str, None] = {}
        self._ending = threading.Event()
        self.failure: str | None = None
        for account_id in platform.plans:
            self._account_changed(account_id)
        platform.market_listeners.append(self._on_market)
        platform.portfolio_listeners.append(self._on_portfolios)
        platform.account_listeners.append(self._account_changed)
        self._thread = threading.Thread(target=self._run, name="announcing", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many messages the bus did not take in time. Their numbers are missing in the streams."""
        return self.market.dropped + self.risk.dropped + self.accounts.dropped

    def close(self) -> None:
        """Tell what is left, where the bus takes it, and stop."""
        for account_id in self._platform.plans:  # The platform has stopped, and with it each account's session
            self._account_changed(account_id)
        self._ending.set()
        self._thread.join(CLOSE_S_MAX)
        for outbox in (self.market, self.risk, self.accounts):
            outbox.close()

    def _on_market(self, events: list[PublicEvent]) -> None:
        self.market.put((topic_of(event), event, "", "") for event in events)

    def _on_portfolios(self, views: Sequence[PortfolioView]) -> None:
        self.risk.put((EXPOSURE, exposure_of(view), view.account_id, "") for view in views)

    def _account_changed(self, account_id: str) -> None:
        self._changed[account_id] = None

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._tell_accounts()
                self._obey()
            except (BusUnavailable, LedgerUnavailable, Busy) as error:
                self.failure = str(error)
                self._ending.wait(RETRY_S)
            except Stopped:
                break
            else:
                self.failure = None
                self._ending.wait(LOOK_S)
        self._tell_accounts()

    def _tell_accounts(self) -> None:
        for account_id in list(self._changed):
            if len(self.accounts) > WAITING_MAX:
                return
            self._changed.pop(account_id, None)
            position, number = self._told.get(account_id, (0, -1))
            after = position - 1 if number >= 0 else 0
            for at, record in enumerate(self._ledger.records(account_id, after), after + 1):
                said = [
                    (topic_of(body), body, f"{account_id}/{at}.{n}", record.cause)
                    for n, body in enumerate(messages(record)) if (at, n) > (position, number)
                ]  # fmt: skip
                self.accounts.put(said)
                if said:
                    self._told[account_id] = (at, int(said[-1][2].rpartition(".")[2]))
                if at - after >= RECORDS_A_LOOK_MAX:
                    self._changed[account_id] = None  # The rest at the next look
                    break

    def _obey(self) -> None:
        for envelope in self._asked.read():
            account_id = envelope.topic.removeprefix(f"{KILL}.")
            if account_id != envelope.topic:
                self._obey_for(account_id, envelope.body)
            self._asked.acknowledge([envelope])

    def _obey_for(self, account_id: str, body: Message) -> None:
        house = self._platform.house
        try:
            if isinstance(body, Tripped):
                trip = Trip(body.scope, TripSource.BUS, body.actor, body.reason, body.flatten)
                self._platform.call(lambda: house.trip(trip, account_id))
            elif isinstance(body, Cleared):
                self._platform.call(lambda: house.clear(body.scope, body.actors, body.reason, account_id))
        except UnknownAccount:
            return  # It is no account of ours


def told(envelopes: Sequence[Envelope]) -> dict[str, tuple[int, int]]:
    """Return the last position and number told of each account."""
    found: dict[str, tuple[int, int]] = {}
    for each in envelopes:
        account_id, _, place = each.correlation_id.rpartition("/")
        position, _, number = place.partition(".")
        if account_id and position.isdigit() and number.isdigit():
            found[account_id] = (int(position), int(number))
    return found


def messages(record: StepRecord) -> Iterator[Message]:
    """Yield what a record tells: its event, unless time alone passed, and what it caused."""
    if record.event is not None:
        yield record.event
    yield from record.commands


def exposure_of(view: PortfolioView) -> Exposure:
    """Return what others may know of an account's portfolio."""
    return Exposure(
        account_id=view.account_id, time_ns=view.time_ns, currency=view.currency, nav_units=view.nav_units,
        cash_units=view.cash_units, lots={each.instrument_id: each.lots for each in view.positions},
        gross_units=view.gross_units, leverage=view.leverage,
        delta={name: each.delta_value for name, each in view.greeks.items()},
        vega={name: each.vega for name, each in view.greeks.items()}, dv01=view.dv01,
        value_at_risk=view.value_at_risk,
    )  # fmt: skip
