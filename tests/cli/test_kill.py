"""``njord kill``: exit codes, two people, the log; and a real session that is killed stays stopped."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

CONFIG = """
data:
  - {instrument: BTC/USD.SIM, interval: 1m}
strategies:
  - {file: restless.py, instruments: [BTC/USD.SIM]}
account: {currency: USD, cash: 1000000}
venue: {latency_ms: 5}
risk: capital_preserving
"""
STRATEGY = """
import njord as nj


class Restless(nj.Strategy):
    def on_bar(self, bar, desk):
        desk.buy(0.1, limit=round(bar.close * 0.8, 2))
        working = desk.open_orders()
        if len(working) > 5:
            desk.cancel(working[0].client_order_id)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("NJORD_HOME", str(folder))
    return folder


def test_check_says_by_its_exit_code_whether_anything_is_stopped(njord, home):
    assert njord("kill", "check").code == 0
    said = njord("kill", "trip", "--reason", "drill", "--by", "ann")
    assert (said.code, said.out) == (0, "stopped global\n")
    said = njord("kill", "check")
    assert said.code == 1
    assert "STOPPED global: drill (cli, by ann)" in said.out
    (row,) = njord("kill", "check", "--json").document["tripped"]
    assert (row["scope"], row["reason"], row["by"], row["clear_asked_by"]) == ("global", "drill", "ann", [])


def test_a_bare_file_is_enough(njord, home):
    (home / "kill").mkdir(parents=True)
    (home / "kill" / "global.trip").touch()
    assert njord("kill", "check").code == 1


def test_clears_name_everybody_who_asked(njord, home):
    njord("kill", "trip", "venue:KRAKEN", "--by", "ann")
    assert "by ann\n" in njord("kill", "clear", "venue:KRAKEN", "--reason", "it was a drill", "--by", "ann").out
    assert "by ann and ben\n" in njord("kill", "clear", "venue:KRAKEN", "--reason", "I agree", "--by", "ben").out
    assert njord("kill", "check", "--json").document["tripped"][0]["clear_asked_by"] == ["ann", "ben"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["trip", "venue"], 1, "needs a name"),
        (["trip", "everything"], 1, "must be global, venue:NAME or strategy:NAME"),
        (["clear"], 2, "reason"),
        (["clear", "--reason", "ok"], 1, "at least 3 characters"),
    ],
)
def test_what_is_wrong_is_said(njord, home, words, code, message):
    said = njord("kill", *words)
    assert said.code == code
    assert message in said.err


def test_the_log_has_everything_and_shows_what_was_changed(njord, home):
    njord("kill", "trip", "--reason", "drill", "--by", "ann")
    njord("kill", "clear", "--reason", "it was a drill", "--by", "ben")
    lines = njord("kill", "log", "--json").document["log"]
    assert [(line["what"], line["actor"]) for line in lines] == [("trip", "ann"), ("ask clear", "ben")]
    assert njord("kill", "log").out.count("\n") == 2
    (path,) = (home / "kill").glob("kill-*.ndjson")
    path.write_bytes(path.read_bytes().replace(b"ann", b"bob"))
    said = njord("kill", "log")
    assert said.code == 1
    assert "line 2" in said.err


def paper(tmp_path, home, config):
    command = [
        sys.executable,
        "-m",
        "njord",
        "paper",
        str(config),
        "--speed",
        "600",
        "--catalog",
        str(tmp_path / "catalog"),
    ]
    return subprocess.Popen(
        command, env={**os.environ, "NJORD_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def until(holds, process, seconds=60.0):
    give_up_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_s, "it did not happen"
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.connects
@pytest.mark.parametrize("file_removed", [False, True], ids=["file there", "file removed by hand"])
def test_a_session_killed_after_a_trip_starts_stopped(njord, home, tmp_path, file_removed):
    from njord.engine import session_journal
    from njord.engine.opening import sessions

    rows = 20_000
    close = np.round(1000 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.001, rows))), 2)
    times = 1_704_067_200 + 60 * np.arange(rows)
    table = "\n".join(f"{ts},{p},{p + 1},{p - 1},{p},50" for ts, p in zip(times, close, strict=True))
    (tmp_path / "bars.csv").write_text("ts,open,high,low,close,volume\n" + table + "\n")
    (tmp_path / "restless.py").write_text(STRATEGY)
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    said = njord(
        "data",
        "import",
        "candles",
        tmp_path / "bars.csv",
        "--instrument",
        "BTC/USD.SIM",
        "--catalog",
        tmp_path / "catalog",
    )
    assert said.code == 0, said.err

    def commands(name):
        """Return how many orders the sessions so far have sent, and how many trips they have on record."""
        orders = trips = 0
        for folder in sessions(home / "sessions" / "paper"):
            for line in session_journal.read(folder):
                for step in getattr(line, "steps", ()):
                    trips += type(step.event).__name__ == "Tripped"
                    orders += sum(type(each).__name__ == "NewOrder" for each in step.commands)
        return {"orders": orders, "trips": trips}[name]

    first = paper(tmp_path, home, config)
    until(lambda: commands("orders") > 20, first)
    (home / "kill" / "global.trip").touch()
    until(lambda: commands("trips") > 0, first)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    first.stdout.close()
    before = commands("orders")
    if file_removed:
        (home / "kill" / "global.trip").unlink()

    second = paper(tmp_path, home, config)
    try:
        until(lambda: len(sessions(home / "sessions" / "paper")) == 2, second)
        began_s = time.monotonic()
        until(lambda: time.monotonic() - began_s > 2.0, second)
        assert commands("orders") == before
        assert njord("kill", "clear", "--reason", "it was a drill", "--by", "ann").code == 0
        until(lambda: commands("orders") > before, second)
        assert njord("kill", "check").code == 0
        assert njord("kill", "log", "--json").document["log"][-1]["what"] == "cleared"
    finally:
        second.send_signal(signal.SIGINT)
        second.wait(30)
        second.stdout.close()
