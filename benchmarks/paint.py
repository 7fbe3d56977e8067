"""From a tick of the market to the pixels of a browser that shows fifty instruments, and does its page keep its memory?

    python benchmarks/paint.py --seconds 60 [--heap-minutes 10]

A real platform, a real Chromium with the market page open, tall enough for fifty rows. Each quote that changes a row is
timed from its own venue time (the market's clock, brought to ours by the least offset seen) to the end of the frame in
which its row changed. ``--heap-minutes`` also lets the market run up to fifty times as fast, and looks at the memory of
the page and of the server along the way.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from njord.cli.clock import now_ns

FLAGS = ("--no-sandbox", "--disable-gpu", "--enable-precise-memory-info", "--js-flags=--expose-gc")
WARM_S = 8.0
# Notes when a frame came, and when the next change of the list that followed it was drawn
WATCH = """
window.__paint = { pending: [], late: [], frames: 0 };
const known = {};
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", (message) => {
      window.__paint.frames += 1;
      for (const each of JSON.parse(message.data)) {
        if (each.t !== "quote") continue;
        const shown = `${each.bid_ticks}/${each.ask_ticks}`;
        const before = known[each.instrument_id];
        if (before && before !== shown) window.__paint.pending.push(Number(each.venue_time_ns) / 1e6);
        known[each.instrument_id] = shown;
      }
    });
  }
};
window.__watch = () => new MutationObserver(() => {
  const seen = window.__paint.pending.splice(0);
  if (seen.length) requestAnimationFrame(() => setTimeout(() => {
    const now = performance.timeOrigin + performance.now();
    for (const at of seen) window.__paint.late.push(now - at);
  }, 0));
}).observe(document.querySelector(".watch-scroll"), { subtree: true, childList: true, characterData: true });
"""


def started(home, *more):
    process = subprocess.Popen(
        [sys.executable, "-m", "njord", "run", "--port", "0", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "NJORD_HOME": str(home)},
    )  # fmt: skip
    said = ""
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/#ticket=\S+", said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    return process, found[0]


def resident_mb(pid):
    return round(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024, 1)


def page_of(playwright, url):
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
    page = browser.new_page(viewport={"width": 1440, "height": 1560})
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_selector(".watch-row[role=option]")
    page.wait_for_timeout(WARM_S * 1_000)
    return browser, page


def painted(playwright, seconds):
    """Return percentiles of the time from tick to paint, in ms."""
    with tempfile.TemporaryDirectory() as home:
        process, url = started(home)
        try:
            browser, page = page_of(playwright, url)
            health = url.partition("/#")[0] + "/api/v1/health"
            with httpx2.Client() as http:
                offset_ms = min(now_ns() - int(http.get(health).json()["time_ns"]) for _ in range(200)) / 1e6
            rows = page.locator(".watch-row[role=option]").count()
            page.evaluate("window.__paint.pending = []; window.__watch()")
            page.wait_for_timeout(seconds * 1_000)
            found = page.evaluate("window.__paint")
            browser.close()
        finally:
            process.terminate()
            process.wait(60)
    late = sorted(each - offset_ms for each in found["late"])
    at = {f"p{share}": round(late[min(len(late) - 1, int(len(late) * share / 100))], 1) for share in (50, 90, 99, 100)}
    return {"rows": rows, "changes": len(late), "frames": found["frames"], "tick_to_paint_ms": at}


def kept(playwright, minutes):
    """Return what page and server hold in memory while hours of the market pass."""
    points = []
    with tempfile.TemporaryDirectory() as home:
        process, url = started(home, "--speed", "50")
        try:
            browser, page = page_of(playwright, url)
            health = url.partition("/#")[0] + "/api/v1/health"
            began_ns = int(httpx2.get(health).json()["time_ns"])
            for _ in range(11):
                page.evaluate("window.__paint.pending = []; window.__paint.late = []; window.gc && window.gc()")
                heap = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
                hours = (int(httpx2.get(health).json()["time_ns"]) - began_ns) / 3.6e12
                nodes = page.evaluate("document.querySelectorAll('*').length")
                points.append({"hours": round(hours, 2), "page_mb": round(heap, 1), "nodes": nodes,
                               "server_mb": resident_mb(process.pid)})  # fmt: skip
                if len(points) < 11:
                    page.wait_for_timeout(minutes * 6_000)
            browser.close()
        finally:
            process.terminate()
            process.wait(60)
    return points


def main():
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--heap-minutes", type=float, default=0.0)
    asked = parser.parse_args()
    began_s = time.monotonic()
    with sync_playwright() as playwright:
        found = {"paint": painted(playwright, asked.seconds)}
        if asked.heap_minutes:
            found["memory"] = kept(playwright, asked.heap_minutes)
    print(json.dumps({**found, "seconds": round(time.monotonic() - began_s, 1)}, indent=1))


if __name__ == "__main__":
    main()
