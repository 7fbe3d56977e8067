"""The report of a run: one HTML file that needs no network, what happened, and what not to believe about it."""

from njord.research.report.chart import Chart, chart
from njord.research.report.data import Assumption, FillMark, Prices, ReportData, Verdict
from njord.research.report.page import render

__all__ = ["Assumption", "Chart", "FillMark", "Prices", "ReportData", "Verdict", "chart", "render"]
