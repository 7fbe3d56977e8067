"""Compile a kernel strategy: alone, for the engine, or together with the venue, for research.

A small file of glue is written for each strategy, named by the content of all that is compiled with it, so that the
compiler's cache can never hand out code of another version. It lies in ``NJORD_HOME/kernels``, or where that cannot be
written in a folder that is gone with the process, which then compiles anew.
"""

import hashlib
import importlib.util
import inspect
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from njord.domain.ids import StrategyId
from njord.engine.impure import Impure
from njord.engine.kernel_checks import check
from njord.engine.kernel_source import file_of, fingerprint, marked, place, set_at
from njord.market.view import ANSWER, VIEW
from njord.strategies.kernel import KernelError, KernelStrategy, raise_at
from njord.strategies.port import Strategy

__all__ = ["KernelError", "ask_of", "cache_folder", "compiled", "equip", "measure", "run_of"]

TYPES_CHARS_MAX = 120

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


def equip(strategies: Mapping[StrategyId, Strategy], notices: list[str]) -> dict[StrategyId, str]:
    """Compile those of a run that are kernel strategies, once. Return why some cannot be, in words.

    Where there is no compiler they decide in plain Python, which goes into ``notices``.
    """
    failed: dict[StrategyId, str] = {}
    for name, strategy in strategies.items():
        if not isinstance(strategy, KernelStrategy):
            continue
        try:
            strategy.compiled = ask_of(strategy)
        except KernelError as error:
            failed[name] = f"KernelError: {error}"
        missing = _missing()
        if missing and name not in failed:
            notices.append(f"strategy {name} decides in plain Python: {missing}")
    return failed


def ask_of(strategy: KernelStrategy) -> Callable[..., None]:
    """Return ``decide`` for the engine, of whole arrays, compiled where there is a compiler. Raises KernelError.

    What goes wrong in it later is raised as from the line of the strategy where it did.
    """
    check(strategy)
    decide = marked(strategy)
    if _missing():

        def ask(view: Any, params: Any, state: Any, answer: Any) -> None:
            # What numpy only warns of is an error in compiled code, and the other way round
            with np.errstate(divide="raise", over="ignore", invalid="ignore"):
                decide(view, params[0], state[0], answer[0])
    else:
        ask = _glue("ask", _ASK, strategy, decide, {"decide": _compilable(decide)}).ask
        view = np.zeros(1, dtype=VIEW).view(np.recarray)
        answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
        compiled(strategy, ask, view, strategy.params, strategy.state, answer)
    file = file_of(strategy)

    def asked(view: Any, params: Any, state: Any, answer: Any) -> None:
        try:
            ask(view, params, state, answer)
        except Exception as error:
            line = int(answer[0]["line"])
            if isinstance(error, Impure) or not line:
                raise
            raise_at(error, file, line)

    return asked


def measure() -> Callable[..., int]:
    """Return the loop that finds a tape's prices and events: measure(tape, lowest, highest)."""
    found: Callable[..., int] = _venue().measure
    return found


def run_of(strategy: KernelStrategy) -> Callable[..., int]:
    """Return the venue's loop with ``decide`` in it: run(world, tape, params, state, answer). Raises KernelError."""
    missing = _missing()
    if missing:
        raise KernelError(f"{place(strategy, None)}: a compiled run needs the compiler, and {missing}")
    check(strategy)
    decide = marked(strategy)
    module = _glue("run", _RUN, strategy, decide, {"decide": _compilable(decide), "go": _venue().go})
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


def _missing() -> str:
    """Return what keeps code from being compiled, in words; empty where nothing does."""
    try:
        from numba.core import config
    except ModuleNotFoundError:
        return "numba is not there (pip install 'njord[fast]')"
    # Its settings are names it gives itself while it is imported
    return "NUMBA_DISABLE_JIT is set" if vars(config)["DISABLE_JIT"] else ""


def _venue() -> ModuleType:
    return _load("venue", "venue", hashlib.sha256((_VENUE + _kernel_sources()).encode()).hexdigest(), _VENUE, {})


def _glue(
    kind: str, text: str, strategy: KernelStrategy, decide: Callable[..., Any], given: dict[str, Any]
) -> ModuleType:
    """Return the module of a piece of glue for a strategy, with what it is given as its globals."""
    # Cached code names the modules it came from, and looks them up when it is loaded
    shapes = (decide.__module__, strategy.params.dtype.descr, strategy.state.dtype.descr)
    content = hashlib.sha256(f"{text}{_kernel_sources()}{fingerprint(decide)}{shapes!r}".encode())
    # Called after the class that has this decide: those derived from it share what is compiled
    return _load(kind, decide.__qualname__.split(".")[-2], content.hexdigest(), text, given)


def _load(kind: str, name: str, content: str, text: str, given: dict[str, Any]) -> ModuleType:
    module_name = f"njord_{kind}_{name}_{content[:20]}"
    known = sys.modules.get(module_name)
    if known is not None:
        return known
    path = _written(module_name, text)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    vars(module).update(given)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def _written(module_name: str, text: str) -> Path:
    folder, outlives = cache_folder()
    path = folder / f"{module_name}.py"
    try:
        if not path.exists():
            # Two processes may write it at once: each its own file, then one of them wins
            draft = folder / f".{module_name}.{os.getpid()}"
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
    except OSError:
        if not outlives:
            raise
        # Full, or not to be written to after all
        path = _lost_folder() / f"{module_name}.py"
        path.write_text(text, encoding="utf-8")
    return path


