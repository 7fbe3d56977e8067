"""``njord kill``: stop trading, see what is stopped, and let it start again."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from njord.cli.clock import now_ns
from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from njord.ops.kill_switch import KillFolder

app = App(name="kill", help="The kill switch: trip, clear, check.")

ScopeArgument = Annotated[str, Parameter(help="global, venue:NAME or strategy:NAME.")]
ByOption = Annotated[str | None, Parameter(help="Who you are; your user name unless given.")]


@app.command
def trip(
    scope: ScopeArgument = "global",
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it stays on record.")] = "njord kill trip",
    by: ByOption = None,
    flatten: Annotated[bool, Parameter(negative="", help="Also sell what is held there.")] = False,
    json: JsonOption = False,
) -> None:
    """Stop trading in a scope: nothing new leaves within 100 ms, and open orders are cancelled until confirmed."""
    from njord.domain.governance import Scope, TripSource
    from njord.ops.kill_switch import TripFile

    where, actor = Scope.parse(scope), by or getpass.getuser()
    _folder().trip(where, TripFile(actor=actor, reason=reason, source=TripSource.CLI, flatten=flatten), now_ns())
    _say(json, {"tripped": str(where), "by": actor, "reason": reason}, f"stopped {where}")


@app.command
def clear(
    scope: ScopeArgument = "global",
    /,
    *,
    reason: Annotated[str, Parameter(help="Why it is safe again; it stays on record.")],
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """Ask that a scope may start again. Where the profile wants two people, it waits for the second one.

    The session that holds the account decides; without one running, the next one does when it starts.
    """
    from njord.domain.governance import Scope

    where = Scope.parse(scope)
    asked = _folder().ask_clear(where, by or getpass.getuser(), reason, now_ns())
    names = " and ".join(asked.actors)
    _say(json, {"asked": str(where), "by": list(asked.actors)}, f"asked to clear {where}, by {names}")


@app.command
def check(*, json: JsonOption = False) -> None:
    """Say what is stopped by this switch. Exit code 1 when anything is."""
    folder = _folder()
    tripped, asked = folder.tripped(), folder.asked()
    rows: list[dict[str, Any]] = [
        {
            "scope": str(scope), "by": each.actor, "reason": each.reason, "source": each.source,
            "clear_asked_by": list(asked[scope].actors) if scope in asked else [],
        }
        for scope, each in tripped.items()
    ]  # fmt: skip
    if json:
        print_json({"tripped": rows})
    for row in () if json else rows:
        print(f"STOPPED {row['scope']}: {row['reason']} ({row['source']}, by {row['by']})")
    if not rows and not json:
        print("nothing is stopped by this switch; a session may have stopped itself: njord ctl status")
    if rows:
        raise SystemExit(1)


@app.command
def log(*, json: JsonOption = False) -> None:
    """Show every trip and clear made with this switch, verified against the log's chain of hashes."""
    import msgspec

    from njord.domain.clock import iso
    from njord.ledger import chain
    from njord.ops.kill_switch import LOG, Logged

    lines = [msgspec.json.decode(body, type=Logged) for body in chain.read(_folder().path, LOG)]
    if json:
        print_json({"log": lines})
        return
    for line in lines:
        print(f"{iso(line.time_ns)[:19]}  {line.what:9}  {line.scope}  by {line.actor} ({line.user}): {line.reason}")


def _folder() -> "KillFolder":
    from njord.cli.paths import home
    from njord.ops.kill_switch import KillFolder

    return KillFolder(home() / "kill")


def _say(json: bool, document: dict[str, Any], line: str) -> None:
    if json:
        print_json(document)
    else:
        print(line)
