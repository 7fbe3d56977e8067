"""``njord replay``: do a run or a session again and compare every command."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from njord.cli.output import JsonOption, Progress, print_json

if TYPE_CHECKING:
    from njord.engine.economics import Economics, Hour, Mismatch
    from njord.engine.session_replay import Replayed

app = App(name="replay", help="Prove a run or a session by doing it again.")

SessionArgument = Annotated[str, Parameter(name="SESSION", help="A session's id, or its folder.")]


@app.command
def verify(
    run: str,
    /,
    *,
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    json: JsonOption = False,
) -> None:
    """Run a saved run again from its manifest; name the first command that differs.

    RUN is a run id, or the folder of a run.
    """
    from njord.cli.paths import catalog_root, home
    from njord.market.catalog import Catalog
    from njord.research.artifacts import verify as verify_run

    folder = Path(run) if Path(run).is_dir() else home() / "runs" / run
    if not folder.is_dir():
        raise ValueError(f"no run {run!r} in {folder.parent}")
    with tempfile.TemporaryDirectory(prefix="njord-replay-") as scratch:
        found = verify_run(folder, Catalog(catalog_root(catalog)), Path(scratch))
    if json:
        print_json(found)
    else:
        for note in found.notes:
            print(f"! {note}")
        if found.ok:
            print(f"ok: every command repeated, digest {found.digest}")
        else:
            print(f"NOT REPEATED: recorded {found.digest}, replayed {found.replayed_digest}")
        if found.first_divergence is not None:
            print(f"first divergence, journal line {found.first_divergence.line}")
            print(f"  recorded  {found.first_divergence.recorded or '(the journal ends here)'}")
            print(f"  replayed  {found.first_divergence.replayed or '(the journal ends here)'}")
    if not found.ok:
        raise SystemExit(1)


@app.command
def session(
    session: SessionArgument,
    /,
    *,
    config: Annotated[
        Path | None, Parameter(help="Replay it with this config instead: what would it have changed?")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Replay a whole session from its journal alone. Exit code 1 where a command differs: the first one is named."""
    _replay(session, None, None, config, json)


@app.command
def window(
    session: SessionArgument,
    /,
    *,
    start: Annotated[str, Parameter(name="--from", help="From this moment on, as 2020-01-31T12:00:00Z.")],
    end: Annotated[str, Parameter(name="--to", help="Up to and without this moment.")],
    json: JsonOption = False,
) -> None:
    """Replay a session and compare what was decided between two moments."""
    from njord.domain.clock import time_ns

    start_ns, end_ns = time_ns(start), time_ns(end)
    if start_ns >= end_ns:
        raise ValueError(f"from {start} must be before to {end}")
    _replay(session, start_ns, end_ns, None, json)


@app.command
def hour(session: SessionArgument, hour: str, /, *, json: JsonOption = False) -> None:
    """Replay a session and compare one hour of it, given by any moment in it; check the account at its end as well."""
    from njord.domain.clock import NS_PER_HOUR, time_ns
    from njord.engine.economics import of_session

    start_ns = time_ns(hour) // NS_PER_HOUR * NS_PER_HOUR
    _replay(session, start_ns, start_ns + NS_PER_HOUR, None, json, economics=of_session(session_folder(session)))


@app.command
def manifest(session: SessionArgument, /, *, json: JsonOption = False) -> None:
    """Show what a session is made of, its hours and their hashes, verified against the journal's chain."""
    from njord.engine.session_replay import tree

    opened, hours, root = tree(session_folder(session))
    if json:
        print_json({"session_id": opened.session_id, "root": root, "hours": hours, "manifest": opened.manifest})
        return
    made = opened.manifest
    print(f"session   {opened.session_id}, world {opened.world}, account {opened.account_id}")
    print(f"root      {root}")
    print(f"code      {made['code_sha256']}")
    print(f"config    {made['config_sha256']}, seed {made['seed']}")
    print(f"ledger    {opened.ledger_position} steps before it, chain {opened.ledger_chain}")
    for each in made["data"]:
        print(f"data      {each['dataset']}  {each['sha256']}")
    for each in made["strategies"]:
        print(f"strategy  {each['strategy_id']}  {each['class']}  {each['sha256']}")
    for each in hours:
        print(f"hour      {each.hour}  {each.steps:6} steps  {each.sha256}")


def session_folder(name: str) -> Path:
    """Return the folder of a session given by its id or its path. Raises ValueError naming what there is."""
    from njord.cli.paths import home
    from njord.domain.spelling import suggestion

    if Path(name).is_dir():
        return Path(name)
    root = home() / "sessions"
    folder = root / name.rpartition("-")[0] / name
    if not folder.is_dir():
        known = [path.name for path in root.glob("*/*-*") if path.is_dir()]
        raise ValueError(f"no session {name!r} in {root}{suggestion(name, known)}")
    return folder


def _replay(
    name: str, start_ns: int | None, end_ns: int | None, config: Path | None, json: bool,
    economics: "Economics | None" = None,
) -> None:  # fmt: skip
    from msgspec import to_builtins

    from njord.cli.backtest import load
    from njord.domain.clock import iso
    from njord.engine.session_replay import replay

    other = None if config is None else load(config)
    with Progress("replay") as bar:
        found = replay(
            session_folder(name), config=other, start_ns=start_ns, end_ns=end_ns,
            progress=lambda events, time_ns: bar.told(f"replay {iso(time_ns)[:10]}, {events:,} events", events),
        )  # fmt: skip
    account = None if economics is None or start_ns is None else economics.at(start_ns)
    wrong = [] if economics is None else economics.mismatches
    if json:
        print_json(found if economics is None else {**to_builtins(found), "account": account, "mismatches": wrong})
    else:
        _show(found)
        if account is not None:
            _show_account(account, wrong)
    if not found.ok or wrong:
        raise SystemExit(1)


def _show_account(account: "Hour", wrong: "list[Mismatch]") -> None:
    cash = ", ".join(f"{units / 10**18:,.2f} {asset}" for asset, units in account.cash.items()) or "nothing"
    held = ", ".join(f"{lots:,} lots of {name}" for name, lots in account.lots.items()) or "nothing"
    print(f"account   at the end of {account.hour}: cash {cash}; holds {held}")
    print(f"account   {account.sha256}, by its records alone; {account.marks} marks of this hour held against them")
    for each in wrong:
        print(f"NOT AS MARKED: step {each.sequence}: {each.what} marked {each.marked}, records say {each.recomputed}")


def _show(found: "Replayed") -> None:
    for note in found.notes:
        print(f"! {note}")
    for change in found.changed:
        print(f"changed   {change}")
    if found.ok:
        ended = "" if found.complete else "; the session did not end in order, so only what it recorded can be compared"
        print(f"ok: {found.events:,} events, every decision of {found.steps:,} steps repeated{ended}")
    parted = found.first_divergence
    if parted is not None:
        print(f"NOT REPEATED: session {found.session_id}, hour {parted.hour}, step {parted.sequence} ({parted.cause})")
        print(f"  command {parted.command} recorded  {parted.recorded or '(nothing)'}")
        print(f"  command {parted.command} replayed  {parted.replayed or '(nothing)'}")
    print(f"digest    {found.digest}")
    print(f"root      {found.root}")
