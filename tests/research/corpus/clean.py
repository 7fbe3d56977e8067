"""Thirty trading ideas that do not look ahead, though many look as if: no alarm may be raised for one of them."""

import numpy as np
import pandas as pd


def moving_average_cross(bars: pd.DataFrame) -> pd.Series:
    bars["fast"] = bars["close"].rolling(8).mean()
    bars["slow"] = bars["close"].rolling(21).mean()
    return (bars["fast"] > bars["slow"]).astype(float)


def exponential_cross(bars: pd.DataFrame) -> pd.Series:
    fast, slow = bars["close"].ewm(span=8).mean(), bars["close"].ewm(span=21).mean()
    return np.sign(fast - slow)


def rolling_z_score(bars: pd.DataFrame) -> pd.Series:
    window = bars["close"].rolling(50)
    z = (bars["close"] - window.mean()) / window.std()
    return (z < -1).astype(float) - (z > 1).astype(float)


def expanding_z_score(bars: pd.DataFrame) -> pd.Series:
    seen = bars["close"].expanding(30)
    return -((bars["close"] - seen.mean()) / seen.std()).clip(-1, 1).fillna(0.0)


def breakout(bars: pd.DataFrame) -> pd.Series:
    top = bars["high"].rolling(20).max().shift(1)
    bottom = bars["low"].rolling(20).min().shift(1)
    raw = pd.Series(np.nan, index=bars.index)
    raw[bars["close"] > top] = 1.0
    raw[bars["close"] < bottom] = 0.0
    return raw.ffill().fillna(0.0)


def label_nobody_trades_on(bars: pd.DataFrame) -> pd.Series:
    """The label looks ahead, as labels must; the signal does not use it."""
    bars["label"] = bars["close"].shift(-5) / bars["close"] - 1
    bars["position"] = (bars["close"].pct_change(5) > 0).astype(float)
    return bars["position"]


def yesterday_range(bars: pd.DataFrame) -> pd.Series:
    """Daily highs are known when the day is over: shifted by a day, they are yesterday's."""
    daily = bars["high"].resample("1D").max()
    yesterday = daily.shift(1).reindex(bars.index, method="ffill")
    return (bars["close"] > yesterday).astype(float)


def high_of_the_day_so_far(bars: pd.DataFrame) -> pd.Series:
    so_far = bars.groupby(bars.index.date)["high"].cummax()
    return (bars["close"] >= 0.999 * so_far).astype(float)


def open_of_the_day(bars: pd.DataFrame) -> pd.Series:
    first = bars.groupby(bars.index.date)["open"].transform("first")
    return (bars["close"] > first).astype(float)


def joined_backwards(bars: pd.DataFrame) -> pd.Series:
    left = pd.DataFrame({"time": bars.index})
    right = pd.DataFrame({"time": bars.index[::4], "price": bars["close"].to_numpy()[::4]})
    joined = pd.merge_asof(left, right, on="time", direction="backward")
    return pd.Series((joined["price"] < bars["close"].to_numpy()).to_numpy(dtype=float), index=bars.index)


def relative_strength(bars: pd.DataFrame) -> pd.Series:
    change = bars["close"].diff()
    gain = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    loss = -change.clip(upper=0).ewm(alpha=1 / 14, adjust=False).mean()
    strength = 100 - 100 / (1 + gain / loss.replace(0, np.nan))
    return (strength < 30).astype(float) - (strength > 70).astype(float)


def trained_on_the_first_part(bars: pd.DataFrame) -> pd.Series:
    """Fitted on the first 100 bars, traded only after them."""
    returns = bars["close"].pct_change().fillna(0.0)
    position = pd.Series(0.0, index=bars.index)
    if len(bars) > 100:
        past = returns.shift(1).fillna(0.0)
        slope = np.polyfit(past.iloc[:100], returns.iloc[:100], 1)[0]
        position.iloc[100:] = np.sign(slope * returns.iloc[100:])
    return position


