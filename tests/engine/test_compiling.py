"""Kernel strategies between the engine and the compiler: the same decisions, one readable line for what goes wrong."""

import inspect
import textwrap

import pytest

pytest.importorskip("numba")

from njord.engine.compiled import run_compiled
from njord.engine.compiling import KernelError, ask_of
from njord.engine.loading import from_file
from njord.research.purity import ImpureSource, purity, refuse
from njord.strategies import registry
from njord.venues.simulated.settings import VenueSettings

from ..parity.tapes import Market, instruments  # noqa: TID252 - tests are no package to import from
from .sources import QUOTER, RUN, rows, script, written

SETTINGS = {"X": VenueSettings(latency_ms=0.001)}


def made(path, **params):
    return registry.build(from_file(path), path.stem, params)


def run_of(strategy, *others):
    market = Market(instruments(1), rows())
    assembly = market.assembled(strategy, SETTINGS)
    assembly.run()
    return assembly


@pytest.mark.slow
def test_the_engine_decides_the_same_compiled_and_in_plain_python(tmp_path):
    path = written(tmp_path, QUOTER)
    compiled = run_of(made(path))
    text = RUN.format(path=str(path), rows=inspect.getsource(rows))

    off = script(text, tmp_path, NUMBA_DISABLE_JIT="1").splitlines()
    without = script("sys.modules['numba'] = None\n" + text, tmp_path).splitlines()

    assert len(compiled.backtest.fills) > 20
    assert compiled.notices == ["no funding data of A/USD:USD.X: its funding are not part of this result"]
    expected = f"{compiled.backtest.journal.digest} {len(compiled.backtest.fills)}"
    assert off[0] == without[0] == expected
    assert "strategy given decides in plain Python: NUMBA_DISABLE_JIT is set" in off[1]
    assert "strategy given decides in plain Python: numba is not there" in without[1]


@pytest.mark.slow
def test_a_strategy_is_compiled_once_for_all_runs(tmp_path):
    from numba.core import event

    strategy = made(written(tmp_path, QUOTER))
    assert strategy.compiled is None
    first = run_of(strategy)
    assert strategy.compiled is not None

    with event.install_recorder("numba:compile") as recorder:
        second = run_of(made(tmp_path / "quoter.py"))

    assert recorder.buffer == []
    assert second.backtest.journal.digest == first.backtest.journal.digest


def test_reading_for_purity_takes_kernel_strategies_and_refuses_impure_ones(tmp_path):
    assert purity(written(tmp_path, QUOTER)) == []

    impure = QUOTER.replace("import Any\n", "import Any\nimport time\n")
    impure = impure.replace("seen = view[0]", "seen = view[int(time.time()) * 0]")
    with pytest.raises(ImpureSource, match=r"quoter\.py:\d+: time\.time\(\): reads the clock"):
        refuse(purity(written(tmp_path, impure)))


