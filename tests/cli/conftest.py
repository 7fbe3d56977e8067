"""Run the command line as a user does, inside this process, and keep what it said."""

import json
import sys
from typing import NamedTuple

import pytest

from njord.cli.main import main


class Said(NamedTuple):
    """The exit code, and what was printed."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def njord(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["njord", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        told = capsys.readouterr()
        return Said(code, told.out, told.err)

    return call
