"""Purity: what makes a strategy unrepeatable is read from its source and named by line; what does not is left alone."""

from pathlib import Path

import pytest

from njord.cli.main import main
from njord.engine.config import RunConfig, parse
from njord.research.purity import ImpureSource, Severity, purity, purity_of, vet

ERRORS = [
    ("import time", "time.time()", "time.time()", "reads the clock"),
    ("from time import monotonic as now", "now()", "time.monotonic()", "reads the clock"),
    ("import time", "time.localtime()", "time.localtime()", "reads the clock"),
    ("import time", "time.sleep(1)", "time.sleep()", "waits"),
    ("import datetime as dt", "dt.datetime.now()", "datetime.datetime.now()", "reads the clock"),
    ("from datetime import datetime, UTC", "datetime.now(UTC)", "datetime.datetime.now()", "reads the clock"),
    ("from datetime import date", "date.today()", "datetime.date.today()", "reads the clock"),
    ("import pandas as pd", "pd.Timestamp.now()", "pandas.Timestamp.now()", "reads the clock"),
    ("import pandas as pd", "pd.Timestamp('now')", "pandas.Timestamp()", "reads the clock"),
    ("import random", "random.gauss(0, 1)", "random.gauss()", "rolls dice"),
    ("from random import choice", "choice([1, 2])", "random.choice()", "rolls dice"),
    ("import random", "random.Random()", "random.Random()", "rolls dice"),
    ("import numpy as np", "np.random.normal()", "numpy.random.normal()", "rolls dice"),
    ("import numpy as np", "np.random.default_rng()", "numpy.random.default_rng()", "rolls dice"),
    ("from numpy.random import default_rng", "default_rng(None)", "numpy.random.default_rng()", "rolls dice"),
    ("import uuid", "uuid.uuid4()", "uuid.uuid4()", "rolls dice"),
    ("import secrets", "secrets.token_hex()", "secrets.token_hex()", "rolls dice"),
    ("import os", "os.urandom(8)", "os.urandom()", "rolls dice"),
    ("import os", "os.environ['KEY']", "os.environ", "reads the environment"),
    ("import os", "os.getenv('KEY')", "os.getenv()", "reads the environment"),
    ("", "open('prices.csv')", "open()", "reads or writes files"),
    ("import pandas as pd", "pd.read_csv('prices.csv')", "pandas.read_csv()", "reads or writes files"),
    ("from pathlib import Path", "Path('a').read_text()", "pathlib.Path()", "reads or writes files"),
    ("import subprocess", "subprocess.run(['ls'])", "subprocess.run()", "starts a process"),
    ("import socket", "socket.socket()", "socket.socket()", "reaches for the network"),
    ("import urllib.request", "urllib.request.urlopen('x')", "urllib.request.urlopen()", "reaches for the network"),
    ("import urllib.request as web", "web.urlopen('x')", "urllib.request.urlopen()", "reaches for the network"),
]
WARNINGS = [
    ("", "for name in {'a', 'b'}: pass", "iteration over the set", "order differs between processes"),
    ("", "list(set(desk.instruments))", "iteration over the set", "order differs between processes"),
    ("NAMES = {'a', 'b'}", "[name for name in NAMES]", "iteration over the set", "order differs between processes"),
    ("", "hash(bar.instrument_id) % 2", "hash()", "differs between processes"),
    ("", "id(bar)", "id()", "differs between processes"),
]
CLEAN = [
    ("import time", "pass"),
    ("import random", "random.Random(7).random()"),
    ("import numpy as np", "np.random.default_rng(7).normal()"),
    ("import random", "dice: random.Random = desk.rng"),
    ("import time", "time.gmtime(0)"),
    ("from datetime import datetime", "datetime.fromtimestamp(0)"),
    ("from pathlib import Path", "where: Path | None = None"),
    ("", "open = bar.open\n        print(open)"),
    ("", "self.random = desk.rng.random()"),
    ("", "sorted({'b', 'a'})"),
    ("", "for name in sorted({'b', 'a'}): pass"),
    ("", "'a' in {'a', 'b'}"),
    ("import re", "re.compile('a')"),
]


