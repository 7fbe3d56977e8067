"""Campaigns: partial exits, re-entries, a stop, and a horizon that follows volatility and knows no clock."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.strategies.campaign import Campaign, CampaignPlan, Move

PLAN = CampaignPlan(target=4, pullback=2, stop=6, partial=0.25, partials=2, patience=3)


def moves(campaign, prices, volatility=1.0):
    return [campaign.update(price, volatility) for price in prices]


@pytest.mark.parametrize("sign", [1, -1])
def test_partial_exits_at_each_target_and_a_re_entry_after_a_pullback(sign):
    campaign = Campaign(PLAN, sign, 100.0, 1.0)
    prices = [100 + sign * away for away in (3.9, 4.0, 7.9, 8.0, 12.0, 10.1, 10.0, 6.0)]

    found = moves(campaign, prices)

    hold, part, back = Move.HOLD, Move.PARTIAL_EXIT, Move.REENTRY
    # 12 is a target again, but no more than two parts are ever away
    assert found == [hold, part, hold, part, hold, hold, hold, Move.STOP]
    assert campaign.share == 0

    other = Campaign(PLAN, sign, 100.0, 1.0)
    assert moves(other, [100 + sign * away for away in (4.0, 2.1, 2.0, 5.9, 6.0)]) == [part, hold, back, hold, part]
    assert other.share == 0.75


def test_the_stop_follows_the_best_price_at_the_present_volatility():
    campaign = Campaign(PLAN, 1, 100.0, 1.0)
    assert moves(campaign, [103.0, 97.1]) == [Move.HOLD, Move.HOLD]
    assert campaign.update(97.0, 1.0) is Move.STOP

    calmer = Campaign(PLAN, 1, 100.0, 1.0)
    assert calmer.update(97.0, 0.5) is Move.STOP


def test_patience_is_a_quarter_when_volatility_doubles_and_has_no_upper_bound():
    campaign = Campaign(PLAN, 1, 100.0, 1.0)

    assert campaign.horizon_bars(1.0) == 3 * 16
    assert campaign.horizon_bars(2.0) == 3 * 4
    assert campaign.horizon_bars(0.01) == pytest.approx(480_000)  # Of minutes: the better part of a year
    assert campaign.horizon_bars(0.0) == math.inf


def test_without_progress_it_ends_when_patience_does_and_progress_begins_it_anew():
    campaign = Campaign(PLAN, 1, 100.0, 1.0)
    assert set(moves(campaign, [100.0] * 48)) == {Move.HOLD}
    assert campaign.update(100.0, 1.0) is Move.OUT_OF_PATIENCE

    again = Campaign(PLAN, 1, 100.0, 1.0)
    assert set(moves(again, [100.0] * 48 + [100.5] + [100.4] * 48)) == {Move.HOLD}


@given(st.lists(st.floats(50, 150), min_size=1, max_size=200), st.floats(0.05, 5), st.sampled_from([1, -1]))
def test_a_share_is_always_a_share_and_a_campaign_ends_once(prices, volatility, sign):
    campaign = Campaign(PLAN, sign, 100.0, 1.0)
    for price in prices:
        before = campaign.share
        move = campaign.update(price, volatility)
        if move in (Move.STOP, Move.OUT_OF_PATIENCE):
            assert campaign.share == 0
            break
        assert campaign.share in (0.5, 0.75, 1.0)
        change = {Move.HOLD: 0, Move.PARTIAL_EXIT: -0.25, Move.REENTRY: 0.25}[move]
        assert campaign.share == before + change


@pytest.mark.parametrize(
    ("field", "value"), [("target", 0), ("pullback", -1), ("stop", math.nan), ("patience", 0), ("partial", 1.0)]
)
def test_a_plan_that_cannot_be_names_its_field(field, value):
    with pytest.raises(ValueError, match=field):
        CampaignPlan(**{field: value})
