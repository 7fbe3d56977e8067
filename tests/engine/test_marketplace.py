"""The marketplace: deterministic however it is driven, never crossed, at its cadences, obedient to scenarios."""

import collections
import hashlib
import os
import subprocess
import sys
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.command import CancelOrder
from njord.domain.event import OrderCancelled, OrderExpired, OrderRejected
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.market import Aggressor, BookUpdate, DealerQuote, Funding, Quote, Trade, TradingStatus
from njord.domain.order import NewOrder, OrderType, Rejection, Side, TimeInForce
from njord.engine.marketplace import Marketplace
from njord.engine.marketplace_state import MarketplaceState
from njord.market.book import Book
from njord.market.synthetic.agents import RESTING_MAX
from njord.market.synthetic.arrivals import Arrivals
from njord.market.synthetic.dealers import DEALERS
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.scenarios import (
    NAMED,
    FlashCrash,
    Halt,
    LiquidityChange,
    RatesShift,
    Resume,
    Scenario,
    Step,
    Volatility,
)
from njord.market.synthetic.universe import UPDATES_PER_S, Liquidity

START_NS = time_ns("2026-01-05")
UNIVERSE = default_universe(START_NS)
SHARE = InstrumentId("BRAGE.SIM")
FEW = ("BRAGE.SIM", "RAN.SIM", "ASGARD-H26.SIM", "DRAUPNIR/USD:USD.SIM", "NGB-10Y.SIM", "IRS-5Y.SIM")


def small(*names):
    """The default universe with only these listed: the world is the same, the market smaller."""
    wanted = names or FEW
    kept = tuple(each for each in UNIVERSE.listings if each.instrument.instrument_id in wanted)
    return msgspec.structs.replace(UNIVERSE, listings=kept)


def after(seconds):
    return START_NS + round(seconds * NS_PER_S)


def digest(events):
    chain = hashlib.sha256()
    for event in events:
        chain.update(msgspec.json.encode(event))
    return chain.hexdigest()


def of(events, kind, name=None):
    return [each for each in events if type(each) is kind and name in (None, each.instrument_id)]


def order(number, side, lots, ticks, force=TimeInForce.GTC, name=SHARE):
    kind = OrderType.MARKET if ticks is None else OrderType.LIMIT
    return NewOrder(ClientOrderId(f"u{number}"), StrategyId("user"), name, side, kind, lots, ticks, None, force)


SCRIPT = """
import hashlib, msgspec
from njord.domain.clock import NS_PER_S, time_ns
from njord.engine.marketplace import Marketplace
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.scenarios import NAMED
start_ns = time_ns("2026-01-05")
market = Marketplace(default_universe(start_ns), 11)
market.apply(NAMED["flash-crash"])
chain = hashlib.sha256()
for event in market.advance(start_ns + 8 * NS_PER_S):
    chain.update(msgspec.json.encode(event))
print(chain.hexdigest())
"""


def test_the_same_seed_is_the_same_market_in_every_process():
    found = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("0", "1", "random")
    ]  # fmt: skip

    assert len(dict.fromkeys(found)) == 1
    other = Marketplace(UNIVERSE, 12)
    other.apply(NAMED["flash-crash"])
    assert digest(other.advance(after(8))) != found[0].strip()


def test_a_named_scenario_is_the_same_market_in_a_later_version():
    market = Marketplace(small(), 5)
    market.apply(NAMED["flash-crash"])

    # Changes only when the market is meant to change, and then on purpose
    assert digest(market.advance(after(20))) == "0933f15cc33184ca4f3a43267cab0175261687cdeb2abe89288522d5b8267911"


def test_time_may_be_cut_as_one_likes():
    whole, cut, crowded = (Marketplace(small(), 2) for _ in range(3))
    for each in (whole, cut, crowded):
        each.apply(NAMED["flash-crash"])
    expected = whole.advance(after(30))
    pieces = []
    for step in range(1, 301):
        pieces += cut.advance(after(step * 0.1))
    bounded = []
    while crowded.now_ns < after(30):
        found = crowded.advance(after(30), events_max=7)
        assert len(found) < 7 + 200  # What one wake adds
        bounded += found

    assert len(expected) > 500
    assert digest(pieces) == digest(bounded) == digest(expected)
    with pytest.raises(ValueError, match="cannot go back"):
        whole.advance(START_NS)


