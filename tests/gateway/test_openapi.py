"""The web app's types are made of web/openapi.json: it must be what the gateway says today."""

import runpy
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def test_the_web_app_knows_todays_interface():
    said = runpy.run_path(str(WEB / "scripts" / "openapi.py"))["text"]()
    assert (WEB / "openapi.json").read_text() == said, (
        "run python web/scripts/openapi.py, then npm run types in web"
    )  # fmt: skip
