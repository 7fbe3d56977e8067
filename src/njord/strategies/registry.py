"""The strategies that come with Njord, by name, and how parameters reach a strategy."""

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from njord.domain.spelling import suggestion
from njord.strategies.port import Strategy

# name -> module and class; imported only when asked for
BUILT_IN: dict[str, tuple[str, str]] = {
    "adaptive_maker": ("njord.strategies.market_making.adaptive", "AdaptiveMaker"),
    "breakout_campaign": ("njord.strategies.breakout_campaign", "BreakoutCampaign"),
    "by_hand": ("njord.strategies.by_hand", "ByHand"),
    "buy_and_hold": ("njord.strategies.buy_and_hold", "BuyAndHold"),
    "ema_cross": ("njord.strategies.ema_cross", "EmaCross"),
    "grid_maker": ("njord.strategies.grid_maker", "GridMaker"),
    "rsi_tema_bb": ("njord.strategies.rsi_tema_bb", "RsiTemaBb"),
    "trendline_break": ("njord.strategies.trendline_break", "TrendlineBreak"),
}


class BadParameter(ValueError):
    """A strategy was given a parameter it does not have, or a value it cannot take."""


def parameters(strategy: type[Strategy]) -> dict[str, inspect.Parameter]:
    """Return the parameters a strategy takes, by name."""
    if strategy.__init__ is object.__init__:
        return {}
    found = list(inspect.signature(strategy.__init__).parameters.values())[1:]
    return {p.name: p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def build(strategy: type[Strategy], name: str, given: Mapping[str, Any]) -> Strategy:
    """Make a strategy from named parameters. Raises BadParameter naming the strategy and the parameter."""
    known = parameters(strategy)
    hints = typing.get_type_hints(strategy.__init__) if known else {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise BadParameter(f"strategy {name}: no parameter {key!r}{suggestion(key, known)}")
        values[key] = _typed(name, key, value, hints.get(key))
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in values:
            raise BadParameter(f"strategy {name}: needs parameter {key!r}")
    try:
        return strategy(**values)
    except (ValueError, AssertionError) as error:
        raise BadParameter(f"strategy {name}: {error}") from error


def _typed(name: str, key: str, value: Any, hint: Any) -> Any:
    wanted = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if hint is None or hint is Any:
        return value
    for kind in wanted:
        plain = typing.get_origin(kind) or kind
        if plain is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(plain, type) and isinstance(value, plain) and not (isinstance(value, bool) and plain is int):
            return value
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in wanted)
    raise BadParameter(f"strategy {name}: parameter {key!r} must be {names}, was {value!r}")
