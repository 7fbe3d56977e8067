"""``njord why``: the causes of an order, a fill or a ledger entry."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from njord.engine.session_journal import Step


def why(
    name: Annotated[str, Parameter(name="ORDER_OR_FILL", help="The id of an order, a fill or an entry.")],
    /,
    *,
    account: Annotated[str, Parameter(help="The account.")] = "paper",
    session: Annotated[str | None, Parameter(help="Only look in this session, or its folder.")] = None,
    json: JsonOption = False,
) -> None:
    """Print the chain of causes: market event, decision, order, venue's answers, fills, ledger entries, lots."""
    from njord.engine.why import why as explain

    found = explain(_steps(account, session), name)
    if json:
        print_json(found)
        return
    print(f"{found.subject}: order {found.order_id}" if found.subject != found.order_id else found.subject)
    for link in found.links:
        print(f"  {link.time:30} step {link.sequence:<9} {link.what:14} {link.detail}")


def _steps(account: str, session: str | None) -> "Iterator[Step]":
    from njord.cli.paths import home
    from njord.cli.replay import session_folder
    from njord.engine import session_journal
    from njord.engine.opening import sessions
    from njord.engine.session_journal import Steps

    folders = [session_folder(session)] if session is not None else sessions(home() / "sessions" / account)
    if not folders:
        raise ValueError(f"account {account}: no sessions in {Path(home() / 'sessions')}")
    for folder in folders:
        for line in session_journal.read(folder):
            if isinstance(line, Steps):
                yield from line.steps
