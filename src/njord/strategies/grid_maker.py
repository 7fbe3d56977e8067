"""Make a market on a grid: resting buys below, resting sells above, moved with the price."""

import itertools

from njord.domain.fill import Fill
from njord.domain.market import Bar, BookUpdate, Quote, Trade
from njord.domain.order import Side
from njord.strategies.port import Desk, Strategy


class GridMaker(Strategy):
    """Keep ``levels`` post-only bids and asks, ``step`` (a fraction of the price) apart, around a centre. A bid that is
    filled is answered by an ask one step above it, and the other way round. When the price leaves the grid, the grid
    is laid anew around it. Holdings stay between nothing (or, ``short``, minus ``position_max``) and ``position_max``,
    whatever of all that works is filled.
    """

    def __init__(
        self, step: float = 0.002, levels: int = 3, quantity: float = 0.01, position_max: float = 1.0,
        short: bool = False,
    ) -> None:  # fmt: skip
        if not 0 < step < 0.5:
            raise ValueError(f"step must be above 0 and below 0.5, was {step}")
        if not 1 <= levels <= 20:
            raise ValueError(f"levels must be from 1 to 20, was {levels}")
        if quantity <= 0 or position_max < quantity:
            raise ValueError(f"quantity must be > 0 and at most position_max {position_max}, was {quantity}")
        self.step, self.levels, self.quantity = step, levels, quantity
        self.position_max, self.position_min = position_max, -position_max if short else 0.0
        self.centre: dict[str, float] = {}

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        self._follow(bar.instrument_id, bar.close, desk)

    def on_quote(self, quote: Quote, desk: Desk) -> None:
        self._follow(quote.instrument_id, quote.mid, desk)

    def on_trade(self, trade: Trade, desk: Desk) -> None:
        self._follow(trade.instrument_id, trade.price, desk)

    def on_book(self, update: BookUpdate, desk: Desk) -> None:
        price = desk.last_price(update.instrument_id)
        if price is not None:
            self._follow(update.instrument_id, price, desk)

    def on_fill(self, fill: Fill, desk: Desk) -> None:
        if desk.order(fill.client_order_id) is not None:
            return  # There is more of it to come: an order is answered once, as a whole
        name = fill.instrument_id
        price = fill.price_ticks * float(desk.definition(name).price_tick)
        if fill.side is Side.BUY:
            self._lay(name, [], [price * (1 + self.step)], desk)
        else:
            self._lay(name, [price * (1 - self.step)], [], desk)

    def _follow(self, name: str, price: float, desk: Desk) -> None:
        centre = self.centre.get(name)
        if centre is not None and abs(price / centre - 1) <= (self.levels + 1) * self.step:
            return
        self.centre[name] = price
        desk.cancel_all(name)
        steps = [level * self.step for level in range(1, self.levels + 1)]
        self._lay(name, [price * (1 - each) for each in steps], [price * (1 + each) for each in steps], desk)

    def _lay(self, name: str, bids: list[float], asks: list[float], desk: Desk) -> None:
        # What works counts as filled, what is being cancelled too: it may be filled before the cancel gets there
        most = least = desk.position(name)
        for order in desk.open_orders(name):
            left = order.quantity - order.filled
            most, least = (most + left, least) if order.side is Side.BUY else (most, least - left)
        slack = self.quantity * 1e-9  # Sums of floats
        for bid, ask in itertools.zip_longest(bids, asks):
            if bid is not None and most + self.quantity <= self.position_max + slack:
                most += self.quantity
                desk.buy(self.quantity, instrument=name, limit=bid, post_only=True)
            if ask is not None and least - self.quantity >= self.position_min - slack:
                least -= self.quantity
                desk.sell(self.quantity, instrument=name, limit=ask, post_only=True)
