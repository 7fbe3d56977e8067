"""Compile a kernel strategy: alone, for the engine, or together with the venue, for research.

A small file of glue is written for each strategy, named by the content of all that is compiled with it, so that the
compiler's cache can never hand out code of another version. It lies in ``NJORD_HOME/kernels``, or where that cannot be
written in a folder that is gone with the process, which then compiles anew.
"""

import ast
import hashlib
import importlib.util
import inspect
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from njord.domain.spelling import suggestion
from njord.engine.loading import source_hash
from njord.market.view import ANSWER, VIEW
from njord.strategies.kernel import KernelStrategy

_VENUE = '''"""The compiled venue's loop, as one piece that is compiled once."""

from numba import njit

from njord.venues.simulated.kernels import loop


@njit(cache=True)
def go(world, tape, answer):
    return loop.go(world, tape, answer[0])


@njit(cache=True)
def measure(tape, lowest, highest):
    return loop.measure(tape, lowest, highest)
'''

_RUN = '''"""One strategy and the venue, compiled together."""

from numba import njit

from njord.venues.simulated.kernels.layout import DECIDE


@njit(cache=True)
def run(world, tape, params, state, answer):
    while True:
        ended = go(world, tape, answer)
        if ended != DECIDE:
            return ended
        decide(world.views, params[0], state[0], answer[0])
'''

_ASK = '''"""One strategy, compiled to be asked once."""

from numba import njit


@njit(cache=True)
def ask(view, params, state, answer):
    decide(view, params[0], state[0], answer[0])
'''


class KernelError(ValueError):
    """A kernel strategy cannot be compiled, or went wrong. The message names its file and line."""


def ask_of(strategy: KernelStrategy) -> Callable[..., None]:
    """Return ``decide`` compiled for the engine: ask(views, params, state, answer). Raises KernelError."""
    module = _glue("ask", _ASK, strategy, {"decide": _compilable(strategy)})
    ask: Callable[..., None] = module.ask
    view = np.zeros(1, dtype=VIEW).view(np.recarray)
    _compile(strategy, ask, (view, strategy.params, strategy.state, np.zeros(1, dtype=ANSWER).view(np.recarray)))
    return ask


def measure() -> Callable[..., int]:
    """Return the loop that finds a tape's prices and events: measure(tape, lowest, highest)."""
    found: Callable[..., int] = _glue("venue", _VENUE, None, {}).measure
    return found


def run_of(strategy: KernelStrategy) -> Callable[..., int]:
    """Return the venue's loop with ``decide`` in it: run(world, tape, params, state, answer). Raises KernelError."""
    venue = _glue("venue", _VENUE, None, {})
    module = _glue("run", _RUN, strategy, {"decide": _compilable(strategy), "go": venue.go})
    run: Callable[..., int] = module.run
    return run


def cache_folder() -> tuple[Path, bool]:
    """Return where compiled code is kept, and whether it outlives this process."""
    home = Path(os.environ.get("NJORD_HOME", "~/.njord")).expanduser() / "kernels"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK):
            return home, True
    except OSError:
        pass  # Said by the second value: a read-only home is no reason not to run
    return _lost_folder(), False


_LOST: list[tempfile.TemporaryDirectory[str]] = []


def _lost_folder() -> Path:
    if not _LOST:
        _LOST.append(tempfile.TemporaryDirectory(prefix="njord-kernels-"))
    return Path(_LOST[0].name)


