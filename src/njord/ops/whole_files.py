"""Files that are there as a whole or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Put a file in the place of what was there; it is on disk then. Raises OSError, and the old one is whole."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
