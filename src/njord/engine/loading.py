"""Strategies from files: load a user's own source, once per content, and find the strategy in it."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

from njord.domain.spelling import suggestion
from njord.strategies.port import Strategy
from njord.strategies.registry import BUILT_IN

SOURCE_BYTES_MAX = 4 * 1024 * 1024


class NoStrategy(ValueError):
    """There is no such strategy, or its file cannot be read. The message names it."""


def built_in(name: str) -> type[Strategy]:
    """Return a strategy that comes with Njord. Raises NoStrategy with a suggestion."""
    if name not in BUILT_IN:
        raise NoStrategy(f"no strategy {name!r}{suggestion(name, BUILT_IN)}")
    module, class_name = BUILT_IN[name]
    found: type[Strategy] = getattr(importlib.import_module(module), class_name)
    return found


def from_file(path: Path) -> type[Strategy]:
    """Return the strategy in a Python file: the one subclass of Strategy that the file itself defines.

    Raises NoStrategy naming the file, and the line where its own code fails.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise NoStrategy(f"strategy file {path}: {error.strerror}") from None
    if len(source) > SOURCE_BYTES_MAX:
        raise NoStrategy(f"strategy file {path}: more than {SOURCE_BYTES_MAX} bytes")
    # Named by content, so that two files called alike, or an edited one, are never mistaken for each other
    name = f"njord_strategy_{path.stem}_{hashlib.sha256(source).hexdigest()[:12]}"
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, path
        assert spec.loader is not None, path
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise NoStrategy(f"strategy file {path}: {_failure(error, path)}") from error
    found = [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and issubclass(item, Strategy) and item.__module__ == name
    ]
    if len(found) != 1:
        names = ", ".join(item.__name__ for item in found) or "none"
        raise NoStrategy(f"strategy file {path}: must define one subclass of Strategy, has {names}")
    return found[0]


def source_hash(strategy: type[Strategy]) -> str:
    """Return SHA-256 of the file a strategy is defined in, or of its own source where it was typed into a notebook."""
    try:
        file = inspect.getsourcefile(strategy)
        text = Path(file).read_bytes() if file is not None else b""
    except (OSError, TypeError):
        text = b""
    if not text:
        try:
            text = inspect.getsource(strategy).encode()
        except (OSError, TypeError):
            text = f"{strategy.__module__}.{strategy.__qualname__}".encode()
    return hashlib.sha256(text).hexdigest()


def _failure(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = f"line {trace.tb_lineno}: "
        trace = trace.tb_next
    return f"{line}{type(error).__name__}: {error}"
