"""Venue rules: both example profiles, caps on both sides, and no trade with ourselves."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.limits import Refusal
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import ANYWHERE, RiskProfile, VarModel, VenueAccess, VenueProfile
from njord.risk.compliance import VenueRules, self_trade_refusal
from njord.risk.profile_files import BadProfile, profile_from, risk_profile_from, venue_profile_from

EXAMPLES = Path(__file__).parents[2] / "examples" / "venues"


def example(name):
    return profile_from(yaml.safe_load((EXAMPLES / name).read_text()), name)


@pytest.mark.parametrize(
    ("file", "allowed", "denied"),
    [
        ("no_binance.yaml", ["COINBASE", "KRAKEN", "GEMINI", "MEXC", "GATE"], ["BINANCE", "BINANCE_US", "OANDA", ""]),
        ("us_and_fx.yaml", ["BINANCE_US", "KRAKEN", "OANDA"], ["BINANCE", "COINBASE", "kraken"]),
    ],
)
def test_example_profiles(file, allowed, denied):
    profile = example(file)
    assert [VenueRules(profile).access_refusal(venue) for venue in allowed] == [None] * len(allowed)
    assert [VenueRules(profile).access_refusal(venue) for venue in denied] == [Refusal.VENUE_NOT_ALLOWED] * len(denied)


def test_data_only_and_anywhere():
    profile = VenueProfile(name="x", venues={"A": VenueAccess.DATA_ONLY, "B": VenueAccess.DENY})
    assert VenueRules(profile).access_refusal("A") is Refusal.VENUE_DATA_ONLY
    assert VenueRules(profile).access_refusal("B") is Refusal.VENUE_NOT_ALLOWED
    assert VenueRules(ANYWHERE).access_refusal("C") is None


@pytest.mark.parametrize(
    ("venue", "held", "added", "expected"),
    [
        ("MEXC", {}, 200, None),
        ("MEXC", {}, 201, Refusal.VENUE_EXPOSURE_TOO_LARGE),
        ("MEXC", {"GATE": 150, "KRAKEN": 10**6}, 50, None),
        ("MEXC", {"GATE": 150}, 51, Refusal.VENUE_EXPOSURE_TOO_LARGE),
        ("GATE", {"GATE": 100, "MEXC": 100}, 1, Refusal.VENUE_EXPOSURE_TOO_LARGE),
        ("KRAKEN", {"GATE": 900}, 10**6, None),
        ("GATE", {"GATE": 900}, 0, None),
        ("GATE", {"GATE": 900}, -5, None),  # The way out
    ],
)
def test_groups_are_capped_together(venue, held, added, expected):
    assert VenueRules(example("no_binance.yaml")).group_refusal(venue, held, added, 1_000) is expected


def test_each_group_a_venue_is_in_counts():
    profile = VenueProfile(
        name="x", venues={}, groups={"far": ("B",), "wide": ("A", "B"), "near": ("A",)},
        group_share_max={"far": Decimal("0.9"), "wide": Decimal("0.5"), "near": Decimal("0.1")},
    )  # fmt: skip
    assert VenueRules(profile).group_refusal("A", {}, 100, 1_000) is None
    assert VenueRules(profile).group_refusal("A", {}, 101, 1_000) is Refusal.VENUE_EXPOSURE_TOO_LARGE
    assert VenueRules(profile).group_refusal("A", {"B": 401}, 100, 1_000) is Refusal.VENUE_EXPOSURE_TOO_LARGE
    assert VenueRules(profile).group_refusal("B", {}, 501, 1_000) is Refusal.VENUE_EXPOSURE_TOO_LARGE


def test_the_cap_is_exact_to_the_unit():
    third = VenueProfile(
        name="x", venues={}, groups={"g": ("A",)}, group_share_max={"g": Decimal("0.3333")}, default=VenueAccess.ALLOW
    )
    equity = 10**22
    assert VenueRules(third).group_refusal("A", {}, 3333 * 10**18, equity) is None
    assert VenueRules(third).group_refusal("A", {}, 3333 * 10**18 + 1, equity) is Refusal.VENUE_EXPOSURE_TOO_LARGE
    assert VenueRules(third).group_refusal("A", {}, 1, 0) is Refusal.VENUE_EXPOSURE_TOO_LARGE


@given(
    st.lists(st.tuples(st.sampled_from(["MEXC", "GATE", "KRAKEN"]), st.integers(-80, 120)), max_size=60),
    st.integers(0, 2_000),
)
def test_after_any_accepted_orders_a_group_is_within_its_cap(orders, equity):
    profile, worst = example("no_binance.yaml"), {}
    for venue, added in orders:
        added = max(added, -worst.get(venue, 0))
        if VenueRules(profile).group_refusal(venue, worst, added, equity) is None:
            worst[venue] = worst.get(venue, 0) + added  # Reserved when it is sent, not when it fills
        assert (worst.get("MEXC", 0) + worst.get("GATE", 0)) * 5 <= equity


class Own(NamedTuple):
    side: Side
    limit_ticks: int | None
    instrument_id: str = "BTC/USD.SIM"


def order(side, limit, **changes):
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return NewOrder("b-1", "b", "BTC/USD.SIM", side, changes.pop("order_type", kind), 1, limit, **changes)


BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("new", "own", "washes"),
    [
        (order(BUY, 100), Own(SELL, 101), False),
        (order(BUY, 100), Own(SELL, 100), True),
        (order(BUY, 100), Own(SELL, 99), True),
        (order(SELL, 100), Own(BUY, 99), False),
        (order(SELL, 100), Own(BUY, 100), True),
        (order(SELL, 100), Own(BUY, 101), True),
        (order(BUY, 100), Own(BUY, 100), False),
        (order(SELL, 100), Own(SELL, 100), False),
        (order(BUY, None), Own(SELL, 10**9), True),
        (order(SELL, None), Own(BUY, 1), True),
        (order(BUY, None), Own(SELL, None), False),
        (order(BUY, 100), Own(SELL, 90, "BTC/USD.OTHER"), False),
        (order(BUY, 100, post_only=True), Own(SELL, 90), False),
        (order(BUY, None, order_type=OrderType.STOP, stop_ticks=100), Own(SELL, 90), False),
        (order(BUY, 100, order_type=OrderType.STOP_LIMIT, stop_ticks=100), Own(SELL, 90), False),
    ],
)
def test_no_trade_with_ourselves(new, own, washes):
    expected = Refusal.WOULD_SELF_TRADE if washes else None
    assert self_trade_refusal(new, [own]) is expected
    assert self_trade_refusal(new, [Own(new.side, 50), own, Own(new.side, 60)]) is expected
    assert self_trade_refusal(new, []) is None


RISK = {
    "name": "mine", "leverage_max": 1.5, "price_collar": "0.05",
    "drawdown_tiers": [{"drawdown": 0.1, "entries": False}], "severe_loss": {"drawdown": 0.2},
    "value_at_risk": {"share_max": 0.05, "model": "parametric"}, "breakers": {"stale_s": 5},
}  # fmt: skip


def test_a_risk_profile_is_read_exactly():
    profile = profile_from(RISK, "mine.yaml")
    assert isinstance(profile, RiskProfile)
    assert profile.leverage_max == Decimal("1.5")
    assert profile.price_collar == Decimal("0.05")
    assert not profile.drawdown_tiers[0].entries
    assert profile.value_at_risk.model is VarModel.PARAMETRIC
    assert profile.breakers.stale_s == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leverage": 2}, "mine.yaml: leverage: no such field; did you mean 'leverage_max'?"),
        ({"breakers": {"stale": 5}}, "mine.yaml: breakers.stale: no such field; did you mean 'stale_s'?"),
        ({"drawdown_tiers": [{"drawdown": 0.1}, {"depth": 0.2}]}, "mine.yaml: drawdown_tiers[1].depth: no such field"),
        ({"leverage_max": "lots"}, "mine.yaml: leverage_max: invalid decimal string"),
        ({"leverage_max": -1}, "mine.yaml: risk profile mine: leverage_max must be > 0 or none, was -1"),
        ({"value_at_risk": {"model": "historical"}}, "mine.yaml: value_at_risk: object missing required field"),
        ({"value_at_risk": {"share_max": 1, "model": "x"}}, "mine.yaml: value_at_risk.model: invalid enum value 'x'"),
        ({"value_at_risk": {"share_max": 0}}, "mine.yaml: value_at_risk: value at risk: share_max must be > 0"),
        ({"open_orders_max": "5"}, "mine.yaml: open_orders_max: expected `int`, got `str`"),
        ({"price_collar": 0.1, "short_alowed": True}, "mine.yaml: short_alowed: no such field"),
        ({"breakers": {"stale_s": 0}}, "mine.yaml: breakers: breakers: stale_s must be > 0 or none, was 0"),
        ({"short_allowed": "yes"}, "mine.yaml: short_allowed: expected `bool`, got `str`"),
        ({"breakers": 3}, "mine.yaml: breakers: expected `object | null`, got `int`"),
        ({"name": 3}, "mine.yaml: name: expected `str`, got `int`"),
    ],
)
def test_a_wrong_risk_profile_is_one_line_that_names_the_field(change, message):
    for read in (risk_profile_from, profile_from):
        with pytest.raises(BadProfile) as wrong:
            read(RISK | change, "mine.yaml")
        assert str(wrong.value).startswith(message)
        assert "\n" not in str(wrong.value)


VENUES = {"name": "v", "venues": {"KRAKEN": "allow", "MEXC": "allow"}, "groups": {"g": ["MEXC"]},
          "group_share_max": {"g": 0.2}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"venues": {"kraken": "allow"}}, "v.yaml: venues: a venue is upper case letters"),
        ({"groups": {"g": ["MEXCC"]}}, "v.yaml: groups.g: no venue 'MEXCC'; did you mean 'MEXC'?"),
        ({"groups": {"g": ["mexc"]}, "default": "allow"}, "v.yaml: venues: a venue is upper case letters"),
        ({"group_share_max": {"h": 0.2}}, "v.yaml: venue profile v: group_share_max names no group 'h'"),
        ({"group_share_max": {"g": 1.2}}, "v.yaml: venue profile v: group_share_max.g must be from 0 to 1, was 1.2"),
        ({"venues": {"KRAKEN": "yes"}}, "v.yaml: venues[...]: invalid enum value 'yes'"),
        ({"venue": {}}, "v.yaml: venue: no such field; did you mean 'venues'?"),
    ],
)
def test_a_wrong_venue_profile_is_one_line_that_names_the_field(change, message):
    for read in (venue_profile_from, profile_from):
        with pytest.raises(BadProfile) as wrong:
            read(VENUES | change, "v.yaml")
        assert str(wrong.value).startswith(message)


def test_a_group_may_name_what_the_default_allows():
    profile = venue_profile_from(VENUES | {"groups": {"g": ["GATE"]}, "default": "allow"}, "v.yaml")
    assert profile.groups == {"g": ("GATE",)}


@pytest.mark.parametrize(("document", "kind"), [(None, "NoneType"), ([], "list"), ("text", "str"), (3, "int")])
def test_what_is_no_mapping_is_no_profile(document, kind):
    with pytest.raises(BadProfile, match=f"^x.yaml: must be a mapping of fields, was {kind}$"):
        profile_from(document, "x.yaml")