HEAD = """
import math
from typing import Any

import numpy as np

from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import buy, note, order, quote


class Bad(KernelStrategy):
    every_ms: float = 0.0
    size: float = 1.0

    class State:
        x: float = 0.0
        xs: Any = np.zeros(4)

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        seen = view[0]
"""
FIRST_LINE = HEAD.count("\n") + 1
# What is written in ``decide``, the line of it that is wrong, and what is said of it
READ = [
    ("y = sizze", 0, "there is no 'sizze'; did you mean 'size'?|there is no 'sizze'"),
    ("state.x = seen.bid_tick", 0, "seen has no 'bid_tick'; did you mean 'bid_ticks'?"),
    ("state.x = view[0].asks_tick[0]", 0, "view[0] has no 'asks_tick'; did you mean 'asks_ticks'?"),
    ("state.x = params.sise", 0, "params has no 'sise'; did you mean 'size'?"),
    ("y = 1\nstate.xxs = y", 1, "state has no 'xxs'; did you mean 'xs'?"),
    ("out.comands = 1", 0, "out has no 'comands'; did you mean 'commands'?"),
    (
        "buy(out, 0, 1)",
        0,
        "buy: missing a required argument: 'limit_ticks'; it takes out, instrument, lots, limit_ticks",
    ),
    ("quote(view, out, 0, 1, 1, 2, 2, 3)", 0, "quote: too many positional arguments; it takes view, out, instrument"),
    ("y = f'{state.x}'", 0, "an f-string is not possible in compiled code"),
    ("y = '{}'.format(state.x)", 0, "str.format is not possible in compiled code"),
    ("y = '%d' % state.x", 0, "formatting text is not possible in compiled code"),
    ("with open('x') as file:\n    y = file", 0, "with is not possible in compiled code"),
    ("import os", 0, "import is not possible in compiled code"),
    ("yield 1", 0, "yield is not possible in compiled code"),
    ("state.x = np.nanmeen(state.xs)", 0, "numpy has no 'nanmeen'; did you mean 'nanmean'?"),
    ("state.x = np.random.normal()", 0, "np.random rolls dice that no seed repeats: keep a seed in State"),
]
COMPILED = [
    ("if seen.guard:\n    y = 1\nelse:\n    y = (1, 2)\nz = y\nnote(out, 0, 1, z)", 3, "'y' is int in one place and"),
    ("y = {1: 2}\ny['a'] = 'b'", 1, "str"),
    ("y = [1]\ny.append('a')", 1, "str"),
    ("state.x = open('x')", 0, "open is nothing that can be compiled"),
    ("y = None\nstate.x = y + 1", 1, "+ does not go with None, int"),
    ("seen.bid_ticks = 'a'", 0, "str cannot become int"),
    ("y = 3.0\nstate.x = y.foo", 1, "there is no 'foo' of float"),
    ("state.x = Bad.size", 0, "Bad is nothing that can be compiled"),
]


def told(tmp_path, body):
    """Return what is said of a ``decide`` that does not compile."""
    path = written(tmp_path, HEAD + textwrap.indent(body, " " * 8), "bad.py")
    with pytest.raises(KernelError) as caught:
        ask_of(from_file(path)())
    return str(caught.value)


def is_one_line(message):
    return "\n" not in message and len(message) < 250


@pytest.mark.parametrize(("body", "line", "said"), READ)
def test_a_slip_is_named_by_its_line_before_anything_is_compiled(tmp_path, body, line, said):
    message = told(tmp_path, body)
    assert message.startswith(f"bad.py, line {FIRST_LINE + line}: ")
    assert any(each in message for each in said.split("|"))
    assert is_one_line(message)


@pytest.mark.slow
@pytest.mark.parametrize(("body", "line", "said"), COMPILED)
def test_what_the_compiler_finds_is_one_line_that_names_the_strategys(tmp_path, body, line, said):
    message = told(tmp_path, body)
    assert message.startswith(f"bad.py, line {FIRST_LINE + line}: ")
    assert said in message
    assert is_one_line(message)


