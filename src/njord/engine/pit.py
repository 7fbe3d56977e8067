"""One instrument of a simulated marketplace: its crowd, their orders, and how far order flow has pushed beliefs."""

import bisect
import math
from itertools import accumulate

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_S
from njord.domain.command import CancelOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, Report
from njord.domain.fill import Fill
from njord.domain.instrument import InstrumentKind
from njord.domain.market import Trade
from njord.domain.order import NewOrder
from njord.market.synthetic.adversaries import KINDS as ADVERSARIES
from njord.market.synthetic.adversaries import AdversaryKind
from njord.market.synthetic.agents import (
    CROWD_LIQUID,
    CROWD_MEDIUM,
    Agent,
    Command,
    Look,
    MarketMaker,
    Memory,
    Open,
)
from njord.market.synthetic.arrivals import Arrivals
from njord.market.synthetic.universe import WAKES_PER_S, Liquidity, Listing
from njord.market.synthetic.world import dice_state, set_dice

# Order flow moves what people believe by the square root of what was bought or sold on balance lately (Toth et al.
# 2011, Anomalous price impact), in half spreads at the size of one usual trade. It fades, and is bounded
FLOW_FADES_S = 60.0
FLOW_TRADES_MAX = 400.0
_IMPACT_HALF_SPREADS = 0.3

# A burst is often one who is in a hurry
_BURST_IS_ONE_AGENT = 0.7

_BREAKS = (InstrumentKind.EQUITY, InstrumentKind.SPOT, InstrumentKind.PERPETUAL, InstrumentKind.FUTURE)


class Breaker(msgspec.Struct, frozen=True):
    """Trading stops for ``halt_s`` when a price is ``share`` away from where it was up to ``window_s`` ago."""

    share: float = 0.07
    window_s: float = 300.0
    halt_s: float = 60.0


BREAKER = Breaker()


class PitState(msgspec.Struct):
    """All that changes in a pit, as plain data."""

    flow: float
    flow_ns: int
    spread: float
    depth: float
    bursting: bool
    last: int
    reference_ticks: int
    reference_ns: int
    closed: bool
    held: bool
    memories: list[Memory]  # Those of adversaries come last, and are missing in a state of before there were any
    dice: dict[str, str | int]
    adverse: float = 0.0
    adverse_kinds: tuple[AdversaryKind, ...] = ()


