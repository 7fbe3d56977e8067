"""``njord retain``: what is old enough to go, and what may not."""

from typing import Annotated

from cyclopts import App, Parameter

from njord.cli.clock import now_ns
from njord.cli.output import JsonOption, print_json

app = App(name="retain", help="What is old enough to go or to be compressed, and legal holds.")


@app.command
def plan(*, json: JsonOption = False) -> None:
    """List what is old enough to go: nothing is done."""
    _carry(json, really=False)


@app.command
def apply(*, json: JsonOption = False) -> None:
    """Delete and compress what is old enough, less what is under a hold."""
    _carry(json, really=True)


@app.command
def hold(
    path: Annotated[str, Parameter(help="From NJORD_HOME, such as sessions/paper.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it is shown wherever something is held.")],
    json: JsonOption = False,
) -> None:
    """Let nothing at or below a path go, however old it is."""
    from njord.cli.paths import home
    from njord.ops import retention

    found = retention.hold(home(), path, reason)
    if json:
        print_json({"holds": found})
    else:
        print(f"held: {path}")


@app.command
def release(path: str, /, *, json: JsonOption = False) -> None:
    """Lift a hold."""
    from njord.cli.paths import home
    from njord.ops import retention

    found = retention.release(home(), path)
    if json:
        print_json({"holds": found})
    else:
        print(f"released: {path}")


def _carry(json: bool, *, really: bool) -> None:
    from njord.cli.paths import home
    from njord.ops import retention

    actions = retention.plan(home(), now_ns())
    done = retention.carry_out(home(), actions) if really else 0
    if json:
        print_json({"done": done, "actions": actions})
        return
    for each in actions:
        held = f"  HELD: {each.held}" if each.held else ""
        print(f"{each.what:8} {each.keep:10} {each.age_days:5} days  {each.path}{held}")
    print(f"{done} done" if really else f"{len(actions)} due; njord retain apply does it")
