"""``njord db``: the ledger's database: its schema, its truth, and its backups."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from njord.cli.output import JsonOption, Progress, print_json
from njord.cli.paths import home

if TYPE_CHECKING:
    from njord.ledger.sql.store import SqlLedger

app = App(name="db", help="The ledger: migrate, verify, back up, restore.")

URL_VARIABLE = "NJORD_LEDGER_URL"
UrlOption = Annotated[
    str | None,
    Parameter(
        help="sqlite:///FILE or postgresql://USER@HOST/DATABASE; else NJORD_LEDGER_URL, else NJORD_HOME/ledger.sqlite."
    ),
]


@app.command
def migrate(
    *,
    to: Annotated[str, Parameter(help="A version, or base for none; else the latest.")] = "",
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Make the ledger, or bring its schema to a version: forward, or back where no record would be lost."""
    from njord.ledger.sql import schema
    from njord.ledger.sql.connecting import connected, parsed, sqlite_file

    where = parsed(_url(url))
    file = sqlite_file(where)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = connected(where)
    try:
        before, after = schema.migrate(engine, to or schema.LATEST)
    finally:
        engine.dispose()
    _say(json, {"before": before, "after": after}, [f"schema: {before} -> {after}"])


@app.command
def status(*, url: UrlOption = None, json: JsonOption = False) -> None:
    """Show where each account's ledger ends."""
    with ledger_at(url) as ledger:
        heads = {account_id: ledger.head(account_id) for account_id in ledger.accounts()}
    lines = [
        f"{name}: {head.position} steps, session {head.session_id}, chain {head.chain}" for name, head in heads.items()
    ]
    _say(json, {"accounts": heads}, lines or ["no accounts yet"])


@app.command
def backup(file: Path, /, *, url: UrlOption = None, json: JsonOption = False) -> None:
    """Write the whole ledger to a new FILE, consistent while others write."""
    from njord.ops import backup as backups

    with ledger_at(url) as ledger, Progress("backup") as bar:
        manifest = backups.backup(ledger, file, lambda steps: bar.told("backup", steps))
    _say(json, {"file": str(file), "manifest": manifest}, [f"{file}: {manifest.steps} steps, {manifest.sha256}"])


@app.command
def restore(file: Path, /, *, url: UrlOption = None, json: JsonOption = False) -> None:
    """Fill an empty ledger from a backup, making it where it is not there. Every chain must come out equal.

    One that was interrupted goes on where it was when called again.
    """
    from njord.ledger.sql.schema import migrated
    from njord.ledger.sql.store import SqlLedger
    from njord.ops import backup as backups

    total = backups.checked(file).steps  # A damaged file makes no ledger
    ledger = SqlLedger(migrated(_url(url)))
    try:
        with Progress("restore", total) as bar:
            manifest = backups.restore(ledger, file, lambda steps: bar.told("restore", steps))
    finally:
        ledger.close()
    _say(json, {"file": str(file), "manifest": manifest}, [f"restored {manifest.steps} steps, every chain equal"])


@app.command
def verify(
    *,
    account: Annotated[str | None, Parameter(help="This account only.")] = None,
    since: Annotated[Path | None, Parameter(help="Also hold it to what this backup had.")] = None,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Recompute every hash, chain and row, and run the validation queries. Exit 1 if anything does not hold."""
    from njord.ledger.sql.validation import violations
    from njord.ops.backup import missing_since

    with ledger_at(url) as ledger:
        breaks = ledger.verify(account) + ([] if since is None else missing_since(ledger, since))
        broken = violations(ledger.engine)
    lines = [f"{b.kind}: account {b.account_id} table {b.table} step {b.position}: {b.detail}" for b in breaks]
    lines += _violation_lines(broken)
    ok = not breaks and not broken
    _say(json, {"ok": ok, "breaks": breaks, "violations": broken}, lines or ["ok: every row, hash and chain holds"])
    _leave(ok)


@app.command
def validate(*, url: UrlOption = None, json: JsonOption = False) -> None:
    """Run the validation queries alone. Exit 1 if one finds anything."""
    from njord.ledger.sql.validation import rules, violations

    with ledger_at(url) as ledger:
        broken = violations(ledger.engine)
    names = list(rules())
    lines = _violation_lines(broken) or [f"ok: {len(names)} rules, no violation"]
    _say(json, {"ok": not broken, "rules": names, "violations": broken}, lines)
    _leave(not broken)


@app.command
def drift(*, url: UrlOption = None, json: JsonOption = False) -> None:
    """Compare the schema with the canonical one. Exit 1 if anything differs."""
    from njord.ledger.sql.drift import drift as drifts

    with ledger_at(url) as ledger:
        found = drifts(ledger.engine)
    lines = [f"{d.kind} {d.name}: is {d.found or 'missing'}, should be {d.should or 'missing'}" for d in found]
    _say(json, {"ok": not found, "drift": found}, lines or ["ok: the schema is the canonical one"])
    _leave(not found)


def _url(option: str | None) -> str:
    return option or os.environ.get(URL_VARIABLE) or f"sqlite:///{home() / 'ledger.sqlite'}"


@contextmanager
def ledger_at(option: str | None) -> Iterator["SqlLedger"]:
    """Open the ledger a command was told of. Raises ValueError where there is none: looking makes nothing."""
    from njord.ledger.sql.store import SqlLedger

    ledger = SqlLedger.open(_url(option))
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def ledger_or_new(option: str | None) -> Iterator["SqlLedger"]:
    """Open the ledger a session was told of; a file is made where there is none yet."""
    from njord.ledger.sql.connecting import parsed, sqlite_file
    from njord.ledger.sql.schema import migrated
    from njord.ledger.sql.store import SqlLedger

    url = _url(option)
    file = sqlite_file(parsed(url))
    if file is None or file.exists():
        with ledger_at(option) as ledger:
            yield ledger
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    made = SqlLedger(migrated(url))
    try:
        yield made
    finally:
        made.close()


def _violation_lines(found: list[Any]) -> list[str]:
    return [f"{v.rule}: account {v.account_id}: {v.place}: {v.detail}" for v in found]


def _say(json: bool, document: dict[str, Any], lines: list[str]) -> None:
    if json:
        print_json(document)
    else:
        for line in lines:
            print(line)


def _leave(ok: bool) -> None:
    if not ok:
        raise SystemExit(1)
