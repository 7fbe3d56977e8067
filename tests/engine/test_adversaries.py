"""Spoofers, stuffers and snipers: they do what they are named for, and what they cost a maker is bounded."""

import collections
import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.market import BookUpdate, Trade
from njord.engine.marketplace import Marketplace
from njord.engine.marketplace_state import MarketplaceState
from njord.market.synthetic.adversaries import AdversaryKind
from njord.market.synthetic.agents import RESTING_MAX
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.scenarios import Adversaries, Scenario, Step

NAME = "BRAGE.SIM"
WHOLE = default_universe(time_ns("2026-01-05"))
UNIVERSE = msgspec.structs.replace(
    WHOLE, listings=tuple(each for each in WHOLE.listings if each.instrument.instrument_id == NAME)
)
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "adversaries.py"


def market(*kinds, share=0.5, seed=3, until_s=None):
    made = Marketplace(UNIVERSE, seed)
    if kinds:
        steps = [Step(0.0, Adversaries(share, kinds))]
        if until_s is not None:
            steps.append(Step(until_s, Adversaries(0.0)))
        made.apply(Scenario("adversaries", tuple(steps)))
    return made


def lived(made, seconds):
    """Let a market live; return what it published and what each of its agents was told."""
    events, told = [], collections.defaultdict(list)
    for _ in range(seconds * 10):
        events += made.advance(made.now_ns + NS_PER_S // 10)
        top = made.top(NAME)
        assert not (top[1] and top[3]) or top[0] < top[2]
        for pit, agent in made._agents.values():
            assert len(agent.memory.open) <= RESTING_MAX + 1
            told[agent.role].append((pit.instrument_id, dict(agent.memory.open), agent.memory.position_lots))
    return events, told


def count(events, kind):
    return sum(isinstance(each, kind) for each in events)


def test_asleep_they_change_nothing_and_sent_away_they_leave_nothing():
    alone, told = lived(market(), 20)
    assert not any(resting for kind in AdversaryKind for _, resting, _ in told[kind])
    again = market(*AdversaryKind, until_s=10.0)
    _, told = lived(again, 12)
    assert any(resting for kind in AdversaryKind for _, resting, _ in told[kind][:90])
    assert not any(resting for kind in AdversaryKind for _, resting, _ in told[kind][-1:])
    assert lived(market(), 20)[0] == alone


def test_a_spoofer_shows_much_on_one_side_and_trades_on_the_other():
    _, told = lived(market(AdversaryKind.SPOOFER), 60)
    traded = 0
    for (_, before, held), (_, after, now) in zip(told["spoofer"], told["spoofer"][1:], strict=False):
        sides = {order.side for order in before.values()}
        assert len(sides) <= 1
        # With its layers shown it has traded only against them, and they are gone at once
        if before and not after and now != held and len(sides) == 1:
            assert (now - held) * next(iter(sides)).sign < 0
            traded += 1
    assert traded > 10


def test_a_stuffer_floods_the_book_and_trades_nothing():
    calm, _ = lived(market(), 30)
    stuffed, told = lived(market(AdversaryKind.STUFFER, share=0.8), 30)
    assert count(stuffed, BookUpdate) > 2 * count(calm, BookUpdate)
    assert abs(told["stuffer"][-1][2]) <= 5


def test_a_sniper_takes_what_is_stale_and_gains_by_it():
    made = market(AdversaryKind.SNIPER)
    agent = next(agent for _, agent in made._agents.values() if agent.role == "sniper")
    cash, trades = 0.0, 0
    for _ in range(6_000):
        held = agent.memory.position_lots
        taken = [each for each in made.advance(made.now_ns + NS_PER_S // 50) if isinstance(each, Trade)]
        if agent.memory.position_lots != held and taken:
            cash -= (agent.memory.position_lots - held) * taken[-1].price
            trades += 1
    assert trades > 15
    assert cash + agent.memory.position_lots * made.fair(NAME) > 0


def test_they_go_on_from_a_snapshot_as_they_would_have():
    first = market(*AdversaryKind)
    lived(first, 5)
    data = msgspec.msgpack.encode(first.snapshot())
    rest = lived(first, 5)[0]
    second = Marketplace(UNIVERSE, 3)
    second.restore(msgspec.msgpack.decode(data, type=MarketplaceState))
    assert lived(second, 5)[0] == rest


def test_a_market_saved_before_there_were_any_goes_on():
    first = market()
    lived(first, 5)
    state = msgspec.to_builtins(first.snapshot())
    for pit in state["pits"]:
        pit["memories"] = pit["memories"][: -len(AdversaryKind)]
        del pit["adverse"], pit["adverse_kinds"]
    rest = lived(first, 5)[0]
    second = Marketplace(UNIVERSE, 3)
    second.restore(msgspec.convert(state, MarketplaceState))
    assert lived(second, 5)[0] == rest


@pytest.mark.parametrize("wrong", [{"share": 0.91}, {"share": -0.1}, {"share": 0.5, "kinds": ()}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="adversaries"):
        Adversaries(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [*((kind,) for kind in AdversaryKind), tuple(AdversaryKind)])
def test_what_they_cost_a_maker_stays_within_the_stated_bound(kinds):
    spec = importlib.util.spec_from_file_location("bench_adversaries", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    for seed in (1, 2):
        found = script.made(kinds, 0.5, seed, 4.0)
        assert found["fills"] > 20
        assert found["worst"] >= -found["bound"]
        assert not found["stopped"]
