"""Plausibility: what about a result cannot be true, or cannot be trusted yet? In words, before anyone believes it."""

from collections.abc import Iterator, Mapping

import msgspec

Stats = Mapping[str, float | int | None]

SHARPE_MAX = 5.0
CAGR_MAX = 10.0  # 1000 % a year
PROFIT_FACTOR_MAX = 10.0
WIN_RATE_MAX = 0.95
TRADES_MANY = 30
DRAWDOWN_MIN = 0.001
MONTHS_MANY = 6
VOLUME_SHARE_MAX = 0.10
HOLES_MAX = 0.01
BEST_TRADE_SHARE_MAX = 0.5


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a run assumed and met. None means unknown, and nothing is said about it."""

    fills: int | None = None
    fees: float | None = None  # total paid, in the account's currency; negative is a rebate
    fill_reasons: Mapping[str, int] = {}  # FillReason -> count
    latency_ns: int | None = None
    volume_share_max: float | None = None  # largest fill / volume of its bar
    fills_over_volume: int | None = None  # fills bigger than the allowed share of their bar
    hole_share: float | None = None  # of the time covered by data, how much has none: 0..1
    spread_cost_per_trade: float | None = None  # half-spreads of entry and exit, in the account's currency
    positions_open: int | None = None  # at the end


def doubts(stats: Stats, context: Context | None = None) -> list[str]:
    """Return one sentence for each reason not to believe ``stats`` (as ``summary`` makes them), the gravest first."""
    known = context or Context()
    return [*_impossible(stats), *_too_good(stats), *_too_little(stats), *_assumed(stats, known), *_data(known)]


def _impossible(stats: Stats) -> Iterator[str]:
    lowest = stats.get("lowest_equity")
    if lowest is not None and lowest <= 0:
        yield (
            f"Equity fell to {lowest:,.2f}: the account was lost on the way, so CAGR, Sharpe and all that follows are "
            "undefined and not shown."
        )
    cagr = stats.get("cagr")
    years = stats.get("years")
    if cagr is not None and cagr > CAGR_MAX:
        span = f" over {_span(years)}" if years is not None else ""
        yield (
            f"A growth of {_percent(cagr)} a year{span} is no forecast: "
            + ("a short run was extrapolated to a year." if years is not None and years < 1 else "look for an error.")
        )


def _too_good(stats: Stats) -> Iterator[str]:
    trades = stats.get("trades") or 0
    sharpe = stats.get("sharpe")
    if sharpe is not None and sharpe > SHARPE_MAX:
        yield f"Sharpe {sharpe:,.1f} is above {SHARPE_MAX:g}: nothing traded at size has one; look for lookahead."
    win_rate = stats.get("win_rate")
    if win_rate is not None and win_rate > WIN_RATE_MAX and trades >= TRADES_MANY:
        yield f"{win_rate:.1%} of {trades:,} trades won: losses are hidden, deferred or not simulated."
    factor = stats.get("profit_factor")
    if factor is not None and factor > PROFIT_FACTOR_MAX and trades >= TRADES_MANY:
        yield f"Profit factor {factor:,.1f} is above {PROFIT_FACTOR_MAX:g} over {trades:,} trades: fills are too good."
    if factor is None and trades >= TRADES_MANY and stats.get("losses") == 0:
        yield f"Not one of {trades:,} trades lost money."
    depth = stats.get("max_drawdown")
    if depth is not None and depth > -DRAWDOWN_MIN and trades >= TRADES_MANY:
        yield f"{trades:,} trades and a maximum drawdown of {abs(depth):.3%}: losses are not marked, or never happen."
    months = stats.get("months") or 0
    if months >= MONTHS_MANY and stats.get("losing_months") == 0:
        yield f"No losing month in {months}: real strategies have some."
    share = stats.get("best_trade_share")
    if share is not None and share > BEST_TRADE_SHARE_MAX and trades > 1:
        yield f"One trade made {share:.0%} of the profit: without it there is another result."


def _too_little(stats: Stats) -> Iterator[str]:
    trades = stats.get("trades")
    if trades is not None and trades < TRADES_MANY:
        counted = (
            "No trades were" if trades == 0 else f"Only {trades:,} {'trade was' if trades == 1 else 'trades were'}"
        )
        yield f"{counted} closed: below {TRADES_MANY}, ratios are mostly luck."
    years = stats.get("years")
    if years is not None and years < 0.99:
        yield f"Only {_span(years)} of data: less than a year sees one kind of market."


def _assumed(stats: Stats, context: Context) -> Iterator[str]:
    fills = context.fills or 0
    if fills and context.fees is not None and context.fees == 0:
        yield f"{fills:,} fills paid no fees: no venue trades for nothing."
    same_close = context.fill_reasons.get("same_close", 0)
    if same_close:
        yield f"{same_close:,} fills at the close they were decided on: that price was gone when it was known."
    touched = context.fill_reasons.get("bar_touch", 0)
    if touched:
        yield f"{touched:,} limit orders filled on a mere touch: in a queue, others come first."
    if context.latency_ns == 0 and fills:
        yield "Latency is zero: orders reach the venue in the moment they are decided."
    if context.fills_over_volume:
        largest = f", the largest {context.volume_share_max:.0%} of it" if context.volume_share_max is not None else ""
        count = f"{context.fills_over_volume:,} fills were"
        yield f"{count} a large share of their bar's volume{largest}: they would move the price."
    elif context.volume_share_max is not None and context.volume_share_max > VOLUME_SHARE_MAX:
        yield f"A fill took {context.volume_share_max:.0%} of its bar's volume: it would have moved the price."
    mean = stats.get("expectancy")
    fees = stats.get("average_trade_fees")
    if mean is not None and fees is not None and mean > 0:
        cost = fees + (context.spread_cost_per_trade or 0.0)
        if mean < cost:
            yield (
                f"The average trade makes {mean:,.4g} and costs {cost:,.4g} in fees and spread: "
                "a small error in the costs turns it into a loss."
            )
    if context.positions_open:
        word = "position was" if context.positions_open == 1 else "positions were"
        yield f"{context.positions_open:,} {word} still open at the end: valued at the last price, not closed."


def _data(context: Context) -> Iterator[str]:
    if context.hole_share is not None and context.hole_share > HOLES_MAX:
        yield f"{context.hole_share:.1%} of the time has no data: nothing could go wrong there."


def _percent(fraction: float) -> str:
    percent = fraction * 100
    return f"{percent:,.0f} %" if percent < 1e6 else f"{percent:.1e} %"


def _span(years: float) -> str:
    days = years * 365.25
    if days < 2 / 24:
        return f"{days * 24 * 60:.0f} minutes"
    if days < 2:
        return f"{days * 24:.0f} hours"
    return f"{days:.0f} days" if years < 2 else f"{years:.1f} years"
