"""What all tests share: the real data beside the project, a socket guard, and a small market to trade in."""

import os
import socket
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind


def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true", help="also run the tests that take seconds")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow: asked for with --run-slow"))


def shared_folder() -> Path:
    """Return where the real market data are, if they are there."""
    said = os.environ.get("NJORD_SHARED_DATA")
    return Path(said) if said else Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no real market data at {folder}; say where it is with NJORD_SHARED_DATA")
    return folder


@pytest.fixture
def kernel_home(tmp_path) -> Path:
    """A home of its own that shares compiled code."""
    home = tmp_path / "home"
    home.mkdir()
    share_kernels(home)
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch, request):
    """No test of the core may open a connection; those that drive a kernel say so with their marker."""

    def refuse(*_args):
        raise AssertionError("a test tried to open a network connection")

    if "connects" not in request.keywords:
        monkeypatch.setattr(socket.socket, "connect", refuse)


def share_kernels(home: Path) -> None:
    """Let a home keep its compiled code where all tests do."""
    kernels = Path(__file__).parents[1] / "out" / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    (home / "kernels").symlink_to(kernels)


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path_factory):
    """Tests never touch the user's own NJORD_HOME. Compiled code they share: its name says what it was made of."""
    home = tmp_path_factory.mktemp("home")
    share_kernels(home)
    monkeypatch.setenv("NJORD_HOME", str(home))


@pytest.fixture
def spot() -> Instrument:
    return Instrument(
        instrument_id=InstrumentId("BTC/USD.SIM"), kind=InstrumentKind.SPOT, base="BTC", quote="USD",
        price_tick=Decimal("0.01"), quantity_lot=Decimal("0.0001"),
    )  # fmt: skip


@pytest.fixture
def bars():
    """Return a maker of seeded random-walk bars on a grid of cents, as columns."""

    def make(count: int, seed: int = 1, start: float = 100.0, volatility: float = 0.01):
        rng = np.random.default_rng(seed)
        close = np.round(start * np.exp(np.cumsum(rng.normal(0, volatility, count))), 2)
        opened = np.r_[start, close[:-1]]
        high = np.round(np.maximum(opened, close) * (1 + np.abs(rng.normal(0, volatility / 2, count))), 2)
        low = np.round(np.minimum(opened, close) * (1 - np.abs(rng.normal(0, volatility / 2, count))), 2)
        ts = 1_577_836_800 + 3600 * np.arange(count)
        return {"ts": ts, "open": opened, "high": high, "low": low, "close": close, "volume": np.full(count, 50.0)}

    return make
