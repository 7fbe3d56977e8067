"""NautilusTrader: BacktestEngine, a Python strategy, bars or quotes, logging off, no latency unless said.

The account is of several currencies, so that buying one bitcoin with dollars needs no margin; dollars are USDT, which
it keeps to eight decimals, so that no fee is rounded. Market orders sent from ``on_bar`` without latency are filled at
the close of that bar. It has no fill at the next open: the task of that name sends orders with a latency of 1 ns, and
they are filled at the close of the next bar, since a bar's four prices have all been seen when an order is looked at.
"""

from collections.abc import Generator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler, QuoteTickDataWrangler
from nautilus_trader.trading.strategy import Strategy
from protocol import CASH, FAST, FEE, SLOW, Ema, Tape, serve

VENUE = Venue("SIM")
NAME = InstrumentId(Symbol("BTCUSDT"), VENUE)
BARS = BarType.from_str(f"{NAME}-1-MINUTE-LAST-EXTERNAL")


class EmaCross(Strategy):
    """The cross of two averages; ``trades`` False computes them and does nothing."""

    def __init__(self, trades: bool) -> None:
        super().__init__()
        self.trades = trades
        self.fast, self.slow = Ema(FAST), Ema(SLOW)
        self.was_above = False
        self.orders = 0

    def on_start(self) -> None:
        self.one = Quantity(1, 3)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Any) -> None:
        close = bar.close.as_double()
        above = self.fast.update(close) > self.slow.update(close)
        if above is not self.was_above and self.trades:
            self.was_above = above
            self.orders += 1
            side = OrderSide.BUY if above else OrderSide.SELL
            self.submit_order(self.order_factory.market(NAME, side, self.one))


class Spread(Strategy):
    """Look at every quote: the sum of spreads."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.total = 0.0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(NAME)

    def on_quote_tick(self, quote: Any) -> None:
        self.seen += 1
        self.total += quote.ask_price.as_double() - quote.bid_price.as_double()


def instrument() -> CurrencyPair:
    return CurrencyPair(
        instrument_id=NAME, raw_symbol=NAME.symbol, base_currency=BTC, quote_currency=USDT, price_precision=2,
        size_precision=3, price_increment=Price(0.01, 2), size_increment=Quantity(0.001, 3), ts_event=0, ts_init=0,
        maker_fee=Decimal(str(FEE)), taker_fee=Decimal(str(FEE)),
    )  # fmt: skip


def engine_of(data: list[Any], strategy: Strategy, pair: CurrencyPair, latency_ns: int) -> BacktestEngine:
    engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    latency = None
    if latency_ns:
        from nautilus_trader.backtest.models import LatencyModel

        latency = LatencyModel(base_latency_nanos=latency_ns)
    engine.add_venue(
        VENUE, OmsType.NETTING, AccountType.CASH, [Money(CASH, USDT), Money(0, BTC)], latency_model=latency
    )
    engine.add_instrument(pair)
    engine.add_data(data)
    engine.add_strategy(strategy)
    return engine


def bars(tape: Tape, trades: bool, latency_ns: int) -> Generator[None, None, dict[str, Any]]:
    pair = instrument()
    names = ("open", "high", "low", "close", "volume")
    closed = pd.to_datetime(tape["ts"] + 60_000_000_000, utc=True)
    table = pd.DataFrame({name: tape[name] for name in names}, index=closed)
    data = BarDataWrangler(BARS, pair).process(table)
    strategy = EmaCross(trades)
    engine = engine_of(data, strategy, pair, latency_ns)
    yield
    engine.run()
    account = engine.cache.account_for_venue(VENUE)
    held = account.balance_total(BTC)
    equity = account.balance_total(USDT).as_decimal()
    equity += (held.as_decimal() if held is not None else 0) * Decimal(str(tape["close"][-1]))
    return {"orders": strategy.orders, "fills": engine.cache.orders_closed_count(), "equity": str(equity)}


def quotes(tape: Tape) -> Generator[None, None, dict[str, Any]]:
    pair = instrument()
    table = pd.DataFrame(
        {
            "bid_price": tape["bid_ticks"] / 100, "ask_price": tape["ask_ticks"] / 100,
            "bid_size": tape["bid_lots"] / 1000, "ask_size": tape["ask_lots"] / 1000,
        },
        index=pd.to_datetime(tape["venue_time_ns"], utc=True),
    )  # fmt: skip
    data = QuoteTickDataWrangler(pair).process(table)
    strategy = Spread()
    engine = engine_of(data, strategy, pair, 0)
    yield
    engine.run()
    assert np.isclose(strategy.total, float((tape["ask_ticks"] - tape["bid_ticks"]).sum()) / 100)
    return {"orders": 0, "seen": strategy.seen}


if __name__ == "__main__":
    serve(
        {
            "none": lambda tape: bars(tape, False, 0),
            "same_close": lambda tape: bars(tape, True, 0),
            "next_open": lambda tape: bars(tape, True, 1),
            "quotes": quotes,
        },
        "nautilus_trader",
    )
