"""A simulated marketplace: a world, crowds, dealers and an exchange in one discrete-event loop on a virtual clock.

The same universe, seed, scenarios and orders of others make the same events, however ``advance`` is called. What wakes
next is the least (time, kind, place) in a queue, so ties have an order too. Nothing here reads a clock or waits.

Participants who are no agents ``submit`` at the marketplace's own time; their reports are theirs to drain.
"""

import heapq
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_DAY, NS_PER_S
from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import OrderRejected, Report
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.instrument import Instrument
from njord.domain.market import DealerQuote, Dividend, Expiry, Funding, MarketEvent, Trade
from njord.domain.money import units
from njord.domain.order import NewOrder, Rejection
from njord.engine.marketplace_state import Counters, MarketplaceState, Pending
from njord.engine.pit import BREAKER, Breaker, Pit
from njord.market.pricing.curve import ZeroCurve
from njord.market.synthetic.agents import Agent
from njord.market.synthetic.dealers import DEALERS, Dealer, DealerDesk
from njord.market.synthetic.scenarios import (
    Action,
    Adversaries,
    FlashCrash,
    Halt,
    LiquidityChange,
    Resume,
    Scenario,
)
from njord.market.synthetic.universe import Liquidity, Universe
from njord.market.synthetic.valuation import COUPONS_A_YEAR
from njord.market.synthetic.world import CRASHES_MAX, Happening, Occurrence, World, WorldState, dice_state, set_dice
from njord.venues.simulated.crossing import Crossing, Working
from njord.venues.simulated.dealers import QuoteBoard

EVENTS_PER_CALL_MAX = 200_000
# Scenario steps that wait for their time
PENDING_MAX = 10_000
_PICO = 10**12

# What may wake, in the order of ties
_ACTION, _RESUME, _OPENING, _WAKE, _DESK, _EXPIRY, _MIDNIGHT = range(7)

PublicEvent = MarketEvent | DealerQuote


