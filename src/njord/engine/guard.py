"""The guard around a run: a strategy that asks the clock, rolls unseeded dice or reaches outside is stopped and named.

While it stands, the functions below are replaced by ones that look at who calls. Strategy code is refused; everybody
else, this platform included, is passed through. Nothing is added to an event that does none of this.
"""

import builtins
import contextlib
import datetime
import functools
import importlib
import inspect
import io
import os
import random
import secrets
import socket
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from njord.engine.impure import Impure
from njord.strategies.port import Strategy

FRAMES_MAX = 48  # How far up the stack a caller is looked for
IMPURITIES_MAX = 1_000
_NJORD = str(Path(__file__).parents[1])
_ENGINE = str(Path(_NJORD) / "engine") + os.sep
_PORT = frozenset(str(Path(_NJORD) / "strategies" / name) for name in ("port.py", "registry.py"))

_CLOCK = "reads the clock: use desk.time_ns"
_DICE = "rolls dice without a seed: use desk.rng"
_NETWORK = "reaches for the network"
_FILES = "opens a file"
_ENVIRONMENT = "reads the environment"

_TIME = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
    "process_time_ns", "localtime", "gmtime", "ctime", "asctime", "sleep",
)  # fmt: skip
_GIVEN_A_MOMENT = ("localtime", "gmtime", "ctime", "asctime")
_NOW = ("now", "utcnow", "today")
# Whose own reading of clocks and files decides nothing: imports, logs, time zones, compilers
_TRUSTED = (
    "<frozen importlib", "/importlib/", "/logging/", "/zoneinfo/", "/numba/", "/llvmlite/", "/warnings.py",
    "/linecache.py",
)  # fmt: skip


Pure = Callable[[tuple[Any, ...], dict[str, Any]], bool]  # Whether a call with these arguments is no fault


class Guard:
    """What one ``guarded`` block watches over, and what it caught."""

    def __init__(self, strategies: Iterable[Strategy]) -> None:
        self.caught: list[Impure] = []
        self.files: dict[str, str] = {}  # File -> name of the strategy
        self.modules: list[types.ModuleType] = []
        self.names: set[str] = set()
        for strategy in strategies:
            self.names.add(type(strategy).__name__)
            for kind in type(strategy).__mro__:
                self._watch(kind, type(strategy).__name__)

    def _watch(self, kind: type, name: str) -> None:
        if kind is object or kind is Strategy:
            return
        # By its code, not by its module: a class typed into a notebook has no file, but its functions know their cell
        for item in vars(kind).values():
            code = getattr(inspect.unwrap(item), "__code__", None) if callable(item) else None
            if code is not None and code.co_filename not in _PORT:
                self.files.setdefault(code.co_filename, name)
        module = sys.modules.get(kind.__module__)
        if module is not None and getattr(module, "__file__", None) in self.files:
            self.modules.append(module)


class _Watchman:
    """Installs the replacements for the first guard, and takes them away with the last."""

    def __init__(self) -> None:
        self.guards: list[Guard] = []
        self.lock = threading.RLock()
        self._undo: list[tuple[Any, str, Any]] = []
        self._replaced: dict[int, Any] = {}
        self._modules: list[tuple[types.ModuleType, str, Any]] = []

    def enter(self, guard: Guard) -> None:
        with self.lock:
            try:
                if not self.guards:
                    self._install()
                self.guards.append(guard)
                self._enter_modules(guard)
            except BaseException:
                self.leave(guard)
                raise

    def leave(self, guard: Guard) -> None:
        with self.lock:
            if guard in self.guards:
                self.guards.remove(guard)
            if not self.guards:
                for owner, name, original in reversed([*self._undo, *self._modules]):
                    setattr(owner, name, original)
                self._undo.clear()
                self._modules.clear()
                self._replaced.clear()

    def refuse(self, what: str, why: str) -> None:
        """Raise Impure if strategy code is calling: the nearest frame of its file, before any of the engine's."""
        files = {file: (guard, name) for guard in self.guards for file, name in guard.files.items()}
        frame: types.FrameType | None = sys._getframe(2)  # noqa: SLF001 - who calls is the question
        for _ in range(FRAMES_MAX):
            if frame is None:
                return
            file = frame.f_code.co_filename
            known = files.get(file)
            if known is not None:
                guard, name = known
                owner = frame.f_code.co_qualname.split(".")[-2:][0]
                name = owner if owner in guard.names else name  # Several strategies may share a file
                short = file.rpartition("/")[2]
                error = Impure(f"strategy {name} {why}: {what}() at {short}:{frame.f_lineno}")
                if len(guard.caught) < IMPURITIES_MAX:
                    guard.caught.append(error)
                raise error
            if file.startswith(_ENGINE) or any(part in file for part in _TRUSTED):
                return
            frame = frame.f_back

    def _enter_modules(self, guard: Guard) -> None:
        # Names a strategy's file has imported already: from time import time, from datetime import datetime
        for module in guard.modules:
            for name, value in list(vars(module).items()):
                with contextlib.suppress(TypeError):
                    if id(value) in self._replaced:
                        self._modules.append((module, name, value))
                        setattr(module, name, self._replaced[id(value)])

    def _install(self) -> None:
        for name in _TIME:
            self._replace(time, name, f"time.{name}", _CLOCK, _given if name in _GIVEN_A_MOMENT else None)
        _replace_dice(self._replace)
        for name in ("urandom", "getenv"):
            self._replace(os, name, f"os.{name}", _DICE if name == "urandom" else _ENVIRONMENT)
        for name in ("uuid1", "uuid4"):
            self._replace(uuid, name, f"uuid.{name}", _DICE)
        for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice"):
            self._replace(secrets, name, f"secrets.{name}", _DICE)
        for name in ("create_connection", "getaddrinfo", "gethostbyname"):
            self._replace(socket, name, f"socket.{name}", _NETWORK)
        self._replace(socket.socket, "__init__", "socket.socket", _NETWORK)
        self._replace(builtins, "open", "open", _FILES, _time_zone)
        self._replace(io, "open", "open", _FILES, _time_zone)
        self._install_calendar()

    def _install_calendar(self) -> None:
        # datetime is built in and cannot be changed: strategy files get one of their own, now and when they import it
        calendar = _calendar(self.refuse)
        self._replaced[id(datetime)] = calendar
        self._replaced[id(datetime.datetime)] = calendar.datetime
        self._replaced[id(datetime.date)] = calendar.date
        pandas = sys.modules.get("pandas")
        if pandas is not None:
            for name in (*_NOW,):
                if hasattr(pandas.Timestamp, name):
                    self._replace_class_method(pandas.Timestamp, name, f"pandas.Timestamp.{name}")
        original = builtins.__import__

        @functools.wraps(original)
        def importing(name: str, globals: Any = None, *rest: Any, **named: Any) -> Any:  # noqa: A002 - its name
            module = original(name, globals, *rest, **named)
            if name == "datetime" and globals is not None and self._is_strategy(globals.get("__file__")):
                return calendar
            return module

        self._set(builtins, "__import__", importing)

    def _is_strategy(self, file: object) -> bool:
        return any(file in guard.files for guard in self.guards)

    def _replace(self, owner: Any, name: str, what: str, why: str, pure: "Pure | None" = None) -> None:
        original = getattr(owner, name)
        refuse = self.refuse

        @functools.wraps(original)
        def watched(*values: Any, **named: Any) -> Any:
            if pure is None or not pure(values, named):
                refuse(what, why)
            return original(*values, **named)

        self._replaced[id(original)] = watched
        self._set(owner, name, watched)

    def _replace_class_method(self, owner: Any, name: str, what: str) -> None:
        original = getattr(owner, name)
        refuse = self.refuse

        def watched(_cls: type, *values: Any, **named: Any) -> Any:
            refuse(what, _CLOCK)
            return original(*values, **named)

        self._set(owner, name, classmethod(watched))

    def _set(self, owner: Any, name: str, value: Any) -> None:
        kept = inspect.getattr_static(owner, name)
        setattr(owner, name, value)
        self._undo.append((owner, name, kept))


