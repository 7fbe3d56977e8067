"""The adaptive maker: it follows its market, its guard keeps its fills worth having, and it pulls its quotes."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from njord.domain.ids import instrument_id
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.engine.compiled import CompiledRun
from njord.engine.compiling import ask_of
from njord.engine.tape import Stream, joined, merged
from njord.market.synthetic.order_by_order import Flow, columns_of, generate
from njord.market.synthetic.order_by_order import Tape as Truth
from njord.market.view import ANSWER, CANCEL, LIVE, NEW, VIEW
from njord.strategies.market_making.adaptive import DECAY, HALF, INTENSITY, SIGMA, AdaptiveMaker
from njord.venues.simulated.compiled import CompiledVenue
from njord.venues.simulated.kernels import layout
from njord.venues.simulated.kernels.layout import Tape
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import Fees, QueueSettings, VenueSettings

S = 1_000_000_000
START_NS = 1_704_067_200 * S
INSTRUMENT = Instrument(
    instrument_id=instrument_id("SYN/USD.SIM"), kind=InstrumentKind.SPOT, base="SYN", quote="USD",
    price_tick=Decimal("0.01"), quantity_lot=Decimal(1),
)  # fmt: skip


def run(tape: Tape, **params: Any) -> CompiledRun:
    settings = VenueSettings(
        latency_ms=1, fees=Fees(maker=Decimal(0), taker=Decimal(0)),
        queue=QueueSettings(model=QueueModel.POWER, exponent=1),
    )  # fmt: skip
    made = CompiledRun(CompiledVenue([INSTRUMENT], {"SIM": settings}), AdaptiveMaker(**params), "maker")
    made.feed(tape)
    made.finish()
    return made


def noted(made: CompiledRun, code: int, at_s: float) -> float:
    """Return the last note of a code before a moment."""
    log = made.messages()
    notes = log[(log["kind"] == layout.NOTE) & (log["number"] == code) & (log["local_ns"] <= START_NS + at_s * S)]
    return float(notes["value"][-1])


def known_market(rng: np.random.Generator, parts: list[tuple[float, float, float]], decay: float) -> Tape:
    """Return a market whose every parameter is known: ``parts`` are (seconds, sigma in ticks per sqrt s, A per s).

    The mid walks by one tick at Poisson times, the touch is one tick away, and market orders of each side reach a depth
    that is exponential with ``decay``, each level of it a trade of its own at the same moment.
    """
    rows: list[tuple[int, int, int, int]] = []  # Time, what, price, lots
    now_s, mid = 0.0, 1_000_000
    for seconds, sigma, intensity in parts:
        moves = np.sort(rng.uniform(0, seconds, rng.poisson(sigma**2 * seconds)))
        takers = np.sort(rng.uniform(0, seconds, rng.poisson(2 * intensity * np.exp(-decay) * seconds)))
        events = sorted([(at, 0) for at in moves] + [(at, 1) for at in takers])
        for at, kind in events:
            time_ns = START_NS + int((now_s + at) * S)
            if kind == 0:
                mid += 1 if rng.random() < 0.5 else -1
                rows += [
                    (time_ns, layout.CLEAR, 0, 0),
                    *((time_ns, layout.BID, mid - level, 50) for level in range(1, 8)),
                    *((time_ns, layout.ASK, mid + level, 50) for level in range(1, 8)),
                ]
                rows[-1] = (time_ns, layout.ASK | layout.LAST, mid + 7, 50)
            else:
                sign = 1 if rng.random() < 0.5 else -1
                what = (layout.TRADE_BUY if sign > 0 else layout.TRADE_SELL) | layout.LAST
                reach = 1 + int(rng.exponential(1 / decay))
                rows += [(time_ns, what, mid + sign * level, 1) for level in range(1, reach + 1)]
        now_s += seconds
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    zeros = np.zeros(len(rows), dtype=np.int64)
    return Tape(
        columns[0], columns[1].astype(np.uint8), zeros.astype(np.uint8), columns[2], columns[3], zeros, zeros[:0]
    )


@pytest.mark.slow
def test_estimates_follow_a_step_within_three_half_lives_and_quotes_widen() -> None:
    half_life_s, orders = 60.0, 1_000.0
    decay, after = 0.8, 2 * 5.0 * np.exp(-0.8)
    wait_s = 3 * max(half_life_s, orders / (after / 2))  # Three half-lives of the slower estimate: orders of one side
    widths, sigmas, intensities, decays = [], [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        tape = known_market(rng, [(1_000.0, 2.0, 10.0), (wait_s + 1, 4.0, 5.0)], decay)
        made = run(
            tape, quantity=1.0, position_max=20.0, gamma=0.05, volatility_half_life_s=half_life_s,
            arrivals_half_life_orders=orders, note_every_s=1.0, toxicity_guard=False,
        )  # fmt: skip
        before, by_then = 999.0, 1_000.0 + wait_s
        assert noted(made, SIGMA, before) == pytest.approx(2.0, rel=0.1)
        sigmas.append(noted(made, SIGMA, 1_000.0 + 3 * half_life_s))
        intensities.append(noted(made, INTENSITY, by_then))
        decays.append(noted(made, DECAY, by_then))
        widths.append([noted(made, HALF, at) for at in (before, 1_000 + wait_s / 3, by_then)])
    assert np.mean(sigmas) == pytest.approx(4.0, rel=0.1)
    assert np.mean(intensities) == pytest.approx(5.0, rel=0.1)
    assert np.mean(decays) == pytest.approx(decay, rel=0.1)
    steps = np.mean(widths, axis=0)
    assert steps[0] < steps[1] < steps[2]


def informed_market(share: float, seed: int) -> tuple[Truth, Tape]:
    flow = Flow(volatility_ticks_per_sqrt_s=2.0, takers_per_s=10.0, informed_share=share, lag_s=1.0)
    truth = generate(np.random.default_rng(seed), flow, 1_200.0)
    streams = [Stream(kind, 0, [columns_of(truth, kind)]) for kind in (Kind.BOOK, Kind.TRADES)]
    return truth, joined(list(merged(streams)))


def worth(made: CompiledRun, truth: Truth, horizon_s: float = 5.0) -> tuple[float, float]:
    """Return the mean markout and the mean adverse move of all fills, in ticks."""
    known = (truth.bid_ticks > 0) & (truth.ask_ticks > 0)
    times, mids = truth.time_ns[known], ((truth.bid_ticks + truth.ask_ticks) / 2)[known]
    fills = [fill for fill in made.fills() if fill.venue_time_ns + horizon_s * S < times[-1]]
    at = np.array([fill.venue_time_ns for fill in fills])
    sign = np.array([fill.side.sign for fill in fills])
    price = np.array([fill.price_ticks for fill in fills])
    before = mids[np.searchsorted(times, at) - 1]
    later = mids[np.searchsorted(times, at + int(horizon_s * S), side="right") - 1]
    return float(np.mean(sign * (later - price))), float(np.mean(sign * (later - before)))


@pytest.mark.slow
def test_informed_takers_cost_more_the_more_they_are_and_the_guard_makes_up_for_it() -> None:
    common = {"quantity": 5.0, "position_max": 100.0, "gamma": 0.0001, "patience_ticks": 0.0, "markout_s": 5.0,
                  "toxicity_gain": 0.05, "markout_half_life_fills": 50.0}  # fmt: skip
    adverse, markout, guarded = [], [], []
    for share in (0.0, 0.3, 0.6, 0.9):
        markets = [informed_market(share, seed) for seed in (1, 2, 3)]
        plain = [worth(run(tape, toxicity_guard=False, **common), truth) for truth, tape in markets]
        markout.append(np.mean([each[0] for each in plain]))
        adverse.append(np.mean([each[1] for each in plain]))
        with_guard = [worth(run(tape, toxicity_guard=True, **common), truth)[0] for truth, tape in markets]
        guarded.append(np.mean(with_guard))
    assert adverse == sorted(adverse, reverse=True)  # The move after a fill, ever more against us
    assert markout[-1] < -0.5
    # Three runs of some hundred fills each: the standard error is about 0.15 ticks
    assert all(value > -0.15 for value in guarded)
    assert guarded[-1] > markout[-1] + 0.5


@pytest.mark.slow
def test_what_it_learns_of_the_next_move_makes_its_fills_worth_more() -> None:
    truth, tape = informed_market(0.6, 5)
    common = {"quantity": 5.0, "position_max": 100.0, "gamma": 0.0001, "patience_ticks": 0.0, "toxicity_guard": False}
    with_it, _ = worth(run(tape, **common), truth)
    without, _ = worth(run(tape, use_fair_value=False, **common), truth)
    assert with_it > without + 0.2


class Table:
    """A maker asked directly, decision by decision, with views made by hand."""

    def __init__(self, **params: Any) -> None:
        self.maker = AdaptiveMaker(quantity=1.0, position_max=3.0, learn_s=0.5, **params)
        self.ask = ask_of(self.maker)
        self.view = np.zeros(1, dtype=VIEW)
        self.answer = np.zeros(1, dtype=ANSWER)
        self.now_ns = START_NS
        self.reset()
        for turn in range(12):  # Until it quotes: a market that moves and trades a little
            self.view["buys"] = self.view["sells"] = self.view["buy_lots"] = self.view["sell_lots"] = 1
            for side in ("buy", "sell"):
                self.view[f"{side}_depth_half_ticks"], self.view[f"{side}_touch_half_ticks"] = 4, 2
            self.book(1_000 + turn % 2)
            self.decide()

    def reset(self) -> None:
        self.view["price_tick"], self.view["quantity_lot"] = 0.01, 1.0
        self.view["bid_lots"] = self.view["ask_lots"] = 10
        self.book(1_000)

    def book(self, mid: int) -> None:
        self.view["bid_ticks"], self.view["ask_ticks"], self.view["heard_ns"] = mid - 1, mid + 1, self.now_ns

    def decide(self, *, after_ns: int = S // 10) -> tuple[list[tuple[int, int, int, int]], list[str]]:
        """Return commands as (kind, sign, ticks, lots) and notes as text, quotes' own chatter left out."""
        self.now_ns += after_ns
        self.view["time_ns"] = self.now_ns
        if after_ns <= S:
            self.view["heard_ns"] = np.maximum(self.view["heard_ns"], self.now_ns - S // 20)
        self.answer["commands"] = self.answer["notes"] = 0
        self.ask(self.view, self.maker.params, self.maker.state, self.answer)
        said = self.answer[0]
        commands = [
            (int(said["kind"][i]), int(said["sign"][i]), int(said["limit_ticks"][i]), int(said["lots"][i]))
            for i in range(said["commands"])
        ]
        notes = [
            self.maker.note_text(int(said["note_code"][i]), float(said["note_value"][i])) for i in range(said["notes"])
        ]
        for name in ("rejected", "bought_lots", "sold_lots", "buys", "sells"):
            self.view[name] = 0
        return commands, [note for note in notes if "quotes are" in note or "tick size" in note or "cap" in note]

    def rest(self, *orders: tuple[int, int, int, int]) -> None:
        """Have own orders rest: (sign, ticks, lots, state)."""
        self.view["orders"] = len(orders)
        for i, (sign, ticks, lots, state) in enumerate(orders):
            for name, value in (("sign", sign), ("ticks", ticks), ("lots", lots), ("state", state), ("number", i + 1)):
                self.view[f"order_{name}"][0][i] = value


@pytest.fixture(scope="module")
def compiled_once() -> None:
    Table()


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_once")
class TestHardCases:
    def test_it_quotes_both_sides_outside_the_market(self) -> None:
        commands, _ = Table().decide()
        assert sorted(command[:2] for command in commands) == [(NEW, -1), (NEW, 1)]
        ticks = {sign: price for _, sign, price, _ in commands}
        assert ticks[1] < 1_002
        assert ticks[-1] > 999
        assert ticks[1] < ticks[-1]

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("guard", 2, "one-sided"),
            ("guard", 3, "crossed"),
            ("guard", 4, "book"),  # A gap: waiting for a snapshot
            ("halted", 1, "halted"),
            ("rejected", 8, "rejected"),
        ],
    )
    def test_it_pulls_its_quotes_says_why_and_comes_back(self, field: str, value: int, said: str) -> None:
        table = Table()
        table.rest((1, 998, 1, LIVE), (-1, 1_003, 1, LIVE))
        table.view[field] = value
        commands, notes = table.decide()
        assert [command[0] for command in commands] == [CANCEL, CANCEL]
        assert said in notes[0]
        table.view[field] = 0
        table.rest()
        for _ in range(15):
            commands, notes = table.decide()
            if commands:
                break
        assert notes == ["quotes are on"]
        assert {command[0] for command in commands} == {NEW}

    def test_a_stale_feed(self) -> None:
        table = Table(stale_ms=2_000.0)
        table.rest((1, 998, 1, LIVE))
        commands, notes = table.decide(after_ns=3 * S)
        assert [command[0] for command in commands] == [CANCEL]
        assert "no news of the book for" in notes[0]

    def test_a_clock_jump_is_no_volatility(self) -> None:
        table = Table(jump_s=5.0, stale_ms=1e9)
        sigma = float(table.maker.state["sigma"][0])
        table.book(5_000)
        commands, notes = table.decide(after_ns=3_600 * S)
        assert commands == []
        assert "clock" in notes[0]
        table.book(5_000)
        table.decide()
        assert float(table.maker.state["sigma"][0]) == pytest.approx(sigma, rel=0.2)

    def test_a_burst(self) -> None:
        table = Table(burst_sigmas=5.0)
        table.book(1_500)
        _, notes = table.decide()
        assert "further than it does by chance" in notes[0]

    def test_a_new_tick_size_is_learned_anew(self) -> None:
        table = Table()
        table.view["price_tick"] = 0.1
        table.book(100)
        _, notes = table.decide()
        assert any("tick size is now 0.1" in note for note in notes)
        assert float(table.maker.state["squares"][0]) == 0.0

    def test_at_its_cap_it_only_reduces_and_what_is_being_cancelled_counts(self) -> None:
        table = Table()
        table.view["position_lots"] = 3
        commands, notes = table.decide()
        assert [command[1] for command in commands] == [-1]
        assert "cap" in notes[0]
        table.view["position_lots"] = 2
        table.rest((1, 990, 1, 3))  # CANCELLING, and it may still fill
        commands, _ = table.decide()
        assert (NEW, 1) not in [command[:2] for command in commands]

    def test_its_own_quotes_never_meet(self) -> None:
        table = Table()
        table.rest((-1, 990, 1, LIVE))  # An own offer far below the market: whatever rests there goes first
        commands, _ = table.decide()
        assert [command[:2] for command in commands if command[0] == NEW] == [(NEW, -1)]
        assert CANCEL in [command[0] for command in commands]

    def test_a_partly_filled_order_keeps_its_place(self) -> None:
        table = Table()
        commands, _ = table.decide()
        bid = next(price for _, sign, price, _ in commands if sign > 0)
        table.rest((1, bid, 1, LIVE))
        again, _ = table.decide()
        assert CANCEL not in [command[0] for command in again]


