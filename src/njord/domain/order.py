"""Orders: what we ask a venue to do, and the closed state machine of what becomes of it."""

import enum

import msgspec

from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId


class Side(enum.StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    __hash__ = str.__hash__  # Enum's own is a Python function, and orders are looked up by side all day

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(enum.StrEnum):
    """How an order may trade. A stop sleeps until the market reaches its trigger."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(enum.StrEnum):
    """How long an order lives."""

    GTC = "gtc"  # until cancelled
    IOC = "ioc"  # what can trade at once; the rest is cancelled
    FOK = "fok"  # all of it at once, or nothing
    DAY = "day"  # until the next midnight UTC


class OrderStatus(enum.StrEnum):
    """Where an order is in its life."""

    INITIALISED = "initialised"  # approved by risk, not yet sent
    REFUSED = "refused"  # by our own risk engine: never sent
    SUBMITTED = "submitted"  # recorded and on its way
    UNKNOWN = "unknown"  # sent, and no answer: to be reconciled
    ACCEPTED = "accepted"  # the venue has it
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # by the venue
    EXPIRED = "expired"

    __hash__ = str.__hash__  # As for Side


_S = OrderStatus
# Fills can overtake the acknowledgement, and a cancel can cross a fill on the wire: both are legal, and written down
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.INITIALISED: frozenset({_S.REFUSED, _S.SUBMITTED}),
    _S.REFUSED: frozenset(),
    _S.SUBMITTED: frozenset(
        {_S.UNKNOWN, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}
    ),
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}),
    _S.ACCEPTED: frozenset({_S.UNKNOWN, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.PARTIALLY_FILLED: frozenset({_S.UNKNOWN, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}
TERMINAL = frozenset(status for status, following in TRANSITIONS.items() if not following)


class IllegalTransition(ValueError):
    """An order was told to become something it cannot become from where it is."""


class Rejection(enum.StrEnum):
    """Every reason a venue rejects, cancels or expires an order. Closed list."""

    INSTRUMENT_UNKNOWN = "instrument_unknown"
    INSTRUMENT_HALTED = "instrument_halted"
    BELOW_QUANTITY_MIN = "below_quantity_min"
    BELOW_NOTIONAL_MIN = "below_notional_min"
    POST_ONLY_WOULD_CROSS = "post_only_would_cross"
    REDUCE_ONLY_WOULD_INCREASE = "reduce_only_would_increase"
    NOT_FILLABLE_AT_ONCE = "not_fillable_at_once"
    NO_LIQUIDITY = "no_liquidity"
    SELF_TRADE = "self_trade"
    DAY_ENDED = "day_ended"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_DONE = "order_done"
    DUPLICATE_ORDER_ID = "duplicate_order_id"
    PRICE_INVALID = "price_invalid"
    TOO_MANY_ORDERS = "too_many_orders"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    QUOTE_GONE = "quote_gone"  # The dealer's quote has expired, was taken or never was
    REQUESTED = "requested"  # a cancel we asked for
    NOT_SENT = "not_sent"  # approved, but the kill switch came before it left
    NEVER_ARRIVED = "never_arrived"  # the venue, asked about it, has never heard of it


_MARKET = OrderType.MARKET


class NewOrder(msgspec.Struct, frozen=True, gc=False, tag="new_order"):
    """Ask a venue to trade. ``limit_ticks`` and ``stop_ticks`` are None where the type has none.

    ``client_order_id`` is ours and unique: the same id twice is one order. Raises ValueError on a malformed order.
    """

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    side: Side
    order_type: OrderType
    quantity_lots: int
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    quote_id: str | msgspec.UnsetType = msgspec.UNSET  # Of the dealer's quote it takes, where it takes one by name

    def __post_init__(self) -> None:
        # Data, not code: orders are also decoded from a bus or a journal. Most are plain and done with the first look
        plain = self.limit_ticks is None and self.stop_ticks is None and not self.post_only and not self.quote_id
        if plain and self.order_type is _MARKET and self.quantity_lots > 0:
            return
        if self.quantity_lots <= 0:
            raise ValueError(f"{self.client_order_id}: quantity_lots must be > 0, was {self.quantity_lots}")
        kind = self.order_type
        if (self.limit_ticks is None) == (kind is OrderType.LIMIT or kind is OrderType.STOP_LIMIT):
            raise ValueError(f"{self.client_order_id}: limit_ticks {self.limit_ticks} does not go with a {kind} order")
        if (self.stop_ticks is None) == (kind is OrderType.STOP or kind is OrderType.STOP_LIMIT):
            raise ValueError(f"{self.client_order_id}: stop_ticks {self.stop_ticks} does not go with a {kind} order")
        if self.post_only and kind is not OrderType.LIMIT:
            raise ValueError(f"{self.client_order_id}: post_only goes with a limit order, was {kind}")
        if self.quote_id and (kind is not OrderType.LIMIT or self.time_in_force is not TimeInForce.FOK):
            raise ValueError(
                f"{self.client_order_id}: quote_id goes with a limit fok order, was {kind} {self.time_in_force}"
            )
        if self.post_only and self.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            raise ValueError(
                f"{self.client_order_id}: post_only cannot be {self.time_in_force}: it never trades at once"
            )
