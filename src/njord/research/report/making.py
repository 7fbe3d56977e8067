"""The parts of the page for those who make markets: where the result came from, markouts, inventory, quotes."""

from html import escape

from njord.research.report.data import Bound, Interval, Making, Quoting, ReportData
from njord.research.report.markup import MISSING, number, panel, percent, signed, table, tone

WORDS = {"cross": "never reached", "estimate": "estimate", "touch": "nobody ahead"}


def making(report: ReportData) -> str:
    """Return the sections of a market maker's run; nothing for other runs."""
    interval = _interval(report.interval, report.currency) if report.interval is not None else ""
    found = report.making
    if found is None:
        return interval
    return "".join(
        [
            interval,
            f'<div class="pair">{_parts(found, report.currency)}{_curve_panel(found)}</div>',
            f'<div class="pair wide">{_inventory_panel(found)}{_quoting(found)}</div>',
        ]
    )


def _parts(found: Making, currency: str) -> str:
    # A waterfall: each bar begins where the one before ended
    ends, at = [], 0.0
    for part in found.parts:
        ends.append((at, at + part.amount))
        at += part.amount
    low = min(0.0, *(min(pair) for pair in ends), found.net)
    high = max(0.0, *(max(pair) for pair in ends), found.net)
    rows = [
        (escape(part.name), _step(begin, end, low, high), _money(part.amount), escape(part.note))
        for part, (begin, end) in zip(found.parts, ends, strict=True)
    ]
    rows.append(("<b>Net result</b>", _step(0.0, found.net, low, high), f"<b>{_money(found.net)}</b>", ""))
    head = ("Part", "", currency, "What it is")
    note = (
        "adds up to the ledger's result to the unit"
        if found.reconciles
        else '<span class="warn">does not add up</span>'
    )
    return panel("Where the result came from", table(head, rows, numeric_from=2, name="parts"), note=note, name="parts")


def _step(begin: float, end: float, low: float, high: float) -> str:
    whole = (high - low) or 1.0
    left, width = (min(begin, end) - low) / whole, abs(end - begin) / whole
    zero = -low / whole
    return (
        f'<span class="fall" aria-hidden="true"><s style="left:{100 * zero:.2f}%"></s>'
        f'<i class="{tone(end - begin)}" style="left:{100 * left:.2f}%;width:{100 * width:.2f}%"></i></span>'
    )


def _money(amount: float) -> str:
    return f'<span class="{tone(amount)}">{signed(amount, 4 if abs(amount) < 1 else 2)}</span>'


def _curve_panel(found: Making) -> str:
    if not found.curves:
        return panel("Markouts", '<p class="empty">No maker fill has prices to compare with.</p>', name="markouts")
    curves = found.curves
    many = len({curve.instrument_id for curve in curves}) > 1
    words = {"buy": "Bought", "sell": "Sold"}
    heads = [f"{words[one.side]} {one.instrument_id}" if many else words[one.side] for one in curves]
    rows = [("at once", *(_with_error(one.capture_bps, one.capture_error_bps) for one in curves))]
    for at, horizon_s in enumerate(curves[0].horizons_s):
        cells = (_with_error(one.markout_bps[at], one.error_bps[at]) for one in curves)
        rows.append((f"{horizon_s:g} s later", *cells))
    rows.append(("Fills", *(f"{one.fills[0] + one.excluded[0]:,}" for one in curves)))
    rows.append(("too late for the last", *(f"{one.excluded[-1]:,}" for one in curves)))
    body = f'<div id="markout-curve" class="chart small"></div>{table(("Maker fills", *heads), rows, name="markouts")}'
    caption = (
        '<p class="caption">Basis points of the price, weighted by quantity: how far the mid lies in our favour from '
        "the price of the fill, at once and so much later; ± one standard error, as if fills were independent, which "
        "those close together are not. Too late: fills after which the data end before the longest horizon; they have "
        "no part in it.</p>"
    )
    return panel("Markouts", body + caption, note="what became of maker fills", name="markouts")


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return MISSING
    spread = f' <span class="faint">± {number(error, 2)}</span>' if error is not None else ""
    return f'<span class="{tone(value)}">{signed(value, 2)}</span>{spread}'


def _inventory_panel(found: Making) -> str:
    if not found.inventory:
        return panel("Inventory", '<p class="empty">Nothing was held.</p>', name="inventory")
    rows = [
        (
            escape(path.instrument_id), signed(float(path.quantity.min()), 4), signed(float(path.quantity.max()), 4),
            signed(path.mean, 4), number(path.mean_abs, 4), signed(float(path.quantity[-1]), 4),
        )
        for path in found.inventory
    ]  # fmt: skip
    head = ("Instrument", "Lowest", "Highest", "Mean over time", "Mean size", "At the end")
    body = '<div id="inventory-path" class="chart small"></div>' + table(head, rows)
    note = "position after each fill" + (", as a share of its largest" if len(found.inventory) > 1 else "")
    return panel("Inventory", body, note=note, name="inventory")


def _quoting(found: Making) -> str:
    if not found.quoting:
        return panel("Quotes", '<p class="empty">There is no record of orders that rested.</p>', name="quoting")
    body = "".join(_quoted(one) for one in found.quoting)
    return panel("Quotes", body, note="share of the time with an order resting", name="quoting")


def _quoted(one: Quoting) -> str:
    rows = [("anywhere", *(percent(share, 1) for share in (one.bid, one.ask, one.both)))]
    for ticks, *shares in one.near:
        where = "at the touch or better" if ticks == 0 else f"within {ticks} tick{'s' if ticks > 1 else ''} of it"
        rows.append((where, *(percent(share, 1) for share in shares)))
    taken = f"{one.filled_orders:,} of {one.orders:,} orders filled, {percent(one.filled_share, 1)} of their quantity"
    title = f'<p class="caption"><b>{escape(one.instrument_id)}</b> · {taken}</p>'
    return title + table(("Order", "Bid", "Offer", "Both"), rows)


def _interval(interval: Interval, currency: str) -> str:
    bounds: list[tuple[str, Bound]] = [
        ("cross", interval.cross), ("estimate", interval.estimate), ("touch", interval.touch),
    ]  # fmt: skip
    low, high = min(0.0, *(one.net_pnl for _, one in bounds)), max(0.0, *(one.net_pnl for _, one in bounds))
    whole = (high - low) or 1.0
    first, last = min(one.net_pnl for _, one in bounds), max(one.net_pnl for _, one in bounds)
    ticks = "".join(
        f'<b class="{name}" style="left:{100 * (one.net_pnl - low) / whole:.2f}%"></b>' for name, one in bounds
    )
    place = f"left:{100 * (first - low) / whole:.2f}%;width:{100 * (last - first) / whole:.2f}%"
    zero = f'<s style="left:{-100 * low / whole:.2f}%"></s>'
    bar = f'<div class="interval" aria-hidden="true">{zero}<i style="{place}"></i>{ticks}</div>'
    rows = [(WORDS[name], _money(one.net_pnl), f"{one.fills:,}", number(one.fees, 2)) for name, one in bounds]
    body = bar + table(("Queue", f"Net result, {currency}", "Fills", "Fees"), rows)
    caption = (
        '<p class="caption">Nobody outside the venue knows where an order stands in its queue. Never reached: filled '
        "only when the price goes through it. Nobody ahead: filled by the first trade at its price. More fills are not "
        "always a better result: some are sold by who knows more.</p>"
    )
    return panel(
        "What the queue leaves open", body + caption, note="the same run, by where its orders stand", name="interval"
    )
