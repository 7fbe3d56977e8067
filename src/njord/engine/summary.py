"""Where an account stands, from nothing but its ledger: what a person asks first when something is wrong."""

from collections.abc import Iterable

import msgspec

from njord.domain.command import Restricted
from njord.domain.event import OrderCancelled, OrderExpired, OrderRejected
from njord.domain.fill import Fill
from njord.domain.governance import Cleared, ProfileChanged, Scope, Tripped
from njord.domain.ids import ClientOrderId
from njord.domain.money import decimal
from njord.domain.order import NewOrder
from njord.ledger.rebuild import Money, rebuild
from njord.ledger.record import StepRecord


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An account at the end of its records. Amounts are exact decimals of the asset."""

    session_id: str
    sequence: int
    time_ns: int
    cash: dict[str, str]
    positions: dict[str, int]
    orders: int
    open_orders: int
    fills: int
    profile: str
    tripped: list[str]
    restricted: list[str]


def account_summary(records: Iterable[StepRecord]) -> AccountSummary | None:
    """Return where an account stands, or None where there is nothing on record."""
    seen = _Seen()
    money = rebuild(seen.each(records))
    return seen.summary(money)


class _Seen:
    def __init__(self) -> None:
        self.last: StepRecord | None = None
        self.open: dict[ClientOrderId, int] = {}  # Lots left
        self.orders = self.fills = 0
        self.profile = ""
        self.tripped: dict[Scope, None] = {}
        self.restricted: dict[str, None] = {}

    def each(self, records: Iterable[StepRecord]) -> Iterable[StepRecord]:
        for record in records:
            self.last = record
            event = record.event
            if isinstance(event, Fill):
                self.fills += 1
                left = self.open.get(event.client_order_id, 0) - event.quantity_lots
                self.open[event.client_order_id] = left
                if left <= 0:
                    del self.open[event.client_order_id]
            elif isinstance(event, (OrderCancelled, OrderExpired, OrderRejected)):
                self.open.pop(event.client_order_id, None)
            elif isinstance(event, ProfileChanged):
                self.profile = f"{event.profile.name}, version {event.profile.version}"
            elif isinstance(event, Tripped):
                self.tripped[event.scope] = None
            for command in record.commands:
                if isinstance(command, NewOrder):
                    self.orders += 1
                    self.open[command.client_order_id] = command.quantity_lots
                elif isinstance(command, Restricted):
                    self._restricted(command, cleared=isinstance(event, Cleared))
            yield record

    def _restricted(self, command: Restricted, *, cleared: bool) -> None:
        what = f"{command.cause} {command.whose}".strip()
        if command.level == "normal":
            self.restricted.pop(what, None)
            if cleared:
                self.tripped.pop(command.scope, None)
        elif command.cause != "tripped":
            self.restricted[what] = None

    def summary(self, money: Money) -> AccountSummary | None:
        if self.last is None:
            return None
        positions: dict[str, int] = {}
        for (_, name), lots in money.holdings.items():
            positions[name] = positions.get(name, 0) + sum(lot.lots for lot in lots)
        return AccountSummary(
            session_id=self.last.session_id, sequence=self.last.sequence, time_ns=self.last.time_ns,
            cash={asset: str(decimal(units)) for asset, units in money.cash.items()},
            positions={name: lots for name, lots in positions.items() if lots}, orders=self.orders,
            open_orders=len(self.open), fills=self.fills, profile=self.profile,
            tripped=[str(scope) for scope in self.tripped], restricted=list(self.restricted),
        )  # fmt: skip
