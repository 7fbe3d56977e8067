"""``njord ctl``: ask things of a running session, and see what became of them."""

import getpass
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from njord.cli.clock import now_ns
from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from njord.ops.control import Request

app = App(name="ctl", help="An account and its running session: where it stands, and what a person may change.")

ANSWER_S_MAX = 5.0
AccountOption = Annotated[str, Parameter(help="The account whose session is asked.")]


@app.command
def profile(file: Path, /, *, account: AccountOption = "paper", json: JsonOption = False) -> None:
    """Judge by another risk profile from now on. Tighter needs nobody's leave; looser a signed approval."""
    from njord.cli.risk import read_risk_profile
    from njord.ops.control import NewProfile

    _ask(account, NewProfile(profile=read_risk_profile(file), actor=getpass.getuser()), json)


@app.command
def shares(
    shares: Annotated[list[str], Parameter(help="STRATEGY=SHARE of the equity, such as ema_cross=0.3.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it stays on record.")],
    account: AccountOption = "paper",
    json: JsonOption = False,
) -> None:
    """Give strategies these shares of the equity from now on; one that is not named has none."""
    from njord.cli.risk import read_shares
    from njord.ops.control import NewShares

    _ask(account, NewShares(shares=read_shares(shares), actor=getpass.getuser(), reason=reason), json)


@app.command
def model(
    model_id: str,
    /,
    *,
    active: Annotated[bool, Parameter(negative="--inactive", help="Whether its signals may be traded.")] = True,
    account: AccountOption = "paper",
    json: JsonOption = False,
) -> None:
    """Let a model's signals be traded (needs a signed approval), or with --inactive no more."""
    from njord.ops.control import Model

    _ask(account, Model(model_id=model_id, active=active, actor=getpass.getuser()), json)


@app.command
def payment(
    payment_id: Annotated[str, Parameter(help="Names the payment: the same twice is booked once.")],
    amount: Decimal,
    asset: str,
    /,
    *,
    account: AccountOption = "paper",
    json: JsonOption = False,
) -> None:
    """Book money that was paid in, or with a negative amount out."""
    from njord.ops.control import Payment

    _ask(account, Payment(payment_id=payment_id, asset=asset, amount=amount, actor=getpass.getuser()), json)


@app.command
def resolve(
    order: Annotated[str, Parameter(help="The id of the order.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="What you have found out; it stays on record.")],
    account: AccountOption = "paper",
    json: JsonOption = False,
) -> None:
    """Take an order as over that the venue has lost. Look first: what it fills after all is then nobody's."""
    from njord.domain.ids import ClientOrderId
    from njord.ops.control import Resolve

    _ask(account, Resolve(order_id=ClientOrderId(order), actor=getpass.getuser(), reason=reason), json)


@app.command
def status(
    *,
    account: AccountOption = "paper",
    url: Annotated[str | None, Parameter(help="The ledger; else NJORD_LEDGER_URL, else a file in NJORD_HOME.")] = None,
    json: JsonOption = False,
) -> None:
    """Say where an account stands, from its ledger: whether a session runs or not."""
    from njord.cli.db import ledger_at
    from njord.domain.clock import iso
    from njord.engine.summary import account_summary

    with ledger_at(url) as ledger:
        found = account_summary(ledger.records(account))
    if found is None:
        raise ValueError(f"account {account}: nothing on record")
    if json:
        print_json(found)
        return
    print(
        f"account    {account}, last step {found.sequence} of session {found.session_id} at {iso(found.time_ns)[:19]}"
    )
    print(f"cash       {', '.join(f'{amount} {asset}' for asset, amount in found.cash.items())}")
    print(f"holdings   {', '.join(f'{lots} lots of {name}' for name, lots in found.positions.items()) or 'none'}")
    print(f"orders     {found.open_orders} open of {found.orders}, {found.fills} fills")
    print(f"profile    {found.profile}")
    print(f"stopped    {', '.join(found.tripped) or 'nothing'}")
    print(f"limited    {', '.join(found.restricted) or 'nothing'}")


@app.command
def campaigns(
    *,
    account: AccountOption = "paper",
    url: Annotated[str | None, Parameter(help="The ledger; else NJORD_LEDGER_URL, else a file in NJORD_HOME.")] = None,
    json: JsonOption = False,
) -> None:
    """List an account's campaigns, from flat to flat: their legs, what they gained, how long they were held."""
    from njord.cli.db import ledger_at
    from njord.domain.clock import NS_PER_HOUR, iso
    from njord.domain.money import decimal
    from njord.ledger.campaigns import campaigns as found_in

    with ledger_at(url) as ledger:
        found = found_in(ledger.records(account))
    if json:
        print_json({"campaigns": found})
        return
    for each in found:
        kinds = " ".join(f"{leg.kind}:{leg.lots:+d}" for leg in each.legs)
        gain = decimal(each.gain_units - each.fee_units).normalize()
        state = "over" if each.over else "open"
        print(f"{iso(each.legs[0].time_ns)[:19]}  {each.strategy_id}  {each.instrument_id}  {state}"
              f"  {each.held_ns / NS_PER_HOUR:.1f} h  gained {gain:f}  {kinds}")  # fmt: skip


def _ask(account: str, request: "Request", json: bool) -> None:
    from njord.cli.paths import home
    from njord.ops.control import ControlFolder
    from njord.ops.paper import Folders

    folder = ControlFolder(Folders(home()).control(account))
    request_id = f"{now_ns():x}"
    place = folder.ask(request_id, request)
    give_up_s = time.monotonic() + ANSWER_S_MAX
    while (answer := folder.answered(place)) is None:
        if time.monotonic() > give_up_s:
            place.with_suffix(".request").unlink(missing_ok=True)
            raise ValueError(f"account {account}: no session answered within {ANSWER_S_MAX:.0f} s; nothing was changed")
        time.sleep(0.02)
    document: dict[str, Any] = {"granted": answer.granted, "reason": answer.reason, "approval_id": answer.approval_id}
    if json:
        print_json(document)
    elif answer.granted:
        print("granted" + (f", by approval {answer.approval_id}" if answer.approval_id else ""))
    if not answer.granted:
        raise ValueError(answer.reason)
