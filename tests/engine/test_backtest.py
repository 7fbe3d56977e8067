"""The engine through its front door: time, isolation, risk, causes, and what strategies may not do."""

import json
from decimal import Decimal

import msgspec
import numpy as np
import pytest

import njord as nj
from njord.bus.memory import MemoryBus
from njord.domain.fill import FillReason
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.limits import Refusal
from njord.domain.market import Kind
from njord.domain.money import decimal, units
from njord.domain.profile import RiskProfile
from njord.engine import assemble as assembling
from njord.engine.backtest import EndlessReaction
from njord.engine.config import parse
from njord.market import feed
from njord.market.catalog import Catalog, DatasetId
from njord.research.run import run as run_config
from njord.strategies.buy_and_hold import BuyAndHold
from njord.strategies.ema_cross import EmaCross
from njord.strategies.grid_maker import GridMaker


class Recorder(nj.Strategy):
    """Write down everything that is told."""

    def __init__(self):
        self.told = []

    def on_event(self, event, desk):
        self.told.append((desk.time_ns, type(event).__name__, event))


class Each(nj.Strategy):
    """Do something on each bar, by number."""

    def __init__(self, **actions):
        self.actions = {int(name[1:]): action for name, action in actions.items()}
        self.count = 0
        self.news = []

    def on_bar(self, bar, desk):
        self.count += 1
        if self.count in self.actions:
            self.actions[self.count](desk)

    def on_fill(self, fill, desk):
        self.news.append(("fill", desk.time_ns, fill))

    def on_order(self, news, desk):
        self.news.append((type(news).__name__, desk.time_ns, news))


def test_a_strategy_in_ten_lines_runs(run):
    result = run(BuyAndHold(quantity=1))
    assert result.document()["fills"] == 1
    assert result.document()["orders"] == 1


def test_time_never_goes_back_and_bars_are_known_when_they_end(run, bars):
    strategy = Recorder()
    data = bars(50)
    run([strategy, EmaCross(2, 5)], data=data)
    times = [time for time, _, _ in strategy.told]
    assert times == sorted(times)
    assert [e.venue_time_ns for _, kind, e in strategy.told if kind == "Bar"] == ((data["ts"] + 3600) * 10**9).tolist()


def test_orders_and_news_travel(run):
    strategy = Each(_3=lambda desk: desk.buy(1))
    run(strategy, count=6, latency_ms=25)
    accepted, filled = strategy.news
    sent = (1_577_836_800 + 3 * 3600) * 10**9
    assert (accepted[0], accepted[1]) == ("OrderAccepted", sent + 50_000_000)
    assert (filled[0], filled[1], filled[2].venue_time_ns) == ("fill", sent + 50_000_000, sent + 25_000_000)


def test_market_data_travels_too(run):
    strategy = Recorder()
    run(strategy, count=5, venue={"feed_latency_ms": 30})
    assert {time - event.venue_time_ns for time, kind, event in strategy.told if kind == "Bar"} == {30_000_000}


def test_a_strategy_that_breaks_is_stopped_with_its_line_and_the_others_go_on(run, bars):
    def broken(desk):
        return 1 / 0

    good, alone = EmaCross(5, 20), run(EmaCross(5, 20))
    result = run([good, Each(_10=lambda desk: desk.buy(1, limit=50.0), _20=broken)])

    stopped = result.document()["stopped"]
    assert list(stopped) == ["each"]
    assert stopped["each"].startswith("ZeroDivisionError: division by zero at test_backtest.py:")
    assert any("strategy each was stopped" in warning for warning in result.warnings)
    ours = [f for f in result.assembly.backtest.fills if f.client_order_id.startswith("ema_cross")]
    assert [f.price_ticks for f in ours] == [f.price_ticks for f in alone.assembly.backtest.fills]
    assert not result.assembly.backtest.state.orders.open  # Its resting order was cancelled


