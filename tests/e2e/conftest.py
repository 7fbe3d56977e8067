"""A whole platform in a process of its own, and a browser in front of it."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import njord.gateway

START_S = 180
PASSWORD = "correct horse battery"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def site(opened):
    return opened.partition("/#")[0]


def page_of(browser, size):
    page = browser.new_context(viewport=size).new_page()
    page.set_default_timeout(20_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def api(page, path):
    return page.request.get(f"http://{page.url.split('/')[2]}/api/v1{path}").json()


def go(page, opened, path):
    page.goto(site(opened) + path)
    page.get_by_text("live").first.wait_for()


def give_reason(page, why, action):
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(why)
    dialog.get_by_role("button", name=action, exact=True).click()
    dialog.wait_for(state="detached")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """NJORD_HOME of the platform."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def opened(home):
    """Start `njord run`; give the address it prints, with its ticket."""
    if not (Path(njord.gateway.__file__).parent / "static" / "index.html").is_file():
        pytest.skip("the web app is not built")
    command = [sys.executable, "-m", "njord", "run", "--port", "0", "--home", str(home / "platform")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "NJORD_HOME": str(home)},
    )  # fmt: skip
    found = []

    def read():
        for line in process.stdout:
            match = re.search(r"http://127\.0\.0\.1:\d+/#ticket=\S+", line)
            if match:
                found.append(match.group(0))
                said.set()
        said.set()

    said = threading.Event()
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    said.wait(START_S)
    try:
        assert found, "njord run printed no address"
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)
        reader.join(5)
        process.stdout.close()


@pytest.fixture(scope="session")
def browser():
    """Start Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="module")
def founder(browser, opened):
    page = page_of(browser, WIDE)
    page.goto(opened)
    page.locator(".status").wait_for()
    yield page
    assert page.problems == []
    page.context.close()


@pytest.fixture(scope="module")
def trader(browser, opened, request):
    page = page_of(browser, WIDE)
    page.goto(site(opened))
    page.get_by_role("radio", name="Register").click()
    page.get_by_label("Name").fill(f"astrid-{request.module.__name__.rpartition('_')[2]}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register", exact=True).click()
    page.locator(".status").wait_for()
    yield page
    assert page.problems == []
    page.context.close()
