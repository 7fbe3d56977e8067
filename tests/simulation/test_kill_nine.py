"""Sessions killed with SIGKILL at random instants, and at every point between durable steps, lose nothing.

The script that does it, and counts, is ``benchmarks/crash.py``; with --points it goes on for as long as one likes.
"""

import importlib.util
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from njord.ledger.sql.schema import migrated

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "crash.py"


@pytest.fixture(autouse=True)
def lives_that_nobody_measures(monkeypatch):
    # Hundreds of short ones: to measure coverage in each would take longer than all they do
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def run(*words):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--json"], capture_output=True, text=True, check=False, timeout=400
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)[0], done


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.connects)])
def test_nothing_is_lost_however_sessions_die(request, database):
    server = [] if database == "sqlite" else ["--postgres", request.getfixturevalue("postgres_server")]

    found, done = run("--points", "40", "--only", database, "--seed", "11", *server)

    assert found["wrong"] == []
    assert done.returncode == 0, done.stderr
    assert found["crashes"] == 40
    # How far a life comes before it is killed is the machine's affair; that all of this happens at all is not
    assert len(found["points"]) >= 4
    assert "killed" in found["points"]
    assert found["fills"] > 20
    assert found["sessions_that_traded"] > 3  # Starts take up trading again
    assert found["sessions_replayed"] > 5


@pytest.fixture(scope="module")
def crash():
    spec = importlib.util.spec_from_file_location("bench_crash", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def life(crash):
    """Return a life without crashes, and what its exchange says of it."""
    root = Path(tempfile.mkdtemp(prefix="njord-"))  # The path of a socket may not be long
    url = f"sqlite:///{root / 'ledger.sqlite'}"
    migrated(url).dispose()
    made = crash.Life(root, url, 0, 1)
    assert crash.lived(made, 0, random.Random(1))["wrong"] == []
    yield made, made.truth.read_bytes(), made.acknowledged.read_text()
    shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.connects
@pytest.mark.parametrize("change", ["nothing", "a fill", "an order", "an amount", "acknowledged"])
def test_the_check_would_find_what_is_lost(crash, life, change):
    # What its truth is changed by, the ledger lacks: it is named
    made, truth, acknowledged = life
    told = json.loads(truth)
    if change == "a fill":
        told["fills"].append({**told["fills"][-1], "fill_id": "another"})
    elif change == "an order":
        told["orders"].append("another")
    elif change == "an amount":
        told["fills"][0]["fee_units"] += 1
    elif change == "acknowledged":
        acknowledged = "life0-000001 999999 1\n"
    made.acknowledged.write_text(acknowledged)
    made.truth.write_bytes(msgspec.json.encode(told))

    wrong = " ".join(crash.checked(made)["wrong"])

    expected = {"nothing": "", "a fill": "fills lost ['another']", "an order": "orders untracked ['another']",
                "an amount": "by hand", "acknowledged": "999999 was acknowledged"}[change]  # fmt: skip
    assert (expected in wrong) if expected else wrong == ""
