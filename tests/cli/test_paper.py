"""njord paper, kill, ctl, why and replay: a session from the outside, as a person has it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from njord.market.catalog import Catalog
from njord.research.frames import Frames

pytestmark = [pytest.mark.connects, pytest.mark.slow]

NAME = "BTC/USD.SIM"
HOUR_NS = 3_600_000_000_000
MAKER = """from njord.strategies.port import Strategy


class Eager(Strategy):
    def on_bar(self, bar, desk):
        desk.cancel_all()
        if desk.position() < 5:
            desk.buy(0.1, limit=round(bar.close * 0.999, 2))
        else:
            desk.target(1)
"""


@pytest.fixture
def home():
    """The home of this test, which processes it starts have as well."""
    return Path(os.environ["NJORD_HOME"])


@pytest.fixture
def desk(tmp_path, home):
    """A home with a market in its catalog, and a config over it."""
    rng = np.random.default_rng(4)
    close = np.round(1_000 * np.exp(np.cumsum(rng.normal(0, 0.002, 4_000))), 2)
    opens = np.concatenate([[1_000.0], close[:-1]])
    bars = {
        "ts": np.arange(4_000) * HOUR_NS + 1_704_067_200_000_000_000, "open": opens, "close": close,
        "high": np.round(np.maximum(opens, close) + 1, 2), "low": np.round(np.minimum(opens, close) - 1, 2),
        "volume": np.full(4_000, 50.0),
    }  # fmt: skip
    frames, stored = Frames(), Catalog(home / "catalog")
    dataset_id = frames.add(NAME, bars)
    stored.define(frames.instrument(dataset_id.instrument_id))
    ticks = {f"{p}_ticks": np.rint(bars[p] * 100).astype(np.int64) for p in ("open", "high", "low", "close")}
    stored.write(dataset_id, {"start_ns": bars["ts"], **ticks, "volume": bars["volume"]})
    (tmp_path / "eager.py").write_text(MAKER)
    return write(tmp_path, "run")


def write(folder, name, **changes):
    document = {
        "data": [{"instrument": NAME, "kind": "bars", "interval": "1h", "to": "2024-01-20"}],
        "strategies": [{"file": "eager.py"}],
        "account": {"currency": "USD", "cash": 100_000},
        "venue": {"fees": {"maker": 0.001, "taker": 0.002}, "latency_ms": 0},
        **changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def run(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "njord", *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr[-2_000:]
    return done


def test_a_session_equals_the_backtest_and_can_be_explained_replayed_and_gone_on_with(desk, tmp_path):
    said = json.loads(run("paper", desk, "--speed", "0", "--json").stdout)
    backtest = json.loads(run("backtest", desk, "--json", "--no-report").stdout)

    assert (said["orders"], said["fills"]) == (backtest["orders"], backtest["fills"])
    assert said["fills"] > 20
    assert said["tripped"] == []
    assert said["discrepancies"] == []

    assert "every decision" in run("replay", "session", said["session_id"]).stdout
    found = json.loads(run("replay", "session", said["session_id"], "--json").stdout)
    assert (found["ok"], found["digest"], found["complete"]) == (True, said["digest"], True)
    hours = json.loads(run("replay", "manifest", said["session_id"], "--json").stdout)["hours"]
    assert json.loads(run("replay", "hour", said["session_id"], hours[7]["hour"], "--json").stdout)["ok"]
    window = ("--from", "2024-01-02", "--to", "2024-01-03")
    assert json.loads(run("replay", "window", said["session_id"], *window, "--json").stdout)["ok"]

    status = json.loads(run("ctl", "status", "--json").stdout)
    assert (status["fills"], status["open_orders"]) == (said["fills"], 0)
    campaigns = json.loads(run("ctl", "campaigns", "--json").stdout)["campaigns"]
    legs = [leg["fill_id"] for each in campaigns for leg in each["legs"]]
    assert len(legs) == said["fills"]
    chain = run("why", f"fill:{legs[0]}").stdout
    for word in ("bar:BTC/USD.SIM", "order", "approved by capital_preserving", "order accepted", "fill", "entry"):
        assert word in chain, chain
    assert "no order, fill or entry" in run("why", "nonsense", code=1).stderr

    more = json.loads(run("paper", write(tmp_path, "more", data=later()), "--speed", "0", "--json").stdout)
    assert more["session_id"] == "paper-000002"
    assert run("db", "verify").stdout.startswith("ok")


def later():
    return [{"instrument": NAME, "kind": "bars", "interval": "1h", "from": "2024-01-20", "to": "2024-01-25"}]


def test_a_parameter_that_was_altered_is_named(desk, home, tmp_path):
    write(tmp_path, "built_in", strategies=[{"name": "ema_cross", "params": {"fast": 3, "slow": 9, "quantity": 1}}])
    said = json.loads(run("paper", tmp_path / "built_in.yaml", "--speed", "0", "--json").stdout)
    other = write(
        tmp_path, "other", strategies=[{"name": "ema_cross", "params": {"fast": 4, "slow": 9, "quantity": 1}}]
    )

    replayed = run("replay", "session", said["session_id"], "--config", other, code=1).stdout
    assert "strategies[0].params.fast: 3 is now 4" in replayed
    assert "NOT REPEATED: session paper-000001, hour 2024-01-" in replayed

    manifest = home / "sessions" / "paper" / said["session_id"] / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"fast": 3', '"fast": 5'))
    altered = run("replay", "session", said["session_id"], code=1).stdout
    assert "manifest.json was changed: config.strategies[0].params.fast: 3 is now 5" in altered


def test_killed_it_takes_up_where_it_was_and_a_trip_outlives_it(desk, home):
    config = write(desk.parent, "long", data=[{"instrument": NAME, "kind": "bars", "interval": "1h"}])
    words = [sys.executable, "-m", "njord", "paper", str(config), "--speed", "40000"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: orders_of(home) > 5, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stderr.close()

    run("kill", "trip", "--reason", "a test of the night shift", "--by", "ann")
    assert "STOPPED global" in run("kill", "check", code=1).stdout
    second = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: "global" in status()["tripped"], second)
    before = orders_of(home)
    run("kill", "clear", "--reason", "it was a test", "--by", "bob")
    wait_for(lambda: not status()["tripped"], second)
    wait_for(lambda: orders_of(home) > before, second)
    assert run("kill", "check").returncode == 0
    looser = desk.parent / "looser.yaml"
    looser.write_text("name: looser\nshort_allowed: true\nleverage_max: 3\n")
    assert "needs a founder's approval" in run("ctl", "profile", looser, code=1).stderr
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 0, second.stderr.read()
    second.stderr.close()

    assert status()["open_orders"] == 0
    log = run("kill", "log").stdout
    assert "a test of the night shift" in log
    assert "by bob" in log
    assert run("db", "verify").stdout.startswith("ok")
    for folder in sorted((home / "sessions" / "paper").glob("paper-*")):
        assert "every decision" in run("replay", "session", folder).stdout


def status():
    done = subprocess.run([sys.executable, "-m", "njord", "ctl", "status", "--json"], capture_output=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"tripped": [], "orders": 0}


def orders_of(_home):
    return status()["orders"]


def wait_for(condition, process, limit_s=60.0):
    give_up_s = time.monotonic() + limit_s
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up_s, "it took too long"
        time.sleep(0.1)


def test_two_sessions_on_one_account_and_other_mistakes_are_one_line(desk, tmp_path):
    for words, said in [
        (("ctl", "status"), "no ledger at"),  # Looking makes none
        (("ctl", "campaigns"), "no ledger at"),
        (("paper", write(tmp_path, "research", risk="research")), "is for backtests only"),
        (("paper", desk, "--socket", tmp_path / "none.sock"), "no exchange"),
        (("live", desk), "env: live"),
        (("live", write(tmp_path, "live", env="live")), "NJORD_ENABLE_LIVE"),
        (("replay", "session", "paper-000009"), "no session 'paper-000009'"),
        (("kill", "clear", "--reason", ""), "reason"),
        (("kill", "trip", "everything"), "must be global, venue:NAME or strategy:NAME"),
        (("ctl", "status", "--account", "nobody"), "nothing on record"),
    ]:
        error = run(*words, code=1).stderr
        assert error.startswith("error: "), error
        assert said in error
        assert len(error.strip().splitlines()) == 1, error


def test_live_needs_the_config_and_the_environment_and_then_a_venue(tmp_path, desk, monkeypatch):
    monkeypatch.setenv("NJORD_ENABLE_LIVE", "1")

    assert "env: live" in run("live", desk, code=1).stderr
    assert "no venue for real money" in run("live", write(tmp_path, "live", env="live"), code=1).stderr
    assert os.environ["NJORD_ENABLE_LIVE"] == "1"
