"""Does a change allow more? Every field by which it does, by name: those need a signed approval.

Each field has a direction. A limit that goes up or away, a cool-down that gets shorter, a look that comes less often, a
second person who is no longer needed: all allow more. What cannot be ranked, such as the model of value at risk, counts
as looser whenever it changes, since some market exists in which it is.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from njord.domain.clock import interval_ns
from njord.domain.ids import StrategyId
from njord.domain.profile import Breakers, DrawdownTier, RiskProfile, SevereLoss, VarLimit, VenueAccess, VenueProfile

_ACCESS = (VenueAccess.DENY, VenueAccess.DATA_ONLY, VenueAccess.ALLOW)  # Each allows more than the one before


class _Way(enum.Enum):
    """In which direction a field allows more."""

    UP = "up"  # None is no limit, so more than any
    DOWN = "down"
    TRUE = "true"
    FALSE = "false"
    WEAKER = "weaker"  # Of an enum whose values get stricter
    LONGER = "longer"  # Of intervals as text
    CHANGED = "changed"


_LABELS = ("name", "version")  # Allow nothing
_PROFILE: Mapping[str, _Way] = {
    "short_allowed": _Way.TRUE,
    "self_trade_allowed": _Way.TRUE,
    "leverage_max": _Way.UP,
    "strategy_leverage_max": _Way.UP,
    "order_notional_max": _Way.UP,
    "symbol_notional_max": _Way.UP,
    "strategy_notional_max": _Way.UP,
    "portfolio_notional_max": _Way.UP,
    "order_quantity_max": _Way.UP,
    "price_collar": _Way.UP,
    "market_order_buffer": _Way.DOWN,
    "open_orders_max": _Way.UP,
    "orders_per_event_max": _Way.UP,
    "orders_per_s_max": _Way.UP,
    "orders_burst": _Way.UP,
    "daily_loss_max": _Way.UP,
    "flatten_on_trip": _Way.FALSE,
    "clear_needs_two": _Way.FALSE,
    "surveillance": _Way.WEAKER,
    "watch_interval": _Way.LONGER,
    "mark_interval": _Way.LONGER,
    "backtest_only": _Way.FALSE,
}
_SEVERE: Mapping[str, _Way] = {"drawdown": _Way.UP, "reduce": _Way.DOWN}
_VAR: Mapping[str, _Way] = {
    "share_max": _Way.UP,
    "halt_share": _Way.UP,
    "model": _Way.CHANGED,
    "confidence": _Way.DOWN,
    "interval": _Way.CHANGED,  # A shorter one sees less risk, a longer one sees it later
    "window": _Way.CHANGED,
    "warm_up": _Way.UP,  # Longer without an estimate is longer without a limit
    "half_life": _Way.CHANGED,
    "paths": _Way.CHANGED,
}
_BREAKERS: Mapping[str, _Way] = {
    "volatility_ratio": _Way.UP,
    "reject_share": _Way.UP,
    "reject_window": _Way.CHANGED,  # A longer one dilutes a run of rejects, a shorter one forgets it
    "stale_s": _Way.UP,
    "loss_share": _Way.UP,
    "loss_window_s": _Way.DOWN,
    "cool_down_s": _Way.DOWN,
}
_NESTED: Mapping[str, tuple[type[msgspec.Struct], Mapping[str, _Way]]] = {
    "severe_loss": (SevereLoss, _SEVERE), "value_at_risk": (VarLimit, _VAR), "breakers": (Breakers, _BREAKERS),
}  # fmt: skip
for _struct, _ways, _others in (
    (RiskProfile, _PROFILE, {"drawdown_tiers", *_LABELS, *_NESTED}),
    (SevereLoss, _SEVERE, set()),
    (VarLimit, _VAR, set()),
    (Breakers, _BREAKERS, set()),
):
    # A field that is new and has no direction would be a limit anybody may lift
    assert set(_struct.__struct_fields__) == set(_ways) | _others, _struct


def looser(old: RiskProfile, new: RiskProfile) -> list[str]:
    """Return every field by which ``new`` allows more than ``old``, in the order of the fields; empty if by none."""
    found = []
    for name in RiskProfile.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if name == "drawdown_tiers":
            found += [name] if _tiers_looser(before, after) else []
        elif name in _NESTED:
            found += _nested_looser(name, before, after)
        elif name not in _LABELS and _COMPARED[_PROFILE[name]](before, after):
            found.append(name)
    return found


def looser_venues(old: VenueProfile, new: VenueProfile) -> list[str]:
    """Return every part by which ``new`` lets us trade where, or as much as, ``old`` did not."""
    found = []
    if _rank(new.default) > _rank(old.default):
        found.append("default")
    for name in dict.fromkeys([*old.venues, *new.venues]):
        before, after = (profile.venues.get(name, profile.default) for profile in (old, new))
        if _rank(after) > _rank(before):
            found.append(f"venues.{name}")
    for group, share in old.group_share_max.items():
        kept = new.group_share_max.get(group)
        if kept is None or kept > share:
            found.append(f"group_share_max.{group}")
        elif not set(old.groups[group]) <= set(new.groups[group]):
            found.append(f"groups.{group}")
    return found


def looser_shares(old: Mapping[StrategyId, Decimal], new: Mapping[StrategyId, Decimal]) -> list[str]:
    """Return by what an allocation gives more: ``total`` where capital is scaled up, ``shares.X`` for each strategy."""
    found = ["total"] if sum(new.values()) > sum(old.values()) else []
    names: dict[StrategyId, None] = dict.fromkeys([*old, *new])
    zero = Decimal(0)
    return found + [f"shares.{name}" for name in names if new.get(name, zero) > old.get(name, zero)]


def looser_model(*, was_active: bool, active: bool) -> list[str]:
    """Return ``["active"]`` where a model's signals may be traded on that might not before."""
    return ["active"] if active and not was_active else []


_COMPARED: Mapping[_Way, Callable[[Any, Any], bool]] = {
    _Way.UP: lambda before, after: before is not None and (after is None or after > before),
    _Way.DOWN: lambda before, after: after < before,
    _Way.TRUE: lambda before, after: after and not before,
    _Way.FALSE: lambda before, after: before and not after,
    _Way.WEAKER: lambda before, after: _strictness(after) < _strictness(before),
    _Way.LONGER: lambda before, after: interval_ns(after) > interval_ns(before),
    _Way.CHANGED: lambda before, after: before != after,
}


def _strictness(value: enum.Enum) -> int:
    return list(value.__class__).index(value)


def _nested_looser(name: str, before: msgspec.Struct | None, after: msgspec.Struct | None) -> list[str]:
    if before is None:
        return []
    if after is None:
        return [name]
    _, ways = _NESTED[name]
    return [
        f"{name}.{field}"
        for field, way in ways.items()
        if _COMPARED[way](getattr(before, field), getattr(after, field))
    ]


def _tiers_looser(before: Sequence[DrawdownTier], after: Sequence[DrawdownTier]) -> bool:
    # Between two thresholds nothing changes, so to look at each threshold is to look everywhere
    for depth in [each.drawdown for each in (*before, *after)]:
        (entries, size), (entries_after, size_after) = _at(before, depth), _at(after, depth)
        if (entries_after and not entries) or size_after > size:
            return True
    return False


def _at(tiers: Sequence[DrawdownTier], depth: Decimal) -> tuple[bool, Decimal]:
    found = (True, Decimal(1))
    for each in tiers:
        if each.drawdown <= depth:
            found = (each.entries, each.size)
    return found


def _rank(access: VenueAccess) -> int:
    return _ACCESS.index(access)
