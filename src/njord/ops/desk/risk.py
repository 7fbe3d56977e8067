"""Limits and how much of them is used, as a page shows it: one line each, of what the profile has."""

from typing import Any

import msgspec

from njord.engine.state import State
from njord.ops.desk.trading import TradingDesk

UNIT = 10**18


class RiskDesk:
    """Accounts' risk."""

    def __init__(self, trading: TradingDesk) -> None:
        self._trading = trading

    def risk(self, account_id: str) -> dict[str, Any]:
        """Return an account's risk: profile, limits with their use, restrictions and trips. Raises NotFound."""
        return _risk_of(self._trading, account_id)


def _risk_of(desk: TradingDesk, account_id: str) -> dict[str, Any]:
    account = desk.account(account_id)
    view = desk.portfolio(account_id)
    session = account.session
    assert session is not None, account_id
    state = session.state

    def look() -> dict[str, Any]:
        watch = state.watch
        restricted = [] if watch is None else [
            {"cause": str(cause), "whose": whose, "detail": ""} for cause, whose in watch.restricted
        ]  # fmt: skip
        return {
            "profile": state.profile.name, "profile_version": state.profile.version,
            "settings": msgspec.to_builtins(state.profile),
            "drawdown": 0.0 if watch is None else watch.drawdown_bp / 10_000,
            "tier": 0 if watch is None else watch.tier, "restrictions": restricted,
            "tripped": [
                {"scope": str(scope), "source": str(trip.source), "actor": trip.actor, "reason": trip.reason}
                for scope, trip in state.kill.tripped.items()
            ],
            "limits": _limits(state, view.nav_units, view.gross_units, view.day_units),
        }  # fmt: skip

    return {
        "account_id": account_id, **desk.platform.call(look), "value_at_risk": view.value_at_risk,
        "expected_shortfall": view.expected_shortfall, "stopped": account.stopped,
    }  # fmt: skip


def _limits(state: State, nav: int, gross: int, day: int | None) -> list[dict[str, Any]]:
    profile = state.profile
    nav_money, gross_money = nav / UNIT, gross / UNIT
    lost = 0.0 if not day or day <= 0 else max(0.0, (day - nav) / day)
    watch = state.watch
    drawdown = 0.0 if watch is None else watch.drawdown_bp / 10_000
    largest = max(
        (abs(state.exposures.worst(name)) for name in state.last_price), default=0
    ) / UNIT  # fmt: skip
    found = [
        ("Leverage", profile.leverage_max, gross_money / nav_money if nav > 0 else 0.0, "x"),
        ("Loss of the day", profile.daily_loss_max, lost, "share"),
        ("Largest position with its orders", profile.symbol_notional_max, largest, "money"),
        ("All positions", profile.portfolio_notional_max, gross_money, "money"),
        ("Open orders", profile.open_orders_max, float(len(state.orders.open)), "count"),
    ]
    for tier, each in enumerate(profile.drawdown_tiers, 1):
        what = f"size {each.size}" if each.entries else "no entries"
        found.append((f"Drawdown tier {tier} ({what})", each.drawdown, drawdown, "share"))
    return [
        {"name": name, "limit": float(limit), "used": used, "unit": unit}
        for name, limit, used, unit in found if limit is not None
    ]  # fmt: skip
