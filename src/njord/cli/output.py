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
    """A bar on stderr for long work, where stderr is a terminal; silent otherwise."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, done: float, what: str | None = None) -> None:
        """Show how much is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, **({"description": what} if what else {}))
