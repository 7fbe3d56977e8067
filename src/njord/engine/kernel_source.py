"""What a kernel strategy is compiled from: its ``decide`` with its lines kept track of, and known by content.

Compiled code says that an index was out of bounds, but not where. So before each statement that can go wrong ``decide``
writes its line down in ``out.line``; and where a float becomes an integer, it is asked whether it is a number at all.
"""

import ast
import hashlib
import inspect
import math
import random
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from njord.strategies.kernel import KernelError, KernelStrategy
from njord.strategies.kernels import number

REACHED_MAX = 10_000
# Whose code does not change under us: its version is in the name of what the compiler keeps
_SETTLED = frozenset({"numpy", "numba", "math", "cmath", "builtins", "typing", "collections", "operator"})
_TO_INTEGERS = (int, round, math.floor, math.ceil, math.trunc, np.int64, np.int32)
_CHECKED = "_njord_number"


def marked(strategy: KernelStrategy) -> Callable[..., None]:
    """Return ``decide`` keeping track of its lines; as it is where there is no source to read."""
    decide: types.FunctionType = plain(type(strategy).decide)
    found = read(decide)
    if found is None or len(found[0].args.args) != 4:
        return decide
    tree, first = found
    names = reached_names(decide)
    marker = _Marker(tree.args.args[3].arg, first, names)
    tree.body = marker.block(tree.body)
    tree.decorator_list, tree.returns = [], None
    for argument in tree.args.args:
        argument.annotation = None
    ast.increment_lineno(tree, first - 1)
    module = ast.fix_missing_locations(ast.Module([tree], []))
    code = compile(module, decide.__code__.co_filename, "exec", dont_inherit=True)
    inner = next(each for each in code.co_consts if isinstance(each, types.CodeType))
    space = {**space_of(decide), _CHECKED: number}
    made = types.FunctionType(inner.replace(co_qualname=decide.__qualname__), space, decide.__name__)
    made.__module__, made.__qualname__ = decide.__module__, decide.__qualname__
    return made


def plain(function: Any) -> Any:
    """Return the Python function behind one that is compiled or wrapped."""
    return inspect.unwrap(getattr(function, "py_func", function))


def fingerprint(function: Callable[..., Any]) -> str:
    """Return SHA-256 of all that is compiled into a function: its code, what it calls, the constants they use."""
    digest = hashlib.sha256()
    for name, value in reached(function):
        digest.update(f"\0{name}\0".encode())
        if isinstance(value, types.CodeType):
            digest.update(_code_bytes(value))
        elif isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.descr} {value.shape}".encode() + value.tobytes())
        elif isinstance(value, (bool, int, float, str, bytes, tuple, type(None), np.generic)):
            digest.update(f"{type(value).__name__} {value!r}".encode())
        else:
            digest.update(getattr(value, "__qualname__", type(value).__qualname__).encode())
    return digest.hexdigest()


