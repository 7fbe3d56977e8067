"""What commands that run for long say on stderr: lines for people or, with NJORD_LOG=json, one JSON object a line.

An object has ``time`` (UTC), ``level``, ``event`` (a dotted name that does not change), ``message`` (what people read)
and ``context`` (figures by name). Nothing of it is a secret: URLs, tickets and passwords are never given to it.
"""

import datetime
import logging
import os
import sys
import threading
import types
from typing import Any

import msgspec

VARIABLE = "NJORD_LOG"
_LOGGER = logging.getLogger("njord")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the log, as its readers can rely on it."""

    time: str
    level: str
    event: str
    message: str
    context: dict[str, Any]


def as_json() -> bool:
    """Return whether lines are for machines."""
    return os.environ.get(VARIABLE) == "json"


def line(record: logging.LogRecord) -> bytes:
    """Return a record as one line of JSON."""
    context = dict(getattr(record, "context", {}))
    if record.exc_info:
        context["trace"] = logging.Formatter().formatException(record.exc_info)
    time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
    event = getattr(record, "event", record.name)
    said = Line(time, record.levelname.lower(), event, record.getMessage().strip(), context)
    return msgspec.json.encode(said, enc_hook=str)


def begin() -> None:
    """Send everything that is logged, by us and by libraries, to stderr in one form. Once for each process."""
    handler = _Lines() if as_json() else logging.StreamHandler()
    handler.setLevel(logging.INFO)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, format="%(message)s", force=True)
    _LOGGER.setLevel(logging.INFO)
    logging.captureWarnings(True)
    if as_json():
        sys.excepthook = _uncaught
        threading.excepthook = lambda given: _uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def say(event: str, message: str, **context: Any) -> None:
    """Say something, with figures."""
    _LOGGER.info("%s", message, extra={"event": event, "context": context})


def fail(event: str, message: str) -> None:
    """Say why a command ends."""
    _LOGGER.error("%s", message, extra={"event": event, "context": {}})


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(line(record).decode() + "\n")
        sys.stderr.flush()


def _uncaught(
    kind: type[BaseException], error: BaseException | None, trace: types.TracebackType | None
) -> None:  # fmt: skip
    _LOGGER.critical("%s", error, exc_info=(kind, error or kind(), trace), extra={"event": "process.failed"})