def test_a_strategy_that_wants_too_much_at_once_is_stopped(run):
    result = run(Each(_2=lambda desk: [desk.buy(1, limit=1.0) for _ in range(65)]))
    assert "wanted 65 things at once" in result.document()["stopped"]["each"]
    assert result.document()["orders"] == 0


def test_a_strategy_that_reacts_without_end_ends_the_run_with_a_reason(run):
    class Endless(nj.Strategy):
        def on_bar(self, bar, desk):
            desk.buy(1)

        def on_fill(self, fill, desk):
            desk.buy(1)

    with pytest.raises(EndlessReaction, match="reactions to one event"):
        run(Endless(), fill="same_close")


def test_refusals_come_back_to_the_strategy_and_are_counted(run):
    strategy = Each(_2=lambda desk: desk.sell(1), _3=lambda desk: desk.buy(1e9), _4=lambda desk: desk.buy(1e-12))
    result = run(strategy, risk="capital_preserving")
    assert [news.reason for _, _, news in strategy.news] == [
        Refusal.SHORT_NOT_ALLOWED, Refusal.INSUFFICIENT_CASH, Refusal.QUANTITY_TOO_SMALL,
    ]  # fmt: skip
    assert result.document()["rejected"] == 3


def test_orders_of_one_event_are_held_to_the_limit_together(run):
    strategy = Each(_2=lambda desk: [desk.buy(400) for _ in range(4)])
    result = run(strategy, risk=RiskProfile(name="owned"), cash=100_000)
    assert result.document()["orders"] == 2
    assert result.rejected == {"insufficient_cash": 2}


def test_a_burst_of_a_thousand_intents_never_exceeds_the_cap(run):
    profile = RiskProfile(
        name="capped", symbol_notional_max=Decimal(5_000), leverage_max=None, orders_per_event_max=2_000
    )
    strategy = Each(_2=lambda desk: [desk.buy(1, limit=90.0) for _ in range(1_000)])
    result = run(strategy, risk=profile, count=3)
    state = result.assembly.backtest.state
    working = sum(t.leaves_lots for t in state.orders.open.values()) + state.portfolio.lots["BTC/USD.SIM"]
    last = Decimal(str(state.last_price["BTC/USD.SIM"]))
    assert 0 < working * Decimal("1e-8") * last <= Decimal(5_000) * Decimal("1.05")
    assert result.document()["rejected"] > 900


def test_an_intent_named_twice_is_one_order(run):
    result = run(
        Each(
            _2=lambda desk: [desk.buy(1, intent="entry") for _ in range(3)], _9=lambda desk: desk.buy(1, intent="entry")
        )
    )
    assert result.document()["orders"] == 1
    assert result.rejected == {"duplicate_intent": 3}


def test_cancel_replace_and_open_orders(run):
    seen = {}

    def place(desk):
        seen["id"] = desk.buy(2, limit=50.0)

    def change(desk):
        seen["open"] = [(o.limit, o.quantity, o.filled) for o in desk.open_orders()]
        desk.replace(seen["id"], quantity=1, limit=51.0)

    def look(desk):
        seen["replaced"] = desk.order(seen["id"]).limit
        desk.cancel_all()
        desk.cancel("each-999")
        desk.replace("each-999", limit=1.0)

    strategy = Each(_2=place, _3=change, _4=look)
    result = run(strategy)
    assert seen["open"] == [(50.0, 2.0, 0.0)]
    assert seen["replaced"] == 51.0
    assert [kind for kind, _, _ in strategy.news] == [
        "OrderAccepted", "OrderReplaced", "Refused", "Refused", "OrderCancelled",
    ]  # fmt: skip
    assert not result.assembly.backtest.state.orders.open


