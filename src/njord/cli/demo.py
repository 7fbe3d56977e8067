"""The demo account: a market maker that adapts, a trend follower and a grid, trading as soon as there is a market."""

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from njord.cli.clock import now_ns

if TYPE_CHECKING:
    from fastapi import FastAPI

    from njord.gateway.users import Users

NAME = "demo"
CASH = Decimal(10_000_000)
STRATEGIES: tuple[dict[str, Any], ...] = (
    {
        "name": "adaptive_maker", "instruments": ["BRAGE.SIM"],
        "params": {"quantity": 50.0, "position_max": 500.0, "gamma": 0.001, "learn_s": 10.0},
    },
    {"name": "ema_cross", "instruments": ["IDUN.SIM"], "params": {"fast": 6, "slow": 24, "quantity": 200.0}},
    {
        "name": "grid_maker", "instruments": ["SKALD.SIM"],
        "params": {"step": 0.0006, "levels": 3, "quantity": 200.0, "position_max": 2000.0},
    },
)  # fmt: skip


def welcomed(app: "FastAPI", users: "Users", place: str) -> str:
    """Open the demo account where there is none yet. Return how to get in. Raises Busy or Stopped."""
    from njord.gateway.users import Role

    state = app.state
    user = users.named(NAME) or users.register(NAME, secrets.token_urlsafe(32), Role.FOUNDER, now_ns())
    new = state.trading.open_account(user.account_id, CASH, "market_making")
    # Or somebody began this and was killed before its strategies were there
    if new or not (state.strategies.strategies(user.account_id) or state.trading.orders(user.account_id)):
        state.strategies.set_strategies(user.account_id, list(STRATEGIES))
    return (
        f"\n  open   {place}/#ticket={state.access.ticket_for(user)}\n"
        f"         logs you in as {user.name}; others register at {place}\n"
    )