def test_a_restart_goes_on_as_if_nothing_had_been():
    first, second = Marketplace(UNIVERSE, 4), Marketplace(UNIVERSE, 4)
    first.apply(NAMED["flash-crash"])
    first.apply(Scenario("later", (Step(6.0, Halt((SHARE,))), Step(11.0, Resume((SHARE,))))))
    first.submit("anna", order(1, Side.BUY, 10, 14_000))
    first.advance(after(8))
    first.drain_reports()
    stored = msgspec.json.encode(first.snapshot())

    second.restore(msgspec.json.decode(stored, type=MarketplaceState))

    assert [each.order.client_order_id for each in second.crossing.working("anna")] == ["u1"]
    for each in (first, second):
        each.cancel("anna", CancelOrder(ClientOrderId("u1"), StrategyId("user"), SHARE))
    assert digest(second.advance(after(25))) == digest(first.advance(after(25)))
    assert second.drain_reports() == first.drain_reports()
    held = [{owner: own for owner, own in each.crossing.positions.items() if own} for each in (first, second)]
    assert held[0] == held[1]


def test_events_come_in_order_and_books_never_cross():
    market = Marketplace(UNIVERSE, 3)
    market.apply(NAMED["volatile"])
    events = market.advance(after(25))
    books = {each.instrument.instrument_id: Book(each.instrument.instrument_id) for each in UNIVERSE.listings}
    updates = 0
    assert [each.venue_time_ns for each in events] == sorted(each.venue_time_ns for each in events)
    for event in events:
        if type(event) is BookUpdate:
            book = books[event.instrument_id]
            book.apply(event)
            bid, ask = book.best_bid(), book.best_ask()
            updates += 1
            assert bid is None or ask is None or bid[0] < ask[0]
        elif type(event) is Quote and event.bid_lots and event.ask_lots:
            assert event.ask_ticks > event.bid_ticks
    assert updates > 10_000
    for name in market.instruments:
        if name in market.board:
            continue
        bids, asks = market.crossing.depth(name, 50)
        assert [price for price, _ in bids] == sorted((price for price, _ in bids), reverse=True)
        assert [price for price, _ in asks] == sorted(price for price, _ in asks)
        assert min(lots for _, lots in bids + asks) > 0


def test_nobody_wins_what_nobody_loses():
    market = Marketplace(small(), 6)
    for number in range(40):
        market.advance(after(number))
        side = Side.BUY if number % 3 else Side.SELL
        market.submit("anna" if number % 2 else "bert", order(number, side, 30, None, TimeInForce.IOC))
    totals = collections.Counter()
    for held in market.crossing.positions.values():
        totals.update(held)
    reports = market.drain_reports()
    fills = [report for _, report in reports if isinstance(report, Fill)]

    assert len(fills) > 30
    assert set(dict(reports)) == {"anna", "bert"}
    assert not any(totals.values())
    assert market.crossing.positions["anna"][SHARE] == sum(
        report.side.sign * report.quantity_lots for owner, report in reports if owner == "anna" and type(report) is Fill
    )


def test_the_second_taker_pays_more():
    market = Marketplace(small(SHARE), 1)
    market.advance(after(10))
    prices = []
    for number in range(2):
        market.submit("anna", order(number, Side.BUY, 400, None, TimeInForce.IOC))
        fills = [report for _, report in market.drain_reports() if isinstance(report, Fill)]
        prices.append(sum(f.price_ticks * f.quantity_lots for f in fills) / sum(f.quantity_lots for f in fills))

    assert prices[1] > prices[0]


def test_agents_keep_within_their_bounds():
    market = Marketplace(UNIVERSE, 8)
    for step in range(1, 16):
        market.advance(after(step))
        for owner in market.crossing.owners():
            working = market.crossing.working(owner)
            assert market.is_agent(owner)
            assert len(working) <= RESTING_MAX
    with pytest.raises(ValueError, match="maker-0"):
        market.submit("maker-0@BRAGE.SIM", order(1, Side.BUY, 1, 1))


