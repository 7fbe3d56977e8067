"""njord db: what it answers, with which exit code, and how it refuses."""

import json
import subprocess
import sys

import pytest

from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger

from ..ledger.databases import unguarded  # noqa: TID252 - tests are no package
from ..ledger.records import ACCOUNT, story  # noqa: TID252


def njord(*words, url=None, code=0):
    line = [sys.executable, "-m", "njord", "db", *map(str, words), *(["--url", url] if url else [])]
    made = subprocess.run(line, capture_output=True, text=True, check=False)
    assert made.returncode == code, made.stderr
    return made


@pytest.fixture
def url(tmp_path):
    where = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = SqlLedger(migrated(where))
    ledger.commit(story())
    ledger.close()
    return where


def test_from_nothing_to_a_backup_and_back(tmp_path, url):
    file = tmp_path / "b.gz"
    status = json.loads(njord("status", "--json", url=url).stdout)
    assert status["accounts"][ACCOUNT]["position"] == len(story())
    manifest = json.loads(njord("backup", file, "--json", url=url).stdout)["manifest"]
    assert manifest["accounts"] == status["accounts"]
    fresh = f"sqlite:///{tmp_path / 'fresh' / 'l'}"
    assert "every chain equal" in njord("restore", file, url=fresh).stdout
    assert json.loads(njord("status", "--json", url=fresh).stdout) == status
    for command in ("verify", "validate", "drift"):
        assert json.loads(njord(command, "--json", url=fresh).stdout)["ok"] is True
    assert json.loads(njord("verify", "--since", file, "--json", url=fresh).stdout)["breaks"] == []


def test_the_ledger_is_in_the_home_unless_said_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("NJORD_HOME", str(tmp_path / "home"))
    assert json.loads(njord("migrate", "--json").stdout) == {"before": "base", "after": "0001"}
    assert (tmp_path / "home" / "ledger.sqlite").is_file()
    assert "no accounts yet" in njord("status").stdout
    assert "0001 -> base" in njord("migrate", "--to", "base").stdout
    monkeypatch.setenv("NJORD_LEDGER_URL", f"sqlite:///{tmp_path / 'elsewhere'}")
    assert "no ledger at" in njord("status", code=1).stderr


def test_what_does_not_hold_is_said_with_exit_code_1(tmp_path, url):
    engine = migrated(url)
    with unguarded(engine) as connection:
        connection.exec_driver_sql("UPDATE fills SET price_ticks = 99 WHERE step = 5")
        connection.exec_driver_sql("UPDATE postings SET amount = '1' WHERE step = 1 AND leg = 0")
        connection.commit()
    engine.dispose()
    found = json.loads(njord("verify", "--json", url=url, code=1).stdout)
    assert [(b["table"], b["position"], b["kind"]) for b in found["breaks"]] == [
        ("postings", 1, "changed"), ("fills", 5, "changed"),
    ]  # fmt: skip
    assert {v["rule"] for v in found["violations"]} == {"unbalanced_entries"}
    assert "price_ticks is 99, made again it is 100" in njord("verify", url=url, code=1).stdout
    assert json.loads(njord("validate", "--json", url=url, code=1).stdout)["ok"] is False
    assert "trigger fills_no_update: is missing" in njord("drift", url=url, code=1).stdout


@pytest.mark.parametrize(
    ("words", "url", "said"),
    [
        (["status"], "mysql://u:secret@h/d", "must begin with sqlite:/// or postgresql://"),
        (["status"], "postgresql://u:secret@127.0.0.1:1/d", "u:***@127.0.0.1:1/d"),
        (["migrate", "--to", "7"], None, "no version 7 of the ledger"),
        (["restore", "none.gz"], None, "none.gz"),
        (["backup", "here"], None, "no ledger at"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, monkeypatch, words, url, said):
    monkeypatch.chdir(tmp_path)
    made = njord(*words, url=url, code=1)
    assert said in made.stderr
    assert "secret" not in made.stderr + made.stdout
    assert made.stderr.count("\n") == 1


def test_a_truncated_backup_and_a_ledger_in_use_are_refused(tmp_path, url):
    file = tmp_path / "b.gz"
    njord("backup", file, url=url)
    assert "is there already" in njord("backup", file, url=url, code=1).stderr
    file.write_bytes(file.read_bytes()[:-30])
    fresh = tmp_path / "fresh"
    assert "is cut off" in njord("restore", file, url=f"sqlite:///{fresh}", code=1).stderr
    assert not fresh.exists()
    assert "has records" in njord("migrate", "--to", "base", url=url, code=1).stderr
