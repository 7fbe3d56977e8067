"""Latency curves from files: what was measured, as CSV with the header time_ns,order_ns,response_ns[,feed_ns].

They become part of the config when it is read, so that a recorded run needs no file to be run again.
"""

import csv
from pathlib import Path

from njord.venues.simulated.latency import KNOTS_MAX, LatencyKnot, check_curve

COLUMNS = ("time_ns", "order_ns", "response_ns", "feed_ns")
FIRST_ROW = 2  # Of the file; the header is the first


class BadCurve(ValueError):
    """A latency curve cannot be read. The message names the file and the row."""


def read_curve(path: Path) -> tuple[LatencyKnot, ...]:
    """Return the knots in a file. Raises BadCurve."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            if tuple(header) not in (COLUMNS, COLUMNS[:3]):
                wanted = f"{','.join(COLUMNS[:3])}[,{COLUMNS[3]}]"
                raise BadCurve(f"{path}, row 1: the header must be {wanted}, was {','.join(header) or 'nothing'}")
            knots = tuple(_knot(path, number, header, row) for number, row in enumerate(rows, FIRST_ROW) if row)
    except OSError as error:
        raise BadCurve(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCurve(f"{path}: is no CSV: {error}") from None
    if not knots:
        raise BadCurve(f"{path}: has no knots")
    try:
        check_curve(knots, str(path), FIRST_ROW)
    except ValueError as error:
        raise BadCurve(str(error)) from None
    return knots


def _knot(path: Path, number: int, header: list[str], row: list[str]) -> LatencyKnot:
    if number > KNOTS_MAX + FIRST_ROW:
        raise BadCurve(f"{path}: at most {KNOTS_MAX} knots")
    if len(row) != len(header):
        raise BadCurve(f"{path}, row {number}: must have {len(header)} fields, has {len(row)}")
    values: dict[str, int] = {}
    for name, text in zip(header, row, strict=True):
        try:
            values[name] = int(text)
        except ValueError:
            raise BadCurve(f"{path}, row {number}: {name} must be a whole number, was {text.strip()!r}") from None
    return LatencyKnot(**values)