@pytest.mark.slow
def test_updates_come_at_their_cadences():
    market, seconds = Marketplace(UNIVERSE, 21), 240
    times = collections.defaultdict(dict)
    for step in range(1, seconds + 1):
        for event in market.advance(after(step)):
            times[event.instrument_id][event.venue_time_ns] = None
    for liquidity in Liquidity:
        rates = [
            len(times[each.instrument.instrument_id]) / seconds
            for each in UNIVERSE.listings if each.liquidity is liquidity
        ]  # fmt: skip
        assert np.mean(rates) == pytest.approx(UPDATES_PER_S[liquidity], rel=0.05), liquidity


@pytest.mark.parametrize("per_s", [6.6, 2.1, 0.5])
def test_arrivals_keep_their_rate_in_spite_of_bursts(per_s):
    rng, arrivals = np.random.default_rng(1), Arrivals(per_s)
    waits = np.array([arrivals.wait_ns(rng) for _ in range(40_000)]) / NS_PER_S

    assert waits.mean() == pytest.approx(1 / per_s, rel=0.05)
    assert (waits < 0.02).mean() > 0.09  # A seventh of the gaps are those of a burst
    # More variable than one clock would be
    assert waits.std() > waits.mean() * 1.02


def test_a_burst_loses_nothing():
    hasty = tuple(msgspec.structs.replace(each, refresh_s=0.001, ttl_s=0.004) for each in DEALERS)
    whole, cut = (Marketplace(small("NGB-10Y.SIM"), 1, dealers=hasty) for _ in range(2))
    expected = whole.advance(after(2))
    found = []
    while cut.now_ns < after(2):
        found += cut.advance(after(2), events_max=10)

    quotes = of(expected, DealerQuote)
    assert len(quotes) > 2 * 3_500
    for dealer in DEALERS:
        numbers = [int(each.quote_id.rpartition("-")[2]) for each in quotes if each.dealer == dealer.name]
        assert numbers == list(range(1, len(numbers) + 1))
    assert found == expected


def test_dealers_compete_and_their_quotes_end():
    market = Marketplace(small(), 3)
    seen = collections.defaultdict(dict)
    for step in range(1, 120):
        for event in market.advance(after(step)):
            if type(event) is DealerQuote:
                seen[event.instrument_id][event.dealer] = event
                assert event.bid_ticks < event.ask_ticks
                assert event.venue_time_ns < event.expires_ns
        for name in ("NGB-10Y.SIM", "IRS-5Y.SIM"):
            live = [q for q in seen[name].values() if q.expires_ns > market.now_ns]
            bid, bid_lots, ask, ask_lots = market.top(name)
            assert bid == max((q.bid_ticks for q in live), default=0)
            assert ask == min((q.ask_ticks for q in live), default=0)
            assert not live or (bid < ask and bid_lots and ask_lots)
            fair = market.fair(name) / float(market.instruments[name].price_tick)
            assert not live or abs((bid + ask) / 2 - fair) < 12
    assert {name: len(dealers) for name, dealers in seen.items()} == {"NGB-10Y.SIM": 4, "IRS-5Y.SIM": 4}
    spreads = {dealer: q.ask_ticks - q.bid_ticks for dealer, q in seen["NGB-10Y.SIM"].items()}
    assert len(dict.fromkeys(spreads.values())) > 1


def test_a_dealers_quote_is_taken_by_name():
    market = Marketplace(small(), 3)
    quote = of(market.advance(after(5)), DealerQuote, "NGB-10Y.SIM")[-1]
    wanted = NewOrder(
        ClientOrderId("b1"), StrategyId("user"), quote.instrument_id, Side.BUY, OrderType.LIMIT, 5, quote.ask_ticks,
        time_in_force=TimeInForce.FOK, quote_id=quote.quote_id,
    )  # fmt: skip
    market.submit("anna", wanted)

    ((owner, fill),) = [each for each in market.drain_reports() if isinstance(each[1], Fill)]
    assert owner == "anna"
    assert (fill.price_ticks, fill.quantity_lots) == (quote.ask_ticks, 5)
    assert market.crossing.positions[quote.dealer][quote.instrument_id] == -5


