"""Losses on both sides of each threshold, to the unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_DAY
from njord.domain.order import Side
from njord.domain.profile import DrawdownTier, SevereLoss
from njord.risk.drawdown import (
    Marks,
    Reduction,
    daily_loss_reached,
    entries_allowed,
    lost_bp,
    lost_share,
    severe_reductions,
    size_factor,
    tier_of,
)

TIERS = (
    DrawdownTier(drawdown=Decimal("0.05"), size=Decimal("0.5")),
    DrawdownTier(drawdown=Decimal("0.1"), size=Decimal("0.25")),
    DrawdownTier(drawdown=Decimal("0.2"), entries=False, size=Decimal("0.1")),
)
SEVERE = SevereLoss(drawdown=Decimal("0.3"), reduce=Decimal("0.5"))
PEAK = 3 * 10**24
AMOUNT = st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("equity", "peak", "expected"),
    [
        (100_000, 100_000, 0),
        (100_001, 100_000, 0),
        (99_999, 100_000, 1),  # Any loss is at least one
        (99_990, 100_000, 1),
        (99_989, 100_000, 2),
        (0, 100_000, 10_000),
        (-10, 100_000, 10_001),
        (5, 0, 10_000),
        (5, -5, 10_000),
        (1, 1, 0),
    ],
)
def test_basis_points_are_rounded_up(equity, peak, expected):
    assert lost_bp(equity, peak) == expected


@pytest.mark.parametrize(
    ("lost", "tier", "entries", "factor"),
    [
        (0, 0, True, (1, 1)),
        (PEAK // 20 - 1, 0, True, (1, 1)),
        (PEAK // 20, 1, True, (1, 2)),
        (PEAK // 10 - 1, 1, True, (1, 2)),
        (PEAK // 10, 2, True, (1, 4)),
        (PEAK // 5 - 1, 2, True, (1, 4)),
        (PEAK // 5, 3, False, (1, 10)),
        (2 * PEAK, 3, False, (1, 10)),
    ],
)
def test_a_tier_begins_at_its_drawdown_to_the_unit(lost, tier, entries, factor):
    found = tier_of(PEAK - lost, PEAK, TIERS)

    assert found == tier
    assert entries_allowed(TIERS, found) is entries
    assert size_factor(TIERS, found) == factor


def test_without_tiers_nothing_is_forbidden():
    assert tier_of(1, PEAK, ()) == 0
    assert entries_allowed((), 0)


def test_a_tier_at_no_drawdown_always_holds():
    always = (DrawdownTier(drawdown=Decimal(0), size=Decimal("0.5")),)
    assert tier_of(PEAK, PEAK, always) == 1


def test_an_account_that_was_never_worth_anything_is_in_the_deepest_tier():
    assert tier_of(0, 0, TIERS) == 3
    assert lost_share(0, 0, Decimal("0.5"))
    assert not lost_share(1, 1, Decimal("0.5"))


def test_equity_above_its_peak_is_a_defect():
    with pytest.raises(AssertionError):
        tier_of(2, 1, TIERS)
    with pytest.raises(AssertionError):
        lost_share(2, 1, Decimal(-1))


@given(equity=AMOUNT, peak=AMOUNT)
def test_a_deeper_loss_is_never_in_a_shallower_tier(equity, peak):
    equity, peak = min(equity, peak), max(equity, peak)
    assert tier_of(equity - 1, peak, TIERS) >= tier_of(equity, peak, TIERS)
    assert lost_bp(equity - 1, peak) >= lost_bp(equity, peak)


@pytest.mark.parametrize(
    ("equity", "day", "limit", "expected"),
    [
        (97, 100, "0.03", True),
        (98, 100, "0.03", False),
        (10**18 * 97, 10**18 * 100, "0.03", True),
        (10**18 * 97 + 1, 10**18 * 100, "0.03", False),
        (0, 100, None, False),
        (0, 0, "0.03", True),
    ],
)
def test_the_daily_loss_trips_at_its_limit(equity, day, limit, expected):
    assert daily_loss_reached(equity, day, None if limit is None else Decimal(limit)) is expected


def test_drawdown_is_from_the_peak_and_not_from_the_start():
    marks = Marks(100, 0)
    for time_ns, equity in enumerate((150, 200, 150), 1):
        marks.update(equity, time_ns)

    assert marks.peak_units == 200
    assert lost_bp(marks.equity_units, marks.peak_units) == 2_500  # And yet 50 % above the start


def test_the_first_equity_counts_from_the_start():
    marks = Marks(100, 3 * NS_PER_DAY + 5)
    assert (marks.equity_units, marks.peak_units, marks.day_units) == (100, 100, 100)
    assert marks.time_ns == 3 * NS_PER_DAY + 5
    marks.update(90, 3 * NS_PER_DAY + 6)
    marks.update(80, 4 * NS_PER_DAY - 1)
    assert marks.day_units == 100
    marks.update(80, 4 * NS_PER_DAY)
    assert marks.day_units == 80

    late = Marks(100, NS_PER_DAY - 1)
    late.update(90, NS_PER_DAY)  # All that was known before midnight is the first
    late.update(95, NS_PER_DAY + 1)
    assert late.day_units == 100


def test_the_day_begins_with_what_was_there_before_midnight():
    marks = Marks(100, 5)
    marks.update(90, NS_PER_DAY - 1)
    assert marks.day_units == 100

    marks.update(80, NS_PER_DAY)  # What fell over midnight is this day's loss
    assert marks.day_units == 90
    marks.update(70, 2 * NS_PER_DAY - 1)
    assert marks.day_units == 90
    marks.update(75, 9 * NS_PER_DAY)  # Nothing was heard for a week
    assert marks.day_units == 70
    assert marks.peak_units == 100


def test_the_same_moment_twice_is_fine_and_backwards_is_not():
    marks = Marks(100, 5)
    marks.update(101, 5)
    assert marks.equity_units == 101
    with pytest.raises(AssertionError):
        marks.update(101, 4)


LOTS = {"A": 10, "B": -3, "C": 0, "D": 1}
HALVED = [Reduction("A", Side.SELL, 5), Reduction("B", Side.BUY, 2), Reduction("D", Side.SELL, 1)]


@pytest.mark.parametrize(
    ("equity", "done", "expected"),
    [
        (701, False, ([], False)),
        (700, False, (HALVED, True)),
        (700, True, ([], True)),
        (1, True, ([], True)),
        (701, True, ([], False)),  # Recovered: the next breach counts again
    ],
)
def test_a_severe_loss_is_answered_once(equity, done, expected):
    assert severe_reductions(LOTS, SEVERE, equity, 1_000, done=done) == expected


def test_without_the_rule_nothing_is_reduced():
    assert severe_reductions(LOTS, None, 0, 1_000, done=False) == ([], False)


@given(held=st.integers(-(10**12), 10**12), reduce=st.decimals("0.001", 1, places=3))
def test_never_more_than_is_held_and_never_less_than_asked(held, reduce):
    wanted, _ = severe_reductions({"A": held}, SevereLoss(drawdown=Decimal("0.1"), reduce=reduce), 0, 1, done=False)

    if held == 0:
        assert wanted == []
        return
    (found,) = wanted
    assert abs(held) * reduce <= found.quantity_lots < abs(held) * reduce + 1
    assert found.quantity_lots <= abs(held)
    assert found.side is (Side.SELL if held > 0 else Side.BUY)
