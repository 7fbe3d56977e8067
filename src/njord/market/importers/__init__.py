"""Files other people made, into the catalog: parsed exactly, checked row by row, refused with a reason."""

from njord.market.importers.formats import BINANCE_L2, FORMAT_NAMES, FORMATS, L2_SUMMARY
from njord.market.importers.importing import import_files
from njord.market.importers.report import DatasetReport, ImportOptions, ImportReport, Progress
from njord.market.importers.sieve import REJECTS_LISTED_MAX, Reject

SUMMARIES = {name: each.summary for name, each in FORMATS.items()} | {BINANCE_L2: L2_SUMMARY}

__all__ = [
    "FORMAT_NAMES",
    "REJECTS_LISTED_MAX",
    "SUMMARIES",
    "DatasetReport",
    "ImportOptions",
    "ImportReport",
    "Progress",
    "Reject",
    "import_files",
]
