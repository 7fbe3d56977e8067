"""``njord run`` as a process: it comes up, says where, ends in order, and goes on where it was."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


class Running:
    """A platform in a process of its own."""

    def __init__(self, home, *more):
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "njord", "run", "--port", "0", *more],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**environment(), "NJORD_HOME": str(home)},
        )  # fmt: skip
        deadline = time.monotonic() + 180
        while "open " not in self.said:
            line = self.process.stdout.readline()
            assert line or self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            self.said += line
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.said)[1])

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1{path}", timeout=20) as answer:
            return json.load(answer)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=120)
        self.said += rest
        return self.process.returncode


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}


@pytest.mark.slow
@pytest.mark.connects
def test_it_comes_up_answers_ends_in_order_and_resumes(tmp_path):
    first = Running(tmp_path)
    assert "#ticket=" in first.said
    assert first.get("/health")["ok"]
    assert first.get("/health")["accounts"] == 1
    time.sleep(3)
    assert first.stop() == 0
    assert "Traceback" not in first.said
    sessions = sorted(path.name for path in (tmp_path / "platform" / "sessions" / "user-demo").glob("user-demo-*"))
    second = Running(tmp_path)
    assert second.get("/health")["accounts"] == 1
    assert second.stop(signal.SIGTERM) == 0
    again = sorted(path.name for path in (tmp_path / "platform" / "sessions" / "user-demo").glob("user-demo-*"))
    assert len(again) > len(sessions)


@pytest.mark.slow
@pytest.mark.connects
def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = subprocess.run(
            [sys.executable, "-m", "njord", "run", "--port", str(port)], capture_output=True, text=True, timeout=60,
            env={**environment(), "NJORD_HOME": str(tmp_path)}, check=False,
        )  # fmt: skip
    assert said.returncode == 1
    (line,) = said.stderr.strip().splitlines()
    assert line.startswith(f"error: --port {port}: cannot listen on 127.0.0.1")


@pytest.mark.slow
@pytest.mark.connects
def test_a_market_of_another_version_is_one_line(tmp_path):
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "market.mp").write_bytes(b"\x81\xa7version\x63")
    said = subprocess.run(
        [sys.executable, "-m", "njord", "run", "--port", "0"], capture_output=True, text=True, timeout=60,
        env={**environment(), "NJORD_HOME": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert said.returncode == 1
    assert "another version of njord" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.slow
@pytest.mark.connects
def test_two_platforms_on_one_home_are_one_line_even_where_nobody_has_an_account(tmp_path):
    first = Running(tmp_path, "--no-demo")
    try:
        second = subprocess.run(
            [sys.executable, "-m", "njord", "run", "--port", "0", "--no-demo"], capture_output=True, text=True,
            timeout=60, env={**environment(), "NJORD_HOME": str(tmp_path)}, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        last = second.stderr.strip().splitlines()[-1]
        assert last == f"error: platform {tmp_path / 'platform'}: in use by process {first.process.pid}"
        assert first.get("/health")["ok"]
    finally:
        assert first.stop() == 0
