"""Thirty trading ideas that look ahead, each by another door. ``# leak: name`` marks the line and the column."""

import numpy as np
import pandas as pd


def next_bar_direction(bars: pd.DataFrame) -> pd.Series:
    """Long before an up bar: the classic."""
    bars["upcoming"] = bars["close"].shift(-1)  # leak: upcoming
    bars["position"] = (bars["upcoming"] > bars["close"]).astype(float)
    return bars["position"]


def negative_change(bars: pd.DataFrame) -> pd.Series:
    momentum = bars["close"].pct_change(-3)  # leak: momentum
    return (momentum < 0).astype(float)


def negative_difference(bars: pd.DataFrame) -> pd.Series:
    trend = bars["close"].rolling(10).mean()
    slope = -trend.diff(-1)  # leak: slope
    return np.sign(slope).fillna(0.0)


def centred_average(bars: pd.DataFrame) -> pd.Series:
    smooth = bars["close"].rolling(11, center=True).mean()  # leak: smooth
    return (bars["close"] < smooth).astype(float)


def pivots_filled_back(bars: pd.DataFrame) -> pd.Series:
    top = bars["close"].rolling(20).max()
    breakout = bars["close"].where(bars["close"] >= top)
    level = breakout.bfill()  # leak: level
    return (level > bars["close"]).astype(float)


def gaps_interpolated(bars: pd.DataFrame) -> pd.Series:
    sparse = bars["close"].where(np.arange(len(bars)) % 6 == 0)
    path = sparse.interpolate()  # leak: path
    return (bars["close"] < path).astype(float)


def next_row_by_position(bars: pd.DataFrame) -> pd.Series:
    position = pd.Series(0.0, index=bars.index)
    for i in range(len(bars) - 1):
        if bars["open"].iloc[i + 1] > bars["close"].iloc[i]:
            position.iloc[i] = 1.0  # leak: position
    return position


