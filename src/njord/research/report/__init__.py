"""The report of a run: one HTML file that needs no network, what happened, and what not to believe about it."""

from njord.research.report.chart import Chart, chart
from njord.research.report.data import Assumption, Bound, FillMark, Interval, Making, Prices, ReportData, Verdict
from njord.research.report.page import render

__all__ = [
    "Assumption", "Bound", "Chart", "FillMark", "Interval", "Making", "Prices", "ReportData", "Verdict", "chart",
    "render",
]  # fmt: skip
