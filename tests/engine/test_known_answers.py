"""Whole backtests whose answers others published: signals, fills, final value and cash."""

import csv
import json
from decimal import Decimal

import numpy as np
import pytest

import njord as nj
from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.money import decimal
from njord.market.indicators import Sma

pytestmark = pytest.mark.shared_data


class SmaCross(nj.Strategy):
    """Buy one unit when the close crosses above its mean, close when it crosses below; as backtrader's test does."""

    def __init__(self):
        self.mean, self.sign, self.signals = Sma(15), 0, []

    def on_bar(self, bar, desk):
        mean = self.mean.update(bar.close)
        if not self.mean.ready or bar.close == mean:
            return
        sign, before = (1 if bar.close > mean else -1), self.sign
        self.sign = sign  # The last difference that was not zero
        if before and sign != before and (sign > 0) == (desk.position() == 0):
            self.signals.append((sign, f"{bar.close:.2f}"))
            desk.target(max(sign, 0))


def load(shared_data):
    with (shared_data / "market/backtrader/2006-day-001.txt").open() as file:
        rows = list(csv.DictReader(file))
    bars = {
        name.lower(): np.array([float(row[name]) for row in rows])
        for name in ("Open", "High", "Low", "Close", "Volume")
    }
    bars["ts"] = np.array([time_ns(row["Date"]) // NS_PER_S for row in rows])
    answers = json.loads((shared_data / "oracles/vectors_backtests/whole_backtests.json").read_text())
    return bars, answers["backtrader_sma15_cross"]["expected"]


def two(amount):
    return f"{amount:.2f}"


def test_backtrader_sma15_stock_like(shared_data):
    bars, expected = load(shared_data)
    strategy = SmaCross()
    result = nj.backtest(strategy, bars, 10_000, instrument="INDEX.XETRA", taker=0, latency_ms=0)

    assert [price for sign, price in strategy.signals if sign > 0] == expected["buy_signal_closes"]
    assert [price for sign, price in strategy.signals if sign < 0] == expected["sell_signal_closes"]
    fills = result.fills
    assert [two(p) for p in fills[fills.side == "buy"].price] == expected["buy_fills"]
    assert [two(p) for p in fills[fills.side == "sell"].price] == expected["sell_fills"]
    assert len(fills) == 23
    assert two(Decimal(result.final_equity)) == expected["stocklike_no_commission"]["final_value"]
    cash = decimal(result.assembly.backtest.state.portfolio.cash["USD"])
    assert two(cash) == expected["stocklike_no_commission"]["final_cash"]


def test_backtrader_sma15_futures_like(shared_data):
    bars, expected = load(shared_data)
    future = Instrument(
        instrument_id="FUT.XETRA", kind=InstrumentKind.FUTURE, base="FUT", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal(1), multiplier=Decimal(10), underlier="INDEX", expiry_ns=2**62,
        initial_margin=Decimal(1_000),
    )  # fmt: skip
    venue = {"fees": {"per_quantity": 2}}
    result = nj.backtest(
        SmaCross(),
        bars,
        10_000,
        instrument="FUT.XETRA",
        definition=future,
        taker=0,
        venue=venue,
        latency_ms=0,
        risk="research",
    )

    want = expected["futures_like_mult10_margin1000_commission2_per_contract_per_side"]
    assert two(Decimal(result.final_equity)) == want["final_value"]
    # Free cash is what is left of the value once the margin of the one open contract is set aside
    held = result.assembly.backtest.state.portfolio.lots["FUT.XETRA"]
    assert held == 1
    assert two(Decimal(result.final_equity) - held * future.initial_margin) == want["final_cash"]
