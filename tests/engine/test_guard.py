"""The guard: a strategy that asks for more than its events is stopped and named, and nobody else notices a thing."""

import builtins
import io
import os
import random
import secrets
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import njord as nj
from njord.engine.guard import guarded
from njord.engine.impure import Impure
from njord.engine.loading import from_file
from njord.research import run as running
from njord.strategies.ema_cross import EmaCross
from njord.strategies.port import Strategy

WATCHED = {
    "time": (time, "time"), "monotonic": (time, "monotonic"), "sleep": (time, "sleep"), "random": (random, "random"),
    "rand": (np.random, "rand"), "default_rng": (np.random, "default_rng"), "urandom": (os, "urandom"),
    "uuid4": (uuid, "uuid4"), "token": (secrets, "token_hex"), "open": (builtins, "open"), "io": (io, "open"),
    "socket": (socket.socket, "__init__"), "import": (builtins, "__import__"), "stamp": (pd.Timestamp, "now"),
}  # fmt: skip

IMPURE = [
    ("import time", "time.time()", "time.time()", "reads the clock"),
    ("import time", "time.time_ns()", "time.time_ns()", "reads the clock"),
    ("import time as clock", "clock.monotonic()", "time.monotonic()", "reads the clock"),
    ("from time import perf_counter", "perf_counter()", "time.perf_counter()", "reads the clock"),
    ("import time", "time.localtime()", "time.localtime()", "reads the clock"),
    ("import time", "time.sleep(0)", "time.sleep()", "reads the clock"),
    ("import datetime", "datetime.datetime.now()", "datetime.datetime.now()", "reads the clock"),
    ("import datetime as dt", "dt.date.today()", "datetime.date.today()", "reads the clock"),
    ("from datetime import datetime", "datetime.utcnow()", "datetime.datetime.utcnow()", "reads the clock"),
    ("", "import datetime as d; d.datetime.now()", "datetime.datetime.now()", "reads the clock"),
    ("import pandas as pd", "pd.Timestamp.now()", "pandas.Timestamp.now()", "reads the clock"),
    ("import random", "random.random()", "random.random()", "rolls dice"),
    ("import random", "random.shuffle([1, 2])", "random.shuffle()", "rolls dice"),
    ("from random import choice", "choice([1, 2])", "random.choice()", "rolls dice"),
    ("import random", "random.SystemRandom().random()", "random.SystemRandom()", "rolls dice"),
    ("import numpy as np", "np.random.rand()", "numpy.random.rand()", "rolls dice"),
    ("import numpy as np", "np.random.normal(0, 1)", "numpy.random.normal()", "rolls dice"),
    ("import numpy as np", "np.random.seed(1)", "numpy.random.seed()", "rolls dice"),
    ("from numpy.random import default_rng", "default_rng()", "numpy.random.default_rng()", "rolls dice"),
    ("import pandas as pd", "pd.Series([1, 2, 3]).sample(2)", "numpy.random.choice()", "rolls dice"),
    ("import os", "os.urandom(4)", "os.urandom()", "rolls dice"),
    ("import uuid", "uuid.uuid4()", "uuid.uuid4()", "rolls dice"),
    ("import secrets", "secrets.token_hex()", "secrets.token_hex()", "rolls dice"),
    ("import os", "os.getenv('HOME')", "os.getenv()", "reads the environment"),
    ("import socket", "socket.socket()", "socket.socket()", "reaches for the network"),
    ("import socket", "socket.create_connection(('127.0.0.1', 9))", "socket.create_connection()", "reaches for"),
    (
        "import urllib.request",
        "urllib.request.urlopen('http://127.0.0.1:9/')",
        "socket.create_connection()",
        "reaches for the network",
    ),
    ("", "open(__file__)", "open()", "opens a file"),
    ("import pathlib", "pathlib.Path(__file__).read_text()", "open()", "opens a file"),
    ("import pandas as pd", "pd.read_csv(__file__)", "open()", "opens a file"),
]

PURE = [
    ("import numpy as np", "np.random.default_rng(3).random()"),
    ("import random", "random.Random(3).random()"),
    ("import time", "time.gmtime(0)"),
    ("import datetime", "datetime.datetime(2024, 1, 1) + datetime.timedelta(days=1)"),
    ("from datetime import datetime", "isinstance(datetime.fromtimestamp(0), datetime)"),
    ("import pandas as pd", "pd.Timestamp(0, tz='Europe/Paris').tz_convert('America/New_York')"),
    ("import uuid", "uuid.uuid5(uuid.NAMESPACE_DNS, 'a')"),
    ("", "__import__('colorsys')"),
    ("import logging", "logging.getLogger('quiet').debug('a')"),
]


