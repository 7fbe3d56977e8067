"""Does our own order flow look like abuse? Five patterns, found as orders, cancels and fills go by.

A finding is a question to a person, not a verdict: what is flagged is what a regulator would ask about. The patterns
are those of Regulation (EU) 2016/522, annex II, and of the CFTC's guidance on disruptive practices (2013):

wash trade         two of our orders on opposite sides of one instrument cross, and fill at one price at one moment.
spoofing           one large order opposite a small one of ours; the small one fills, the large one is cancelled.
layering           the same with several orders at different prices.
quote stuffing     very many messages at once, nearly all of them orders that are cancelled at once, hardly a fill.
momentum ignition  a burst of our taking orders moves the price, and we then trade out of it at the better price.

Spoofing and layering need ``repeats`` of it, for once is an accident. Ordinary two-sided quoting is about as large on
one side as on the other, which is what tells it from both. Memory is bounded by the limits below and in ``Rules``; at a
limit the oldest is forgotten.
"""

import collections
import enum
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from njord.domain.clock import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from njord.domain.fill import Fill, Liquidity
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import NewOrder, Side

LIVE_MAX = 20_000  # Twice the default of open_orders_max
FILLS_MAX = 256  # An instrument
SUSPICIONS_MAX = 64  # An instrument
EVIDENCE_MAX = 64  # Order ids in an alert


class Pattern(enum.StrEnum):
    """What our flow looks like. Closed list."""

    WASH_TRADE = "wash_trade"
    SPOOFING = "spoofing"
    LAYERING = "layering"
    QUOTE_STUFFING = "quote_stuffing"
    MOMENTUM_IGNITION = "momentum_ignition"


