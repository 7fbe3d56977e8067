"""From a market maker's result to what its report says of it."""

import numpy as np

from njord.domain.money import UNITS
from njord.research.making import fill_ratios, inventories
from njord.research.markouts import Group, grouped
from njord.research.outcome import Outcome
from njord.research.report.data import InventoryPath, Making, MarkoutCurve, Part, Quoting
from njord.research.uptime import uptimes

# What each line of an attribution is called, and what it means
NAMES = {
    "capture_maker": ("Captured as maker", "fills against the mid of their moment"),
    "capture_taker": ("Paid as taker", "the spread crossed"),
    "inventory": ("Inventory", "moves of the mid while something was held"),
    "mark": ("Last mark", "the ledger's last price lies on a tick, the mid between two"),
    "unpriced": ("Unpriced trading", "of instruments without prices to compare with"),
    "fees": ("Fees", "paid"),
    "rebates": ("Rebates", "received"),
    "funding": ("Funding", "paid to each other by longs and shorts"),
    "dividends": ("Dividends", "on what was held"),
    "splits": ("Splits", "fractions paid out"),
    "conversion": ("Conversion", "rounding between currencies"),
}
ALWAYS = ("capture_maker", "inventory", "fees")


def maker_reading(outcome: Outcome) -> Making:
    """Return what there is to say of a run that made markets."""
    parts = outcome.parts
    amounts = {name: getattr(parts.lines, name) for name in NAMES if name != "conversion"}
    amounts["conversion"] = parts.conversion
    return Making(
        [
            Part(NAMES[name][0], each / UNITS, NAMES[name][1])
            for name, each in amounts.items()
            if each or name in ALWAYS
        ],
        parts.net_units / UNITS,
        parts.reconciles,
        [
            _curve(group)
            for one in outcome.marked
            for group in grouped(one, "side")
            if group.liquidity == "maker" and group.capture_bps is not None
        ],
        _paths(outcome),
        _quoting(outcome),
    )


def _curve(group: Group) -> MarkoutCurve:
    assert group.capture_bps is not None, group
    return MarkoutCurve(
        group.instrument_id, group.value, group.capture_bps, group.capture_se_bps,
        [at.horizon_s for at in group.horizons],
        [at.markout_bps for at in group.horizons], [at.markout_se_bps for at in group.horizons],
        [at.fills for at in group.horizons], [at.excluded for at in group.horizons],
    )  # fmt: skip


def _paths(outcome: Outcome) -> list[InventoryPath]:
    backtest = outcome.assembly.backtest
    found = []
    for one in inventories(backtest.fills, outcome.tops):
        size = backtest.state.grids[one.instrument_id].quantity(1)
        found.append(
            InventoryPath(
                one.instrument_id, one.time_ns, np.asarray(one.lots * size, dtype=np.float64),
                one.time_mean_lots * size, one.time_abs_lots * size,
            )
        )  # fmt: skip
    return found


def _quoting(outcome: Outcome) -> list[Quoting]:
    if outcome.lives is None:
        return []
    ratios = {one.instrument_id: one for one in fill_ratios(outcome.lives)}
    return [
        Quoting(
            one.instrument_id, one.bid, one.ask, one.both, [(ticks, *shares) for ticks, shares in one.near.items()],
            ratios[one.instrument_id].orders, ratios[one.instrument_id].filled_orders,
            ratios[one.instrument_id].filled_lots / max(1, ratios[one.instrument_id].lots),
        )
        for one in uptimes(outcome.lives, outcome.tops)
    ]  # fmt: skip
