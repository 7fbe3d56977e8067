"""What is compiled is kept, for other processes too, and never served for a source it was not made from."""

import concurrent.futures
import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("numba")

import njord

from .sources import QUOTER, RUN, rows, script, written

pytestmark = pytest.mark.slow

COUNTED = """
from pathlib import Path
import numpy as np
from numba.core import event
from njord.engine.compiling import ask_of
from njord.engine.loading import from_file
from njord.market.view import ANSWER, VIEW

def asked(kind):
    strategy = kind()
    with event.install_recorder("numba:compile") as recorder:
        ask = ask_of(strategy)
        answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
        ask(np.zeros(1, dtype=VIEW).view(np.recarray), strategy.params, strategy.state, answer)
    print(answer.lots[0][0], answer.post_only[0][0], len(recorder.buffer) > 0)
"""
SIZED = """
from typing import Any

from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import buy
from sizes import SIZE, sized


class Sized(KernelStrategy):
    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        buy(out, 0, 2 * sized(SIZE), 100)
"""
SIZES = "from numba import njit\n\nSIZE = 3\n\n\n@njit()\ndef sized(lots):\n    return lots + 1\n"


def ask_file(folder, home, **environment):
    text = f"sys.path.insert(0, {str(folder)!r})\n{COUNTED}\nasked(from_file(Path({str(folder / 'sized.py')!r})))"
    return script(text, home, **environment).split()


def test_what_is_compiled_is_kept_and_never_served_for_another_source(tmp_path):
    home = tmp_path / "home"
    written(tmp_path, SIZED, "sized.py")
    sizes = written(tmp_path, SIZES, "sizes.py")

    assert ask_file(tmp_path, home) == ["8", "1", "True"]
    assert ask_file(tmp_path, home) == ["8", "1", "False"]  # A second process compiles nothing

    sizes.write_text(SIZES.replace("lots + 1", "lots + 2"))  # The strategy's own file is as it was
    assert ask_file(tmp_path, home) == ["10", "1", "True"]
    sizes.write_text(SIZES.replace("SIZE = 3", "SIZE = 7"))
    assert ask_file(tmp_path, home) == ["16", "1", "True"]
    sizes.write_text(SIZES)
    assert ask_file(tmp_path, home) == ["8", "1", "False"]  # What was kept of it is still right
    written(tmp_path, SIZED.replace("2 * sized", "5 * sized"), "sized.py")
    assert ask_file(tmp_path, home) == ["20", "1", "True"]

    # Another Njord, whose buy is not post-only
    package = tmp_path / "njord"
    shutil.copytree(Path(njord.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = package / "strategies" / "kernels.py"
    changed.write_text(
        changed.read_text().replace("limit_ticks, NO_PRICE, GTC, 1, 0)", "limit_ticks, NO_PRICE, GTC, 0, 0)")
    )
    assert ask_file(tmp_path, home) == ["20", "0", "True"]


def test_where_nothing_can_be_kept_it_is_compiled_anew_and_right(tmp_path):
    (tmp_path / "file").write_text("no folder can be made in here")
    written(tmp_path, SIZED, "sized.py")
    written(tmp_path, SIZES, "sizes.py")

    assert ask_file(tmp_path, tmp_path / "file" / "home") == ["8", "1", "True"]
    assert ask_file(tmp_path, tmp_path / "file" / "home") == ["8", "1", "True"]


def test_processes_at_once_share_a_folder(tmp_path):
    written(tmp_path, SIZED, "sized.py")
    written(tmp_path, SIZES, "sizes.py")
    home = tmp_path / "home"

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: ask_file(tmp_path, home), range(3)))

    assert [each[:2] for each in found] == [["8", "1"]] * 3
    assert ask_file(tmp_path, home) == ["8", "1", "False"]


def test_a_compiled_run_is_compiled_once_for_all_processes(tmp_path):
    path = written(tmp_path, QUOTER)
    text = RUN.format(path=str(path), rows=inspect.getsource(rows)).replace("assembly.run()", COMPILED_RUN)

    first = script(text, tmp_path).splitlines()
    second = script(text, tmp_path).splitlines()

    assert first[0] != "0"
    assert second[0] == "0"
    assert first[1:] == second[1:]


COMPILED_RUN = """
from numba.core import event
from njord.engine.compiled import run_compiled
with event.install_recorder("numba:compile") as recorder:
    run_compiled(assembly, market)
print(len(recorder.buffer))
"""


def test_strategies_typed_in_somewhere_work_and_are_not_mistaken_for_their_last_version(tmp_path):
    cell = SIZED.replace("from sizes import SIZE, sized\n", "").replace("2 * sized(SIZE)", "{0}")
    text = COUNTED + textwrap.dedent(f"""
        cell = {cell!r}
        for lots in (4, 6, 4):
            exec(compile(cell.replace("{{0}}", str(lots)), "<cell>", "exec"), globals())
            asked(Sized)
        SIZE = 11
        exec(compile(cell.replace("{{0}}", "SIZE"), "<cell>", "exec"), globals())
        asked(Sized)
        SIZE = 12
        asked(Sized)
    """)
    once = script(text, tmp_path).split()
    assert once[0::3] == ["4", "6", "4", "11", "12"]
    assert once[2::3] == ["True", "True", "False", "True", "True"]
    assert script(text, tmp_path).split()[2::3] == ["False"] * 5

    # A file that is run, with its source at hand
    main = written(tmp_path, COUNTED + cell.replace("{0}", "9") + "\nasked(Sized)\n", "main.py")
    for compiles in ("True", "False"):
        environment = {**os.environ, "NJORD_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, str(main)], capture_output=True, text=True, env=environment, check=False)
        assert done.stdout.split() == ["9", "1", compiles], done.stderr


def test_nothing_is_compiled_when_njord_is_imported(tmp_path):
    text = """
    import importlib, pkgutil
    from numba.core import event
    import njord
    found = pkgutil.walk_packages(njord.__path__, "njord.")
    names = [each.name for each in found if not each.name.endswith(("__main__", "migrations.env"))]
    imported = 0
    with event.install_recorder("numba:compile") as recorder:
        for name in names:
            try:
                importlib.import_module(name)
                imported += 1
            except ModuleNotFoundError as error:
                assert not error.name.startswith("njord"), error
    print(len(recorder.buffer), imported > 150)
    """
    assert script(text, tmp_path).split() == ["0", "True"]