def test_timers_fire_between_bars_and_dice_are_seeded(run):
    class Dice(nj.Strategy):
        def __init__(self):
            self.fired, self.thrown = [], []

        def on_start(self, desk):
            desk.timer("first", 1_577_836_800 * 10**9 + 5)

        def on_timer(self, timer, desk):
            self.fired.append((timer.name, desk.time_ns))
            self.thrown.append(desk.rng.random())
            if len(self.fired) < 3:
                desk.timer("next", desk.time_ns + 1_800 * 10**9)
            desk.note("rolled")

    one, other, third = Dice(), Dice(), Dice()
    run(one)
    run(other)
    run(third, seed=2, data=None) if False else None
    start = 1_577_836_800 * 10**9 + 5
    assert one.fired == [("first", start), ("next", start + 1_800 * 10**9), ("next", start + 3_600 * 10**9)]
    assert one.thrown == other.thrown


def test_every_fill_leads_back_to_the_market_event_that_caused_its_order(run, bars):
    data = bars(400)
    result = run([EmaCross(3, 9), GridMaker(step=0.01, quantity=0.5, position_max=20, short=True)], data=data)
    orders = {}
    for line in result.assembly.backtest.journal.lines():
        _, _, cause, command = json.loads(line)
        if command["type"] == "new_order":
            orders[command["client_order_id"]] = cause
    fills = {fill.fill_id: fill for fill in result.assembly.backtest.fills}
    assert len(fills) > 50
    known = {f"bar:BTC/USD.SIM:{int(ts + 3600) * 10**9}" for ts in data["ts"].tolist()}

    def root(fill):
        cause = orders[fill.client_order_id]
        return root(fills[cause.removeprefix("fill:")]) if cause.startswith("fill:") else cause

    assert all(root(fill) in known for fill in fills.values())
    assert all(fill.causation_id in known for fill in fills.values())


def test_the_desk_shows_what_is_so(run):
    seen = {}

    def look(desk):
        seen.update(
            position=desk.position(), cash=desk.cash(), equity=desk.equity(), last=desk.last_price(), book=desk.book(),
            kind=desk.definition().kind, instruments=desk.instruments,
        )  # fmt: skip
        for wrong in (lambda: desk.position("X.Y"), lambda: desk.buy(-1), lambda: desk.buy(1, limit=float("nan")),
                      lambda: desk.timer("late", 0), lambda: desk.buy(1, time_in_force="forever")):  # fmt: skip
            with pytest.raises(ValueError):
                wrong()

    result = run(Each(_2=lambda desk: desk.buy("2.5"), _9=look))
    fill = result.assembly.backtest.fills[0]
    price = Decimal(fill.price_ticks).scaleb(-2)
    assert seen["position"] == 2.5
    assert Decimal(str(seen["cash"])) == 100_000 - Decimal("2.5") * price * Decimal("1.001")
    assert seen["equity"] == pytest.approx(seen["cash"] + 2.5 * seen["last"])
    assert seen["book"] is None
    assert seen["kind"] is InstrumentKind.SPOT
    assert result.document()["stopped"] == {}


@pytest.mark.parametrize("rows", [1, 7, 1_000_000])
@pytest.mark.parametrize("latency_ms", [0, 50])
def test_the_size_of_chunks_changes_nothing(run, bars, monkeypatch, rows, latency_ms):
    data = {"BTC/USD.SIM": bars(200), "ETH/USD.SIM": bars(180, 2), "ETH/USD.OTHER": bars(150, 3)}

    def play():
        maker = GridMaker(step=0.01, quantity=1, position_max=9, short=True)
        return run([EmaCross(3, 9), BuyAndHold(share=0.5), maker], data=data, latency_ms=latency_ms)

    expected = play()
    monkeypatch.setattr(assembling, "CHUNK_ROWS", rows)
    found = play()
    assert found.digest == expected.digest
    assert found.times_ns.tolist() == expected.times_ns.tolist()
    assert found.equity_values.tolist() == expected.equity_values.tolist()


def test_another_strategy_beside_it_changes_nothing_for_the_first(run):
    alone = run(EmaCross(3, 9))
    beside = run([EmaCross(3, 9), GridMaker(step=0.3, quantity=0.1, short=True)])

    def ours(result):
        return [(f.venue_time_ns, f.price_ticks) for f in result.assembly.backtest.fills if "ema" in f.client_order_id]

    assert ours(alone) == ours(beside)