@contextlib.contextmanager
def guarded(strategies: Iterable[Strategy]) -> Iterator[Guard]:
    """Watch over strategies while they run. What they do that is not theirs to do raises ``Impure`` in them.

    Guards may be nested and may overlap in threads; everything is as it was when the last one is left.
    """
    guard = Guard(strategies)
    _WATCHMAN.enter(guard)
    try:
        yield guard
    finally:
        _WATCHMAN.leave(guard)


# One for the process, as the functions it replaces are
_WATCHMAN = _Watchman()


def _replace_dice(replace: Callable[[Any, str, str, str, Pure | None], None]) -> None:
    for name, function in list(vars(random).items()):
        if isinstance(getattr(function, "__self__", None), random.Random):
            replace(random, name, f"random.{name}", _DICE, None)
    for name in ("random", "getrandbits"):
        replace(random.SystemRandom, name, "random.SystemRandom", _DICE, None)
    legacy = importlib.import_module("numpy.random.mtrand")._rand  # noqa: SLF001 - the one behind its functions
    for name, function in list(vars(np.random).items()):
        if getattr(function, "__self__", None) is legacy or name in ("seed", "ranf", "sample"):
            replace(np.random, name, f"numpy.random.{name}", _DICE, None)
    replace(np.random, "default_rng", "numpy.random.default_rng", _DICE, _given)


def _given(values: tuple[Any, ...], named: dict[str, Any]) -> bool:
    return any(value is not None for value in (*values, *named.values()))


def _time_zone(values: tuple[Any, ...], _named: dict[str, Any]) -> bool:
    return bool(values) and ("zoneinfo" in str(values[0]) or "tzdata" in str(values[0]))


def _calendar(refuse: Callable[[str, str], None]) -> types.ModuleType:
    """Return a module like ``datetime`` whose classes make real dates, but do not say what day it is."""
    calendar = types.ModuleType("datetime", datetime.__doc__)
    vars(calendar).update({name: value for name, value in vars(datetime).items() if not name.startswith("__")})
    calendar.datetime = _no_clock(datetime.datetime, refuse)  # type: ignore[attr-defined]
    calendar.date = _no_clock(datetime.date, refuse)  # type: ignore[attr-defined]
    return calendar


def _no_clock(real: type, refuse: Callable[[str, str], None]) -> type:
    class Meta(type):
        # What comes of it is real, and real ones are taken for its own
        def __call__(cls, *values: Any, **named: Any) -> Any:
            return real(*values, **named)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, real)

    def refusing(name: str) -> Any:
        def watched(_cls: type, *values: Any, **named: Any) -> Any:
            refuse(f"{real.__module__}.{real.__name__}.{name}", _CLOCK)
            return getattr(real, name)(*values, **named)

        return classmethod(watched)

    names = {name: refusing(name) for name in _NOW if hasattr(real, name)}
    return Meta(real.__name__, (real,), names)
