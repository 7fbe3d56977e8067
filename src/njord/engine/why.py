"""Why an order or a fill happened: the chain of causes, from the market event to the entry in the ledger.

Every step on record names the event that caused it, so the way back is never guessed: a fill is of an order, an order
is of the step whose event made a strategy want it, and that event is the market's, or a timer's, a report's or a
person's, which has a step of its own.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from njord.domain.clock import iso
from njord.domain.command import Assessed, CancelOrder, Command, Entry, Refused, ReplaceOrder, SetTimer
from njord.domain.event import (
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    TimerFired,
)
from njord.domain.fill import Fill
from njord.domain.governance import OrderUnknown
from njord.domain.order import NewOrder
from njord.engine.session_journal import Step

CAUSES_MAX = 100
_REPORTS = (
    OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced, CancelRejected, OrderUnknown,
)  # fmt: skip


class NotOnRecord(LookupError):
    """Nothing on record has this name."""


class Link(msgspec.Struct, frozen=True):
    """One link of a chain: when, at which step, what it is, and the thing itself."""

    sequence: int
    time: str
    what: str
    detail: str
    record: Any = None


class Why(msgspec.Struct, frozen=True):
    """A whole chain, in the order in which it happened."""

    subject: str
    order_id: str
    links: list[Link]


def why(steps: Iterable[Step], name: str) -> Why:
    """Explain an order, a fill or a ledger entry by its id. Raises NotOnRecord."""
    index = _Index(steps)
    order_id = index.order_of(name)
    links: list[Link] = []
    made = index.made[order_id]
    index.explain(made, links)
    order = next(c for c in made.commands if _about(c, order_id) and isinstance(c, (NewOrder, Refused)))
    for step in index.about.get(order_id, []):
        if step is not made:
            links += index.told(step, order_id)
    links.sort(key=lambda link: link.sequence)
    assert isinstance(order, (NewOrder, Refused)), order
    return Why(name, order_id, links)


class _Index:
    def __init__(self, steps: Iterable[Step]) -> None:
        self.made: dict[str, Step] = {}  # The step in which an order was decided
        self.about: dict[str, list[Step]] = {}  # All steps that say something of an order
        self.fills: dict[str, str] = {}  # The order of each fill
        self.timers: dict[tuple[str, str], list[Step]] = {}  # Where each timer was set
        for step in steps:
            self._read(step)

    def order_of(self, name: str) -> str:
        if name in self.made:
            return name
        fill_id = name.removeprefix("fill:")
        if fill_id in self.fills:
            return self.fills[fill_id]
        raise NotOnRecord(f"no order, fill or entry {name!r} on record")

    def explain(self, step: Step, links: list[Link]) -> None:
        """Add the links that lead to a step, from the market on."""
        for _ in range(CAUSES_MAX):
            links.append(_link(step, "cause", _event_text(step), step.event))
            decided = [c for c in step.commands if isinstance(c, (NewOrder, Refused, Assessed))]
            links += [_link(step, *_command_text(command), command) for command in decided]
            before = self._before(step)
            if before is None:
                return
            step = before

    def told(self, step: Step, order_id: str) -> list[Link]:
        """Return what a later step says of an order."""
        links = []
        event = step.event
        if _reports(event, order_id):
            links.append(_link(step, *_report_text(event), event))
        for command in step.commands:
            if isinstance(command, Entry) and isinstance(event, Fill) and event.client_order_id == order_id:
                links.append(_link(step, "entry", _entry_text(command), command))
            elif _about(command, order_id) and not isinstance(command, NewOrder):
                links.append(_link(step, *_command_text(command), command))
        if isinstance(event, Fill) and event.client_order_id == order_id:
            links += [_link(step, "lot opened", f"{lot.lot.lots} lots", lot) for lot in step.opened]
            links += [
                _link(
                    step,
                    "lot closed",
                    f"{lot.lots} lots of {lot.entry_fill_id}, gained {lot.gain_units / 1e18:.8g}",
                    lot,
                )
                for lot in step.closed
            ]
        return links

    def _before(self, step: Step) -> Step | None:
        # What led to the event of a step, where it is not the market's own
        event = step.event
        if isinstance(event, TimerFired):
            set_in = [
                each for each in self.timers.get((event.strategy_id, event.name), []) if each.sequence < step.sequence
            ]
            return set_in[-1] if set_in else None
        if isinstance(event, (Fill, *_REPORTS)):
            return self.made.get(event.client_order_id)
        return None

    def _read(self, step: Step) -> None:
        event = step.event
        named: dict[str, None] = {}
        if isinstance(event, Fill):
            self.fills[event.fill_id] = event.client_order_id
        if isinstance(event, (Fill, *_REPORTS)):
            named[event.client_order_id] = None
        for command in step.commands:
            if isinstance(command, (NewOrder, Refused)):
                self.made.setdefault(command.client_order_id, step)
            if isinstance(command, SetTimer):
                self.timers.setdefault((command.strategy_id, command.name), []).append(step)
            order_id = getattr(command, "client_order_id", None)
            if order_id is not None:
                named[order_id] = None
        for order_id in named:
            self.about.setdefault(order_id, []).append(step)


def _link(step: Step, what: str, detail: str, record: Any) -> Link:
    return Link(step.sequence, iso(step.time_ns), what, detail, record)


def _about(command: Command, order_id: str) -> bool:
    return getattr(command, "client_order_id", None) == order_id


def _reports(event: Event | None, order_id: str) -> bool:
    return isinstance(event, (Fill, *_REPORTS)) and event.client_order_id == order_id


def _event_text(step: Step) -> str:
    event = step.event
    if event is None:
        return f"the session's {step.cause}"
    prices = ", ".join(
        f"{name} {getattr(event, name)}" for name in ("open", "high", "low", "close", "bid", "ask", "price")
        if hasattr(event, name)
    )  # fmt: skip
    return f"{step.cause}{f' ({prices})' if prices else ''}"


def _command_text(command: Command) -> tuple[str, str]:
    if isinstance(command, NewOrder):
        at = "at market" if command.limit_ticks is None else f"limit {command.limit_ticks} ticks"
        wants = f"{command.side} {command.quantity_lots} lots of {command.instrument_id}, {command.order_type}, {at}"
        return "order", f"{command.strategy_id} wants to {wants}"
    if isinstance(command, Refused):
        return "refused", f"by our own risk engine: {command.reason}"
    if isinstance(command, Assessed):
        verdict = "approved" if command.refusal is None else f"refused: {command.refusal}"
        var = "" if command.var_after_units is None else (
            f", VaR {(command.var_before_units or 0) / 1e18:.2f} to {command.var_after_units / 1e18:.2f} of at most"
            f" {(command.var_max_units or 0) / 1e18:.2f}"
        )  # fmt: skip
        return "risk", (
            f"{verdict} by {command.profile} {command.profile_version}: gross {command.gross_before_bp} to"
            f" {command.gross_after_bp} bp of equity, at most {command.leverage_max_bp};"
            f" drawdown {command.drawdown_bp} bp, tier {command.tier}{var}"
        )  # fmt: skip
    if isinstance(command, CancelOrder):
        return "cancel", "asked for"
    if isinstance(command, ReplaceOrder):
        return "replace", f"asked for: {command.quantity_lots} lots at {command.limit_ticks}"
    return type(command).__name__.lower(), ""


def _report_text(event: Any) -> tuple[str, str]:
    if isinstance(event, Fill):
        return "fill", (
            f"{event.fill_id}: {event.side} {event.quantity_lots} lots at {event.price_ticks} ticks, {event.liquidity},"
            f" because {event.reason} ({event.causation_id or 'the venue says no more'})"
        )  # fmt: skip
    reason = getattr(event, "reason", "")
    return type(event).__struct_config__.tag.replace("_", " "), str(reason)


def _entry_text(entry: Entry) -> str:
    return f"{entry.entry_id}: " + ", ".join(f"{each.account} {each.asset} {each.amount:+d}" for each in entry.postings)