class Alert(NamedTuple):
    """One finding: what it looks like, when it was complete, and the orders that make it, oldest first."""

    pattern: Pattern
    instrument_id: InstrumentId
    time_ns: int
    order_ids: tuple[ClientOrderId, ...]
    detail: str


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on a pattern is one. Raises ValueError naming the field.

    ``large_ratio`` and ``layers_ratio``: the size opposite the fill, over all we have on its side. Cancelled within
    ``cancel_within_ns`` of the fill, with at most ``filled_share_max`` of it filled. ``ignition_move``: a fraction of
    the price.
    """

    wash_within_ns: int = 10 * NS_PER_MS
    large_ratio: float = 4.0
    layers_min: int = 4
    layers_ratio: float = 3.0
    layers_cancelled_share: float = 0.75
    cancel_within_ns: int = 2 * NS_PER_S
    filled_share_max: float = 0.1
    repeats: int = 3
    repeats_within_ns: int = 10 * NS_PER_MINUTE
    stuffing_messages: int = 200
    stuffing_within_ns: int = NS_PER_S
    quick_cancel_ns: int = 100 * NS_PER_MS
    quick_share: float = 0.4  # Of the messages: every order and its cancel are two
    stuffing_fill_share_max: float = 0.01
    ignition_orders: int = 4
    ignition_within_ns: int = 5 * NS_PER_S
    ignition_move: float = 0.002
    reversal_within_ns: int = 10 * NS_PER_S
    reversal_share: float = 0.5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) > 0:
                raise ValueError(f"surveillance: {name} must be > 0, was {getattr(self, name)}")


class _Live:
    __slots__ = ("filled_lots", "order", "since_ns")

    def __init__(self, order: NewOrder, since_ns: int) -> None:
        self.order = order
        self.since_ns = since_ns
        self.filled_lots = 0


class _Trade(NamedTuple):
    time_ns: int
    order: NewOrder
    side: Side
    price_ticks: int
    quantity_lots: int
    taker: bool


class _Suspicion:
    # Orders opposite a fill that would be a pattern if they were now cancelled
    __slots__ = ("cancelled", "needed", "order_ids", "pattern", "since_ns", "small")

    def __init__(
        self, pattern: Pattern, small: ClientOrderId, order_ids: Sequence[ClientOrderId], needed: float, since_ns: int
    ) -> None:
        self.pattern = pattern
        self.small = small
        self.order_ids = frozenset(order_ids)
        self.needed = needed
        self.since_ns = since_ns
        self.cancelled: list[ClientOrderId] = []


class _Flow:
    # What is remembered of one instrument
    __slots__ = ("messages", "occurred", "suspicions", "trades")

    def __init__(self, rules: Rules) -> None:
        self.trades: collections.deque[_Trade] = collections.deque(maxlen=FILLS_MAX)
        self.suspicions: collections.deque[_Suspicion] = collections.deque(maxlen=SUSPICIONS_MAX)
        self.occurred: dict[Pattern, collections.deque[tuple[int, tuple[ClientOrderId, ...]]]] = {
            each: collections.deque(maxlen=rules.repeats) for each in (Pattern.SPOOFING, Pattern.LAYERING)
        }
        # Time, order id, whether a quick cancel, whether a fill
        self.messages: collections.deque[tuple[int, ClientOrderId, bool, bool]] = collections.deque(
            maxlen=rules.stuffing_messages
        )


class Surveillance:
    """Watches the order flow of one account. Each call returns the alerts it completes; usually none."""

    __slots__ = ("_flows", "_live", "_rules")

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._live: dict[ClientOrderId, _Live] = {}
        self._flows: dict[InstrumentId, _Flow] = {}

    def on_order(self, order: NewOrder, time_ns: int) -> list[Alert]:
        """Take an order that goes to a venue. A replaced order is its cancel and then an order."""
        while len(self._live) >= LIVE_MAX:
            del self._live[next(iter(self._live))]
        self._live[order.client_order_id] = _Live(order, time_ns)
        flow = self._flow(order.instrument_id)
        return self._stuffing(flow, order, time_ns, quick=False, filled=False)

    def on_cancel(self, order_id: ClientOrderId, time_ns: int) -> list[Alert]:
        """Take that what was left of an order was cancelled by us. Unknown orders are passed over."""
        live = self._live.pop(order_id, None)
        if live is None:
            return []
        flow = self._flow(live.order.instrument_id)
        alerts = []
        if live.filled_lots <= self._rules.filled_share_max * live.order.quantity_lots:
            alerts = self._cancelled(flow, live.order, time_ns)
        quick = time_ns - live.since_ns <= self._rules.quick_cancel_ns
        return alerts + self._stuffing(flow, live.order, time_ns, quick=quick, filled=False)

    def on_fill(self, fill: Fill, time_ns: int) -> list[Alert]:
        """Take a fill of one of our orders. Unknown orders are passed over."""
        live = self._live.get(fill.client_order_id)
        if live is None:
            return []
        order = live.order
        flow = self._flow(order.instrument_id)
        trade = _Trade(
            time_ns, order, fill.side, fill.price_ticks, fill.quantity_lots, fill.liquidity is Liquidity.TAKER
        )  # fmt: skip
        alerts = self._wash(flow, trade)
        self._suspect(flow, live, time_ns)
        flow.trades.append(trade)
        alerts += self._ignition(flow, trade)
        alerts += self._stuffing(flow, order, time_ns, quick=False, filled=True)
        live.filled_lots += fill.quantity_lots
        if live.filled_lots >= order.quantity_lots:
            del self._live[order.client_order_id]
        return alerts

    def on_done(self, order_id: ClientOrderId) -> None:
        """Take that an order ended without us: rejected, expired. It is no sign of anything."""
        self._live.pop(order_id, None)

    def _flow(self, name: InstrumentId) -> _Flow:
        flow = self._flows.get(name)
        if flow is None:
            flow = self._flows[name] = _Flow(self._rules)
        return flow

    def _wash(self, flow: _Flow, trade: _Trade) -> list[Alert]:
        for other in reversed(flow.trades):
            if trade.time_ns - other.time_ns > self._rules.wash_within_ns:
                break
            if (
                other.side is trade.side
                or other.price_ticks != trade.price_ticks
                or not _cross(other.order, trade.order)
            ):
                continue
            ids = (other.order.client_order_id, trade.order.client_order_id)
            said = f"both filled at {trade.price_ticks} ticks"
            return [Alert(Pattern.WASH_TRADE, trade.order.instrument_id, trade.time_ns, ids, said)]
        return []

    def _suspect(self, flow: _Flow, filled: _Live, time_ns: int) -> None:
        # Judged as the orders stood when the small one traded
        rules, name, side = self._rules, filled.order.instrument_id, filled.order.side
        here = [each for each in self._live.values() if each.order.instrument_id == name]
        ours_lots = sum(each.order.quantity_lots for each in here if each.order.side is side)
        other = [each.order for each in here if each.order.side is not side]
        small = filled.order.client_order_id
        large = [each.client_order_id for each in other if each.quantity_lots >= rules.large_ratio * ours_lots]
        if large:
            flow.suspicions.append(_Suspicion(Pattern.SPOOFING, small, large, 1, time_ns))
        layers = len({each.limit_ticks for each in other})
        lots = sum(each.quantity_lots for each in other)
        if layers >= rules.layers_min and lots >= rules.layers_ratio * ours_lots:
            ids = [each.client_order_id for each in other]
            needed = max(rules.layers_min, rules.layers_cancelled_share * len(ids))
            flow.suspicions.append(_Suspicion(Pattern.LAYERING, small, ids, needed, time_ns))

    def _cancelled(self, flow: _Flow, order: NewOrder, time_ns: int) -> list[Alert]:
        rules, alerts = self._rules, []
        counted: list[Pattern] = []
        while flow.suspicions and time_ns - flow.suspicions[0].since_ns > rules.cancel_within_ns:
            flow.suspicions.popleft()
        for suspicion in list(flow.suspicions):
            if order.client_order_id not in suspicion.order_ids:
                continue
            suspicion.cancelled.append(order.client_order_id)
            if len(suspicion.cancelled) < suspicion.needed:
                continue
            flow.suspicions.remove(suspicion)
            if suspicion.pattern in counted:
                continue  # One order cancelled after several fills is one occasion
            counted.append(suspicion.pattern)
            occurred = flow.occurred[suspicion.pattern]
            occurred.append((time_ns, (suspicion.small, *suspicion.cancelled)))
            if len(occurred) == rules.repeats and time_ns - occurred[0][0] <= rules.repeats_within_ns:
                ids = [each for _, part in occurred for each in part]
                said = f"cancelled after a fill on the other side, {rules.repeats} times"
                alerts.append(Alert(suspicion.pattern, order.instrument_id, time_ns, _evidence(ids), said))
                occurred.clear()
        return alerts

    def _stuffing(self, flow: _Flow, order: NewOrder, time_ns: int, *, quick: bool, filled: bool) -> list[Alert]:
        rules, messages = self._rules, flow.messages
        messages.append((time_ns, order.client_order_id, quick, filled))
        count = len(messages)
        if count < rules.stuffing_messages or time_ns - messages[0][0] > rules.stuffing_within_ns:
            return []
        gone = [order_id for _, order_id, was_quick, _ in messages if was_quick]
        fills = sum(was_fill for _, _, _, was_fill in messages)
        if len(gone) < rules.quick_share * count or fills > rules.stuffing_fill_share_max * count:
            return []
        messages.clear()
        said = f"{count} messages, {len(gone)} of them quick cancels, {fills} fills"
        return [Alert(Pattern.QUOTE_STUFFING, order.instrument_id, time_ns, _evidence(gone), said)]

    def _ignition(self, flow: _Flow, trade: _Trade) -> list[Alert]:
        rules = self._rules
        pushes = [each for each in flow.trades if each.side is not trade.side and each.taker]
        if not pushes or trade.time_ns - pushes[-1].time_ns > rules.reversal_within_ns:
            return []
        last = pushes[-1]
        pushes = [each for each in pushes if last.time_ns - each.time_ns <= rules.ignition_within_ns]
        orders = list(dict.fromkeys(each.order.client_order_id for each in pushes))
        first, sign = pushes[0], last.side.sign
        moved = sign * (last.price_ticks - first.price_ticks)
        if len(orders) < rules.ignition_orders or moved < rules.ignition_move * abs(first.price_ticks):
            return []
        pushed_lots = sum(each.quantity_lots for each in pushes)
        paid = sum(each.price_ticks * each.quantity_lots for each in pushes)
        back = [each for each in flow.trades if each.side is trade.side and each.time_ns >= last.time_ns]
        # Only what was sold above, or bought back below, what the burst paid on average
        better = [each for each in back if sign * (each.price_ticks * pushed_lots - paid) > 0]
        if sum(each.quantity_lots for each in better) < rules.reversal_share * pushed_lots:
            return []
        flow.trades.clear()
        ids = _evidence([*orders, *dict.fromkeys(each.order.client_order_id for each in better)])
        said = f"{len(orders)} taking orders moved the price {moved} ticks, then the other way"
        return [Alert(Pattern.MOMENTUM_IGNITION, trade.order.instrument_id, trade.time_ns, ids, said)]


def _cross(first: NewOrder, second: NewOrder) -> bool:
    buy, sell = (first, second) if first.side is Side.BUY else (second, first)
    return buy.limit_ticks is None or sell.limit_ticks is None or buy.limit_ticks >= sell.limit_ticks


def _evidence(order_ids: Sequence[ClientOrderId]) -> tuple[ClientOrderId, ...]:
    return tuple(order_ids[-EVIDENCE_MAX:])
