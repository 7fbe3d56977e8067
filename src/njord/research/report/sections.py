"""The parts of the page that are text and tables: each function returns the HTML of one."""

from collections import Counter
from html import escape
from typing import Any

import msgspec

from njord.research.report.data import ReportData, Verdict
from njord.research.report.markup import (
    MISSING,
    moment,
    number,
    panel,
    percent,
    signed,
    table,
    tone,
)
from njord.research.statistics import monthly_returns

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# A month of this size has the full colour
MONTH_FULL = 0.10
# title, format, statistics
FIGURES: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Return",
        "%",
        (
            ("total_return", "Total return"),
            ("cagr", "Growth a year (CAGR)"),
            ("annual_return", "Annual return"),
            ("best_return", "Best period"),
            ("worst_return", "Worst period"),
            ("best_month", "Best month"),
            ("worst_month", "Worst month"),
            ("benchmark_return", "Benchmark return"),
        ),
    ),
    (
        "Risk",
        "%",
        (
            ("annual_volatility", "Annual volatility"),
            ("downside_risk", "Downside risk"),
            ("max_drawdown", "Max drawdown"),
            ("max_drawdown_days", "Drawdown, days"),
            ("value_at_risk_95", "Value at risk 95 %"),
            ("conditional_value_at_risk_95", "Expected shortfall 95 %"),
            ("skew", "Skew"),
            ("kurtosis", "Excess kurtosis"),
        ),
    ),
    (
        "Ratios",
        "",
        (
            ("sharpe", "Sharpe"),
            ("sortino", "Sortino"),
            ("calmar", "Calmar"),
            ("omega", "Omega"),
            ("tail_ratio", "Tail ratio"),
            ("stability", "Stability (R²)"),
            ("alpha", "Alpha a year"),
            ("beta", "Beta"),
        ),
    ),
    (
        "Trades",
        "",
        (
            ("win_rate", "Win rate"),
            ("payoff", "Payoff (avg win / loss)"),
            ("expectancy", "Expectancy"),
            ("average_win", "Average win"),
            ("average_loss", "Average loss"),
            ("sqn", "System quality (SQN)"),
            ("longest_losing_streak", "Longest losing streak"),
            ("average_held_s", "Average time held"),
        ),
    ),
)
PLAIN = {"max_drawdown_days", "skew", "kurtosis"}
PERCENT = {"alpha", "win_rate"}
WHOLE = {"longest_losing_streak", "max_drawdown_days"}