def test_one_clock_for_several_venues_and_what_is_seen_late_is_traded_late(bars):
    # The far venue repeats the near one; with a delay on the way, its price is gone when we act on ours
    near = bars(200, volatility=0.02)
    strategy = Recorder()
    data = {"A/USD.NEAR": near, "A/USD.FAR": {**near, "ts": near["ts"] + 1_800}}
    nj.backtest(strategy, data, 10_000, risk="research")
    times = [(event.venue_time_ns, event.instrument_id) for _, kind, event in strategy.told if kind == "Bar"]
    assert times == sorted(times, key=lambda pair: pair[0])
    assert {name for _, name in times} == set(data)


@pytest.fixture
def stored(tmp_path):
    """Return a catalog with a perpetual: bars, funding; and an equity: bars, a split, a dividend, a halt."""
    catalog = Catalog(tmp_path / "catalog")
    hour, day = 3_600 * 10**9, 86_400 * 10**9
    perp = Instrument(
        instrument_id="BTC/USDT:USDT.BINANCE", kind=InstrumentKind.PERPETUAL, base="BTC", quote="USDT", underlier="BTC",
        price_tick=Decimal("0.1"), quantity_lot=Decimal("0.001"),
    )  # fmt: skip
    share = Instrument(
        instrument_id="ACME.NYSE", kind=InstrumentKind.EQUITY, base="ACME", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal(1),
    )  # fmt: skip
    catalog.define(perp)
    catalog.define(share)

    def bars_at(prices, step):
        ticks = np.array(prices, dtype=np.int64)
        columns = {f"{name}_ticks": ticks for name in ("open", "high", "low", "close")}
        return {"start_ns": step * np.arange(len(ticks)), **columns, "volume": np.full(len(ticks), 1e6)}

    catalog.write(DatasetId(perp.instrument_id, Kind.BARS, hour), bars_at([1_000_000] * 20, hour))
    catalog.write(DatasetId(perp.instrument_id, Kind.FUNDING), {
        "venue_time_ns": np.array([8, 16]) * hour, "rate_pico": np.array([100_000_000, -50_000_000]),
        "mark_ticks": np.array([-1, 1_100_000]),
    })  # fmt: skip
    catalog.write(DatasetId(share.instrument_id, Kind.BARS, day), bars_at([70_000] * 5 + [10_000] * 5, day))
    catalog.write(DatasetId(share.instrument_id, Kind.ACTIONS), {
        "venue_time_ns": np.array([3 * day + hour, 5 * day + hour]), "action": np.array([2, 1], dtype=np.int8),
        "numerator": np.array([1, 7]), "denominator": np.array([1, 1]),
        "amount_units_text": np.array([str(units("0.5")), "0"]),
    })  # fmt: skip
    catalog.write(
        DatasetId(share.instrument_id, Kind.STATUS),
        {"venue_time_ns": np.array([7 * day + 1, 8 * day + 1]), "halted": np.array([1, 0], dtype=np.int8)},
    )
    return catalog


def config(data, strategies, **more):
    return parse({
        "data": data, "strategies": strategies, "account": {"currency": more.pop("currency", "USD"), "cash": 1_000_000},
        "venue": {"fees": {"taker": 0, "maker": 0}, "latency_ms": 0}, "risk": "research", **more,
    })  # fmt: skip


HOLD = [{"name": "buy_and_hold", "params": {"quantity": 10}}]


def test_funding_belongs_to_a_perpetual_whether_or_not_it_is_asked_for(stored):
    result = run_config(
        config([{"instrument": "BTC/USDT:USDT.BINANCE", "interval": "1h"}], HOLD, currency="USDT"), stored
    )
    # Ten at 100,000 pay 1 bp at the last price, and get half a one at the given mark of 110,000
    assert result.funding == pytest.approx(-100 + 55)
    assert Decimal(result.final_equity) == 1_000_000 - 100 + 55
    assert result.warnings