def test_a_halt_stops_trading_and_an_auction_ends_it():
    market = Marketplace(small(), 9)
    market.apply(Scenario("pause", (Step(5.0, Halt((SHARE,))), Step(25.0, Resume((SHARE,))))))
    events = market.advance(after(40))
    trades = [each.venue_time_ns for each in of(events, Trade, SHARE)]
    status = [(each.venue_time_ns, each.halted) for each in of(events, TradingStatus, SHARE)]

    assert status == [(after(5), True), (after(25), False)]
    assert not [each for each in trades if after(5) <= each < after(25)]
    assert [each for each in trades if each < after(5)]
    assert [each for each in trades if each > after(25)]
    auction = [each for each in of(events, Trade, SHARE) if each.aggressor is Aggressor.UNKNOWN]
    assert {each.venue_time_ns for each in auction} <= {after(25)}
    assert len({each.price_ticks for each in auction}) <= 1
    assert [each for each in of(events, Trade, InstrumentId("RAN.SIM")) if after(5) < each.venue_time_ns < after(25)]


def test_during_a_halt_a_users_market_order_is_refused_and_a_limit_order_queues():
    market = Marketplace(small(), 9)
    market.apply(Scenario("stop", (Step(1.0, Halt()),)))
    market.advance(after(2))
    market.submit("anna", order(1, Side.BUY, 10, None, TimeInForce.IOC))
    market.submit("anna", order(2, Side.BUY, 10, 20_000))
    reports = [report for _, report in market.drain_reports()]

    assert isinstance(reports[0], OrderRejected)
    assert len(market.crossing.working("anna")) == 1


