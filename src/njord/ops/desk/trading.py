"""One account: its orders by hand, its fills, what it is worth and at risk of."""

from decimal import Decimal
from typing import Any

import msgspec

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.ids import ClientOrderId
from njord.domain.instruction import BY_HAND
from njord.domain.instrument import Grid, OffGrid
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder, OrderStatus, OrderType, Side, TimeInForce
from njord.engine.simulation.appraisal import PortfolioView
from njord.engine.simulation.blotter import FillLine, OrderLine
from njord.engine.simulation.house import Account, Plan
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.values import AccountLine, BadRequest, NotFound, Placed, Ticket
from njord.ops.platform import Platform

DEFAULT_CASH = Decimal(1_000_000)
TEXT_CHARS_MAX = 40


class TradingDesk:
    """Accounts, orders and portfolios."""

    def __init__(self, platform: Platform, market: MarketDesk) -> None:
        self.platform, self._market = platform, market

    def open_account(self, account_id: str, cash: Decimal = DEFAULT_CASH, risk: str = "capital_preserving") -> bool:
        """Open an account and pay its cash in, once, however often this is called. Return whether it is new."""

        def act() -> bool:
            if account_id in self.platform.plans:
                return False
            self.platform.open(account_id, Plan(cash=cash, risk=risk))
            return True

        return account_id not in self.platform.plans and self.platform.call(act, 60.0)

    def account(self, account_id: str) -> Account:
        """Return an account. Raises NotFound."""
        found = self.platform.house.accounts.get(account_id)
        if found is None:
            raise NotFound(f"no account {account_id!r}")
        return found

    def accounts(self) -> list[AccountLine]:
        """Return all accounts, as of the last look at them."""
        platform = self.platform

        def look() -> list[AccountLine]:
            found = []
            for name, view in sorted(platform.portfolios.items()):
                account = platform.house.accounts.get(name)
                if account is None or account.session is None:
                    continue
                state = account.session.state
                found.append(
                    AccountLine(
                        name, view.nav_units, view.day_units, view.leverage, view.value_at_risk,
                        len(state.orders.open), bool(state.kill.tripped), account.stopped, state.profile.name,
                    )
                )  # fmt: skip
            return found

        return platform.call(look)

    def orders(self, account_id: str) -> list[OrderLine]:
        """Return the newest orders, oldest first."""
        blotter = self.account(account_id).blotter
        return self.platform.call(lambda: [msgspec.structs.replace(each) for each in blotter.orders.values()])

    def fills(self, account_id: str) -> list[FillLine]:
        """Return the newest fills, oldest first."""
        blotter = self.account(account_id).blotter
        return self.platform.call(lambda: list(blotter.fills))

    def queue_ahead(self, account_id: str) -> dict[ClientOrderId, int]:
        """Return, of each order that rests in a book, the lots that trade before it at its price."""
        crossing = self.platform.market.crossing

        def look() -> dict[ClientOrderId, int]:
            found = {}
            for working in crossing.working(account_id):
                ahead = crossing.ahead_lots(account_id, working.order.client_order_id)
                if ahead is not None:
                    found[working.order.client_order_id] = ahead
            return found

        return self.platform.call(look)

    def portfolio(self, account_id: str) -> PortfolioView:
        """Return what an account is worth and at risk of, as of the last look."""
        self.account(account_id)
        found = self.platform.portfolios.get(account_id)
        if found is None:

            def look() -> PortfolioView:
                self.platform.appraiser.look(self.platform.now_ns)
                return self.platform.appraiser.portfolios([self.account(account_id)])[0]

            return self.platform.call(look)
        return found

    def history(self, account_id: str) -> list[tuple[int, int]]:
        """Return (time, NAV) points, oldest first."""
        self.account(account_id)
        return self.platform.call(lambda: list(self.platform.history.get(account_id, ())))

    def place(self, account_id: str, actor: str, ticket: Ticket) -> Placed:
        """Send an order by hand. Raises BadRequest for what is no order; what risk refuses is an answer."""
        order = self._order(ticket)
        account = self.account(account_id)

        def act() -> Placed:
            known = account.blotter.orders.get(order.client_order_id)
            if known is not None:  # Asked again: the answer is what it was
                refusal = Refusal(known.reason or "") if known.status is OrderStatus.REFUSED else None
                return Placed(order.client_order_id, refusal, msgspec.structs.replace(known))
            refused = self.platform.house.instruct(account_id, order, actor)
            line = account.blotter.orders.get(order.client_order_id)
            return Placed(
                order.client_order_id, None if refused is None else refused.reason,
                None if line is None else msgspec.structs.replace(line),
            )  # fmt: skip

        return self.platform.call(act)

    def cancel(self, account_id: str, actor: str, order_id: str) -> Placed:
        """Ask for the cancellation of one of the account's orders. Raises NotFound."""
        return self._about(account_id, actor, order_id, lambda line: CancelOrder(
            line.client_order_id, line.strategy_id, line.instrument_id
        ))  # fmt: skip

    def replace(
        self, account_id: str, actor: str, order_id: str, quantity: str | None, limit_price: str | None
    ) -> Placed:
        """Move one of the account's orders, or change its whole quantity. Raises NotFound or BadRequest."""

        def moved(line: OrderLine) -> ReplaceOrder:
            grid = self._market.grid(line.instrument_id)
            lots = line.quantity_lots if quantity is None else _lots(grid, quantity)
            ticks = line.limit_ticks if limit_price is None else _ticks(grid, "limit_price", limit_price)
            return ReplaceOrder(line.client_order_id, line.strategy_id, line.instrument_id, lots, ticks)

        return self._about(account_id, actor, order_id, moved)

    def _about(self, account_id: str, actor: str, order_id: str, make: Any) -> Placed:
        account = self.account(account_id)

        def act() -> Placed:
            line = account.blotter.orders.get(ClientOrderId(order_id))
            if line is None:
                raise NotFound(f"no order {order_id!r}")
            refused = self.platform.house.instruct(account_id, make(line), actor)
            return Placed(order_id, None if refused is None else refused.reason, msgspec.structs.replace(line))

        return self.platform.call(act)

    def _order(self, ticket: Ticket) -> NewOrder:
        if not ticket.order_key or len(ticket.order_key) > TEXT_CHARS_MAX or not ticket.order_key.isascii():
            raise BadRequest("order_key", f"must have 1 to {TEXT_CHARS_MAX} characters")
        name = self._market.listing(ticket.instrument_id).instrument.instrument_id
        grid = self._market.grid(name)
        side = _one_of(Side, "side", ticket.side)
        limit = None if ticket.limit_price is None else _ticks(grid, "limit_price", ticket.limit_price)
        stop = None if ticket.stop_price is None else _ticks(grid, "stop_price", ticket.stop_price)
        kind = _one_of(OrderType, "order_type", ticket.order_type)
        tif = _one_of(TimeInForce, "time_in_force", ticket.time_in_force)
        lots = _lots(grid, ticket.quantity)
        quote: dict[str, str] = {} if ticket.quote_id is None else {"quote_id": ticket.quote_id[:100]}
        try:
            return NewOrder(
                ClientOrderId(f"{BY_HAND}:{ticket.order_key}"), BY_HAND, name, side, kind,
                lots, limit, stop, tif, ticket.post_only, ticket.reduce_only, **quote,
            )  # fmt: skip
        except ValueError as error:
            raise BadRequest("order_type", str(error).partition(": ")[2] or str(error)) from None


def _one_of(kind: Any, field: str, text: str) -> Any:
    if text not in kind.__members__.values():
        raise BadRequest(field, f"must be one of {', '.join(kind)}, was {text[:40]!r}")
    return kind(text)


def _lots(grid: Grid, text: str) -> int:
    return _on_grid(grid.lots, "quantity", text)


def _ticks(grid: Grid, field: str, text: str) -> int:
    return _on_grid(grid.ticks, field, text)


def _on_grid(count: Any, field: str, text: str) -> int:
    if len(text) > TEXT_CHARS_MAX:
        raise BadRequest(field, f"at most {TEXT_CHARS_MAX} characters")
    try:
        found: int = count(text)
    except OffGrid as error:
        raise BadRequest(field, str(error).partition(": ")[2]) from None
    return found