def test_a_module_that_cannot_be_compiled_is_named(tmp_path):
    text = (
        HEAD.replace("import math\n", "import datetime\nimport math\n")
        + " " * 8
        + "state.x = datetime.date(2024, 1, 1).year"
    )
    with pytest.raises(
        KernelError, match=r"bad\.py, line \d+: datetime is not possible in compiled code: numbers, arrays"
    ):
        ask_of(from_file(written(tmp_path, text, "bad.py"))())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size: float = 1.0", "size: str = 'a'", r"line 13: parameter size must be float, int or bool, was str = 'a'"),
        ("x: float = 0.0", "x: str = 'a'", r"line 16: Bad\.State\.x must be float, .* was str = 'a'"),
        ("x: float = 0.0", "x: dict = {}", r"line 16: Bad\.State\.x must be float, .* was dict = {}"),
        ("def decide(view: Any, params", "def decider(view: Any, params", r"line 11: Bad has no decide\(view, params"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_where_it_is_declared(tmp_path, old, new, said):
    kind = from_file(written(tmp_path, (HEAD + "        state.x = 1.0\n").replace(old, new), "bad.py"))

    with pytest.raises(registry.BadParameter, match=r"strategy bad: bad\.py, " + said):
        registry.build(kind, "bad", {})


def test_arguments_of_decide_are_counted(tmp_path):
    text = (
        (HEAD + "        state.x = 1.0\n")
        .replace("state: Any, out: Any", "out: Any")
        .replace("        state.x = 1.0\n", "")
    )
    with pytest.raises(
        KernelError, match=r"bad\.py, line 19: decide takes view, params, state, out; has view, params, out"
    ):
        ask_of(from_file(written(tmp_path, text, "bad.py"))())


FAULTS = """
import math
from typing import Any

import numpy as np

from njord.market.view import IOC, NO_PRICE
from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import buy, note, order


class Faulty(KernelStrategy):
    every_ms: float = 0.0
    fault: int = 0

    class State:
        asked: int = 0
        xs: Any = np.zeros(4)

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        state.asked += 1
        if state.asked < 5:
            return
        zero, fault = state.asked - 5, params.fault
        if fault == 0:
            state.xs[0] = 1 // zero  # 0
        elif fault == 1:
            state.xs[0] = 1.0 / zero  # 1
        elif fault == 2:
            state.xs[4 + zero] = 1.0  # 2
        elif fault == 3:
            if zero == 0:
                raise ValueError("this is no market for me")  # 3
        elif fault == 4:
            for i in range(70 + zero):
                buy(out, 0, 1, 100 + i)  # 4
        elif fault == 5:
            buy(out, 0, 3, 100)
            buy(out, 0, zero - 5, 100)  # 5
        elif fault == 6:
            buy(out, 0, 1, int(math.nan + zero))  # 6
        elif fault == 7:
            buy(out, 0, 1, math.nan + zero)  # 7
        elif fault == 8:
            buy(out, 3 + zero, 1, 100)  # 8
        elif fault == 9:
            order(out, 0, 1, 1, 100, NO_PRICE, IOC, 1, 0)  # 9
        elif fault == 10:
            state.xs[0] = view[2 + zero].bid_ticks  # 10
"""
SAID = [
    "ZeroDivisionError: integer division by zero", "ZeroDivisionError: division by zero",
    "IndexError: index is out of bounds", "ValueError: this is no market for me", "asked for 70 things at once",
    "of -5 lots", "ValueError: cannot make an integer of what is no number, or infinite",
    "ValueError: cannot make an integer of what is no number, or infinite",
    "on a side or instrument that is none|of instrument 3",
    "an order that cannot be: time in force 1, or post-only and not resting", "IndexError: index is out of bounds",
]  # fmt: skip


@pytest.mark.slow
def test_what_goes_wrong_in_a_run_names_its_line_in_the_engine_and_compiled(tmp_path):
    path = written(tmp_path, FAULTS, "faulty.py")
    quoter = made(written(tmp_path, QUOTER))
    market = Market(instruments(1), rows())
    alone = run_of(quoter)
    for fault, said in enumerate(SAID):
        line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.endswith(f"# {fault}"))
        faulty = made(path, fault=fault)

        both = market.assembled(quoter, SETTINGS, faulty)
        both.run()
        with pytest.raises(KernelError) as caught:
            run_compiled(market.assembled(faulty, SETTINGS), market)

        (stopped,) = both.backtest.stopped
        assert stopped.strategy_id == "given_2"
        assert any(each in stopped.reason for each in said.split("|"))
        assert stopped.reason.endswith(f" at faulty.py:{line}")
        assert is_one_line(stopped.reason)
        # The other one goes on as if nothing were
        assert [fill.venue_time_ns for fill in both.backtest.fills] == [f.venue_time_ns for f in alone.backtest.fills]
        message = str(caught.value)
        assert message.startswith("strategy given at ")
        assert f": faulty.py, line {line}: " in message
        assert any(each in message for each in said.split("|"))
        assert is_one_line(message)


def test_a_strategy_that_does_not_compile_is_stopped_before_it_begins(tmp_path):
    bad = from_file(written(tmp_path, HEAD + " " * 8 + "state.x = seen.bid\n", "bad.py"))()
    market = Market(instruments(1), rows(20))

    assembly = market.assembled(bad, SETTINGS)
    assembly.run()

    (stopped,) = assembly.backtest.stopped
    assert stopped.reason.startswith(f"KernelError: bad.py, line {FIRST_LINE}: seen has no 'bid'")
    with pytest.raises(KernelError, match="seen has no 'bid'"):
        run_compiled(market.assembled(bad, SETTINGS), market)