def _glue(kind: str, text: str, strategy: KernelStrategy | None, given: dict[str, Any]) -> ModuleType:
    """Return the module of a piece of glue, with what it is given as its globals."""
    content = hashlib.sha256(text.encode())
    content.update(_kernel_sources().encode())
    name = "venue"
    if strategy is not None:
        name = type(strategy).__name__
        content.update(_source_of(strategy).encode())
        # Cached code names the modules it came from, and looks them up when it is loaded
        content.update(
            repr((type(strategy).__module__, strategy.params.dtype.descr, strategy.state.dtype.descr)).encode()
        )
    module_name = f"njord_{kind}_{name}_{content.hexdigest()[:20]}"
    known = sys.modules.get(module_name)
    if known is not None:
        return known
    folder, _ = cache_folder()
    path = folder / f"{module_name}.py"
    if not path.exists():
        # Two processes may write it at once: each its own file, then one of them wins
        draft = folder / f".{module_name}.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    vars(module).update(given)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def _kernel_sources() -> str:
    # All that is compiled into a strategy besides itself
    from njord.market import view
    from njord.strategies import kernels as asked
    from njord.venues.simulated import kernels

    folder = Path(inspect.getfile(kernels)).parent
    making = sorted((Path(inspect.getfile(asked)).parent / "market_making").glob("*.py"))
    paths = [*sorted(folder.glob("*.py")), Path(inspect.getfile(view)), Path(inspect.getfile(asked)), *making]
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_of(strategy: KernelStrategy) -> str:
    # Of the class and its bases: each may define decide, or what it calls
    return "".join(source_hash(kind) for kind in type(strategy).__mro__ if kind.__module__ != "njord.strategies.kernel")


def _compilable(strategy: KernelStrategy) -> Any:
    from numba import njit

    _check_names(strategy)
    # An index out of bounds is an error here, never a number from somewhere
    return njit(boundscheck=True)(type(strategy).decide)


def _compile(strategy: KernelStrategy, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from numba.core.errors import NumbaError

    try:
        function.compile(tuple(_type_of(each) for each in arguments))  # type: ignore[attr-defined]
    except NumbaError as error:
        raise KernelError(_worded(strategy, str(error))) from None


def compiled(strategy: KernelStrategy, function: Callable[..., Any], *arguments: Any) -> None:
    """Compile a function of ``run_of`` for arguments. Raises KernelError naming the strategy's file and line."""
    _compile(strategy, function, arguments)


def _type_of(value: Any) -> Any:
    import numba

    return numba.typeof(value)  # type: ignore[no-untyped-call]


def _check_names(strategy: KernelStrategy) -> None:
    """Raise KernelError for a field that views, parameters, state or answers do not have: the commonest slip."""
    decide = type(strategy).decide
    try:
        lines, first = inspect.getsourcelines(decide)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return  # Typed in somewhere that keeps no source: the compiler will say it in its own words
    names = list(inspect.signature(decide).parameters)
    if len(names) != 4:
        raise KernelError(f"{_place(strategy, first)}: decide takes view, params, state, out; has {', '.join(names)}")
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
            owner = ast.unparse(node.value)
            close = suggestion(node.attr, dtype.names)
            raise KernelError(f"{_place(strategy, first + node.lineno - 1)}: {owner} has no {node.attr!r}{close}")


def _is_view(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name


def _place(strategy: KernelStrategy, line: int) -> str:
    return f"{Path(inspect.getsourcefile(type(strategy).decide) or 'decide').name}, line {line}"


_REASONS = (
    (r"NameError: name '(\w+)' is not defined", "there is no {0!r}"),
    (r"Unknown attribute '(\w+)' of type (.+)", "there is no {0!r} here"),
    (r"Cannot unify (.+?) and (.+?) for '(\w+?)(?:\.\d+)?'", "{2!r} is {0} in one place and {1} in another"),
    (r"No implementation of function Function\((.+?)\) found for signature", "{0} does not go with these types"),
    (r"Untyped global name '(\w+)'", "{0!r} is nothing that can be compiled"),
    (r"Use of unsupported opcode \((\w+)\)", "this is not possible in compiled code ({0})"),
    (r"Unsupported (.+)", "{0} is not possible in compiled code"),
)


def _worded(strategy: KernelStrategy, message: str) -> str:
    """Return what the compiler found in one line: where, and what."""
    file = inspect.getsourcefile(type(strategy).decide) or ""
    lines = re.findall(r'File "([^"]+)", line (\d+)', message)
    own = [int(line) for path, line in lines if Path(path).name == Path(file).name]
    reason = ""
    for pattern, words in _REASONS:
        found = re.search(pattern, message)
        if found is not None:
            reason = words.format(*found.groups())
            break
    if not reason:
        told = [line.strip() for line in message.splitlines() if line.strip()]
        reason = next((line for line in told if not line.startswith(("Failed in", "File", "-"))), "does not compile")
    return f"{_place(strategy, own[-1]) if own else Path(file).name}: {reason.rstrip('.')}"