def source(imports: str, line: str) -> str:
    return f"{imports}\n\nclass Suspect:\n    def on_bar(self, bar, desk):\n        {line}\n"


@pytest.mark.parametrize(("imports", "line", "what", "why"), ERRORS, ids=[each[1] for each in ERRORS])
def test_an_error_is_named_by_line(imports: str, line: str, what: str, why: str) -> None:
    found = [each for each in purity_of(source(imports, line), "suspect.py") if each.line == 5]

    assert found[0].severity is Severity.ERROR
    assert (found[0].strategy, found[0].what) == ("Suspect", what)
    assert why in found[0].why
    assert str(found[0]).startswith("suspect.py:5: ")


@pytest.mark.parametrize(("imports", "line", "what", "why"), WARNINGS, ids=[each[1] for each in WARNINGS])
def test_a_warning_is_named_by_line(imports: str, line: str, what: str, why: str) -> None:
    (found,) = purity_of(source(imports, line), "suspect.py")

    assert (found.line, found.severity) == (5, Severity.WARNING)
    assert what in found.what
    assert why in found.why


@pytest.mark.parametrize(("imports", "line"), CLEAN, ids=[each[1] for each in CLEAN])
def test_what_is_the_same_every_time_is_left_alone(imports: str, line: str) -> None:
    assert purity_of(source(imports, line), "clean.py") == []


def test_a_network_library_is_an_error_where_it_is_imported() -> None:
    (found,) = purity_of("import requests\n", "suspect.py")

    assert (found.line, found.what) == (1, "import requests")


def test_the_strategies_that_come_with_njord_are_pure() -> None:
    import njord.strategies

    for path in Path(njord.strategies.__file__).parent.glob("*.py"):
        assert purity(path) == []


def test_a_file_that_is_not_python_is_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def on_bar(:\n")

    with pytest.raises(ImpureSource, match=r"broken\.py: line 1: invalid syntax"):
        purity(path)


def test_a_config_with_an_impure_file_is_refused_and_one_with_a_doubtful_file_warned_of(tmp_path: Path) -> None:
    (tmp_path / "dirty.py").write_text(source("import time", "time.time()"))
    (tmp_path / "doubtful.py").write_text(source("", "hash('a')"))

    def config(file: str) -> RunConfig:
        return parse(
            {
                "data": [{"instrument": "A/USD.SIM", "interval": "1h"}],
                "strategies": [{"file": file}, {"name": "ema_cross"}],
                "account": {"currency": "USD", "cash": 1},
            }
        )

    (warning,) = vet(config("doubtful.py"), tmp_path)
    assert "doubtful.py:5: hash(): differs between processes" in warning
    assert vet(config("missing.py"), tmp_path) == []
    with pytest.raises(ImpureSource, match=r"dirty\.py:5: time\.time\(\): reads the clock"):
        vet(config("dirty.py"), tmp_path)


SIGNALS = """from njord.strategies.signals import SignalStrategy


class Idea(SignalStrategy):
    def signals(self, bars):
        top = bars["high"].{}
        return (bars["close"] > top).astype(float)
"""


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (SIGNALS.format("rolling(24).max()"), 0, "idea.py: ok: pure; does not look ahead on 600 bars"),
        (SIGNALS.format("shift(-1)"), 1, "idea.py:6: top looks ahead: shift(-1) takes the value of a later row"),
        ("import time\nnow = time.time()\n", 1, "idea.py:2: time.time(): reads the clock"),
        (
            "names = {'a'}\nfor name in names: pass\n" + SIGNALS.format("rolling(9).max()"),
            0,
            "idea.py:2: warning: iter",
        ),
    ],
)
def test_njord_check_says_what_is_wrong_and_where(
    text: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "idea.py"
    path.write_text(text)
    monkeypatch.setattr("sys.argv", ["njord", "check", str(path)])

    try:
        main()
        left = 0
    except SystemExit as stop:
        left = int(stop.code or 0)

    assert left == code
    assert said in capsys.readouterr().out
