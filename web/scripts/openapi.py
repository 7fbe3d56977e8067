"""Write web/openapi.json from the gateway's routers, without starting a market: the web app's types come from it."""

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from njord.gateway import app as gateway

PLACE = Path(__file__).parents[1] / "openapi.json"


def described() -> dict[str, Any]:
    """Return the gateway's OpenAPI. The version is left out, as it is no part of the interface."""
    app = FastAPI(title="Njord", version="1")
    api = APIRouter(prefix=gateway.API)
    for module in gateway.ROUTES:
        api.include_router(module.router)
    app.include_router(api)
    return app.openapi()


def text() -> str:
    """Return what the file should have in it."""
    return json.dumps(described(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text())
    sys.stdout.write(f"{PLACE.name} written\n")
