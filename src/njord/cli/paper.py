"""``njord paper``, ``njord exchange`` and ``njord live``: sessions, and the exchange they trade on."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from njord.cli.clock import now_ns
from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from njord.ops.paper import Status

LIVE_VARIABLE = "NJORD_ENABLE_LIVE"
EXCHANGE_S_MAX = 30.0  # To come up
LINGER_S = 60.0

CatalogOption = Annotated[Path | None, Parameter(help="Folder of the catalog.")]
SpeedOption = Annotated[float, Parameter(help="Seconds of market in one second; 0: as fast as it goes.")]


def paper(
    config: Path,
    /,
    *,
    account: Annotated[str, Parameter(help="The account: its ledger, sessions and kill switch.")] = "paper",
    speed: SpeedOption = 1.0,
    catalog: CatalogOption = None,
    url: Annotated[str | None, Parameter(help="The ledger; else NJORD_LEDGER_URL, else a file in NJORD_HOME.")] = None,
    socket: Annotated[Path | None, Parameter(help="An exchange that is running already.")] = None,
    heartbeat: Annotated[Path | None, Parameter(help="A file somebody touches; two beats without it stop all.")] = None,
    heartbeat_s: Annotated[float, Parameter(help="How often it is touched.")] = 1.0,
    json: JsonOption = False,
) -> None:
    """Trade the strategies of a config on a simulated exchange, with everything durable.

    The market is the config's recorded data, played at --speed. Ctrl-C ends the session in order; killed in any way,
    the next one takes up where it was. The same config runs as a backtest.
    """
    from njord.cli.backtest import load
    from njord.cli.db import ledger_or_new
    from njord.cli.paths import catalog_root, home
    from njord.engine.recorder import Stopped
    from njord.engine.step import OVER
    from njord.market.catalog import Catalog
    from njord.ops.paper import Folders, run_paper

    parsed = load(config)
    source = Catalog(catalog_root(catalog))
    with (
        ledger_or_new(url) as ledger,
        _exchange(config, account, speed, catalog, socket) as path,
        _signals() as stopped,
    ):
        try:
            session, digest = run_paper(
                parsed, source, ledger, Folders(home()), account_id=account, socket=path, wall_ns=now_ns,
                stopped=stopped, told=_line, here=config.parent, heartbeat=heartbeat, heartbeat_s=heartbeat_s,
            )  # fmt: skip
        except Stopped as error:
            raise ValueError(f"account {account}: stopped: {error}") from error
    state = session.state
    document = {
        "session_id": session.session_id, "account_id": account, "digest": digest, "events": session.events,
        "orders": session.orders_sent, "fills": session.fills, "open_orders": len(state.orders.open),
        "cash": {asset: str(units) for asset, units in state.portfolio.cash.items()},
        "positions": {name: lots for name, lots in state.portfolio.lots.items() if lots},
        "tripped": [str(scope) for scope in state.kill.tripped],
        "discrepancies": [str(each) for each in session.discrepancies],
    }  # fmt: skip
    if json:
        print_json(document)
    else:
        print(f"session  {session.session_id}: {session.events:,} events, {session.orders_sent:,} orders,"
              f" {session.fills:,} fills")  # fmt: skip
        print(f"digest   {digest}")
        print(f"prove    njord replay session {session.session_id}")
    stopped_by = [(name, slot.stopped) for name, slot in state.slots.items() if slot.stopped not in (None, OVER)]
    for name, reason in stopped_by:
        print(f"error: strategy {name} was stopped: {reason}", file=sys.stderr)
    if stopped_by and not state.kill.tripped:
        raise SystemExit(1)
    if state.kill.tripped:
        for trip in state.kill.tripped.values():
            print(f"error: stopped {trip.scope}: {trip.source}: {trip.reason}", file=sys.stderr)
        raise SystemExit(1)


def exchange(
    config: Path,
    /,
    *,
    socket: Annotated[Path, Parameter(help="Where it listens: a Unix socket for you alone.")],
    speed: SpeedOption = 1.0,
    catalog: CatalogOption = None,
    name: Annotated[str, Parameter(help="Begins the ids of its fills.")] = "",
    linger_s: Annotated[float, Parameter(help="Ends when nobody was connected for so long.")] = LINGER_S,
) -> None:
    """Run the simulated exchange of a config until it is stopped, or nobody is there any more.

    njord paper starts one by itself; start one here to let it outlive sessions, or to kill one side and not the other.
    """
    from njord.cli.backtest import load
    from njord.cli.paths import catalog_root
    from njord.engine.assemble import exchange_of
    from njord.market.catalog import Catalog
    from njord.venues.simulated.remote import ExchangeServer

    made = exchange_of(load(config), Catalog(catalog_root(catalog)), here=config.parent, name=name)
    with _signals() as stopped:
        ExchangeServer(made, socket, speed=speed).serve(stopped, linger_s=linger_s)


def live(config: Path, /) -> None:
    """Trade with real money. Needs env: live in the config, NJORD_ENABLE_LIVE=1, and a venue to trade at."""
    from njord.cli.backtest import load
    from njord.engine.config import World

    if load(config).env is not World.LIVE:
        raise ValueError(f"{config}: env: live trading needs env: live in the config")
    if os.environ.get(LIVE_VARIABLE) != "1":
        raise ValueError(f"{LIVE_VARIABLE}: live trading needs it to be 1 in the environment")
    raise ValueError("no venue for real money is connected to njord yet; njord paper trades this config")


@contextlib.contextmanager
def _exchange(config: Path, account: str, speed: float, catalog: Path | None, socket: Path | None) -> Iterator[Path]:
    if socket is not None:
        yield socket
        return
    from njord.cli.paths import home

    path = _socket_of(home(), account)
    if _answers(path):
        yield path  # It outlived the session that started it, and has our orders
        return
    name = f"{now_ns():x}-"
    command = [sys.executable, "-m", "njord", "exchange", str(config), "--socket", str(path), "--speed", str(speed)]
    command += ["--name", name, *([] if catalog is None else ["--catalog", str(catalog)])]
    # In a session of its own, so that what kills us does not kill it
    started = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603
    give_up_s = time.monotonic() + EXCHANGE_S_MAX
    while not _answers(path):
        if started.poll() is not None:
            assert started.stderr is not None
            said = started.stderr.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise ValueError(f"the exchange did not start: {said[-1].removeprefix('error: ')}")
        if time.monotonic() > give_up_s:
            started.terminate()
            raise ValueError(f"the exchange did not answer within {EXCHANGE_S_MAX:.0f} s")
        time.sleep(0.05)
    try:
        yield path
    finally:
        started.terminate()
        started.wait(10)
        assert started.stderr is not None
        started.stderr.close()


def _answers(path: Path) -> bool:
    from njord.venues.simulated.remote import answers

    return path.exists() and answers(path)


def _socket_of(home: Path, account: str) -> Path:
    import hashlib

    # The path of a socket may not be long, and a home may be anywhere
    place = hashlib.sha256(f"{home.resolve()}:{account}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"njord-{os.getuid()}" / f"{place}.sock"


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    told: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        told.append(number)
        if len(told) > 1:
            raise KeyboardInterrupt  # Twice means now

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(status: "Status") -> None:
    from njord.domain.clock import iso

    held = f"{status.equity_units / 10**18:,.2f} {status.currency}"
    stopped = f"  STOPPED {', '.join(status.tripped)}" if status.tripped else ""
    limited = f"  only reducing: {', '.join(status.restricted)}" if status.restricted else ""
    print(
        f"{iso(status.time_ns)[:19]}  equity {held}  orders {status.orders:,} ({status.open_orders} open)"
        f"  fills {status.fills:,}{limited}{stopped}",
        file=sys.stderr,
    )
