"""What all tests share: the real data beside the project, a socket guard, and a small market to trade in."""

import contextlib
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


@contextlib.contextmanager
def redis_keys(name):
    """A Redis, as its URL and a prefix of somebody's own, whose keys are gone afterwards."""
    import redis

    url = os.environ.get("NJORD_TEST_REDIS", "redis://127.0.0.1:6379/0")
    client = redis.Redis.from_url(url, socket_timeout=5)
    try:
        client.ping()
    except redis.ConnectionError:
        pytest.skip(f"no Redis answers at {url}; say where one is with NJORD_TEST_REDIS")
    prefix = f"njord-test-{os.getpid()}-{abs(hash(name)) % 10**9}"
    yield url, prefix
    for key in client.scan_iter(f"{prefix}:*"):
        client.delete(key)
    client.close()


@pytest.fixture
def redis_space(request):
    with redis_keys(request.node.nodeid) as space:
        yield space


@pytest.fixture(scope="module")
def module_redis_space(request):
    with redis_keys(request.node.nodeid) as space:
        yield space


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


POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a real PostgreSQL whose user may make databases; those who need one are skipped where none answers."""
    psycopg = pytest.importorskip("psycopg")
    url = os.environ.get("NJORD_TEST_POSTGRES", POSTGRES)
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers (NJORD_TEST_POSTGRES): {error}")
    return url


@pytest.fixture
def postgres_url(postgres_server, request) -> str:
    """The URL of an empty scratch database, dropped after the test."""
    import psycopg
    import sqlalchemy as sa

    name = f"njord_test_{os.getpid()}_{abs(hash(request.node.nodeid)) % 10**9}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # Nobody can be connected to that one
        yield sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
