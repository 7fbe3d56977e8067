"""Roles killed with SIGKILL while others trade: nothing is lost or done twice, and the market goes on.

The script that does it, and counts, is ``benchmarks/roles.py``; it kills each role as often as one likes.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "roles.py"


@pytest.mark.slow
@pytest.mark.connects
def test_whichever_role_dies_nothing_is_lost_and_the_others_go_on(postgres_server, redis_space):
    url, _prefix = redis_space
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "1", "--postgres", postgres_server, "--redis", url.rpartition("/")[0]],
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)

    assert found["wrong"] == []
    assert done.returncode == 0, done.stderr
    assert found["kills"] == {"recorder": 1, "watcher": 1, "gateway": 1, "platform": 1}
    assert found["orders"] > 20
    assert found["told"] > 100
    assert found["tape"] > 1_000
    # While one of the others stood still the market did not: how fast it goes is the machine's affair
    assert set(found["market_while_held"]) == {"recorder", "watcher", "gateway"}
    assert min(found["market_while_held"].values()) > 0.5