def test_without_funding_data_the_result_says_so(bars):
    result = nj.backtest(BuyAndHold(quantity=1), bars(50), 10_000, instrument="A/USD:USD.X", taker=0)
    assert any("no funding data of A/USD:USD.X" in warning for warning in result.warnings)


def test_shares_across_a_dividend_a_split_and_a_halt(stored):
    data = [{"instrument": "ACME.NYSE", "interval": "1d"}, {"instrument": "ACME.NYSE", "kind": "status"}]
    result = run_config(config(data, HOLD), stored)
    state = result.assembly.backtest.state
    assert state.portfolio.lots["ACME.NYSE"] == 70
    assert Decimal(result.final_equity) == 1_000_000 + 10 * Decimal("0.5")
    assert min(result.equity_values) == 1_000_000
    assert max(result.equity_values) == 1_000_005


def test_an_account_in_a_currency_no_data_leads_to_is_refused(stored):
    with pytest.raises(ValueError, match="settles in USDT, and no data leads from that to USD"):
        run_config(config([{"instrument": "BTC/USDT:USDT.BINANCE", "interval": "1h"}], HOLD), stored)


def test_several_venues_have_their_own_settings(stored):
    both = config(
        [{"instrument": "BTC/USDT:USDT.BINANCE", "interval": "1h"}, {"instrument": "ACME.NYSE", "interval": "1d"}],
        [{**HOLD[0], "instruments": ["ACME.NYSE"]}], venues={"NYSE": {"fees": {"taker": 0.01}, "latency_ms": 1}},
    )  # fmt: skip
    with pytest.raises(ValueError, match="settles in USDT"):
        run_config(both, stored)
    one = config(
        [{"instrument": "ACME.NYSE", "interval": "1d"}],
        HOLD,
        venues={"NYSE": {"fees": {"taker": 0.01}, "latency_ms": 1}},
    )
    assert run_config(one, stored).fees == pytest.approx(70)
    with pytest.raises(ValueError, match=r"venues\.LSE"):
        run_config(config([{"instrument": "ACME.NYSE", "interval": "1d"}], HOLD, venues={"LSE": {}}), stored)


def test_equity_at_the_end_is_the_ledgers(run):
    result = run([EmaCross(3, 9), GridMaker(step=0.01, quantity=0.5, short=True)])
    state = result.assembly.backtest.state
    assert result.equity_values[-1] == float(decimal(state.equity_units()))
    assert result.equity_values[0] == 100_000


@pytest.mark.parametrize("spacing", [None, 3_600 * 10**9 * 24])
def test_the_curve_is_cash_and_holdings_at_every_moment(bars, spacing, monkeypatch):
    monkeypatch.setattr(feed, "CHUNK_ROWS", 64)
    data = {"A/USD.X": bars(300), "B/USD.Y": bars(280, 5)}
    result = nj.backtest(
        [EmaCross(3, 9), BuyAndHold(share=0.3)], data, 100_000, risk="research", taker=0.001, latency_ms=0
    )
    cash, lots, worth = 100_000.0, dict.fromkeys(data, 0.0), {}
    fills = sorted(result.assembly.backtest.fills, key=lambda f: f.venue_time_ns)
    for fill in fills:
        sign = 1 if fill.side == "buy" else -1
        grid = result.assembly.backtest.state.grids[fill.instrument_id]
        cash -= sign * grid.price(fill.price_ticks) * grid.quantity(fill.quantity_lots) + fill.fee_units / 1e18
        lots[fill.instrument_id] += sign * grid.quantity(fill.quantity_lots)
        worth[fill.venue_time_ns] = (cash, dict(lots))
    moments = np.array(list(worth))
    for time_ns, value in zip(result.times_ns[1:].tolist(), result.equity_values[1:].tolist(), strict=True):
        # A fill at the open of a bar is part of the account when the bar ends
        before = moments[moments < time_ns]
        held_cash, held = worth[int(before[-1])] if len(before) else (100_000.0, dict.fromkeys(data, 0.0))
        total = held_cash
        for name, columns in data.items():
            known = (columns["ts"] + 3600) * 10**9 <= time_ns
            total += held[name] * columns["close"][known][-1] if known.any() else 0
        assert value == pytest.approx(total, rel=1e-12)


