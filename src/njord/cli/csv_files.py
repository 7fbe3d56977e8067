"""CSV files that people give to a command: read in full, and wrong in one line that names the file and the place."""

import csv
import math
from pathlib import Path

ROWS_MAX = 1_000_000


def header(path: Path) -> list[str]:
    """Return the names of the columns; none of an empty file."""
    with path.expanduser().open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])


def rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a file by column. Raises ValueError where a column is missing, or beyond ROWS_MAX rows."""
    missing = [name for name in columns if name not in header(path)]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}")
    found: list[dict[str, str]] = []
    with path.expanduser().open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if len(found) == ROWS_MAX:
                raise ValueError(f"{path}: more than {ROWS_MAX} rows")
            found.append(row)
    return found


def number(path: Path, line: int, column: str, text: str | None) -> float:
    """Return a cell as a number, NaN where it is empty. Raises ValueError naming file, line and column."""
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path}: line {line}: {column} must be a number, was {text!r}") from None
