"""Indicators over whole arrays, through TA-Lib: what a research frame holds equals what a strategy's indicator says.

Each function takes float64 arrays of one length and returns arrays of that length, NaN until the first value. Names and
defaults are those of ``njord.market.indicators``. TA-Lib comes with the extra ``njord[ta]``; ImportError says so.
"""

from types import ModuleType

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAY_NS = 86_400_000_000_000


def sma(price: Floats, period: int) -> Floats:
    """Return the simple moving average."""
    return _one("SMA", price, period)


def ema(price: Floats, period: int) -> Floats:
    """Return the exponential moving average, seeded by the simple average of the first ``period`` prices."""
    return _one("EMA", price, period)


def wma(price: Floats, period: int) -> Floats:
    """Return the linearly weighted moving average."""
    return _one("WMA", price, period)


def dema(price: Floats, period: int) -> Floats:
    """Return the double exponential moving average."""
    return _one("DEMA", price, period)


def tema(price: Floats, period: int) -> Floats:
    """Return the triple exponential moving average."""
    return _one("TEMA", price, period)


def hma(price: Floats, period: int) -> Floats:
    """Return the Hull moving average."""
    return _one("HMA", price, period)


def kama(price: Floats, period: int) -> Floats:
    """Return Kaufman's adaptive moving average, fast 2 and slow 30."""
    return _one("KAMA", price, period)


def rsi(price: Floats, period: int = 14) -> Floats:
    """Return the relative strength index, 0..100."""
    return _one("RSI", price, period)


def roc(price: Floats, period: int = 10) -> Floats:
    """Return the rate of change in percent."""
    return _one("ROC", price, period)


def momentum(price: Floats, period: int = 10) -> Floats:
    """Return the price less the price ``period`` values before."""
    return _one("MOM", price, period)


def linear_regression_slope(price: Floats, period: int = 14) -> Floats:
    """Return the slope per value of the least-squares line."""
    return _one("LINEARREG_SLOPE", price, period)


def std_dev(price: Floats, period: int = 20) -> Floats:
    """Return the population standard deviation."""
    return _one("STDDEV", price, period)


def highest(price: Floats, period: int) -> Floats:
    """Return the highest of the last ``period`` values."""
    return _one("MAX", price, period)


def lowest(price: Floats, period: int) -> Floats:
    """Return the lowest of the last ``period`` values."""
    return _one("MIN", price, period)


def macd(price: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Floats, Floats, Floats]:
    """Return the MACD line, its signal and the histogram."""
    line, average, histogram = _talib().MACD(_floats(price), fast, slow, signal)
    return line, average, histogram


def bollinger_bands(price: Floats, period: int = 20, width: float = 2.0) -> tuple[Floats, Floats, Floats]:
    """Return the upper, middle and lower band."""
    upper, middle, lower = _talib().BBANDS(_floats(price), period, width, width)
    return upper, middle, lower


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the true range."""
    return _one("TRANGE", high, low, close)


def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return the average true range, Wilder's smoothing."""
    return _one("ATR", high, low, close, period)


def adx(high: Floats, low: Floats, close: Floats, period: int = 14) -> tuple[Floats, Floats, Floats]:
    """Return the average directional index and the plus and minus directional indicators."""
    return (
        _one("ADX", high, low, close, period),
        _one("PLUS_DI", high, low, close, period),
        _one("MINUS_DI", high, low, close, period),
    )


def stochastic(
    high: Floats, low: Floats, close: Floats, period: int = 14, smooth: int = 3, signal: int = 3
) -> tuple[Floats, Floats]:
    """Return slow %K and %D, 0..100."""
    k, d = _talib().STOCH(_floats(high), _floats(low), _floats(close), period, smooth, 0, signal, 0)
    return k, d


def cci(high: Floats, low: Floats, close: Floats, period: int = 20) -> Floats:
    """Return the commodity channel index."""
    return _one("CCI", high, low, close, period)


