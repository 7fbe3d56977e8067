"""``njord doctor``: is this machine ready, and if not, what to do about it."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from njord.cli.output import JsonOption, print_json

FREE_BYTES_MIN = 1_000_000_000
_OPTIONAL = {"numba": "fast", "pandas": "frames", "talib": "ta"}


def doctor(
    *, catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None, json: JsonOption = False
) -> None:
    """Check Python, packages, folders and data. Exit code 1 when something needed is missing."""
    checks = [*_python(), *_packages(), *_folders(catalog), *_data(catalog)]
    failed = [each for each in checks if each["state"] == "fail"]
    if json:
        print_json({"ok": not failed, "checks": checks})
    else:
        signs = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
        for each in checks:
            print(
                f"{signs[each['state']]}  {each['name']}: {each['found']}" + (f" — {each['do']}" if each["do"] else "")
            )
    if failed:
        raise SystemExit(1)


def _check(name: str, state: str, found: str, do: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "found": found, "do": do}


def _python() -> list[dict[str, Any]]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    old = sys.version_info < (3, 11)
    return [
        _check("python", "fail" if old else "ok", version, "njord needs Python 3.11 or newer" if old else ""),
        _check(
            "assertions", "ok" if __debug__ else "fail", "on" if __debug__ else "off", "" if __debug__ else "drop -O"
        ),
    ]


def _packages() -> list[dict[str, Any]]:
    import importlib.metadata
    import importlib.util

    found = []
    for name in ("msgspec", "numpy", "pyarrow", "plotly", "pyyaml", "rich", "cyclopts"):
        try:
            found.append(_check(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(_check(name, "fail", "missing", "pip install njord again"))
    for name, extra in _OPTIONAL.items():
        there = importlib.util.find_spec(name) is not None
        found.append(_check(name, "ok" if there else "warn", "there" if there else "missing",
                            "" if there else f"optional: pip install 'njord[{extra}]'"))  # fmt: skip
    return found


def _folders(catalog: Path | None) -> list[dict[str, Any]]:
    import os
    import shutil

    from njord.cli.paths import catalog_root, home

    found = []
    for name, folder in (("home", home()), ("catalog", catalog_root(catalog))):
        there = folder
        while not there.exists():
            there = there.parent
        writable = os.access(there, os.W_OK)
        found.append(_check(name, "ok" if writable else "fail", str(folder),
                            "" if writable else "not writable: set NJORD_HOME to a folder that is"))  # fmt: skip
        free = shutil.disk_usage(there).free
        if free < FREE_BYTES_MIN:
            found.append(_check("disk", "warn", f"{free / 1e9:.2f} GB free at {there}", "make room before long runs"))
    return found


def _data(catalog: Path | None) -> list[dict[str, Any]]:
    from njord.cli.paths import catalog_root
    from njord.market.catalog import Catalog

    root = catalog_root(catalog)
    try:
        datasets = Catalog(root).datasets()
    except ValueError as error:
        return [_check("data", "fail", str(error), "njord data check")]
    rows = sum(each.rows for each in datasets)
    hint = "" if datasets else "njord run makes a sample; njord data import brings your own"
    return [_check("data", "ok" if datasets else "warn", f"{len(datasets)} data sets, {rows:,} rows", hint)]