def heading(report: ReportData) -> str:
    """Return the top of the page: what ran, when, and the switch of themes."""
    strategies = ", ".join(report.strategies) or MISSING
    instruments = [one.instrument_id for one in report.prices] or sorted({one.instrument_id for one in report.fills})
    shown = ", ".join(instruments[:4]) + (f" and {len(instruments) - 4} more" if len(instruments) > 4 else "")
    facts = [
        ("Strategy", strategies),
        ("Instruments", shown or MISSING),
        ("Period (UTC)", f"{moment(report.start_ns, day_only=True)} to {moment(report.end_ns, day_only=True)}"),
        ("Currency", report.currency),
        ("Run", report.run_id),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return (
        '<header class="top"><div class="brand"><span class="mark" aria-hidden="true"></span>njord</div>'
        f'<h1>{escape(report.title)}</h1><dl class="facts">{items}</dl>'
        '<button id="theme" type="button" aria-label="Switch between dark and light theme">Light</button></header>'
    )


def warnings(report: ReportData) -> str:
    """Return what not to believe, or that nothing was found."""
    if not report.warnings:
        return '<p class="calm" role="note">No doubts were raised about this result. It is still a simulation.</p>'
    items = "".join(f"<li>{escape(one)}</li>" for one in report.warnings)
    count = len(report.warnings)
    title = "1 reason to doubt this result" if count == 1 else f"{count} reasons to doubt this result"
    head = f'<h2><span aria-hidden="true">▲</span>{title}</h2>'
    return f'<section class="doubts" role="alert">{head}<ul>{items}</ul></section>'


def tiles(report: ReportData) -> str:
    """Return the key numbers."""
    stats = report.stats
    money = escape(report.currency)
    pnl = stats.get("net_pnl")
    depth_days = stats.get("max_drawdown_days")
    trough = moment(stats.get("max_drawdown_trough_ns"), day_only=True)
    recovered = "recovered" if stats.get("max_drawdown_recovery_ns") is not None else "not recovered"
    fell = f"{trough}, {number(depth_days, 0)} d, {recovered}" if depth_days else ""
    fees = stats.get("fees")
    # Of what was made before fees; beside a loss the share says nothing
    share = fees / (pnl + fees) if fees and pnl is not None and pnl + fees > 0 and pnl > 0 else None
    cells = [
        ("Net profit", signed(pnl), money, tone(pnl)),
        (
            "Total return",
            percent(stats.get("total_return"), sign=True),
            _against(report),
            tone(stats.get("total_return")),
        ),
        (
            "CAGR",
            percent(stats.get("cagr"), 1, sign=True),
            f"{number(stats.get('years'), 2)} years",
            tone(stats.get("cagr")),
        ),
        ("Max drawdown", percent(stats.get("max_drawdown")), fell, tone(stats.get("max_drawdown"))),
        (
            "Sharpe",
            number(stats.get("sharpe")),
            f"{number(stats.get('returns'), 0)} returns",
            tone(stats.get("sharpe")),
        ),
        ("Sortino", number(stats.get("sortino")), f"volatility {percent(stats.get('annual_volatility'), 1)}", ""),
        ("Profit factor", number(stats.get("profit_factor")), f"expectancy {signed(stats.get('expectancy'))}", ""),
        ("Win rate", percent(stats.get("win_rate"), 1), f"{number(stats.get('trades'), 0)} trades", ""),
        ("Fees", number(fees), f"{percent(share, 1)} of gross profit" if share is not None else money, ""),
        ("Exposure", percent(stats.get("exposure"), 1), f"turnover {number(stats.get('turnover'), 1)}× a year", ""),
    ]
    inner = "".join(
        f'<div class="tile"><span class="name">{name}</span><b class="{mood}">{value}</b>'
        f'<span class="sub">{sub or "&nbsp;"}</span></div>'
        for name, value, sub, mood in cells
    )
    return f'<section class="tiles" aria-label="Key numbers">{inner}</section>'


def _against(report: ReportData) -> str:
    held = report.stats.get("benchmark_return")
    return f"buy and hold {percent(held, 1, sign=True)}" if held is not None else escape(report.currency)


def figures(report: ReportData) -> str:
    """Return all statistics in four columns."""
    groups = []
    for title, unit, names in FIGURES:
        rows = "".join(
            f"<div><dt>{label}</dt><dd>{_figure(name, unit, report.stats.get(name))}</dd></div>"
            for name, label in names
        )
        groups.append(f"<div><h3>{title}</h3><dl>{rows}</dl></div>")
    per_year = report.stats.get("periods_per_year")
    daily = per_year is not None and per_year <= 366
    kind = "daily returns (UTC)" if daily else "returns per sample"
    note = f"simple {kind}, {number(per_year, 0)} a year, risk-free rate 0"
    return panel("Statistics", f'<div class="figures">{"".join(groups)}</div>', note=note, name="statistics")


def _figure(name: str, unit: str, value: float | None) -> str:
    if name in WHOLE:
        return number(value, 0)
    if name == "average_held_s":
        return _duration(value)
    if (unit == "%" and name not in PLAIN) or name in PERCENT:
        return percent(value)
    return number(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return MISSING
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.3g} s"


def months(report: ReportData) -> str:
    """Return the returns of each month as a heat table with the years' totals."""
    found = monthly_returns(report.equity_time_ns, report.equity)
    if not found:
        return panel(
            "Monthly returns", '<p class="empty">No monthly returns: the run is too short, or lost it all.</p>'
        )
    rows = []
    for year in sorted({key[0] for key in found}):
        cells, total = [], 1.0
        for month in range(1, 13):
            value = found.get((year, month))
            total *= 1.0 + (value or 0.0)
            cells.append(_month_cell(value))
        rows.append(f'<tr><th scope="row">{year}</th>{"".join(cells)}{_month_cell(total - 1.0, total=True)}</tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in (*MONTHS, "Year"))
    body = f'<table class="heat"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return panel("Monthly returns", f'<div class="scroll">{body}</div>', note="percent, UTC months", name="months")


def _month_cell(value: float | None, *, total: bool = False) -> str:
    if value is None:
        return '<td class="none"></td>'
    strength = min(abs(value) / MONTH_FULL, 1.0)
    text = signed(round(value * 100, 1) + 0.0, 1)
    kind = f"{'total ' if total else ''}{'gain' if value >= 0 else 'loss'}"
    return f'<td class="{kind}" style="--strength:{strength:.2f}">{text}</td>'


def reasons(report: ReportData) -> str:
    """Return fills by the reason the venue gave, beside refused orders by theirs."""
    return f'<div class="pair">{_fills_by_reason(report)}{_refused(report)}</div>'


def _fills_by_reason(report: ReportData) -> str:
    counts: Counter[tuple[str, str]] = Counter((one.reason, one.liquidity) for one in report.fills)
    fees = dict.fromkeys(counts, 0.0)
    for one in report.fills:
        fees[one.reason, one.liquidity] += one.fee
    most = max(counts.values(), default=1)
    rows = [
        (escape(_words(key[0])), escape(key[1]), _bar(count, most), f"{count:,}", number(fees[key]))
        for key, count in counts.most_common()
    ]
    if not rows:
        return panel("Fills by reason", '<p class="empty">Nothing was filled.</p>')
    head = ("Reason", "Liquidity", "", "Fills", f"Fees, {report.currency}")
    return panel("Fills by reason", table(head, rows, numeric_from=3), note=f"{len(report.fills):,} fills")


def _refused(report: ReportData) -> str:
    most = max(report.refused.values(), default=1)
    rows = [
        (escape(_words(reason)), _bar(count, most), f"{count:,}")
        for reason, count in sorted(report.refused.items(), key=lambda one: -one[1])
    ]
    if not rows:
        return panel("Refused orders", '<p class="empty">No order was refused.</p>')
    return panel(
        "Refused orders",
        table(("Reason", "", "Orders"), rows, numeric_from=2),
        note=f"{sum(report.refused.values()):,} orders",
    )


def _words(code: str) -> str:
    return code.replace("_", " ")


def _bar(count: int, most: int) -> str:
    return f'<span class="bar"><i style="width:{100 * count / max(most, 1):.1f}%"></i></span>'


def assumptions(report: ReportData) -> str:
    """Return what the simulation took for granted, the optimistic first."""
    order = {"optimistic": 0, "neutral": 1, "pessimistic": 2}
    rows = [
        (escape(one.name), escape(one.value), _verdict(one.verdict), escape(one.note))
        for one in sorted(report.assumptions, key=lambda one: order[one.verdict])
    ]
    if not rows:
        return panel("Assumptions", '<p class="empty">The run named no assumptions.</p>')
    body = table(("Assumption", "Value", "Verdict", "What it means"), rows, numeric_from=9, name="assumptions")
    hopeful = sum(one.verdict == "optimistic" for one in report.assumptions)
    note = "none is optimistic" if hopeful == 0 else f'<span class="warn">{hopeful} optimistic</span>'
    return panel("Assumptions", body, note=note, name="assumptions")


def _verdict(verdict: Verdict) -> str:
    sign = {"optimistic": "▲", "neutral": "●", "pessimistic": "▼"}[verdict]
    word = verdict.upper() if verdict == "optimistic" else verdict
    return f'<span class="verdict {verdict}"><span aria-hidden="true">{sign}</span>{word}</span>'


def provenance(report: ReportData) -> str:
    """Return the digest, how to check it, and the manifest."""
    command = f"njord replay verify {report.run_id}"
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd></div>" for name, value in report.manifest.items()
    )
    body = (
        f'<dl class="manifest"><div><dt>digest</dt><dd class="mono">{escape(report.digest)}</dd></div>'
        f'<div><dt>verify</dt><dd class="mono"><code>{escape(command)}</code></dd></div>{items}</dl>'
    )
    return panel("Manifest", body, note="what ran, on what; the same inputs give the same digest", name="manifest")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