def reached(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Yield all that a function can reach by name, itself first: code of functions, constants, and what is neither."""
    todo: list[tuple[str, Any]] = [("decide", function)]
    seen: set[int] = set()
    for count, (name, value) in enumerate(todo):
        if count > REACHED_MAX:
            raise KernelError(f"{name}: decide reaches more than {REACHED_MAX} functions and constants")
        inside = plain(value) if callable(value) else value
        if not isinstance(inside, types.FunctionType) or _root(inside) in _SETTLED:
            yield name, value
        elif id(inside) not in seen:
            seen.add(id(inside))
            yield name, inside.__code__
            todo += reached_names(inside).items()


def reached_names(function: types.FunctionType) -> dict[str, Any]:
    """Return the globals a function names, by dotted name where they are reached through a module."""
    used = [name for code in _codes(function.__code__) for name in code.co_names]
    space = space_of(function)
    free = [name for code in _codes(function.__code__) for name in code.co_freevars]
    found: dict[str, Any] = {name: space[name] for name in (*used, *free) if name in space}
    modules = [name for name, value in found.items() if isinstance(value, types.ModuleType)]
    for module in modules:
        inside = {f"{module}.{part}": getattr(found[module], part) for part in used if hasattr(found[module], part)}
        modules += [name for name, value in inside.items() if isinstance(value, types.ModuleType) and name not in found]
        found.update(inside)
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, types.ModuleType) or value in (random, np.random)
    }


def space_of(function: types.FunctionType) -> dict[str, Any]:
    """Return the names a function finds outside itself."""
    return {**function.__globals__, **inspect.getclosurevars(function).nonlocals}


def file_of(strategy: KernelStrategy) -> str:
    """Return the file a strategy's ``decide`` is in, or what stands for one where it was typed into a notebook."""
    return str(plain(type(strategy).decide).__code__.co_filename)


def set_at(strategy: KernelStrategy, name: str) -> list[int]:
    """Return the lines of ``decide`` that set a variable."""
    tree, first = read(plain(type(strategy).decide)) or (ast.Module([], []), 1)
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return sorted(first + node.lineno - 1 for node in stored if node.id == name)


def place(strategy: KernelStrategy, line: int | None) -> str:
    """Return ``file, line n``."""
    name = Path(file_of(strategy)).name
    return name if line is None else f"{name}, line {line}"


class _Marker:
    """Puts marks before the statements of a function, and checks where its floats become integers."""

    def __init__(self, out: str, first: int, names: dict[str, Any]) -> None:
        self._out, self._first = out, first
        self._converts = {name for name, value in names.items() if any(value is each for each in _TO_INTEGERS)}
        self._converts |= {each.__name__ for each in (int, round) if each.__name__ not in names}

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements with marks before those that can go wrong, and in what they hold."""
        found: list[ast.stmt] = []
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.append(node)
                continue
            heads: list[ast.AST] = []
            for field, value in ast.iter_fields(node):
                if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                    setattr(node, field, self.block(value))
                else:
                    parts = value if isinstance(value, list) else [value]
                    heads += [part for part in parts if isinstance(part, ast.AST)]
            if isinstance(node, ast.While) and _can_fail(node.test):
                node.body.append(self._mark(node))
            if isinstance(node, ast.Raise) or any(_can_fail(head) for head in heads):
                found.append(self._mark(node))
            for head in heads:
                self._check_numbers(head)
            found.append(node)
        return found

    def _mark(self, node: ast.stmt) -> ast.stmt:
        target = ast.Attribute(ast.Name(self._out, ast.Load()), "line", ast.Store())
        mark = ast.Assign([target], ast.Constant(self._first + node.lineno - 1))
        return ast.copy_location(mark, node)

    def _check_numbers(self, head: ast.AST) -> None:
        for node in ast.walk(head):
            if isinstance(node, ast.Call) and len(node.args) == 1 and ast.unparse(node.func) in self._converts:
                node.args = [ast.copy_location(ast.Call(ast.Name(_CHECKED, ast.Load()), node.args, []), node)]


def _can_fail(head: ast.AST) -> bool:
    divides = (ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
    return any(
        isinstance(node, ast.Call | ast.Subscript | ast.Raise | ast.Assert)
        or (isinstance(node, ast.BinOp) and isinstance(node.op, divides))
        or (isinstance(node, ast.operator) and isinstance(node, divides))
        for node in ast.walk(head)
    )


def read(decide: types.FunctionType) -> tuple[ast.FunctionDef, int] | None:
    """Return a function's tree and the line it begins at, None where no source is kept."""
    try:
        lines, first = inspect.getsourcelines(decide)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None  # Typed in somewhere that keeps no source: the compiler will say it in its own words
    node = tree.body[0]
    return (node, first) if isinstance(node, ast.FunctionDef) else None


def _root(value: Any) -> str:
    return (getattr(value, "__module__", None) or "").partition(".")[0]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _code_bytes(code: types.CodeType) -> bytes:
    plain_consts = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
    inside = b"".join(_code_bytes(each) for each in code.co_consts if isinstance(each, types.CodeType))
    names = (code.co_names, code.co_varnames, code.co_freevars, plain_consts, code.co_flags)
    return code.co_code + repr(names).encode() + inside
