"""Where things are kept on this machine: NJORD_HOME, or ``~/.njord``."""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of everything njord keeps."""
    said = os.environ.get("NJORD_HOME")
    return Path(said).expanduser() if said else Path.home() / ".njord"


def catalog_root(option: Path | None = None) -> Path:
    """Return the catalog's folder: as asked for, or in njord's home."""
    return option.expanduser() if option is not None else home() / "catalog"
