"""The port of strategies: the callbacks they may have, and the desk they are handed. Nothing else exists for them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from njord.domain.command import Refused
from njord.domain.event import (  # fmt: skip
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
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.instrument import Instrument
from njord.domain.market import Bar, BookUpdate, Quote, Trade
from njord.domain.order import OrderStatus, Side
from njord.market.book import Book

Quantity = Decimal | float | str
Memory = dict[str, Any]
OrderNews = OrderAccepted | OrderRejected | OrderCancelled | OrderExpired | OrderReplaced | CancelRejected | Refused


class Rng(Protocol):
    """Seeded randomness: the same seed and strategy give the same numbers in every process."""

    def random(self) -> float: ...
    def uniform(self, a: float, b: float) -> float: ...
    def gauss(self, mu: float, sigma: float) -> float: ...
    def randint(self, a: int, b: int) -> int: ...


class OrderView(Protocol):
    """One of the strategy's own orders, as far as it is known."""

    @property
    def client_order_id(self) -> ClientOrderId: ...
    @property
    def instrument_id(self) -> InstrumentId: ...
    @property
    def side(self) -> Side: ...
    @property
    def status(self) -> OrderStatus: ...
    @property
    def limit(self) -> float | None: ...
    @property
    def quantity(self) -> float: ...
    @property
    def filled(self) -> float: ...


class Desk(Protocol):
    """What a strategy can see and ask for. Prices and quantities are floats; the desk puts what is asked on the grid,
    never more aggressive and never more than asked. ``instrument`` may be left out where the strategy has only one.

    Orders are intents: the risk engine may refuse them, which comes back through ``on_order``. ``intent`` names one:
    the same name twice is refused as a duplicate.
    """

    @property
    def time_ns(self) -> int: ...
    @property
    def instruments(self) -> Sequence[InstrumentId]: ...
    @property
    def rng(self) -> Rng: ...

    def buy(
        self,
        quantity: Quantity,
        *,
        instrument: str | None = None,
        limit: Quantity | None = None,
        stop: Quantity | None = None,
        time_in_force: str = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        intent: str | None = None,
    ) -> ClientOrderId: ...

    def sell(
        self,
        quantity: Quantity,
        *,
        instrument: str | None = None,
        limit: Quantity | None = None,
        stop: Quantity | None = None,
        time_in_force: str = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        intent: str | None = None,
    ) -> ClientOrderId: ...

    def target(self, quantity: Quantity, *, instrument: str | None = None) -> ClientOrderId | None:
        """Trade at market what is missing to hold ``quantity``, counting what is working; None if nothing is."""

    def cancel(self, order: ClientOrderId) -> None: ...
    def cancel_all(self, instrument: str | None = None) -> None: ...
    def replace(self, order: ClientOrderId, *, quantity: Quantity | None = None, limit: Quantity | None = None) -> None:
        """Change an order's total quantity or limit. It loses its place in the queue unless it only gets smaller."""

    def position(self, instrument: str | None = None) -> float: ...
    def order(self, order: ClientOrderId) -> OrderView | None: ...
    def open_orders(self, instrument: str | None = None) -> Sequence[OrderView]: ...
    def last_price(self, instrument: str | None = None) -> float | None: ...
    def book(self, instrument: str | None = None) -> Book | None: ...
    def definition(self, instrument: str | None = None) -> Instrument: ...
    def cash(self) -> float: ...
    def equity(self) -> float: ...
    def timer(self, name: str, time_ns: int) -> None:
        """Ask for ``on_timer`` at a moment that is not in the past."""

    def note(self, text: str) -> None:
        """Put a reason on record, in the journal."""


class Strategy:
    """A strategy: override what you need; what you don't override costs nothing.

    Parameters are the keyword arguments of ``__init__``, and a config may set each of them by name.
    ``on_event`` sees every event that has no callback of its own.
    """

    def on_start(self, desk: Desk) -> None: ...
    def on_bar(self, bar: Bar, desk: Desk) -> None: ...
    def on_quote(self, quote: Quote, desk: Desk) -> None: ...
    def on_trade(self, trade: Trade, desk: Desk) -> None: ...
    def on_book(self, update: BookUpdate, desk: Desk) -> None: ...
    def on_fill(self, fill: Fill, desk: Desk) -> None: ...
    def on_order(self, news: OrderNews, desk: Desk) -> None: ...
    def on_timer(self, timer: TimerFired, desk: Desk) -> None: ...
    def on_event(self, event: Event, desk: Desk) -> None: ...
    def on_stop(self, desk: Desk) -> None: ...

    def remember(self) -> Memory | None:
        """Return what a successor of the same name should know, as plain numbers and text; None: it begins anew.

        It is asked when a strategy is replaced while the market lives, and goes on record with the new session.
        """
        return None

    def recall(self, memory: Memory) -> None:
        """Take over what a predecessor remembered, after ``on_start``. What does not fit other parameters is left."""


def overrides(strategy: Strategy, callback: str) -> bool:
    """Return whether the strategy has its own version of a callback."""
    return getattr(type(strategy), callback) is not getattr(Strategy, callback)