@pytest.mark.slow
def test_what_is_held_is_hedged_in_a_second_market_of_another_grid() -> None:
    maker = AdaptiveMaker(quantity=1.0, position_max=3.0, hedge_ratio=1.0, hedge_band=0.5)
    ask = ask_of(maker)
    view, answer = np.zeros(2, dtype=VIEW), np.zeros(1, dtype=ANSWER)
    view["time_ns"] = view["heard_ns"] = START_NS
    view["bid_ticks"], view["ask_ticks"], view["bid_lots"], view["ask_lots"] = 999, 1_001, 10, 10
    view["price_tick"], view["quantity_lot"] = 0.01, (1.0, 0.25)

    def hedges() -> list[tuple[int, int]]:
        answer["commands"] = answer["notes"] = 0
        ask(view, maker.params, maker.state, answer)
        said = answer[0]
        rows = range(said["commands"])
        return [(int(said["sign"][i]), int(said["lots"][i])) for i in rows if said["instrument"][i] == 1]

    assert hedges() == []
    view["position_lots"] = (2, 0)
    assert hedges() == [(-1, 8)]
    view["position_lots"] = (2, -7)  # What is missing is less than the band
    assert hedges() == []
    view["position_lots"], view["orders"] = (2, 0), (0, 1)
    view["order_state"][1][0] = 1  # One is on its way already
    assert hedges() == []
    view["orders"], view["guard"] = (0, 0), (0, 3)  # Nobody sells into a book that cannot be believed
    assert hedges() == []


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="gamma must be > 0"):
        AdaptiveMaker(gamma=0.0)
    with pytest.raises(ValueError, match="at most position_max"):
        AdaptiveMaker(quantity=2.0, position_max=1.0)