def loop_over_array(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"].to_numpy()
    out = np.zeros(len(close))
    for i in range(len(close)):
        out[i] = close[i : i + 5].mean() > close[i]  # leak: out
    return pd.Series(out, index=bars.index)


def z_score_of_everything(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"]
    center = close.mean()  # leak: center
    spread = close.rolling(50).std()
    z = (close - center) / spread
    return (z < -1).astype(float) - (z > 1).astype(float)


def z_score_in_one_line(bars: pd.DataFrame) -> pd.Series:
    bars["z"] = (bars["close"] - bars["close"].mean()) / bars["close"].std()  # leak: z
    bars["position"] = -bars["z"].clip(-1, 1)
    return bars["position"]


def scaled_by_its_range(bars: pd.DataFrame) -> pd.Series:
    volume = bars["volume"]
    scaled = (volume - volume.min()) / (volume.max() - volume.min())  # leak: scaled
    return (scaled > 0.4).astype(float)


def quantile_threshold(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    threshold = returns.quantile(0.9)  # leak: threshold
    return (returns > threshold).astype(float)


def rank_of_all_time(bars: pd.DataFrame) -> pd.Series:
    rank = bars["volume"].rank(pct=True)  # leak: rank
    return (rank > 0.8).astype(float)


def reversed_running_maximum(bars: pd.DataFrame) -> pd.Series:
    bars["ceiling"] = bars["high"][::-1].cummax()[::-1]  # leak: ceiling
    return (bars["ceiling"] > 1.01 * bars["close"]).astype(float)


def reversed_expanding_mean(bars: pd.DataFrame) -> pd.Series:
    turned = bars["close"].iloc[::-1]
    ahead = turned.expanding().mean().sort_index()  # leak: ahead
    return (ahead > bars["close"]).astype(float)


def daily_range_in_the_morning(bars: pd.DataFrame) -> pd.Series:
    daily = bars["high"].resample("1D").max()  # leak: daily
    today = daily.reindex(bars.index, method="ffill")
    return (bars["close"] < 0.99 * today).astype(float)


def close_of_the_same_day(bars: pd.DataFrame) -> pd.Series:
    bars["day_close"] = bars.groupby(bars.index.date)["close"].transform("last")  # leak: day_close
    return (bars["day_close"] > bars["close"]).astype(float)


def best_of_the_week(bars: pd.DataFrame) -> pd.Series:
    week = bars.index.isocalendar().week.to_numpy()
    weekly_high = bars["high"].groupby(week).transform("max")  # leak: weekly_high
    return (weekly_high / bars["close"] - 1 > 0.02).astype(float)


def joined_with_the_next_print(bars: pd.DataFrame) -> pd.Series:
    left = pd.DataFrame({"time": bars.index + pd.Timedelta("1min")})
    right = pd.DataFrame({"time": bars.index, "price": bars["close"].to_numpy()})
    joined = pd.merge_asof(left, right, on="time", direction="forward")  # leak: price
    return pd.Series((joined["price"] > bars["close"].to_numpy()).to_numpy(dtype=float), index=bars.index)


def joined_with_the_nearest(bars: pd.DataFrame) -> pd.Series:
    shifted = bars["close"].iloc[::4].copy()
    nearest = shifted.reindex(bars.index, method="nearest")  # leak: nearest
    return (nearest > bars["close"]).astype(float)


def rolled_array(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"].to_numpy()
    following = np.roll(close, -1)  # leak: following
    return pd.Series(np.where(following > close, 1.0, 0.0), index=bars.index)


def central_gradient(bars: pd.DataFrame) -> pd.Series:
    slope = np.gradient(bars["close"].to_numpy())  # leak: slope
    return pd.Series(np.sign(slope), index=bars.index)


def kernel_around_each_row(bars: pd.DataFrame) -> pd.Series:
    kernel = np.ones(7) / 7
    smooth = np.convolve(bars["close"].to_numpy(), kernel, mode="same")  # leak: smooth
    return (bars["close"] < smooth).astype(float)


def low_pass_by_fourier(bars: pd.DataFrame) -> pd.Series:
    spectrum = np.fft.rfft(bars["close"].to_numpy())
    spectrum[12:] = 0
    bars["smooth"] = np.fft.irfft(spectrum, n=len(bars))  # leak: smooth
    return (bars["smooth"].diff() > 0).astype(float)


def line_through_everything(bars: pd.DataFrame) -> pd.Series:
    steps = np.arange(len(bars))
    fit = np.polyfit(steps, bars["close"].to_numpy(), 1)  # leak: fit
    residual = bars["close"] - np.polyval(fit, steps)
    return (residual < 0).astype(float)


def regression_on_all_rows(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change().fillna(0.0)
    features = np.column_stack([returns.shift(1).fillna(0.0), returns.shift(2).fillna(0.0), np.ones(len(bars))])
    weights = np.linalg.lstsq(features, returns.to_numpy(), rcond=None)[0]  # leak: weights
    forecast = features @ weights
    return pd.Series(np.sign(forecast), index=bars.index)


def forwards_and_backwards_filter(bars: pd.DataFrame) -> pd.Series:
    once = bars["close"].ewm(span=8).mean()
    twice = once[::-1].ewm(span=8).mean()[::-1]  # leak: twice
    return (bars["close"] < twice).astype(float)


def relative_to_the_last_price(bars: pd.DataFrame) -> pd.Series:
    last = bars["close"].iloc[-1]  # leak: last
    discount = bars["close"] / last - 1
    return (discount < 0).astype(float)


def backward_walk(bars: pd.DataFrame) -> pd.Series:
    close = bars["close"].to_numpy()
    target = close.copy()
    for i in range(len(close) - 2, -1, -1):
        target[i] = 0.7 * close[i] + 0.3 * target[i + 1]  # leak: target
    return pd.Series((target > close).astype(float), index=bars.index)


def buckets_of_volatility(bars: pd.DataFrame) -> pd.Series:
    volatility = bars["close"].pct_change().rolling(20).std().fillna(0.0)
    regime = pd.qcut(volatility, 4, labels=False, duplicates="drop")  # leak: regime
    return (regime == 0).astype(float)