class Pit:
    """The participants of one book."""

    def __init__(self, listing: Listing, dice: np.random.Generator, breaker: Breaker) -> None:
        instrument = listing.instrument
        self.instrument_id = instrument.instrument_id
        self.tick = float(instrument.price_tick)
        self.rng = dice
        self.arrivals = Arrivals(WAKES_PER_S[listing.liquidity])
        self.spread, self.depth = 1.0, 1.0
        self.closed = False  # For good: it has expired
        self.held = False  # Until a scenario lets it resume
        self._breaker = breaker if instrument.kind in _BREAKS else None
        self._reference_ticks, self._reference_ns = 0, 0
        self._half, self._lots = listing.half_spread_ticks, listing.lots_typical
        self._flow, self._flow_ns = 0.0, 0  # Signed, in usual trades
        least = None if instrument.price_can_be_negative else 1
        crowd = CROWD_LIQUID if listing.liquidity is Liquidity.LIQUID else CROWD_MEDIUM
        self.agents: list[Agent] = []
        self._last = 0  # Who woke last
        weights = []
        for kind, count, share in crowd:
            for number in range(count):
                self.agents.append(kind(number, self.instrument_id, self._half, self._lots, least))
                weights.append(share / count)
        self._chances = list(accumulate(weights))
        self._crowd = len(self.agents)
        self._adversaries = {
            kind: made(0, self.instrument_id, self._half, self._lots, least) for kind, made in ADVERSARIES.items()
        }
        self.agents += self._adversaries.values()
        self._adverse: float = 0.0  # Their share of all wakes
        self._adverse_kinds: tuple[AdversaryKind, ...] = ()
        self.makers = [each for each in self.agents if isinstance(each, MarketMaker)]

    def next_agent(self, halted: bool) -> Agent:
        """Return who wakes: in a halt only market makers do, whose orders queue for the auction."""
        if halted:
            return self.makers[int(self.rng.integers(len(self.makers)))]
        if self._adverse and self.rng.random() < self._adverse:
            return self._adversaries[self._adverse_kinds[int(self.rng.integers(len(self._adverse_kinds)))]]
        if not (self.arrivals.bursting and self.rng.random() < _BURST_IS_ONE_AGENT):
            place = bisect.bisect(self._chances, self.rng.random() * self._chances[-1])
            self._last = min(place, self._crowd - 1)
        return self.agents[self._last]

    def let_in(self, kinds: tuple[AdversaryKind, ...], share: float) -> None:
        """Let adversaries do ``share`` of all there is to do; with 0 they sleep again."""
        self._adverse, self._adverse_kinds = share, kinds if share else ()

    def left_behind(self) -> list[tuple[Agent, list[CancelOrder]]]:
        """Return what those who sleep have left in the book, as the cancellation of it."""
        return [
            (agent, agent.withdraw()) for kind, agent in self._adversaries.items()
            if kind not in self._adverse_kinds and agent.memory.open
        ]  # fmt: skip

    def look(
        self, now_ns: int, fair: float, top: tuple[int, int, int, int], last_ticks: int | None, halted: bool
    ) -> Look:
        """Return what an agent of this pit sees."""
        return Look(
            now_ns, fair / self.tick, self._pressure_at(now_ns), *top, last_ticks, self.spread, self.depth, halted
        )

    @staticmethod
    def sent(agent: Agent, command: Command) -> None:
        """Remember an order that is on its way."""
        if isinstance(command, NewOrder) and command.limit_ticks is not None:
            agent.memory.open[command.client_order_id] = Open(command.side, command.limit_ticks, command.quantity_lots)

    @staticmethod
    def told(agent: Agent, report: Report) -> None:
        """Take in what the exchange told an agent."""
        memory = agent.memory
        if isinstance(report, Fill):
            memory.position_lots += report.side.sign * report.quantity_lots
            order = memory.open.get(report.client_order_id)
            if order is not None:
                order.lots -= report.quantity_lots
                if order.lots <= 0:
                    del memory.open[report.client_order_id]
        elif isinstance(report, OrderCancelled | OrderRejected | OrderExpired):
            memory.open.pop(report.client_order_id, None)
        else:
            assert isinstance(report, OrderAccepted | CancelRejected), report

    def traded(self, trade: Trade) -> bool:
        """Take in a trade. Returns whether it breaks the circuit."""
        flow = self._flow_at(trade.venue_time_ns) + int(trade.aggressor) * trade.quantity_lots / self._lots
        self._flow = max(-FLOW_TRADES_MAX, min(FLOW_TRADES_MAX, flow))
        self._flow_ns = trade.venue_time_ns
        return self._breaks(trade)

    def halt_ns(self) -> int:
        """Return how long a broken circuit stays broken."""
        return 0 if self._breaker is None else round(self._breaker.halt_s * NS_PER_S)

    def state(self) -> PitState:
        """Return everything that changes, as plain data. It shares nothing with the pit."""
        memories = [msgspec.convert(msgspec.to_builtins(each.memory), Memory) for each in self.agents]
        return PitState(
            self._flow, self._flow_ns, self.spread, self.depth, self.arrivals.bursting, self._last,
            self._reference_ticks, self._reference_ns, self.closed, self.held, memories, dice_state(self.rng),
            self._adverse, self._adverse_kinds,
        )  # fmt: skip

    def set_state(self, state: PitState) -> None:
        """Go on from a state. Raises ValueError where it is of another crowd."""
        if len(state.memories) not in (self._crowd, len(self.agents)):
            raise ValueError(
                f"{self.instrument_id}: {len(state.memories)} agents in the state, {len(self.agents)} here"
            )
        self._flow, self._flow_ns = state.flow, state.flow_ns
        self.spread, self.depth, self.closed, self.held = state.spread, state.depth, state.closed, state.held
        self.arrivals.bursting, self._last = state.bursting, state.last
        self._reference_ticks, self._reference_ns = state.reference_ticks, state.reference_ns
        self._adverse, self._adverse_kinds = state.adverse, state.adverse_kinds
        for agent, memory in zip(self.agents, state.memories, strict=False):
            agent.memory = msgspec.convert(msgspec.to_builtins(memory), Memory)
        set_dice(self.rng, state.dice)

    def _flow_at(self, now_ns: int) -> float:
        return self._flow * math.exp((self._flow_ns - now_ns) / (FLOW_FADES_S * NS_PER_S)) if self._flow else 0.0

    def _pressure_at(self, now_ns: int) -> float:
        flow = self._flow_at(now_ns)
        return math.copysign(_IMPACT_HALF_SPREADS * self._half * math.sqrt(abs(flow)), flow)

    def _breaks(self, trade: Trade) -> bool:
        breaker = self._breaker
        if breaker is None:
            return False
        old = trade.venue_time_ns - self._reference_ns > breaker.window_s * NS_PER_S
        if old or not self._reference_ns:
            self._reference_ticks, self._reference_ns = trade.price_ticks, trade.venue_time_ns
            return False
        if abs(trade.price_ticks - self._reference_ticks) <= breaker.share * abs(self._reference_ticks):
            return False
        self._reference_ns = 0  # The first trade after the halt is the new reference
        return True
