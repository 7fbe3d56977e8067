"""Buy once and wait: what every other strategy has to beat."""

from njord.domain.market import Bar, Quote
from njord.strategies.port import Desk, Strategy


class BuyAndHold(Strategy):
    """Buy ``quantity`` of each instrument at its first price, or for ``share`` of the equity, and keep it."""

    def __init__(self, quantity: float | None = None, share: float = 0.95) -> None:
        if quantity is not None and quantity <= 0:
            raise ValueError(f"quantity must be > 0, was {quantity}")
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, was {share}")
        self.quantity, self.share = quantity, share
        self.bought: set[str] = set()

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        self._buy(bar.instrument_id, bar.close, desk)

    def on_quote(self, quote: Quote, desk: Desk) -> None:
        self._buy(quote.instrument_id, quote.ask, desk)

    def _buy(self, instrument: str, price: float, desk: Desk) -> None:
        if instrument not in self.bought and price > 0:
            self.bought.add(instrument)
            cash = desk.equity() * self.share / len(desk.instruments)
            desk.buy(self.quantity if self.quantity is not None else cash / price, instrument=instrument)
