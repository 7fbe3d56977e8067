"""What commands print: one JSON document on stdout where asked for, words for people otherwise, progress on stderr."""

import sys
from typing import Annotated, Any, Self

from cyclopts import Parameter

JsonOption = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document on stdout.")]


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


class Progress:
    """A bar on stderr for long work, where stderr is a terminal; silent otherwise. Without a total it only moves."""

    def __init__(self, what: str, total: float | None = None) -> None:
        self._what = what
        self._total = total
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def told(self, what: str, done: float) -> None:
        """Show what is being done, and how much of it is."""
        if self._bar is not None:
            self._bar.update(self._task, description=what, completed=done)
