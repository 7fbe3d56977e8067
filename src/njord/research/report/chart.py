"""The chart alone, for notebooks: price, equity and drawdown of a run, shown by any notebook and saved as a file."""

from html import escape
from pathlib import Path

from njord.research.report.data import ReportData
from njord.research.report.page import chart_panel, document

HEIGHT_PX = 780


class Chart:
    """A drawn run. Notebooks show it by ``_repr_html_``; it lives in a frame of its own, so styles don't mix."""

    __slots__ = ("html",)

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{HEIGHT_PX}px;border:0"
        return f'<iframe srcdoc="{escape(self.html)}" style="{style}" title="njord chart"></iframe>'

    def save(self, path: str | Path) -> Path:
        """Write the chart as one HTML file that needs no network; return its path."""
        target = Path(path)
        target.write_text(self.html, encoding="utf-8")
        return target


def chart(report: ReportData) -> Chart:
    """Return the equity, drawdown and price chart of a report."""
    return Chart(document(report, f'<main class="bare">{chart_panel()}</main>'))
