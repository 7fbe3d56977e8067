"""Watch a function assign: which variable and column got which values, on which line, in which order.

The statements come from the file's own source; the values from tracing the run, so that what a helper does with an
array in place is seen as well as what a frame is given as a column.
"""

import ast
import linecache
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
RETURNED = "signals"  # What a function returns, by the name a user knows it under
VISITS_MAX = 3  # Of a line in a loop; what later turns do is seen when the function returns
CALLS_MAX = 50  # Of one function, such as one applied to every row
LIST_MAX = 1_000_000


class Key(NamedTuple):
    """Where a value was assigned: the same in every run of the same code."""

    function: str
    line: int
    variable: str


class Rows(NamedTuple):
    """Values with what they belong to: times of bars in nanoseconds, row numbers, or (None) nothing known."""

    labels: Array | None
    timed: bool
    values: Array


class Source:
    """The statements of one file, by line."""

    def __init__(self, file: str) -> None:
        self.file = file
        text = "".join(linecache.getlines(file))
        try:
            self.tree: ast.Module = ast.parse(text)
        except SyntaxError:
            self.tree = ast.Module(body=[], type_ignores=[])
        self._statements = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]

    def statement(self, line: int) -> ast.stmt | None:
        """Return the innermost statement that covers a line."""
        covering = [each for each in self._statements if each.lineno <= line <= (each.end_lineno or each.lineno)]
        return min(covering, key=lambda each: (each.end_lineno or each.lineno) - each.lineno, default=None)

    def function(self, line: int) -> ast.FunctionDef | None:
        """Return the innermost function that covers a line."""
        covering = [
            each for each in self._statements
            if isinstance(each, ast.FunctionDef) and each.lineno <= line <= (each.end_lineno or each.lineno)
        ]  # fmt: skip
        return max(covering, key=lambda each: each.lineno, default=None)

    def stores(self, inside: ast.AST, token: str) -> list[ast.stmt]:
        """Return the statements within a function that assign a variable or column, first to last."""
        return [
            each for each in ast.walk(inside)
            if isinstance(each, ast.stmt) and not isinstance(each, ast.FunctionDef) and token in stored(each)
        ]  # fmt: skip


def watch(run: Callable[[], Any], file: str) -> tuple[Any, dict[Key, Rows], int]:
    """Run, and return its answer, what was assigned in functions of ``file`` in order, and the line it returned on."""
    watcher = _Watcher(file)
    before = sys.gettrace()
    sys.settrace(watcher.called)
    try:
        answer = run()
    finally:
        sys.settrace(before)
    return answer, watcher.found, watcher.returned_line


