"""Whose fault is a leak: the first variable that changed with later rows, its line, and what on it looks ahead."""

import ast
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from njord.research.look_ahead_causes import Cause, causes
from njord.research.watching import RETURNED, Key, Rows, Source, loaded, stored

DEPTH_MAX = 6
UNKNOWN = "its values at earlier rows change when later rows change"

Found = dict[Key, Rows]


class Blamed(NamedTuple):
    """``row`` is the first row that changed; None where it is that of the answer."""

    column: str
    line: int
    source: str
    cause: str
    row: int | None


def blame(
    file: str, base: Found, changed: Found, future: Found, first_row: Callable[[Rows, Rows], int | None],
    per_bar: Callable[[Rows], bool], returned_line: int, used: set[str] | None = None,
) -> Blamed:  # fmt: skip
    """Compare what was assigned on all rows, on ``changed`` rows, and (numbers, fits) on another ``future``.

    ``first_row`` says where two columns first differ up to the cut. ``used`` names what is acted on, where that is not
    what the statement on ``returned_line`` returns.
    """
    source = Source(file)
    leaking = [
        (key, row)
        for key, rows in base.items()
        if key in changed and (row := first_row(rows, changed[key])) is not None
    ]
    if not leaking or (leaking[0][0].variable == RETURNED and leaking[0][0].line == returned_line):
        decided = _decided(source, base, changed, future, per_bar)
        if decided is not None:
            return decided
    if not leaking:
        return _named(source, RETURNED, returned_line, _best(source, returned_line), None)
    used = _used(source, returned_line) if used is None else used
    main = source.function(returned_line)
    key, row = next((each for each in leaking if _matters(each[0], used, main)), leaking[0])
    own = _best(source, key.line)
    statement = source.statement(key.line)
    upstream = None if statement is None else _upstream(source, statement, base, future, per_bar, 0, set())
    if own is not None and not (upstream is not None and own.text.endswith("end of the sample")):
        return _named(source, _shown(key), key.line, own, row)
    if upstream is not None:
        variable, line, cause = upstream
        if variable is not None:
            return _named(source, variable, line, cause, row)
        cause = cause._replace(text=f"{cause.text} (line {cause.line})")
        return _named(source, _shown(key), key.line, cause, row, own_line=False)
    around = own or _around(source, key.line)
    return _named(source, _shown(key), key.line, around, row, own_line=own is not None)


def _upstream(
    source: Source, statement: ast.stmt, base: Found, future: Found, per_bar: Callable[[Rows], bool], depth: int,
    seen: set[int],
) -> tuple[str | None, int, Cause] | None:  # fmt: skip
    # Through what the statement reads. A number or fit that changes with the future is itself the leak; rows that are
    # right where they are, such as reversed ones, are only its cause
    function = source.function(statement.lineno)
    if function is None or depth > DEPTH_MAX or statement.lineno in seen:
        return None
    seen.add(statement.lineno)
    weaker: tuple[str | None, int, Cause] | None = None
    for token in sorted(loaded(statement)):
        stores = [each for each in source.stores(function, token) if each.lineno < statement.lineno]
        if not stores:
            continue
        store = stores[-1]
        key = next((each for each in base if each.line == store.lineno and token in _root(each)), None)
        found = causes(store)
        if key is None or per_bar(base[key]):
            turned = [each for each in found if "turns the rows round" in each.text or "rows that follow" in each.text]
            weaker = weaker or ((None, store.lineno, turned[0]) if turned else None)
        elif found and key in future and not _equal(base[key], future[key]):
            return token, store.lineno, found[0]
        deeper = _upstream(source, store, base, future, per_bar, depth + 1, seen)
        if deeper is not None and deeper[0] is not None:
            return deeper
        weaker = weaker or deeper
    return weaker


def _used(source: Source, returned_line: int) -> set[str]:
    # Everything the returned value can depend on, by name: a label nobody trades on is not the leak
    statement, function = source.statement(returned_line), source.function(returned_line)
    if statement is None or function is None:
        return set()
    used = loaded(statement) | {RETURNED}
    parts = [each for each in ast.walk(function) if isinstance(each, ast.stmt) and each is not function]
    while True:
        more = set[str]().union(*(loaded(each) for each in parts if stored(each) & used))
        if more <= used:
            return used
        used |= more


def _decided(
    source: Source, base: Found, changed: Found, future: Found, per_bar: Callable[[Rows], bool]
) -> Blamed | None:
    # A line that only one of the runs came by: what it was decided by is what changed
    for key in sorted(set(base) ^ set(changed), key=lambda each: each.line):
        for head in _heads(source, key.line):
            if isinstance(head, ast.If | ast.While):
                test = ast.copy_location(ast.Expr(head.test), head)
                upstream = _upstream(source, test, base, future, per_bar, 0, set())
                if upstream is not None and upstream[0] is not None:
                    variable, line, cause = upstream
                    assert variable is not None, upstream
                    return _named(source, variable, line, cause, None)
    return None


def _heads(source: Source, line: int) -> list[ast.If | ast.While | ast.For]:
    function = source.function(line)
    heads = [
        each for each in ast.walk(function) if isinstance(each, ast.If | ast.While | ast.For)
        and each.lineno <= line <= (each.end_lineno or each.lineno)
    ] if function is not None else []  # fmt: skip
    return sorted(heads, key=lambda each: -each.lineno)


def _around(source: Source, line: int) -> Cause | None:
    # What the statement is decided by: the conditions and loops it stands in
    for head in _heads(source, line):
        for cause in causes(head):
            return cause._replace(text=f"{cause.text} (line {cause.line})")
    return None


def _matters(key: Key, used: set[str], main: ast.FunctionDef | None) -> bool:
    function = key.function.rpartition(".")[2]
    return bool(_root(key) & used) or (main is not None and function != main.name and function in used)


def _best(source: Source, line: int) -> Cause | None:
    statement = source.statement(line)
    found = causes(statement) if statement is not None else []
    return found[0] if found else None


def _named(
    source: Source, column: str, line: int, cause: Cause | None, row: int | None, *, own_line: bool = True
) -> Blamed:
    statement = source.statement(line)
    if cause is not None and own_line and statement is not None and not isinstance(statement, ast.FunctionDef):
        line = cause.line
    text = "" if statement is None else ast.unparse(statement).splitlines()[0]
    return Blamed(column, line, text, UNKNOWN if cause is None else cause.text, row)


def _root(key: Key) -> set[str]:
    head, _, column = key.variable.partition("[")
    return {column.strip('"]')} if column else {head.rpartition(".")[2].removesuffix("()")}


def _shown(key: Key) -> str:
    _, _, column = key.variable.partition("[")
    return column.strip('"]') or key.variable


def _equal(one: Rows, two: Rows) -> bool:
    return one.values.shape == two.values.shape and bool(
        np.isclose(one.values, two.values, rtol=1e-9, atol=1e-12, equal_nan=True).all()
    )