def williams_r(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Williams %R, -100..0."""
    return _one("WILLR", high, low, close, period)


def aroon(high: Floats, low: Floats, period: int = 14) -> tuple[Floats, Floats, Floats]:
    """Return the Aroon oscillator, up and down."""
    down, up = _talib().AROON(_floats(high), _floats(low), period)
    return up - down, up, down


def psar(high: Floats, low: Floats, step: float = 0.02, step_max: float = 0.2) -> Floats:
    """Return Wilder's parabolic stop and reverse."""
    return _one("SAR", high, low, step, step_max)


def supertrend(
    high: Floats, low: Floats, close: Floats, period: int = 10, width: float = 3.0
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the stop, and whether it trails below a rising price."""
    stop, trend = _talib().SUPERTREND(_floats(high), _floats(low), _floats(close), period, width)
    return stop, trend > 0


def donchian(high: Floats, low: Floats, period: int = 20) -> tuple[Floats, Floats, Floats]:
    """Return the upper, middle and lower channel, the present bar included."""
    upper, middle, lower = _talib().DONCHIAN(_floats(high), _floats(low), period)
    return upper, middle, lower


def keltner_channels(
    high: Floats, low: Floats, close: Floats, period: int = 20, width: float = 2.0, atr_period: int = 10
) -> tuple[Floats, Floats, Floats]:
    """Return the upper, middle and lower channel: EMA of the typical price and average true ranges around it."""
    upper, middle, lower = _talib().KC(_floats(high), _floats(low), _floats(close), period, atr_period, width)
    return upper, middle, lower


def ichimoku(
    high: Floats, low: Floats, conversion: int = 9, base: int = 26, span: int = 52, displacement: int = 26
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return conversion line, base line and the cloud's spans A and B under the present bar."""
    lines = [(highest(high, period) + lowest(low, period)) / 2.0 for period in (conversion, base, span)]
    span_a = _later((lines[0] + lines[1]) / 2.0, displacement)
    return lines[0], lines[1], span_a, _later(lines[2], displacement)


def obv(close: Floats, volume: Floats) -> Floats:
    """Return the on-balance volume."""
    return _one("OBV", close, volume)


def mfi(high: Floats, low: Floats, close: Floats, volume: Floats, period: int = 14) -> Floats:
    """Return the money flow index, 0..100."""
    return _one("MFI", high, low, close, volume, period)


def vwap(high: Floats, low: Floats, close: Floats, volume: Floats, period: int = 20) -> Floats:
    """Return the volume-weighted typical price of the last ``period`` bars."""
    return _one("VWMA", (high + low + close) / 3.0, volume, period)


def session_vwap(
    start_ns: npt.NDArray[np.int64],
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    session_ns: int = DAY_NS,
    offset_ns: int = 0,
) -> Floats:
    """Return the volume-weighted typical price since the session of each bar began; NaN until something traded."""
    session = (start_ns - offset_ns) // session_ns
    firsts = np.flatnonzero(np.diff(session, prepend=session[:1] - 1))
    result = np.full(len(session), np.nan)
    for first, end in zip(firsts, [*firsts[1:], len(session)], strict=True):
        one = slice(first, end)
        traded = np.cumsum((high[one] + low[one] + close[one]) / 3.0 * volume[one])
        volumes = np.cumsum(volume[one])
        np.divide(traded, volumes, out=result[one], where=volumes > 0)
    return result


def _talib() -> ModuleType:
    try:
        import talib
    except ImportError:
        raise ImportError("technical indicators over arrays need TA-Lib: pip install 'njord[ta]'") from None
    module: ModuleType = talib
    return module


def _floats(values: Floats) -> Floats:
    # TA-Lib takes nothing but contiguous float64
    return np.ascontiguousarray(values, dtype=np.float64)


def _one(function: str, *arguments: Floats | float) -> Floats:
    passed = [_floats(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]
    result: Floats = getattr(_talib(), function)(*passed)
    return result


def _later(values: Floats, by: int) -> Floats:
    return np.concatenate([np.full(min(by, len(values)), np.nan), values[: max(len(values) - by, 0)]])
