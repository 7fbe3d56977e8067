"""A writer that is killed at any instant loses nothing that was acknowledged, and leaves a ledger that goes on."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger

from .databases import DATABASES, database_url
from .records import deposit

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from records import deposit
from njord.ledger.sql.store import SqlLedger
ledger = SqlLedger.open(sys.argv[1])
sequence = int(sys.argv[3])
while True:
    sequence += 1
    ledger.commit([deposit(2 * sequence), deposit(2 * sequence + 1)])
    print(2 * sequence + 1, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("database", DATABASES)
def test_what_was_acknowledged_is_there_after_a_kill(request, tmp_path, database):
    request.param = database
    url = database_url(request, tmp_path)
    migrated(url).dispose()
    dice = random.Random(7)
    acknowledged = 0
    for _ in range(5):
        words = [sys.executable, "-c", WRITER, url, str(Path(__file__).parent), str(acknowledged)]
        writer = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = [int(writer.stdout.readline())]
        time.sleep(dice.uniform(0, 0.05))
        writer.kill()
        rest, errors = writer.communicate()
        assert errors == ""
        said += [int(line) for line in rest.splitlines() if line]
        acknowledged = said[-1]

        ledger = SqlLedger.open(url)
        kept = [record.sequence for record in ledger.records(deposit().account_id)]
        assert kept[-1] >= acknowledged
        assert kept[-1] % 2 == 1  # Both of a pair, or neither
        assert ledger.verify() == []
        acknowledged = kept[-1]
        ledger.close()
