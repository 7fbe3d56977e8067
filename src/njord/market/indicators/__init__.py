"""Incremental indicators for strategies: a cheap ``update`` per bar, the result in ``value``, ``ready`` once it counts.

All follow TA-Lib's definitions from the first value TA-Lib gives, so a strategy and a research frame made with
``njord.market.technical`` agree. Before that ``value`` and every other output is NaN and ``ready`` is False. ``update``
returns ``value``. Sums over a window are taken afresh once per window, so they don't drift in a long session, and a
NaN that slipped in leaves a windowed indicator again; recursive ones (EMA and its kin) keep it, as TA-Lib's do.
"""

from njord.market.indicators.averages import Dema, Ema, Hma, Kama, Sma, Tema, Wma
from njord.market.indicators.oscillators import (
    Aroon,
    Cci,
    LinearRegressionSlope,
    Macd,
    Momentum,
    Roc,
    Rsi,
    Stochastic,
    WilliamsR,
)
from njord.market.indicators.trend import Adx, Ichimoku, Psar, Supertrend
from njord.market.indicators.volatility import Atr, BollingerBands, Donchian, KeltnerChannels, StdDev, TrueRange
from njord.market.indicators.volume import Mfi, Obv, SessionVwap, Vwap
from njord.market.indicators.window import Highest, Lowest

__all__ = [
    "Adx",
    "Aroon",
    "Atr",
    "BollingerBands",
    "Cci",
    "Dema",
    "Donchian",
    "Ema",
    "Highest",
    "Hma",
    "Ichimoku",
    "Kama",
    "KeltnerChannels",
    "LinearRegressionSlope",
    "Lowest",
    "Macd",
    "Mfi",
    "Momentum",
    "Obv",
    "Psar",
    "Roc",
    "Rsi",
    "SessionVwap",
    "Sma",
    "StdDev",
    "Stochastic",
    "Supertrend",
    "Tema",
    "TrueRange",
    "Vwap",
    "WilliamsR",
    "Wma",
]
