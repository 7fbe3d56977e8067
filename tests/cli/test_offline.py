"""Local first: in a network namespace that has nothing but its own loopback, everything there is by default works."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

# Runs inside: brings loopback up, which is down there at first, sees that nothing else is there, and uses the platform
INSIDE = textwrap.dedent("""
    import fcntl, json, os, re, signal, socket, struct, subprocess, sys, urllib.request
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
    assert [name for _, name in socket.if_nameindex()] == ["lo"], socket.if_nameindex()
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1)
        raise SystemExit("there is a network after all")
    except OSError:
        pass
    done = subprocess.run([sys.executable, "-m", "njord", "sample"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    running = subprocess.Popen(
        [sys.executable, "-m", "njord", "run", "--port", "0"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    said = ""
    while "open " not in said:
        line = running.stdout.readline()
        assert line, said
        said += line
    port = re.search(r"127\\.0\\.0\\.1:(\\d+)", said)[1]
    health = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=20))
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=120)
    print(json.dumps({"ok": health["ok"], "code": running.returncode, "said": rest[-2000:]}))
""")


@pytest.mark.slow
@pytest.mark.connects
def test_without_a_network_samples_run_and_the_platform_serves(tmp_path):
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--net", "true"], check=False).returncode:
        pytest.skip("no network namespace can be made here")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "NJORD_"))}
    done = subprocess.run(
        [unshare, "--net", sys.executable, "-c", INSIDE], capture_output=True, text=True, check=False, timeout=400,
        env={**environment, "NJORD_HOME": str(tmp_path / "home")}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert (found["ok"], found["code"]) == (True, 0), found["said"]
    assert "Traceback" not in found["said"]
