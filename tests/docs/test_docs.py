"""The documentation runs: every block of it, in order, as a reader would; and every link leads somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "benchmarks")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = [page for page in PAGES if "```python" in page.read_text() or "```console" in page.read_text()]


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch, kernel_home, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NJORD_HOME", str(kernel_home))
    monkeypatch.syspath_prepend(str(tmp_path))
    for example in (ROOT / "examples").glob("*.*"):
        (tmp_path / "examples").mkdir(exist_ok=True)
        (tmp_path / "examples" / example.name).write_bytes(example.read_bytes())
    if "btcusdt.gz" in page.read_text():
        tape = (
            request.getfixturevalue("shared_data") / "market" / "binance_l2_20240808" / "usdm" / "btcusdt_20240808.gz"
        )
        (tmp_path / "btcusdt.gz").write_bytes(tape.read_bytes())
    names = {"__name__": "docs", "os": os}
    for language, options, body in BLOCK.findall(page.read_text()):
        file = re.search(r"file=(\S+)", options)
        if file:
            (tmp_path / file.group(1)).write_text(body)
        elif language == "python":
            exec(compile(body, name(page), "exec"), names)
        elif language == "console":
            for line in body.splitlines():
                if line.startswith("$ njord"):
                    words = [sys.executable, "-m", *shlex.split(line[2:], comments=True)]
                    made = subprocess.run(words, capture_output=True, text=True, check=False)
                    assert made.returncode == 0, f"{line}\n{made.stderr}"
    for module in [m for m in sys.modules if m == "my_strategy"]:
        del sys.modules[module]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_named_file_and_command_exists():
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "operator.md").read_text()
    for path in re.findall(r"`((?:src|docs|benchmarks|examples)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    made = subprocess.run([sys.executable, "-m", "njord", "--help"], capture_output=True, text=True, check=True)
    for command in set(re.findall(r"`njord ([a-z]+)", text)):
        assert command in made.stdout, command


@pytest.mark.slow
def test_the_api_reference_builds(tmp_path):
    pytest.importorskip("pdoc")
    words = [sys.executable, "-m", "pdoc", "-o", str(tmp_path), "njord", "njord.strategies.port", "njord.engine.config"]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "backtest" in (tmp_path / "njord.html").read_text()