def _kernel_sources() -> str:
    # All that is compiled into a strategy besides what it reaches itself
    from njord.engine import kernel_source
    from njord.market import view
    from njord.strategies import kernels as asked
    from njord.venues.simulated import kernels

    folder = Path(inspect.getfile(kernels)).parent
    digest = hashlib.sha256()
    for path in (*sorted(folder.glob("*.py")), *(Path(inspect.getfile(each)) for each in (view, asked, kernel_source))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _compilable(decide: Callable[..., Any]) -> Any:
    from numba import njit

    # An index out of bounds is an error here, never a number from somewhere
    return njit(boundscheck=True)(decide)


def compiled(strategy: KernelStrategy, function: Any, *arguments: Any) -> None:
    """Compile a function for arguments, once. Raises KernelError naming the strategy's file and line."""
    from numba import typeof

    if function.signatures:
        return
    kind_of: Callable[[Any], Any] = typeof
    try:
        function.compile(tuple(kind_of(each) for each in arguments))
    except Exception as error:  # noqa: BLE001 - the compiler has many words for what is wrong with a plugin
        raise KernelError(_worded(strategy, error)) from None
    # One kind of arguments a file of glue: what is kept for another could be taken for it
    function.disable_compile()


_WORDS = {
    "add": "+", "iadd": "+", "sub": "-", "isub": "-", "mul": "*", "imul": "*", "truediv": "/", "floordiv": "//",
    "mod": "%", "pow": "**", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "neg": "-",
    "getitem": "[...]", "setitem": "[...] =",
}  # fmt: skip
_REASONS = (
    (r"NameError: name '(\w+)' is not defined", "there is no {0!r}"),
    (r"Unknown attribute '(\w+)' of type (.+)", "there is no {0!r} of {1}"),
    (r"Cannot unify (.+?) and (.+?) for '(\w+?)(?:\.\d+)?'", "{2!r} is {0} in one place and {1} in another"),
    (r"Cannot cast (.+) to (.+?)(?:[:.].*)?$", "{0} cannot become {1}"),
    (r">>> (exception_match)", "only a bare except, or except Exception, is possible in compiled code"),
    (r">>> (\w+)\((.*)\)", "{0} does not go with {1}"),
    (r"Untyped global name '(\w+)'", "{0} is nothing that can be compiled"),
    (r"variable '(\w+?)(?:\.\d+)?' referenced before assignment", "{0!r} is used before it is set"),
    (r"Unsupported (.+)", "{0} is not possible in compiled code"),
)


def _worded(strategy: KernelStrategy, error: Exception) -> str:
    """Return what the compiler found in one line: where, and what."""
    message, file = str(error), file_of(strategy)
    # What it points at exactly comes before where it shows the source
    points = re.findall(r"(?:at|from) (\S+) \((\d+)\)", message)
    lines = [*points, *re.findall(r'File "([^"]+)", line (\d+)', message)[::-1]]
    own = [int(line) for path, line in lines if Path(path).name == Path(file).name]
    joined = re.search(r"Cannot unify .+ for '(\w+?)(?:\.\d+)?'", message)
    if joined is not None:  # Where branches meet there is no line
        own = [*set_at(strategy, joined[1])[-1:], *own]
    places = [(Path(path), line) for path, line in lines if Path(path).name != Path(file).name]
    other = [f" ({path.name}, line {line})" for path, line in places if not _is_compilers(path)]
    return f"{place(strategy, own[0] if own else None)}: {_reason(message).rstrip('.')}{other[0] if other else ''}"


def _is_compilers(path: Path) -> bool:
    return path.name.startswith("njord_") or "numba" in path.parts or not path.suffix


def _reason(message: str) -> str:
    for pattern, words in _REASONS:
        found = re.search(pattern, message, re.MULTILINE)
        if found is not None:
            parts = [_plainly(part) for part in found.groups()]
            return words.format(_WORDS.get(parts[0], parts[0]), *parts[1:])
    told = [line.strip() for line in message.splitlines() if line.strip()]
    return _plainly(
        next((line for line in told if not line.startswith(("Failed in", "File", "-"))), "does not compile")
    )


def _plainly(types: str) -> str:
    """Return types as Python calls them."""
    types = re.sub(r"Literal\[(\w+)\]\([^)]*\)", r"\1", types)
    types = re.sub(r"Record\(.*\)", "a record", types)
    types = re.sub(r"(?:Uni)?Tuple\(.*?\)", "a tuple", types)
    types = re.sub(r"\w*array\(\w+(?:\([^()]*\)|[^()])*\)", "an array", types, flags=re.IGNORECASE)
    for name, word in (("unicode_type", "str"), ("none", "None"), ("int64", "int"), ("float64", "float")):
        types = re.sub(rf"\b{name}\b", word, types)
    return types if len(types) <= TYPES_CHARS_MAX else types[:TYPES_CHARS_MAX] + "…"
