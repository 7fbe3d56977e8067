"""What allows more is named, whatever it is; what allows less never is."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.profile import (
    Breakers,
    DrawdownTier,
    RiskProfile,
    SevereLoss,
    VarLimit,
    VarModel,
    VenueAccess,
    VenueProfile,
    Vigilance,
)
from njord.risk.loosening import looser, looser_model, looser_shares, looser_venues


def tier(drawdown, size="1", entries=True):
    return DrawdownTier(drawdown=Decimal(drawdown), size=Decimal(size), entries=entries)


D = Decimal
TIERS = (tier("0.05", "0.5"), tier("0.1", "0.25", entries=False))
FULL = RiskProfile(
    name="full", short_allowed=False, leverage_max=D(2), strategy_leverage_max=D("1.5"), order_notional_max=D(10),
    symbol_notional_max=D(20), strategy_notional_max=D(30), portfolio_notional_max=D(40), order_quantity_max=D(5),
    price_collar=D("0.1"), orders_per_s_max=D(10), daily_loss_max=D("0.03"), drawdown_tiers=TIERS,
    severe_loss=SevereLoss(drawdown=D("0.2"), reduce=D("0.5")),
    value_at_risk=VarLimit(share_max=D("0.05"), halt_share=D("0.1")),
    breakers=Breakers(volatility_ratio=D(4), reject_share=D("0.5"), stale_s=D(5), loss_share=D("0.02")),
    flatten_on_trip=True, clear_needs_two=True, backtest_only=True,
)  # fmt: skip

# field, what is tighter than FULL, what is looser; None: there is none of that kind
FIELDS = [
    ("short_allowed", None, True), ("self_trade_allowed", None, True),
    *((name, D("0.01"), looser) for name in (
        "leverage_max", "strategy_leverage_max", "order_notional_max", "symbol_notional_max", "strategy_notional_max",
        "portfolio_notional_max", "order_quantity_max", "price_collar", "orders_per_s_max", "daily_loss_max",
    ) for looser in (D(99), "nothing")),
    ("market_order_buffer", D("0.02"), D("0.009")),
    ("open_orders_max", 9_999, 10_001), ("orders_per_event_max", 63, 65), ("orders_burst", 49, 51),
    ("flatten_on_trip", None, False), ("clear_needs_two", None, False), ("backtest_only", None, False),
    ("surveillance", Vigilance.RESTRICT, Vigilance.OFF),
    ("watch_interval", "500ms", "2s"), ("mark_interval", "59s", "61s"),
    ("severe_loss.drawdown", D("0.19"), D("0.21")), ("severe_loss.reduce", D("0.6"), D("0.4")),
    ("value_at_risk.share_max", D("0.04"), D("0.06")), ("value_at_risk.halt_share", D("0.09"), D("0.11")),
    ("value_at_risk.halt_share", D("0.09"), "nothing"), ("value_at_risk.confidence", D("0.995"), D("0.98")),
    ("value_at_risk.warm_up", 29, 31), ("value_at_risk.model", None, VarModel.PARAMETRIC),
    ("value_at_risk.interval", None, "30m"), ("value_at_risk.interval", None, "2h"),
    ("value_at_risk.window", None, 249), ("value_at_risk.window", None, 251),
    ("value_at_risk.half_life", None, 59.0), ("value_at_risk.paths", None, 9_999),
    ("breakers.volatility_ratio", D("3.9"), D("4.1")), ("breakers.volatility_ratio", D("3.9"), "nothing"),
    ("breakers.reject_share", D("0.4"), D("0.6")), ("breakers.stale_s", D(4), D(6)),
    ("breakers.loss_share", D("0.01"), D("0.03")), ("breakers.loss_window_s", 61, 59),
    ("breakers.cool_down_s", 301, 299), ("breakers.reject_window", None, 19), ("breakers.reject_window", None, 21),
]  # fmt: skip


def changed(profile, path, value):
    value = None if value == "nothing" else value
    outer, dot, inner = path.partition(".")
    if dot:
        value = msgspec.structs.replace(getattr(profile, outer), **{inner: value})
    return msgspec.structs.replace(profile, **{outer: value})


@pytest.mark.parametrize(("field", "tighter", "wider"), FIELDS)
def test_each_field_alone(field, tighter, wider):
    wide = changed(FULL, field, wider)
    assert looser(FULL, wide) == [field]
    if field not in ("value_at_risk.model", "value_at_risk.interval", "value_at_risk.window", "value_at_risk.half_life",
                     "value_at_risk.paths", "breakers.reject_window"):  # fmt: skip
        assert looser(wide, FULL) == []
    if tighter is not None:
        assert looser(FULL, changed(FULL, field, tighter)) == []


def test_every_field_of_the_profile_is_tried():
    tried = {field.partition(".")[0] for field, _, _ in FIELDS} | {"drawdown_tiers", "name", "version"}
    assert tried == set(RiskProfile.__struct_fields__)
    for name, struct in (("severe_loss", SevereLoss), ("value_at_risk", VarLimit), ("breakers", Breakers)):
        assert {field for field, _, _ in FIELDS if field.startswith(name)} == {
            f"{name}.{each}" for each in struct.__struct_fields__
        }


@given(st.lists(st.sampled_from(FIELDS), max_size=6), st.sampled_from(FIELDS))
def test_tightening_never_hides_a_loosening(tightened, loosened):
    profile = FULL
    field, _, wider = loosened
    for name, tighter, _ in tightened:
        if tighter is not None and name != field:
            profile = changed(profile, name, tighter)
    assert looser(FULL, profile) == []
    assert looser(FULL, changed(profile, field, wider)) == [field]


@pytest.mark.parametrize("name", ["severe_loss", "value_at_risk", "breakers"])
def test_a_rule_that_goes_is_looser_and_one_that_comes_is_not(name):
    without = msgspec.structs.replace(FULL, **{name: None})
    assert looser(FULL, without) == [name]
    assert looser(without, FULL) == []
    assert looser(without, without) == []


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        (TIERS, False),
        ((), True),
        (TIERS[:1], True),
        (TIERS[1:], True),
        ((tier("0.04", "0.5"), TIERS[1]), False),
        ((tier("0.06", "0.5"), TIERS[1]), True),
        ((tier("0.05", "0.4"), TIERS[1]), False),
        ((tier("0.05", "0.6"), TIERS[1]), True),
        ((TIERS[0], tier("0.1", "0.25")), True),
        ((TIERS[0], tier("0.09", "0.25", entries=False)), False),
        ((TIERS[0], tier("0.11", "0.25", entries=False)), True),
        ((*TIERS, tier("0.2", "0.1", entries=False)), False),
        ((*TIERS, tier("0.2", "0.3", entries=False)), True),
        ((tier("0.05", "0.25", entries=False),), False),
        ((tier("0", "0.5"), *TIERS), False),
        ((tier("0.01"), *TIERS), False),  # A tier that changes nothing
    ],
)
def test_tiers_are_compared_at_every_depth(tiers, expected):
    found = looser(FULL, msgspec.structs.replace(FULL, drawdown_tiers=tiers))
    assert found == (["drawdown_tiers"] if expected else [])


TIER_LISTS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(1, 10)), max_size=5, unique_by=lambda each: each[0]
).map(lambda rows: tuple(tier(D(depth) / 100, D(size) / 10) for depth, size in sorted(rows)))


@given(TIER_LISTS, TIER_LISTS)
def test_tiers_are_looser_exactly_where_some_drawdown_gets_more(before, after):
    def size(tiers, depth):
        return next((each.size for each in reversed(tiers) if each.drawdown <= depth), D(1))

    old, new = (RiskProfile(name="x", drawdown_tiers=tiers) for tiers in (before, after))
    more = any(size(after, D(depth) / 200) > size(before, D(depth) / 200) for depth in range(200))
    assert bool(looser(old, new)) == more


def test_no_tier_at_all_allows_as_much_as_one_that_changes_nothing():
    none, one = (RiskProfile(name="x", drawdown_tiers=tiers) for tiers in ((), (tier("0.05"),)))
    assert looser(one, none) == looser(none, one) == []


def test_names_and_versions_allow_nothing():
    assert looser(FULL, msgspec.structs.replace(FULL, name="other", version=9)) == []


ALLOW, DATA, DENY = VenueAccess.ALLOW, VenueAccess.DATA_ONLY, VenueAccess.DENY
VENUES = VenueProfile(
    name="v", venues={"A": ALLOW, "B": DATA, "C": DENY}, groups={"g": ("A", "B"), "free": ("C",)},
    group_share_max={"g": D("0.2")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"name": "w", "version": 2}, []),
        ({"venues": {"A": DATA, "B": DENY}}, []),
        ({"venues": {"A": ALLOW, "B": ALLOW, "C": DATA}}, ["venues.B", "venues.C"]),
        ({"venues": {"A": ALLOW, "B": DATA, "C": DENY, "D": DATA}}, ["venues.D"]),
        ({"venues": {"A": ALLOW, "B": DATA, "C": DENY, "D": DENY}}, []),
        ({"default": DATA}, ["default"]),
        ({"default": ALLOW, "venues": {"A": ALLOW, "B": DATA}}, ["default", "venues.C"]),
        ({"group_share_max": {"g": D("0.19")}}, []),
        ({"group_share_max": {"g": D("0.21")}}, ["group_share_max.g"]),
        ({"group_share_max": {}}, ["group_share_max.g"]),
        ({"groups": {"g": ("A",)}}, ["groups.g"]),
        ({"groups": {"g": ("A", "B", "C")}}, []),
        ({"groups": {"g": ("A", "B"), "free": ("C",)}, "group_share_max": {"g": D("0.2"), "free": D(1)}}, []),
    ],
)
def test_venue_profiles(change, expected):
    assert looser_venues(VENUES, msgspec.structs.replace(VENUES, **change)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, []),
        ({"a": D("0.5")}, {"a": D("0.5")}, []),
        ({"a": D("0.5")}, {"a": D("0.6")}, ["total", "shares.a"]),
        ({"a": D("0.5")}, {"b": D("0.5")}, ["shares.b"]),
        ({"a": D("0.5"), "b": D("0.2")}, {"a": D("0.4"), "b": D("0.3")}, ["shares.b"]),
        ({"a": D("0.5")}, {}, []),
        ({}, {"a": D(0)}, []),
    ],
)
def test_allocations(old, new, expected):
    assert looser_shares(old, new) == expected


def test_models():
    assert looser_model(was_active=False, active=True) == ["active"]
    for was, active in ((True, True), (True, False), (False, False)):
        assert looser_model(was_active=was, active=active) == []