def walk_forward_regression(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"].to_numpy()
    position = np.zeros(len(close))
    for end in range(60, len(close), 20):
        steps = np.arange(60)
        slope = np.polyfit(steps, close[end - 60 : end], 1)[0]
        position[end : end + 20] = np.sign(slope)
    return pd.Series(position, index=bars.index)


def loop_with_state(bars: pd.DataFrame) -> pd.Series:
    position, held, entry = [], 0.0, 0.0
    average = bars["close"].rolling(20).mean()
    for price, mean in zip(bars["close"], average, strict=True):
        if held == 0.0 and price < 0.99 * mean:
            held, entry = 1.0, price
        elif held == 1.0 and (price > 1.01 * entry or price < 0.98 * entry):
            held = 0.0
        position.append(held)
    return pd.Series(position, index=bars.index)


def previous_row_by_position(bars: pd.DataFrame) -> pd.Series:
    position = pd.Series(0.0, index=bars.index)
    for i in range(1, len(bars)):
        position.iloc[i] = float(bars["close"].iloc[i] > bars["close"].iloc[i - 1])
    return position


def rolling_quantile(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    return (returns > returns.rolling(100).quantile(0.9)).astype(float)


def rolling_rank(bars: pd.DataFrame) -> pd.Series:
    rank = bars["volume"].rolling(60).rank(pct=True)
    return (rank > 0.8).astype(float)


def rolling_function(bars: pd.DataFrame) -> pd.Series:
    def spread(values: np.ndarray) -> float:
        return float(values.max() - values.min())

    width = bars["close"].rolling(15).apply(spread, raw=True)
    return (width < width.rolling(50).median()).astype(float)


def causal_kernel(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"].to_numpy()
    kernel = np.ones(7) / 7
    smooth = np.convolve(close, kernel)[: len(close)]
    return pd.Series(np.where(close > smooth, 1.0, 0.0), index=bars.index)


def turned_twice(bars: pd.DataFrame) -> pd.Series:
    """Reversed and turned back with nothing in between."""
    turned = bars["close"][::-1]
    change = turned.sort_index().pct_change(3)
    return (change < 0).astype(float)


def drawdown_reentry(bars: pd.DataFrame) -> pd.Series:
    drawdown = bars["close"] / bars["close"].cummax() - 1
    return (drawdown < -0.03).astype(float)


def hour_of_day(bars: pd.DataFrame) -> pd.Series:
    hour = bars.index.hour
    return pd.Series(np.where((hour >= 8) & (hour < 16), 1.0, 0.0), index=bars.index)


def volume_weighted_price(bars: pd.DataFrame) -> pd.Series:
    day = bars.index.date
    money = (bars["close"] * bars["volume"]).groupby(day).cumsum()
    traded = bars["volume"].groupby(day).cumsum()
    return (bars["close"] < money / traded).astype(float)


def true_range_stop(bars: pd.DataFrame) -> pd.Series:
    before = bars["close"].shift(1)
    ranges = pd.concat(
        [bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()], axis=1
    )
    width = ranges.max(axis=1).rolling(14).mean()
    stop = bars["high"].rolling(22).max() - 3 * width
    return (bars["close"] > stop).astype(float)


def typical_price_of_columns(bars: pd.DataFrame) -> pd.Series:
    """A mean across columns is not one over time."""
    typical = bars[["high", "low", "close"]].mean(axis=1)
    return (typical.diff() > 0).astype(float)


def gap_from_previous_close(bars: pd.DataFrame) -> pd.Series:
    gap = bars["open"] / bars["close"].shift(1) - 1
    return (gap < -0.001).astype(float)


def filled_forward(bars: pd.DataFrame) -> pd.Series:
    sparse = bars["close"].where(np.arange(len(bars)) % 6 == 0)
    held = sparse.ffill()
    return (bars["close"] > held).fillna(False).astype(float)


def last_row_in_a_log_line(bars: pd.DataFrame) -> pd.Series:
    """What a user prints about the end of the sample is not traded on."""
    summary = {"last": bars["close"].iloc[-1], "mean": bars["close"].mean(), "bars": len(bars)}
    position = (bars["close"].diff(2) > 0).astype(float)
    return position if summary["bars"] else position * 0


def volatility_target(bars: pd.DataFrame) -> pd.Series:
    volatility = bars["close"].pct_change().rolling(30).std()
    size = (0.005 / volatility).clip(upper=2.0).round(2)
    trend = np.sign(bars["close"] - bars["close"].shift(30))
    return (size * trend).fillna(0.0)


def seeded_coin(bars: pd.DataFrame) -> pd.Series:
    """Dice with a seed are the same however many are thrown."""
    rng = np.random.default_rng(7)
    return pd.Series((rng.random(len(bars)) > 0.5).astype(float), index=bars.index)