def test_reasons_are_on_every_fill(run):
    result = run([EmaCross(3, 9), GridMaker(step=0.01, quantity=0.5, short=True)], fill="next_open")
    reasons = {fill.reason for fill in result.assembly.backtest.fills}
    assert reasons == {FillReason.NEXT_OPEN, FillReason.BAR_THROUGH}


def test_a_config_reads_back_from_its_canonical_form():
    from njord.engine.config import restore

    made = config([{"instrument": "ACME.NYSE", "interval": "1d", "from": "2020-01-01"}], HOLD)
    assert restore(json.loads(msgspec.json.encode(made)), "x") == made


@pytest.mark.parametrize(("model", "low", "high"), [("volatility_target", 0.1, 0.4), ("kelly", 0.0, 1.0)])
def test_positions_can_be_sized(bars, model, low, high):
    class Always(nj.Strategy):
        def on_bar(self, bar, desk):
            desk.target(1)

    from njord.research.frames import Frames

    frames = Frames()
    frames.add("BTC/USD.SIM", bars(2_000, 4, volatility=0.01))
    document = {
        "data": [{"instrument": "BTC/USD.SIM", "interval": "1h"}],
        "strategies": [{"name": "always", "sizing": {"model": model, "volatility": 0.2, "warm_up_bars": 50}}],
        "account": {"currency": "USD", "cash": 100_000},
        "venue": {"fees": {"taker": 0}},
        "risk": "research",
    }
    result = run_config(parse(document), frames, given=[("always", Always())])
    first = result.assembly.backtest.fills[0]
    assert first.venue_time_ns >= (1_577_836_800 + 51 * 3600) * 10**9
    assert result.document()["stopped"] == {}
    # One percent an hour is 94 % a year, so a 20 % target holds about a fifth of the equity
    state = result.assembly.backtest.state
    share = abs(state.portfolio.lots["BTC/USD.SIM"] * 1e-8 * state.last_price["BTC/USD.SIM"]) / float(
        result.final_equity
    )
    assert low <= share <= high
    if model == "volatility_target":
        changes = np.diff(result.equity_values[200:]) / result.equity_values[200:-1]
        assert np.std(changes) * np.sqrt(8_760) == pytest.approx(0.2, rel=0.1)


def test_who_listens_hears_every_stage_in_order(run):
    bus = MemoryBus()
    everything = bus.subscribe("*")
    result = run(EmaCross(3, 9), bus=bus)
    heard = list(everything)
    orders = [e.body.client_order_id for e in heard if e.topic == "orders.accepted"]
    fills = [e for e in heard if e.topic == "fills.new"]
    entries = [e for e in heard if e.topic == "ledger.entries"]
    assert len(orders) == result.document()["orders"]
    assert [e.body.fill_id for e in fills] == [e.body.cause for e in entries]
    assert [e.causation_id for e in fills] == orders[: len(fills)]
    # Market event, decision, fill, ledger: in this order for each, and no stage left out
    stages = {e.body.client_order_id: [] for e in heard if e.topic == "orders.accepted"}
    owner = {e.body.fill_id: e.body.client_order_id for e in fills}
    for envelope in heard:
        body = envelope.body
        order_id = owner[body.cause] if envelope.topic == "ledger.entries" else body.client_order_id
        stages[order_id].append(envelope.topic)
    assert set(map(tuple, list(stages.values())[: len(fills)])) == {("orders.accepted", "fills.new", "ledger.entries")}
