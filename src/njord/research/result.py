"""The result of a run, as people hold it: frames, a chart, a report."""

import functools
from pathlib import Path
from typing import Any

from njord.research.outcome import (
    Outcome,
    attribution_table,
    equity_table,
    fill_table,
    markout_table,
    trade_table,
)


class Result(Outcome):
    """What came of a run. ``fills``, ``equity`` and ``trades`` are pandas frames where pandas is installed, else Arrow
    tables; ``stats`` is a plain dict; ``digest`` is SHA-256 over the run's canonical commands.
    """

    @functools.cached_property
    def fills(self) -> Any:
        return _frame(fill_table(self))

    @functools.cached_property
    def equity(self) -> Any:
        return _frame(equity_table(self))

    @functools.cached_property
    def trades(self) -> Any:
        return _frame(trade_table(self))

    def attribution(self) -> Any:
        """Return where the net result came from: capture, inventory, fees and more, adding up to it to the unit."""
        return _frame(attribution_table(self))

    def markouts(self, by: str | None = None) -> Any:
        """Return how each fill stood to the mid, then and later, in ticks; ``by`` groups them and adds errors.

        ``by`` is instrument, side, imbalance, hour or queue. Raises ValueError for another.
        """
        return _frame(markout_table(self, by))

    def plot(self) -> Any:
        """Return the chart of prices, fills, equity and drawdown; a notebook shows it."""
        from njord.research.report.chart import chart
        from njord.research.reporting import report_data

        return chart(report_data(self))

    def report(self, path: str | Path) -> Path:
        """Write the whole report as one HTML file that needs no network. Return its path."""
        from njord.research.report.page import render
        from njord.research.reporting import report_data

        target = Path(path)
        target.write_text(render(report_data(self)), encoding="utf-8")
        return target


def _frame(table: Any) -> Any:
    try:
        import pandas  # noqa: F401 - only to know whether it is there
    except ImportError:
        return table
    return table.to_pandas()
