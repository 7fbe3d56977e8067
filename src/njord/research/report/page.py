"""The page: the parts put together with style, script and the chart library inline, so that it needs no network."""

from html import escape
from importlib import resources

from njord.research.report import making, sections
from njord.research.report.data import ReportData
from njord.research.report.markup import panel
from njord.research.report.payload import payload, script_json

# The browser itself refuses every load: what is not in the file does not exist
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def render(report: ReportData) -> str:
    """Return the report as one self-contained HTML file, about 5 MB, most of it the chart library."""
    body = "".join(
        [
            sections.heading(report),
            "<main>",
            sections.warnings(report),
            sections.tiles(report),
            chart_panel(),
            making.making(report),
            sections.figures(report),
            f'<div class="pair wide">{sections.months(report)}{_histogram_panel()}</div>',
            _trades_panel(report),
            sections.reasons(report),
            sections.assumptions(report),
            sections.provenance(report),
            "</main>",
        ]
    )
    return document(report, body)


def document(report: ReportData, body: str) -> str:
    """Return ``body`` (HTML) as a whole document that draws ``report``."""
    from plotly.offline import get_plotlyjs

    folder = resources.files("njord.research.report")
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    script = folder.joinpath("report.js").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en" data-theme="dark"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="dark light">'
        f"<title>{escape(report.title)} · njord</title><style>{style}</style></head><body>{body}"
        f'<script type="application/json" id="report-data">{script_json(payload(report))}</script>'
        f"<script>{get_plotlyjs()}</script><script>{script}</script></body></html>"
    )


def chart_panel() -> str:
    """Return the place where equity, drawdown and prices are drawn on one time axis."""
    controls = (
        '<span class="controls"><select id="instrument" aria-label="Instrument" hidden></select>'
        '<button id="log" type="button" aria-pressed="false">Log</button>'
        '<span class="ranges" id="ranges" role="group" aria-label="Time range"></span></span>'
    )
    body = '<div id="chart" class="chart"></div><p class="caption" id="chart-note"></p>'
    return panel("Equity, drawdown and fills", body, note=controls, name="curves")


def _histogram_panel() -> str:
    body = '<div id="histogram" class="chart small"></div>'
    return panel("Distribution of returns", body, note='<span id="histogram-note"></span>', name="distribution")


def _trades_panel(report: ReportData) -> str:
    if not report.trades:
        return panel("Trades", '<p class="empty">No position was closed.</p>', name="trades")
    controls = (
        '<span class="controls"><input id="filter" type="search" placeholder="Filter: instrument, date" '
        'aria-label="Filter trades"><select id="outcome" aria-label="Outcome"><option value="">All</option>'
        '<option value="win">Wins</option><option value="loss">Losses</option><option value="long">Long</option>'
        '<option value="short">Short</option></select></span>'
    )
    body = (
        '<div class="grid" id="trades-grid" role="table" aria-label="Trades" tabindex="0"></div>'
        '<p class="caption" id="trades-note"></p>'
    )
    return panel("Trades", body, note=controls, name="trades")
