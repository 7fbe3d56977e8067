"""Every message survives a trip as bytes, in both forms, and what is no message is refused."""

import contextlib
import string
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.bus import codec
from njord.bus.codec import Envelope, Malformed, Message
from njord.domain.command import Entry, Posting, ReplaceOrder
from njord.domain.fill import Fill
from njord.domain.governance import GLOBAL, Scope, ScopeKind
from njord.domain.market import Bar, DealerQuote, Quote, Split
from njord.domain.order import NewOrder, OrderType
from njord.domain.profile import (
    CAPITAL_PRESERVING,
    MARKET_MAKING,
    RESEARCH,
    Breakers,
    DrawdownTier,
    RiskProfile,
    SevereLoss,
    VarLimit,
)

TEXT = st.text(string.ascii_letters + '/.:-_ 0é"\\', min_size=1, max_size=12)
st.register_type_strategy(
    Scope, st.one_of(st.just(GLOBAL), st.builds(Scope, st.sampled_from([ScopeKind.VENUE, ScopeKind.STRATEGY]), TEXT))
)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))
FULL = RiskProfile(
    name="full", drawdown_tiers=(
        DrawdownTier(drawdown=Decimal("0.1")),
        DrawdownTier(drawdown=Decimal("0.2"), entries=False),
    ),
    severe_loss=SevereLoss(drawdown=Decimal("0.3")),
    value_at_risk=VarLimit(share_max=Decimal("0.05")), breakers=Breakers(stale_s=Decimal(3)),
)  # fmt: skip
st.register_type_strategy(RiskProfile, st.sampled_from([CAPITAL_PRESERVING, MARKET_MAKING, RESEARCH, FULL]))


def _valid(message: type) -> st.SearchStrategy:
    if message is NewOrder:
        return st.builds(
            NewOrder, client_order_id=TEXT, strategy_id=TEXT, instrument_id=TEXT, order_type=st.just(OrderType.LIMIT),
            quantity_lots=st.integers(1, 2**62), limit_ticks=st.integers(-(2**53), 2**53), stop_ticks=st.none(),
            post_only=st.just(False),
        )  # fmt: skip
    if message is DealerQuote:
        return st.builds(
            DealerQuote, venue_time_ns=st.integers(-(2**63), 0), expires_ns=st.integers(1, 2**62),
            bid_lots=st.integers(0, 2**62), ask_lots=st.integers(0, 2**62), bid_ticks=st.integers(-(2**62), 0),
            ask_ticks=st.integers(1, 2**62),
        )  # fmt: skip
    ranges = {
        "quantity_lots": st.integers(1, 2**62),
        "numerator": st.integers(1, 50),
        "denominator": st.integers(1, 50),
    }
    fields = {}
    for field in msgspec.structs.fields(message):
        if field.name in ranges:
            fields[field.name] = ranges[field.name]
        elif field.name.endswith("_units") and field.type is int:
            fields[field.name] = st.integers(-(10**30), 10**30)  # Money does not stop at 64 bits
        elif field.type is int:
            fields[field.name] = st.integers(-(2**63), 2**63 - 1)
        elif field.type is float:
            fields[field.name] = st.floats(allow_nan=False, allow_infinity=False)
    return st.builds(message, **fields)


st.register_type_strategy(NewOrder, _valid(NewOrder))
st.register_type_strategy(ReplaceOrder, _valid(ReplaceOrder))
POSTINGS = st.lists(st.builds(Posting, TEXT, TEXT, st.integers(-(10**38), 10**38)), max_size=5).map(tuple)
MESSAGES = st.one_of(
    *(_valid(kind) for kind in Message.__args__ if kind is not Entry),
    st.builds(Entry, TEXT, TEXT, st.integers(0, 2**62), POSTINGS),
)


@settings(max_examples=400, deadline=None)
@given(MESSAGES)
def test_a_message_survives_both_forms(message):
    assert codec.message(codec.canonical(message)) == message
    assert codec.message(codec.wire(message)) == message
    assert codec.canonical(codec.message(codec.wire(message))) == codec.canonical(message)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(MESSAGES)
def test_ten_thousand_messages_survive_both_forms(message):
    assert codec.message(codec.canonical(message)) == message
    assert codec.message(codec.wire(message)) == message


@settings(max_examples=300, deadline=None)
@given(MESSAGES, TEXT, st.integers(1, 2**62))
def test_an_envelope_survives_both_forms(message, topic, sequence):
    envelope = Envelope(topic, sequence, "correlation", "causation", message)
    assert codec.envelope(codec.canonical(envelope)) == envelope
    assert codec.envelope(codec.wire(envelope)) == envelope


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_malformed_and_nothing_else(data):
    with contextlib.suppress(Malformed):
        codec.message(data)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.data())
def test_a_damaged_message_is_malformed_or_another_message_never_a_crash(message, data):
    wire = bytearray(codec.wire(message))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Malformed):
        codec.message(bytes(wire))


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"nonsense"}', b"[]", b"\x80", b'{"type":"fill"}'])
def test_unknown_types_are_refused_at_the_boundary(data):
    with pytest.raises(Malformed):
        codec.message(data)


def test_newer_writers_may_add_fields_and_older_ones_may_lack_optional_ones():
    bar = codec.message(
        b'{"type":"bar","instrument_id":"A.B","interval_ns":1,"venue_time_ns":2,"local_time_ns":3,"open":1,"high":1,"low":1,'
        b'"close":1,"volume":0,"trades":7}'
    )
    assert bar == Bar("A.B", 1, 2, 3, 1.0, 1.0, 1.0, 1.0, 0.0)
    assert (
        codec.message(
            b'{"type":"funding","instrument_id":"A.B","venue_time_ns":1,"local_time_ns":1,"rate_pico":5}'
        ).mark_ticks
        is None
    )


def test_the_canonical_bytes_of_a_message_are_these():
    # An old journal must verify for ever, so these bytes may not change
    assert codec.canonical(Split("A.B", 1, 2, 7, 1)) == (
        b'{"type":"split","instrument_id":"A.B","venue_time_ns":1,"local_time_ns":2,"numerator":7,"denominator":1}'
    )
    quote = Quote("A.B", 1, 2, 0.1, 0.2, 3.0, 4.0, 1, 2, 30, 40)
    assert codec.canonical(quote) == (
        b'{"type":"quote","instrument_id":"A.B","venue_time_ns":1,"local_time_ns":2,"bid":0.1,"ask":0.2,"bid_size":3.0,'
        b'"ask_size":4.0,"bid_ticks":1,"ask_ticks":2,"bid_lots":30,"ask_lots":40}'
    )


def test_a_fill_of_nothing_is_malformed():
    assert Fill.__struct_fields__[5] == "quantity_lots"
    with pytest.raises(Malformed, match="quantity_lots must be > 0"):
        codec.message(
            b'{"type":"fill","fill_id":"f","client_order_id":"c","instrument_id":"A.B","side":"buy","price_ticks":1,'
            b'"quantity_lots":0,"fee_units":0,"fee_asset":"USD","liquidity":"taker","reason":"venue","causation_id":"",'
            b'"venue_time_ns":1,"local_time_ns":1}'
        )
