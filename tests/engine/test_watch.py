"""The quick look and the thorough one see the same, whatever the equity does."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_HOUR
from njord.domain.profile import DrawdownTier, RiskProfile, SevereLoss
from njord.engine.watch import Watch
from njord.risk.drawdown import daily_loss_reached, lost_share

D = Decimal
PROFILE = RiskProfile(
    name="p", daily_loss_max=D("0.03"), severe_loss=SevereLoss(drawdown=D("0.12")),
    drawdown_tiers=(DrawdownTier(drawdown=D("0.05"), size=D("0.5")), DrawdownTier(drawdown=D("0.1"), entries=False)),
)  # fmt: skip


def judged(watch, equity):
    marks = watch.marks
    return (
        marks.equity_units, marks.peak_units, marks.day_units,
        [lost_share(equity, marks.peak_units, tier.drawdown) for tier in PROFILE.drawdown_tiers],
        lost_share(equity, marks.peak_units, PROFILE.severe_loss.drawdown),
        daily_loss_reached(equity, marks.day_units, PROFILE.daily_loss_max),
    )  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 1_200), st.integers(0, 30)), max_size=40))
def test_a_look_that_is_skipped_would_have_found_nothing(path):
    quick, thorough = Watch(PROFILE), Watch(PROFILE)
    now_ns = 0
    for equity, hours in [(1_000, 0), *path]:
        now_ns += hours * NS_PER_HOUR
        before = None if quick.marks is None else judged(quick, quick.marks.equity_units)[3:]
        skipped = quick.quiet(equity, now_ns)
        if not skipped:
            quick.mark(equity, now_ns)
        thorough.mark(equity, now_ns)
        assert judged(quick, equity) == judged(thorough, equity)
        if skipped:
            assert judged(quick, equity)[3:] == before
            assert (quick.tier, quick.size) == (thorough.tier, thorough.size)


def test_most_looks_are_skipped():
    watch = Watch(PROFILE)
    watch.mark(1_000, 0)
    assert [watch.quiet(equity, 1) for equity in (1_000, 971, 970, 951, 1_001)] == [True, True, False, False, False]