def stored(statement: ast.stmt) -> set[str]:
    """Return the variables and columns a statement assigns: ``frame["x"] = ...`` assigns ``x``, ``out[i]`` ``out``."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For):
        targets = [statement.target]
    elif isinstance(statement, ast.With):
        targets = [each.optional_vars for each in statement.items if each.optional_vars is not None]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        # rows.append(x), frame.insert(0, "x", ...), frame.update(...): whatever it is called on
        func = statement.value.func
        targets = [func.value] if isinstance(func, ast.Attribute) else []
    names: set[str] = set()
    for target in targets:
        for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            names |= _target(each)
    return names


def loaded(statement: ast.AST) -> set[str]:
    """Return the variables and columns a statement reads, by name."""
    names: set[str] = set()
    for part in ast.walk(statement):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            names.add(part.value)
    return names


def rows_of(value: Any) -> Rows | None:
    """Return a Series, array, list or number as values with labels; None for what is none of these."""
    index = getattr(value, "index", None)
    if index is not None and not callable(index) and hasattr(value, "to_numpy"):
        numbers = _numbers(value.to_numpy())
        return None if numbers is None else _labelled(index, numbers)
    if hasattr(value, "asi8") and not hasattr(value, "columns"):
        return Rows(None, False, np.asarray(value.asi8, dtype=np.float64))
    if isinstance(value, list | tuple) and len(value) > LIST_MAX:
        return None
    if isinstance(value, np.ndarray | np.generic | list | tuple | int | float):
        try:
            numbers = _numbers(np.asarray(value))
        except (TypeError, ValueError):
            return None
        if numbers is None:
            return None
        return Rows(np.arange(len(numbers)) if numbers.ndim else None, False, numbers)
    return None


def _target(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Starred):
        return _target(node.value)
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr} | (_target(node.value) if node.attr in ("loc", "iloc", "at", "iat", "values") else set())
    if isinstance(node, ast.Subscript):
        words = {each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)}
        columns = {each for each in words if isinstance(each, str)}
        return columns or _target(node.value)
    return set()


def _labelled(index: Any, numbers: Array) -> Rows:
    if getattr(index, "asi8", None) is not None and hasattr(index, "as_unit"):
        return Rows(np.asarray(index.as_unit("ns").asi8), True, numbers)
    labels = np.asarray(index)
    return Rows(labels if labels.ndim == 1 and labels.dtype.kind in "iu" else None, False, numbers)


def _numbers(values: Array) -> Array | None:
    if values.dtype.kind in "mM":
        return values.astype(np.int64).astype(np.float64)
    if values.dtype.kind == "c":
        return np.stack([values.real, values.imag], axis=-1)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        if values.ndim != 1:
            return None
        # Words, such as "up" and "down": only whether they are the same matters
        return np.array([float(hash(str(each)) % 2**52) for each in values.tolist()])


class _Watcher:
    def __init__(self, file: str) -> None:
        self.found: dict[Key, Rows] = {}
        self.returned_line = 0
        self._file = file
        self._source = Source(file)
        self._calls: dict[str, int] = {}
        self._depth = 0

    def called(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_qualname
        if frame.f_code.co_filename != self._file or name.endswith(">"):
            return None  # Elsewhere, or a lambda or comprehension, whose result is its caller's
        self._calls[name] = self._calls.get(name, 0) + 1
        if self._calls[name] > CALLS_MAX:
            return None
        self._depth += 1
        before = _snapshot(frame)
        line, visits = 0, dict[int, int]()

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal line, before
            if event == "line":
                visits[line] = visits.get(line, 0) + 1
                if line and visits[line] <= VISITS_MAX:
                    before = self._compare(name, line, before, frame)
                line = frame.f_lineno
            elif event == "return":
                if visits.get(line, 0) < VISITS_MAX and argument is None:
                    before = self._compare(name, line, before, frame)
                self._finish(name, line, before, frame)
                self._depth -= 1
                rows = rows_of(argument)
                if rows is not None:
                    answer = RETURNED if self._depth == 0 else f"{frame.f_code.co_name}()"
                    self.found[Key(name, line, answer)] = rows
                self.returned_line = line
            return local

        return local

    def _compare(self, name: str, line: int, before: dict[str, Rows], frame: FrameType) -> dict[str, Rows]:
        now = _snapshot(frame)
        for variable, rows in now.items():
            if not _same(before.get(variable), rows):
                self.found[Key(name, line, variable)] = rows
        return now

    def _finish(self, name: str, line: int, before: dict[str, Rows], frame: FrameType) -> None:
        # What changed in the turns of a loop that were not watched belongs to the last line that assigns it
        function = self._source.function(line)
        for variable, rows in _snapshot(frame).items():
            if _same(before.get(variable), rows):
                continue
            stores = self._source.stores(function, _token(variable)) if function is not None else []
            self.found[Key(name, stores[-1].lineno if stores else line, variable)] = rows


def _token(variable: str) -> str:
    return variable.partition("[")[2].strip('"]') or variable.rpartition(".")[2]


def _snapshot(frame: FrameType) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for name, value in frame.f_locals.items():
        if name == "self":
            for attribute, part in getattr(value, "__dict__", {}).items():
                _add(found, f"self.{attribute}", part)
        else:
            _add(found, name, value)
    return found


def _add(found: dict[str, Rows], name: str, value: Any) -> None:
    columns = getattr(value, "columns", None)
    if columns is not None and hasattr(value, "iloc"):
        for position, column in enumerate(columns):
            rows = rows_of(value.iloc[:, position])
            if rows is not None:
                found[f'{name}["{column}"]'] = rows
        return
    rows = rows_of(value)
    if rows is not None:
        found[name] = rows._replace(values=rows.values.copy())


def _same(before: Rows | None, now: Rows) -> bool:
    return (
        before is not None and before.values.shape == now.values.shape
        and np.array_equal(before.values, now.values, equal_nan=True)
        and (before.labels is None) == (now.labels is None)
        and (before.labels is None or now.labels is None or np.array_equal(before.labels, now.labels))
    )  # fmt: skip