class Marketplace:
    """Everything that trades in a universe, and time passing."""

    def __init__(
        self, universe: Universe, seed: int, *, dealers: tuple[Dealer, ...] = DEALERS, breaker: Breaker = BREAKER,
        fill_prefix: str = "", begun: WorldState | None = None,
    ) -> None:  # fmt: skip
        """``begun``: the world has lived before; it opens where that ends, else at the universe's start."""
        self.world = World(universe, seed)
        if begun is not None:
            self.world.restore(begun)
        self.instruments: dict[InstrumentId, Instrument] = {
            each.instrument.instrument_id: each.instrument for each in universe.listings
        }
        listed = [each for each in universe.listings if each.liquidity is not Liquidity.OTC]
        over_the_counter = [each for each in universe.listings if each.liquidity is Liquidity.OTC]
        self.crossing = Crossing([each.instrument for each in listed], fill_prefix=fill_prefix)
        self.board = QuoteBoard(
            [each.instrument for each in over_the_counter], positions=self.crossing.positions, fill_prefix=fill_prefix
        )
        self._pits = [Pit(each, _dice(seed, 1, place), breaker) for place, each in enumerate(listed)]
        self._pit_of = {each.instrument_id: each for each in self._pits}
        self._desks = [
            DealerDesk(
                dealer, each.instrument.instrument_id, each.half_spread_ticks, each.lots_typical,
                None if each.instrument.price_can_be_negative else 1,
            )
            for each in over_the_counter for dealer in dealers
        ]  # fmt: skip
        self._dealers = tuple(each.name for each in dealers)
        self._desk_dice = _dice(seed, 2, 0)
        self._desk_liquidity = {each.instrument.instrument_id: (1.0, 1.0) for each in over_the_counter}
        self._ticks = {name: float(each.price_tick) for name, each in self.instruments.items()}
        self._places = {name: place for place, name in enumerate(self.world.ids)}
        self._agents: dict[str, tuple[Pit, Agent]] = {
            agent.agent_id: (pit, agent) for pit in self._pits for agent in pit.agents
        }
        self._events: list[PublicEvent] = []
        self._reports: list[tuple[str, Report]] = []
        self._pending: dict[int, Action] = {}
        self._pending_last = 0
        start_ns = self.world.now_ns
        self._queue = [(start_ns, _OPENING, place) for place in range(len(self._pits))]
        self._queue += [(start_ns, _DESK, place) for place in range(len(self._desks))]
        self._queue.append((start_ns // NS_PER_DAY * NS_PER_DAY + NS_PER_DAY, _MIDNIGHT, 0))
        heapq.heapify(self._queue)

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        return self.world.now_ns

    @property
    def curve(self) -> ZeroCurve:
        """The zero curve now."""
        return self.world.curve

    def fair(self, instrument_id: InstrumentId) -> float:
        """Return what an instrument is worth, in its quote currency."""
        return self.world.fair(instrument_id)

    def advance(self, until_ns: int, events_max: int = EVENTS_PER_CALL_MAX) -> list[PublicEvent]:
        """Let time pass and return what everybody saw, in order.

        Stops early, ``now_ns`` being short of ``until_ns``, when there are ``events_max`` events or more: call again
        for the rest. Raises ValueError when time would run backwards.
        """
        if until_ns < self.now_ns:
            raise ValueError(f"marketplace: is at {self.now_ns} and cannot go back to {until_ns}")
        self._collect()
        while self._queue and self._queue[0][0] <= until_ns and len(self._events) < events_max:
            time_ns, kind, place = heapq.heappop(self._queue)
            self._pass(time_ns)
            if kind == _WAKE:
                self._wake(self._pits[place], time_ns)
                if not self._pits[place].closed:
                    self._push(time_ns + self._pits[place].arrivals.wait_ns(self._pits[place].rng), _WAKE, place)
            elif kind == _DESK:
                self._quote(place, time_ns)
            elif kind == _OPENING:
                self._open(place, time_ns)
            elif kind == _EXPIRY:
                self.board.expire(time_ns)
            elif kind == _MIDNIGHT:
                self.crossing.expire(time_ns)
                self._push(time_ns + NS_PER_DAY, _MIDNIGHT, 0)
            elif kind == _RESUME:
                self._resume(self._pits[place])
            else:
                self._do(self._pending.pop(place))
            self._collect()
        if len(self._events) < events_max:
            self._pass(until_ns)
            self._collect()
        found, self._events = self._events, []
        return found

    def admit(
        self, owner: str, positions: Mapping[InstrumentId, int], working: Iterable[Working] = ()
    ) -> None:  # fmt: skip
        """Let somebody who is no agent begin with positions, and with orders that worked here before."""
        self._is_free(owner)
        self.crossing.seed(owner, positions, working, self.now_ns)
        self._collect()

    def submit(self, owner: str, order: NewOrder) -> None:
        """Take an order of somebody who is no agent, now. Raises ValueError for a name that an agent has."""
        self._is_free(owner)
        name, now_ns = order.instrument_id, self.now_ns
        if name in self._pit_of and self._pit_of[name].closed:  # It would queue for an auction that never comes
            rejected = OrderRejected(order.client_order_id, name, Rejection.INSTRUMENT_HALTED, now_ns, now_ns)
            self._reports.append((owner, rejected))
            return
        self._crossing_or_board(name).submit(owner, order, now_ns)
        self._collect()

    def cancel(self, owner: str, command: CancelOrder) -> None:
        """Take what is left of such an order off the exchange."""
        self._is_free(owner)
        self.crossing.cancel(owner, command, self.now_ns)
        self._collect()

    def replace(self, owner: str, command: ReplaceOrder) -> None:
        """Change such an order."""
        self._is_free(owner)
        self.crossing.replace(owner, command, self.now_ns)
        self._collect()

    def drain_reports(self) -> list[tuple[str, Report]]:
        """Return (owner, report) of all who are no agents, since the last call, in order."""
        self._collect()
        found, self._reports = self._reports, []
        return found

    def drain_woken(self) -> list[tuple[str, ClientOrderId]]:
        """Return (owner, order) of the stops of all who are no agents that were triggered since the last call."""
        return [each for each in self.crossing.drain_woken() if each[0] not in self._agents]

    def is_agent(self, owner: str) -> bool:
        """Return whether a name is that of one of the crowd, or of a dealer."""
        return owner in self._agents or owner in self._dealers

    def top(self, instrument_id: InstrumentId) -> tuple[int, int, int, int]:
        """Return (bid_ticks, bid_lots, ask_ticks, ask_lots), in the book or of the dealers."""
        return self._crossing_or_board(instrument_id).top(instrument_id)

    def apply(self, scenario: Scenario) -> None:
        """Let a scenario begin now. Raises ValueError where it names what is not in this universe."""
        if len(self._pending) + len(scenario.steps) > PENDING_MAX:
            raise ValueError(f"scenario {scenario.name}: more than {PENDING_MAX} steps would wait")
        for step in scenario.steps:
            self._check(step.action)
        coming = [*self._pending.values(), *(step.action for step in scenario.steps)]
        if self.world.crashes + sum(isinstance(each, FlashCrash) for each in coming) > CRASHES_MAX:
            raise ValueError(f"scenario {scenario.name}: more than {CRASHES_MAX} crashes would run")
        for step in scenario.steps:
            self._pending_last += 1
            self._pending[self._pending_last] = step.action
            self._push(self.now_ns + round(step.at_s * NS_PER_S), _ACTION, self._pending_last)

    def snapshot(self) -> MarketplaceState:
        """Return the state as plain data. Raises ValueError while events or reports wait to be drained."""
        self._collect()
        if self._events or self._reports:
            raise ValueError("marketplace: drain events and reports before a snapshot")
        crossing, board = self.crossing, self.board
        working = [each for owner in self._owners() for each in crossing.working(owner)]
        working.sort(key=lambda each: each.number)
        asleep = [crossing.ahead_lots(each.owner, each.order.client_order_id) is None for each in working]
        return MarketplaceState(
            world=self.world.snapshot(), queue=sorted(self._queue), pits=[each.state() for each in self._pits],
            desks=[msgspec.structs.replace(each.state) for each in self._desks],
            desk_dice=dice_state(self._desk_dice), desk_liquidity=dict(self._desk_liquidity),
            pending=[Pending(number, action) for number, action in self._pending.items()],
            pending_last=self._pending_last,
            positions={owner: dict(held) for owner, held in sorted(crossing.positions.items())},
            resting=[msgspec.structs.replace(w) for w, sleeps in zip(working, asleep, strict=True) if not sleeps],
            asleep=[msgspec.structs.replace(w) for w, sleeps in zip(working, asleep, strict=True) if sleeps],
            halted=[pit.instrument_id for pit in self._pits if crossing.halted(pit.instrument_id)],
            counters={each.instrument_id: Counters(*crossing.counters(each.instrument_id)) for each in self._pits},
            quotes=[quote for name in self._desk_liquidity for quote in board.quotes(name, self.now_ns)],
            board_trades=board.trade_counts(),
        )  # fmt: skip

    def agents_only(self) -> MarketplaceState:
        """Return the state without those who are no agents: whoever looks after them admits them again."""
        self._collect()
        self._events, self._reports = [], []
        state = self.snapshot()
        return msgspec.structs.replace(
            state,
            positions={owner: held for owner, held in state.positions.items() if self.is_agent(owner)},
            resting=[each for each in state.resting if self.is_agent(each.owner)],
            asleep=[each for each in state.asleep if self.is_agent(each.owner)],
        )

    def restore(self, state: MarketplaceState) -> None:
        """Go on from a state, in a marketplace just made of the same universe. Nobody is told anything again."""
        self.world.restore(state.world)
        self._queue = [(each[0], each[1], each[2]) for each in state.queue]
        for pit, pit_state in zip(self._pits, state.pits, strict=True):
            pit.set_state(pit_state)
        for desk, desk_state in zip(self._desks, state.desks, strict=True):
            desk.state = msgspec.structs.replace(desk_state)
        set_dice(self._desk_dice, state.desk_dice)
        self._desk_liquidity = dict(state.desk_liquidity)
        self._pending = {each.number: each.action for each in state.pending}
        self._pending_last = state.pending_last
        for name, counters in state.counters.items():
            self.crossing.set_counters(name, 0, counters.trades, counters.last_ticks)
        for owner, positions in state.positions.items():
            self.crossing.seed(owner, positions)
        self._seed(state, state.resting)
        for name in state.halted:
            self.crossing.halt(name, self.now_ns)
        self._seed(state, state.asleep)  # In a halt they queue again
        for quote in state.quotes:
            self.board.put(quote)
        self.board.set_trade_counts(state.board_trades)
        for name, counters in state.counters.items():
            self.crossing.set_counters(name, counters.updates, counters.trades, counters.last_ticks)
        for drain in (self.crossing.drain_private, self.crossing.drain_public, self.board.drain_public):
            drain()
        self._events, self._reports = [], []

    def _seed(self, state: MarketplaceState, orders: list[Working]) -> None:
        # One at a time: what owners put in took turns
        for each in orders:
            held = state.positions.get(each.owner, {})
            self.crossing.seed(each.owner, held, [msgspec.structs.replace(each)], self.now_ns)

    def _push(self, time_ns: int, kind: int, place: int) -> None:
        heapq.heappush(self._queue, (time_ns, kind, place))

    def _pass(self, time_ns: int) -> None:
        self.world.advance(time_ns)
        for happening in self.world.drain():
            self._happen(happening)

    def _wake(self, pit: Pit, now_ns: int) -> None:
        crossing, name = self.crossing, pit.instrument_id
        if pit.closed:
            return
        halted = crossing.halted(name)
        self._let(pit, pit.next_agent(halted), now_ns, halted)

    def _let(self, pit: Pit, agent: Agent, now_ns: int, halted: bool) -> None:
        crossing, name = self.crossing, pit.instrument_id
        fair = float(self.world.fairs()[self._places[name]])
        look = pit.look(now_ns, fair, crossing.top(name), crossing.last_ticks(name), halted)
        for command in agent.wake(look, pit.rng):
            if isinstance(command, NewOrder):
                pit.sent(agent, command)
                crossing.submit(agent.agent_id, command, now_ns)
            else:
                crossing.cancel(agent.agent_id, command, now_ns)

    def _open(self, place: int, now_ns: int) -> None:
        pit = self._pits[place]
        for agent in pit.makers:
            self._let(pit, agent, now_ns, self.crossing.halted(pit.instrument_id))
            self._collect()
        self._push(now_ns + pit.arrivals.wait_ns(pit.rng), _WAKE, place)

    def _quote(self, place: int, now_ns: int) -> None:
        desk = self._desks[place]
        name = desk.instrument_id
        spread, depth = self._desk_liquidity[name]
        held = self.board.positions.get(desk.dealer.name, {}).get(name, 0)
        fair = self.fair(name) / self._ticks[name]
        others = _best_of_others(self.board.quotes(name, now_ns), desk.dealer.name)
        quote = desk.quote(now_ns, fair, others, held, spread, depth, self._desk_dice)
        if quote is not None:
            self.board.put(quote)
            self._push(quote.expires_ns, _EXPIRY, 0)
        self._push(now_ns + desk.wait_ns(self._desk_dice), _DESK, place)

    def _happen(self, happening: Happening) -> None:
        name, time_ns = happening.instrument_id, happening.time_ns
        if happening.occurrence is Occurrence.FUNDING:
            mark = round(self.fair(name) / self._ticks[name])
            self._events.append(Funding(name, time_ns, time_ns, round(happening.value * _PICO), mark))
        elif happening.occurrence is Occurrence.COUPON:
            bond = self.instruments[name]
            paid = 100 * (bond.coupon_rate or Decimal(0)) / COUPONS_A_YEAR * bond.multiplier
            self._events.append(Dividend(name, time_ns, time_ns, units(paid)))
        else:
            pit = self._pit_of[name]
            pit.closed = True
            for owner in self._owners():
                self._cancel_all(owner, name, time_ns)
            self.crossing.halt(name, time_ns)
            for held in self.crossing.positions.values():
                held.pop(name, None)
            self._events.append(self._expiry(name))

    def expired(self) -> list[Expiry]:
        """Return what is over already, and what it was settled at."""
        return [self._expiry(name) for name in self.world.settled]

    def _expiry(self, name: InstrumentId) -> Expiry:
        ends_ns = self.instruments[name].expiry_ns
        assert ends_ns is not None, name
        return Expiry(name, ends_ns, self.now_ns, round(self.world.settled[name] / self._ticks[name]))

    def _cancel_all(self, owner: str, name: InstrumentId, time_ns: int) -> None:
        for each in self.crossing.working(owner):
            if each.order.instrument_id == name:
                order = each.order
                self.crossing.cancel(owner, CancelOrder(order.client_order_id, order.strategy_id, name), time_ns)

    def _owners(self) -> list[str]:
        return sorted(self.crossing.owners())

    def _do(self, action: Action) -> None:
        if isinstance(action, Halt):
            for pit in self._named(action.instruments):
                pit.held = True
                self.crossing.halt(pit.instrument_id, self.now_ns)
        elif isinstance(action, Resume):
            for pit in self._named(action.instruments):
                pit.held = False
                self._resume(pit)
        elif isinstance(action, Adversaries):
            for pit in self._named(action.instruments):
                pit.let_in(action.kinds, action.share)
                for agent, cancels in pit.left_behind():
                    for cancel in cancels:
                        self.crossing.cancel(agent.agent_id, cancel, self.now_ns)
        elif isinstance(action, LiquidityChange):
            for pit in self._named(action.instruments):
                pit.spread, pit.depth = action.spread, action.depth
            for name in self._desk_liquidity:
                if not action.instruments or name in action.instruments:
                    self._desk_liquidity[name] = (action.spread, action.depth)
        else:
            self.world.apply(action)

    def _resume(self, pit: Pit) -> None:
        # The end of a circuit breaker's pause does not end a halt that somebody ordered
        if not pit.closed and not pit.held:
            self.crossing.resume(pit.instrument_id, self.now_ns)

    def _named(self, names: Iterable[InstrumentId]) -> list[Pit]:
        wanted = list(names)
        return [pit for pit in self._pits if not wanted or pit.instrument_id in wanted]

    def _check(self, action: Action) -> None:
        if isinstance(action, Halt | Resume | LiquidityChange | Adversaries):
            for name in action.instruments:
                if name not in self.instruments:
                    raise ValueError(f"scenario: {name} is not listed in this universe")
        else:
            self.world.check(action)

    def _collect(self) -> None:
        """Take in what the exchange said: agents hear of their orders, events are kept for whoever drives us."""
        for owner, report in self.crossing.drain_private():
            found = self._agents.get(owner)
            if found is None:
                self._reports.append((owner, report))
            else:
                found[0].told(found[1], report)
        # Dealers watch their positions, and need no reports
        self._reports += [each for each in self.board.drain_private() if each[0] not in self._dealers]
        self._events += self.board.drain_public()
        public = self.crossing.drain_public()
        self._events += public
        broken = [event for event in public if type(event) is Trade and self._pit_of[event.instrument_id].traded(event)]
        for trade in broken:
            self._break(trade.instrument_id)

    def _break(self, name: InstrumentId) -> None:
        if not self.crossing.halted(name):
            pit = self._pit_of[name]
            self.crossing.halt(name, self.now_ns)
            self._events += self.crossing.drain_public()
            self._push(self.now_ns + pit.halt_ns(), _RESUME, self._pits.index(pit))

    def _crossing_or_board(self, instrument_id: InstrumentId) -> Crossing | QuoteBoard:
        return self.board if instrument_id in self.board else self.crossing

    def _is_free(self, owner: str) -> None:
        if self.is_agent(owner):
            raise ValueError(f"owner {owner!r}: is one of the marketplace's own participants")


def _dice(seed: int, stream: int, place: int) -> np.random.Generator:
    # A stream of its own for each, so that what happens in one book moves no other
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream, place])))


def _best_of_others(quotes: list[DealerQuote], dealer: str) -> tuple[int, int, int, int]:
    others = [each for each in quotes if each.dealer != dealer]
    bid = max((each.bid_ticks for each in others if each.bid_lots), default=0)
    ask = min((each.ask_ticks for each in others if each.ask_lots), default=0)
    bids = any(each.bid_lots for each in others)
    asks = any(each.ask_lots for each in others)
    return bid, int(bids), ask, int(asks)
