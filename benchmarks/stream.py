"""Many clients of the stream at once: how late is what they hear, and is anything lost?

    python benchmarks/stream.py --clients 500 --seconds 20

A real platform in a process of its own, clients in another: each subscribes to five instruments. Latency is from the
moment the market's thread wrote a frame (the ``status`` message has the market's time, and says how far that is behind
the clock) to the client's; order messages of one trading client are numbered, so a loss would be a gap.

Beside it, in the same run: the framework alone (FastAPI on uvicorn, as the gateway is), sending frames of the same size
as often to as many clients and doing nothing else; and with ``--redis URL`` the gateway in a process of its own.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import websockets

from njord.cli.clock import now_ns

PASSWORD = "a benchmark of streams"
WATCHED = 5


async def client(url, cookie, names, until, latencies, counts, offset_ns):
    async with websockets.connect(url, additional_headers={"Cookie": cookie}, max_queue=None) as socket:
        await socket.send(json.dumps({"op": "resume", "after": 0}))
        await socket.send(json.dumps({"op": "subscribe", "instruments": names}))
        while time.monotonic() < until:
            try:
                frame = await asyncio.wait_for(socket.recv(), until - time.monotonic() + 0.1)
            except TimeoutError:
                break
            heard_ns = now_ns()
            counts["frames"], counts["bytes"] = counts.get("frames", 0) + 1, counts.get("bytes", 0) + len(frame)
            for message in json.loads(frame):
                counts[message["t"]] = counts.get(message["t"], 0) + 1
                if message["t"] == "status":
                    latencies.append((heard_ns - int(message["time_ns"]) - offset_ns) / 1e6)
                elif message["t"] in ("order", "fill"):
                    counts.setdefault("numbers", []).append(message["number"])


async def watch(port, cookie, instruments, clients, seconds, offset_ns):
    url = f"ws://127.0.0.1:{port}/api/v1/stream"
    until = time.monotonic() + seconds
    latencies, counts = [], [{} for _ in range(clients)]
    tasks = [
        client(url, cookie, [instruments[(n + k) % len(instruments)] for k in range(WATCHED)], until, latencies,
               counts[n], offset_ns)
        for n in range(clients)
    ]  # fmt: skip
    began = time.process_time()
    await asyncio.gather(*tasks)
    return latencies, counts, time.process_time() - began


BARE = """
import asyncio, socket, sys, time
import uvicorn
from fastapi import FastAPI, WebSocket

app, clients = FastAPI(), set()
size, each_s = int(sys.argv[1]), float(sys.argv[2])

@app.websocket("/api/v1/stream")
async def stream(socket: WebSocket):
    await socket.accept()
    queue = asyncio.Queue(256)
    clients.add(queue)
    try:
        while True:
            await socket.send_text(await queue.get())
    finally:
        clients.discard(queue)

async def say():
    while True:
        await asyncio.sleep(each_s)
        frame = '[{"t": "status", "time_ns": "%d", "pad": "%s"}]' % (time.time_ns(), "x" * size)
        for queue in clients:
            if not queue.full():
                queue.put_nowait(frame)

async def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print("open http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    saying = asyncio.create_task(say())
    await uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")).serve([listener])

asyncio.run(main())
"""


def launched(home, words):
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "NJORD_HOME": str(home)},
    )  # fmt: skip


def started(home, words=("-m", "njord", "run", "--port", "0")):
    process = launched(home, words)
    said = ""
    while "open " not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return process, int(re.search(r"127\.0\.0\.1:(\d+)", said)[1])


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def bare(clients, seconds, frame_bytes, each_s):
    """Return the figures of the framework alone."""
    process, port = started(".", ("-c", BARE, str(frame_bytes), str(each_s)))
    try:
        before = cpu_s(process.pid)
        latencies, counts, _ = asyncio.run(watch(port, "", ["none"], clients, seconds, 0))
        server_cpu = cpu_s(process.pid) - before
    finally:
        process.kill()
        process.wait()
    return {
        "latency_ms": percentiles(latencies), "frames": sum(each.get("frames", 0) for each in counts),
        "frame_bytes": frame_bytes, "server_cpu_share": round(server_cpu / seconds, 3),
    }  # fmt: skip


def percentiles(latencies):
    latencies.sort()

    def at(share):
        return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 1) if latencies else None

    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0)}


def measured(clients, seconds, redis=None):
    """Return the figures of one run; with a Redis, of a gateway apart from the platform."""
    with tempfile.TemporaryDirectory() as home:
        behind = None
        if redis is not None:
            behind = launched(home, ("-m", "njord", "role", "platform", "--bus", redis))
            words = ("-m", "njord", "role", "gateway", "--bus", redis, "--port", "0", "--name", "bench")
            process, port = started(home, words)
        else:
            process, port = started(home)
        try:
            base = f"http://127.0.0.1:{port}/api/v1"
            with httpx2.Client(base_url=base, timeout=30) as http:
                me = http.post("/auth/register", json={"name": "watcher", "password": PASSWORD}).json()
                cookie = "; ".join(f"{key}={value}" for key, value in http.cookies.items())
                instruments = [each["instrument_id"] for each in http.get("/instruments").json()]
                assert me["csrf"]
                # The market's clock began at some offset to ours: the least seen is none at all
                offset_ns = min(
                    now_ns() - int(http.get("/health").json()["time_ns"]) for _ in range(50)
                )  # fmt: skip
                before = cpu_s(process.pid)
                latencies, counts, cpu = asyncio.run(watch(port, cookie, instruments, clients, seconds, offset_ns))
                server_cpu = cpu_s(process.pid) - before
                dropped = re.search(r"njord_stream_dropped_total (\d+)", http.get("/metrics").text)[1]
            resident = resident_mb(process.pid)
        finally:
            process.terminate()
            process.wait(60)
            if behind is not None:
                behind.terminate()
                behind.wait(60)
    total = {}
    for each in counts:
        for kind, number in each.items():
            if isinstance(number, int) and kind not in ("frames", "bytes"):
                total[kind] = total.get(kind, 0) + number
    frames = sum(each.get("frames", 0) for each in counts)
    silent = sum(not each.get("status") for each in counts)
    return {
        "clients": clients, "seconds": seconds, "messages": sum(total.values()), "by_kind": total,
        "latency_ms": percentiles(latencies), "frames": frames,
        "frame_bytes": round(sum(each.get("bytes", 0) for each in counts) / max(1, frames)),
        "clients_that_heard_nothing": silent, "frames_dropped": int(dropped),
        "server_cpu_share": round(server_cpu / seconds, 3), "clients_cpu_share": round(cpu / seconds, 3),
        "server_resident_mb": round(resident, 1),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--redis", help="an empty database, to measure a gateway in a process of its own too")
    given = parser.parse_args()
    found = {"in one process": measured(given.clients, given.seconds)}
    if given.redis:
        found["gateway apart"] = measured(given.clients, given.seconds, given.redis)
    one = found["in one process"]
    each_s = given.seconds * given.clients / max(1, one["frames"])
    found["the framework alone"] = bare(given.clients, given.seconds, one["frame_bytes"], each_s)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