def market(rows: int = 60) -> dict[str, Any]:
    close = np.round(100 + np.cumsum(np.random.default_rng(3).normal(0, 1, rows)), 2)
    return {
        "ts": np.arange(rows) * 3_600_000_000_000 + 1_704_067_200_000_000_000,
        "open": close, "high": close + 1, "low": close - 1, "close": close, "volume": np.ones(rows),
    }  # fmt: skip


def written(folder: Path, imports: str, call: str) -> Strategy:
    path = folder / "suspect.py"
    path.write_text(
        f"{imports}\n\nfrom njord.strategies.port import Strategy\n\n\nclass Suspect(Strategy):\n"
        "    def on_bar(self, bar, desk):\n        if desk.position() == 0.0:\n            desk.buy(1)\n"
        f"        {call}\n"
    )
    return from_file(path)()


def standing() -> dict[str, int]:
    return {key: id(vars(owner)[name]) for key, (owner, name) in WATCHED.items()}


@pytest.mark.parametrize(("imports", "call", "what", "why"), IMPURE, ids=[each[1] for each in IMPURE])
def test_what_an_impure_strategy_calls_is_refused_and_named(
    tmp_path: Path, imports: str, call: str, what: str, why: str
) -> None:
    before = standing()
    suspect = written(tmp_path, imports, call)

    with guarded([suspect]), pytest.raises(Impure) as caught:
        suspect.on_bar(None, _Flat())  # type: ignore[arg-type]

    assert str(caught.value).startswith(f"strategy Suspect {why}")
    assert str(caught.value).endswith(f": {what} at suspect.py:10")
    assert standing() == before


def test_an_impure_strategy_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    suspect = written(tmp_path, "import time", "time.time()")

    result = nj.backtest([suspect, EmaCross(3, 5)], market(), 1_000_000, risk="research")

    (stopped,) = result.assembly.backtest.stopped
    assert stopped.strategy_id == "suspect"
    assert stopped.reason == "Impure: strategy Suspect reads the clock: use desk.time_ns: time.time() at suspect.py:10"
    assert len(result.fills[result.fills["strategy"] == "ema_cross"]) > 0
    assert result.fills[result.fills["strategy"] == "suspect"].empty  # What it wanted in that step is forgotten


@pytest.mark.parametrize(("imports", "call"), PURE, ids=[each[1] for each in PURE])
def test_what_is_the_same_every_time_is_allowed(tmp_path: Path, imports: str, call: str) -> None:
    pure = written(tmp_path, imports, call)

    with guarded([pure]) as guard:
        pure.on_bar(None, _Flat())  # type: ignore[arg-type]

    assert guard.caught == []


def test_a_run_is_the_same_with_and_without_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unguarded:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    guarded_digest = nj.backtest(EmaCross(3, 5), market(), 1_000_000, risk="research").digest
    monkeypatch.setattr(running, "guarded", Unguarded)

    assert nj.backtest(EmaCross(3, 5), market(), 1_000_000, risk="research").digest == guarded_digest


def test_others_pass_through_while_it_stands(tmp_path: Path) -> None:
    # This file defines no strategy that is watched here
    with guarded([written(tmp_path, "", "pass")]):
        assert time.monotonic() > 0
        assert random.choice([1]) == 1
        assert Path(__file__).read_text().startswith('"""')
        assert uuid.uuid1().version == 1
        with socket.socket() as made:
            assert made.fileno() >= 0


def test_it_catches_what_a_strategy_swallows(tmp_path: Path) -> None:
    suspect = written(tmp_path, "import time", "\n        try: time.time()\n        except Exception: pass")

    with guarded([suspect]) as guard:
        suspect.on_bar(None, _Flat())  # type: ignore[arg-type]

    assert [str(each) for each in guard.caught] == [
        "strategy Suspect reads the clock: use desk.time_ns: time.time() at suspect.py:11"
    ]


def test_guards_nest_overlap_and_survive_exceptions(tmp_path: Path) -> None:
    before = standing()
    suspect = written(tmp_path, "import time", "time.time()")

    with pytest.raises(Impure), guarded([suspect]), guarded([EmaCross()]):
        suspect.on_bar(None, _Flat())  # type: ignore[arg-type]

    assert standing() == before
    first, second = guarded([suspect]), guarded([EmaCross()])
    first.__enter__()
    thread = threading.Thread(target=second.__enter__)
    thread.start()
    thread.join()
    first.__exit__(None, None, None)
    suspect.on_bar(None, _Flat())  # type: ignore[arg-type] # No longer watched
    assert standing() != before
    second.__exit__(None, None, None)
    assert standing() == before


class _Flat:
    def position(self) -> float:
        return 1.0
