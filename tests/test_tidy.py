"""The house rules that a machine can check. Each has a ratchet: what is over a limit today may only shrink."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "njord"
FILES = sorted(path for folder in ("src", "tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))
MODULES = sorted(SOURCE.rglob("*.py"))
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
MAKE_TARGETS_MAX = 10
# Known to be over a limit, with how far. Only ever make these smaller, or shorter
RATCHET = json.loads((Path(__file__).parent / "ratchet.json").read_text())
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "handler", "service",
                "processor", "info"}  # fmt: skip
# Concatenated, so that this file does not find itself
BANNED_WORDS = ["FIX" + "ME", "TO" + "DO", "XX" + "X", "NotImplemented" + "Error", "pragma: no " + "cover"]
DECIDING = [SOURCE / name for name in ("domain", "strategies", "risk", "execution")] + [
    SOURCE / "engine" / name for name in ("step.py", "apply.py", "decide.py", "tell.py", "state.py", "desk.py")
]


def relative(path):
    return path.relative_to(ROOT).as_posix()


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_has_one_subject_and_fits(path):
    lines = len(path.read_text().splitlines())
    assert lines <= RATCHET["file_lines"].get(relative(path), FILE_LINES_MAX), f"{lines} lines"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_function_fits_on_a_screen(path):
    for node in functions(path):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        limit = RATCHET["function_lines"].get(f"{relative(path)}:{node.name}", FUNCTION_LINES_MAX)
        assert lines <= limit, f"{node.name} has {lines} lines"


def test_the_ratchet_only_lists_what_is_still_over():
    for name, limit in RATCHET["file_lines"].items():
        assert len((ROOT / name).read_text().splitlines()) == limit > FILE_LINES_MAX, name
    for name, limit in RATCHET["function_lines"].items():
        path, _, function = name.partition(":")
        found = [n for n in functions(ROOT / path) if n.name == function]
        assert [(n.end_lineno or 0) - n.lineno + 1 for n in found] == [limit], name
        assert limit > FUNCTION_LINES_MAX, name


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_names_say_what_things_do(path):
    for part in path.relative_to(SOURCE).with_suffix("").parts:
        assert not set(part.split("_")) & BANNED_NAMES, part


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_module_and_public_thing_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no module docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "test_tidy.py"], ids=relative)
def test_nothing_is_left_for_later(path):
    text = path.read_text()
    for word in BANNED_WORDS:
        assert not re.search(rf"\b{word}\b", text), word


@pytest.mark.parametrize("path", [m for m in MODULES if any(d == m or d in m.parents for d in DECIDING)], ids=relative)
def test_deciding_code_iterates_over_no_set(path):
    # A set of strings has another order in every process
    for node in ast.walk(ast.parse(path.read_text())):
        loops = [node.iter] if isinstance(node, ast.For) else [g.iter for g in getattr(node, "generators", [])]
        for loop in loops:
            made = isinstance(loop, ast.Set | ast.SetComp)
            called = (
                isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name) and loop.func.id in ("set", "frozenset")
            )
            assert not made, f"line {loop.lineno}"
            assert not called, f"line {loop.lineno}"


def test_every_kernel_names_its_reference_and_has_a_parity_test():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    kernels = [path for path in MODULES if path.name == "kernels.py"]
    assert kernels
    for path in kernels:
        for node in functions(path):
            if not node.name.startswith("_"):
                assert "Reference:" in (ast.get_docstring(node) or ""), node.name
                assert f"kernels.{node.name}" in tests or f"{node.name}(" in tests, node.name


def test_a_port_has_at_least_two_adapters():
    for path in MODULES:
        if path.name == "port.py":
            assert len(list(path.parent.rglob("*.py"))) >= 4, path  # The port, the room, two adapters


def test_rooms_and_packages_introduce_themselves():
    for folder in {path.parent for path in MODULES}:
        assert (folder / "__init__.py").exists(), folder


def test_make_has_at_most_ten_targets():
    lines = (ROOT / "Makefile").read_text().splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:"))
    assert len(phony.split()[1:]) <= MAKE_TARGETS_MAX


def test_every_dependency_has_its_reason():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        listed += extra
    listed += project["dependency-groups"]["dev"]
    said = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for requirement in listed:
        name = re.split(r"[<>=\[ ]", requirement)[0].lower()
        assert f"| {name}" in said, f"{name} is not in docs/dependencies.md"


def test_nothing_here_speaks_of_the_machine_it_was_made_on():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    banned = re.compile(r"/(?:ho" + r"me/\w+|ro" + r"ot/|wo" + r"rk/|fa" + r"rm/)")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".yml", ".json", ".ipynb", "") and path.is_file():
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                assert not banned.search(line), f"{name}:{number}"


def test_golden_files_stay_small_enough_to_read():
    for path in [p for p in (ROOT / "tests").rglob("*") if p.suffix in (".jsonl", ".ndjson", ".json")]:
        assert len(path.read_text().splitlines()) <= 1_000, path