def shown(market, seconds, names):
    """Average spread and depth at the best, every half second."""
    spreads, depths = [], []
    for _ in range(seconds * 2):
        market.advance(market.now_ns + NS_PER_S // 2)
        for name in names:
            bid, bid_lots, ask, ask_lots = market.top(name)
            if bid_lots and ask_lots:
                spreads.append((ask - bid) / market._pit_of[name]._half)
            bids, asks = market.crossing.depth(name, 5)
            depths.append(sum(lots for _, lots in bids + asks) / market._pit_of[name]._lots)
    return np.mean(spreads), np.mean(depths)


def test_a_liquidity_crunch_thins_the_book():
    names = [each.instrument.instrument_id for each in UNIVERSE.listings if each.liquidity is Liquidity.LIQUID][:8]
    market = Marketplace(small(*names), 10)
    market.advance(after(20))
    spread, depth = shown(market, 40, names)
    market.apply(NAMED["liquidity-crunch"])
    market.advance(market.now_ns + 30 * NS_PER_S)
    crunched_spread, crunched_depth = shown(market, 40, names)

    # Makers show a tenth at five times the spread; what others leave in between softens both
    assert 2 < crunched_spread / spread < 6
    assert crunched_depth / depth < 0.4


@pytest.mark.slow
def test_a_flash_crash_falls_halts_and_recovers():
    names = [each.instrument.instrument_id for each in UNIVERSE.listings if each.liquidity is Liquidity.LIQUID][:6]
    market = Marketplace(small(*names), 13)
    market.advance(after(20))
    market.apply(NAMED["flash-crash"])
    before = {name: market.fair(name) for name in names}
    events = market.advance(market.now_ns + 600 * NS_PER_S)
    for name in names:
        prices = [each.price for each in of(events, Trade, name)]
        halts = [each for each in of(events, TradingStatus, name) if each.halted]
        assert 0.05 < 1 - min(prices) / before[name] < 0.12, name
        assert 1 <= len(halts) <= 4, name
        assert abs(prices[-1] / before[name] - 1) < 0.025, name


def test_rates_move_what_dealers_quote():
    market = Marketplace(small(), 3)
    market.advance(after(60))
    before = market.top("NGB-10Y.SIM")
    market.apply(Scenario("up", (Step(0.0, RatesShift(100.0)),)))
    market.advance(after(150))

    change = (market.top("NGB-10Y.SIM")[0] - before[0]) * 0.005
    assert change == pytest.approx(-7.6, abs=0.5)


def test_perpetuals_pay_funding_when_it_is_due():
    universe = msgspec.structs.replace(small(), start_ns=time_ns("2026-01-05T07:59:30"))
    market = Marketplace(universe, 3)
    found = of(market.advance(time_ns("2026-01-05T08:00:30")), Funding)

    assert [(each.instrument_id, each.venue_time_ns) for each in found] == [
        ("DRAUPNIR/USD:USD.SIM", time_ns("2026-01-05T08:00:00"))
    ]
    assert abs(found[0].rate_pico) < 10**10
    assert found[0].mark_ticks == pytest.approx(61_250, rel=0.01)


def test_an_expired_contract_trades_no_more():
    expiry_ns = next(e.instrument.expiry_ns for e in UNIVERSE.listings if e.instrument.base == "ASGARD")
    universe = msgspec.structs.replace(small("ASGARD-H26.SIM", "BRAGE.SIM"), start_ns=expiry_ns - 10 * NS_PER_S)
    market = Marketplace(universe, 3)
    name = InstrumentId("ASGARD-H26.SIM")
    market.submit("anna", order(1, Side.BUY, 1, 10_000, name=name))
    events = market.advance(expiry_ns + 20 * NS_PER_S)

    assert market.fair(name) == pytest.approx(4_850, rel=0.01)
    assert [(e.venue_time_ns, e.halted) for e in of(events, TradingStatus, name)] == [(expiry_ns, True)]
    assert not [each for each in of(events, Trade, name) if each.venue_time_ns > expiry_ns]
    assert not market.crossing.working("anna")
    assert [type(report) for _, report in market.drain_reports()][-1] is OrderCancelled
    assert of(events, Trade, SHARE)[-1].venue_time_ns > expiry_ns
    market.submit("anna", order(2, Side.BUY, 1, 10_000, name=name))
    assert [report.reason for _, report in market.drain_reports()] == [Rejection.INSTRUMENT_HALTED]


def test_a_day_order_ends_with_the_day():
    universe = msgspec.structs.replace(small(SHARE), start_ns=time_ns("2026-01-05T23:59:58"))
    market = Marketplace(universe, 3)
    market.submit("anna", order(1, Side.BUY, 1, 10_000, TimeInForce.DAY))
    market.submit("anna", order(2, Side.BUY, 1, 10_000, TimeInForce.GTC))
    market.advance(time_ns("2026-01-06T00:00:01"))

    expired = [report for _, report in market.drain_reports() if type(report) is OrderExpired]
    assert [(each.client_order_id, each.venue_time_ns) for each in expired] == [("u1", time_ns("2026-01-06"))]
    assert [each.order.client_order_id for each in market.crossing.working("anna")] == ["u2"]


def test_a_scenario_that_names_nobody_is_refused_whole():
    market = Marketplace(small(), 3)
    for action in (Halt((InstrumentId("NOBODY.SIM"),)), LiquidityChange(instruments=(InstrumentId("X.SIM"),)),
                   FlashCrash(0.1, 1.0, 1.0, underliers=("NOBODY",))):  # fmt: skip
        with pytest.raises(ValueError, match="scenario"):
            market.apply(Scenario("x", (Step(0.0, Volatility(5.0)), Step(0.0, action))))
    untouched = Marketplace(small(), 3)

    assert digest(market.advance(after(5))) == digest(untouched.advance(after(5)))


def test_prices_are_on_the_grid_and_near_the_value():
    market = Marketplace(UNIVERSE, 14)
    market.advance(after(30))
    for listing in UNIVERSE.listings:
        name = listing.instrument.instrument_id
        bid, bid_lots, ask, ask_lots = market.top(name)
        fair = market.fair(name) / float(listing.instrument.price_tick)
        assert bid_lots or fair < 20
        assert ask_lots
        assert abs((bid + ask) / 2 - fair) < 14 * listing.half_spread_ticks + 2, name
        assert listing.instrument.price_tick > Decimal(0)
