"""With NJORD_LOG=json every line on stderr is one object of the same shape, and none has a secret in it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import msgspec
import pytest
from tests.conftest import redis_keys

from njord.cli.logs import Line

CANARY = "canary-4711-tell-nobody"


def started(home, *words, **more):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "NJORD_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "njord", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**environment, "NJORD_HOME": str(home), "NJORD_LOG": "json", **more},
    )  # fmt: skip


def ended(process, number=signal.SIGINT):
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return out, [msgspec.json.decode(line, type=Line) for line in err.splitlines()]


@pytest.mark.slow
@pytest.mark.connects
def test_a_platform_logs_objects_and_no_secret(tmp_path):
    process = started(tmp_path, "run", "--port", "0")
    out = ""
    while "logs you in" not in out:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        out += line
    port = re.search(r"127\.0\.0\.1:(\d+)", out)[1]
    known = {"name": "ann", "password": CANARY}
    nobody = {"name": CANARY, "password": CANARY}
    for path, body in (("register", known), ("login", known), ("login", nobody), ("ticket", {"ticket": CANARY})):
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/auth/{path}", json.dumps(body).encode(),
            {"content-type": "application/json", "cookie": f"njord_session={CANARY}"},
        )  # fmt: skip
        try:
            urllib.request.urlopen(asked, timeout=20).close()
        except urllib.error.HTTPError as error:
            error.close()
    rest, lines = ended(process)
    assert process.returncode == 0
    assert [line.event for line in lines][:1] == ["platform.starting"]
    assert lines[-1].event == "platform.stopping"
    assert {line.level for line in lines} <= {"info", "warning"}
    said = out + rest + "".join(f"{line.message}{line.context}" for line in lines)
    assert CANARY not in said


@pytest.mark.slow
@pytest.mark.connects
def test_roles_log_objects_and_what_fails_is_one_too(tmp_path):
    with redis_keys("logs") as (url, _prefix):
        process = started(tmp_path, "role", "watcher", "--bus", url.rpartition("/")[0] + "/14")
        time.sleep(3)
        _, lines = ended(process, signal.SIGTERM)
    assert process.returncode == 0
    assert [line.event for line in lines] == ["role.reading", "role.standing"]
    assert lines[1].context["lost"] == 0

    process = started(tmp_path, "role", "recorder", NJORD_BUS_URL=f"redis://:{CANARY}@127.0.0.1:1/0")
    out, err = process.communicate(timeout=60)
    (line,) = (msgspec.json.decode(each, type=Line) for each in err.splitlines())
    assert (process.returncode, line.level, line.event) == (1, "error", "command.failed")
    assert CANARY not in out + err
