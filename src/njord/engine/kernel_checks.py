"""The commonest slips in a kernel strategy, found by reading its ``decide``: one line that names where, and what.

The compiler would find most of them too, and tell of them on a page; some it lets pass, such as dice without a seed.
"""

import ast
import builtins
import inspect
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from njord.domain.spelling import suggestion
from njord.engine.kernel_source import place, plain, reached, reached_names, read, space_of
from njord.market.view import ANSWER, VIEW
from njord.strategies.kernel import KernelError, KernelStrategy

_ARGUMENTS = ("view", "params", "state", "out")
# Modules of Python itself that the compiler knows
_KNOWN = frozenset({"math", "cmath", "operator", "typing", "__future__", "random", "builtins"})
_DICE = "rolls dice that no seed repeats: keep a seed in State, and make the next number from it"
_IMPOSSIBLE: dict[type[ast.AST], str] = {
    ast.JoinedStr: "an f-string", ast.With: "with", ast.AsyncWith: "with", ast.ClassDef: "a class",
    ast.Global: "global", ast.Nonlocal: "nonlocal", ast.Import: "import", ast.ImportFrom: "import",
    ast.Yield: "yield", ast.Await: "await",
    ast.YieldFrom: "yield", ast.AsyncFor: "async", ast.AsyncFunctionDef: "async", ast.Delete: "del",
    ast.Match: "match", ast.DictComp: "a dict comprehension",
}  # fmt: skip


def check(strategy: KernelStrategy) -> None:
    """Raise KernelError naming file and line of the first slip that can be seen; where there is no source, of none."""
    decide = plain(type(strategy).decide)
    found = read(decide)
    if found is None:
        return
    tree, first = found
    names = [each.arg for each in tree.args.args]
    if len(names) != len(_ARGUMENTS):
        had = ", ".join(names) or "nothing"
        raise KernelError(f"{place(strategy, first)}: decide takes {', '.join(_ARGUMENTS)}; has {had}")
    slips = [
        *_impossible(tree), *_no_such_field(strategy, tree, names), *_no_such_name(decide, tree),
        *_foreign(decide, tree), *_dice(decide, tree), *_calls(decide, tree),
    ]  # fmt: skip
    for line, slip in sorted(slips)[:1]:
        raise KernelError(f"{place(strategy, first + line - 1)}: {slip}")


Slips = Iterator[tuple[int, str]]  # Line within the function, and what is wrong there


def _impossible(tree: ast.FunctionDef) -> Slips:
    for node in ast.walk(tree):
        what = _IMPOSSIBLE.get(type(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            what = "str.format"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left):
            what = "formatting text"
        if what is not None:
            yield getattr(node, "lineno", 1), f"{what} is not possible in compiled code"


def _no_such_field(strategy: KernelStrategy, tree: ast.FunctionDef, names: list[str]) -> Slips:
    known = dict(zip(names[1:], (strategy.params.dtype, strategy.state.dtype, ANSWER), strict=True))
    views = {names[0]}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_view(node.value, names[0]) and isinstance(node.targets[0], ast.Name):
            views.add(node.targets[0].id)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        dtype = None
        if isinstance(node.value, ast.Name):
            dtype = VIEW if node.value.id in views else known.get(node.value.id)
        elif _is_view(node.value, names[0]):
            dtype = VIEW
        if dtype is not None and dtype.names is not None and node.attr not in dtype.names:
            yield node.lineno, f"{ast.unparse(node.value)} has no {node.attr!r}{suggestion(node.attr, dtype.names)}"


def _no_such_name(decide: types.FunctionType, tree: ast.FunctionDef) -> Slips:
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ExceptHandler) and node.name}
    space = space_of(decide)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in own and node.id not in space:
            if not hasattr(builtins, node.id) and node.lineno > tree.lineno:  # Annotations are not compiled
                close = suggestion(node.id, [*sorted(own), *space])
                yield node.lineno, f"there is no {node.id!r}{close if 'did you mean' in close else ''}"
        elif isinstance(node, ast.Attribute):
            module = _value(node.value, space)
            if isinstance(module, types.ModuleType) and not hasattr(module, node.attr):
                close = suggestion(node.attr, [name for name in dir(module) if not name.startswith("_")])
                yield node.lineno, f"{module.__name__} has no {node.attr!r}{close}"


def _foreign(decide: types.FunctionType, tree: ast.FunctionDef) -> Slips:
    space = space_of(decide)
    for node in ast.walk(tree):
        value = space.get(node.id) if isinstance(node, ast.Name) else None
        name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        root = str(name).partition(".")[0]
        foreign = root in sys.stdlib_module_names and root not in _KNOWN
        if isinstance(node, ast.Name) and foreign and (callable(value) or isinstance(value, types.ModuleType)):
            yield node.lineno, f"{node.id} is not possible in compiled code: numbers, arrays and math are"


def _dice(decide: types.FunctionType, tree: ast.FunctionDef) -> Slips:
    # The compiler knows them, and seeds them anew in every process
    names = [name for name, value in reached(decide) if _is_dice(value)]
    found = [(node.lineno, ast.unparse(node)) for node in ast.walk(tree) if isinstance(node, ast.expr)]
    found = [each for each in found if each[1] in names] or [(1, name) for name in names]
    for line, name in sorted(found)[:1]:
        yield line, f"{name} {_DICE}"


def _calls(decide: types.FunctionType, tree: ast.FunctionDef) -> Slips:
    named = reached_names(decide)
    for node in ast.walk(tree):
        called = plain(named.get(ast.unparse(node.func))) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or not isinstance(called, types.FunctionType):
            continue
        if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
            continue
        takes = inspect.signature(called)
        try:
            takes.bind(*node.args, **{str(each.arg): each for each in node.keywords})
        except TypeError as error:
            yield node.lineno, f"{ast.unparse(node.func)}: {error}; it takes {', '.join(takes.parameters)}"


def _is_dice(value: Any) -> bool:
    if value is random or value is np.random:
        return True
    inside = plain(value) if callable(value) else value
    owner = getattr(inside, "__self__", None)
    module = str(getattr(inside, "__module__", None))
    return isinstance(owner, (random.Random, np.random.RandomState)) or module.partition(".")[0] == "random"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_view(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name


def _value(node: ast.expr, space: dict[str, Any]) -> Any:
    """Return the module an expression names, None if it is anything else."""
    if isinstance(node, ast.Name):
        return space.get(node.id)
    if isinstance(node, ast.Attribute):
        inside = _value(node.value, space)
        return getattr(inside, node.attr, None) if isinstance(inside, types.ModuleType) else None
    return None
