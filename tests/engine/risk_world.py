"""A world for the risk engine: puppets that want anything, a venue that says anything possible, and a naive auditor.

The engine is the real one, driven by ``step``. The auditor knows what was sent, reported, filled and priced, and counts
everything again from that at each step, with fractions and loops: the second, plain implementation.
"""

from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    TimerFired,
)
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import (
    GLOBAL,
    Cleared,
    ClockTick,
    Deposited,
    OrderUnknown,
    ProfileChanged,
    Scope,
    ScopeKind,
    Tripped,
    TripSource,
)
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Bar
from njord.domain.order import NewOrder, OrderStatus, OrderType, Rejection, Side
from njord.domain.profile import DrawdownTier, RiskProfile, VenueAccess, VenueProfile
from njord.engine import boundary
from njord.engine.assemble import parts_of
from njord.engine.config import parse
from njord.engine.step import step
from njord.execution.oms import ASKED_MAX
from njord.research.frames import Frames
from njord.strategies.port import Strategy

NAMES = ("BTC/USD.SIM", "ETH/USD.SIM", "SOL/USD.ALT", "PERP/USD.ALT")
PUPPETS = ("alpha", "beta")
MARGINED = frozenset({"PERP/USD.ALT"})
TICK, LOT = Decimal("0.01"), Decimal("0.01")
UNIT = 10**18
LOT_TICK_UNITS = int(TICK * LOT * UNIT)
START_NS = 1_704_067_200_000_000_000
MS = 1_000_000
HALF = Decimal("0.5")
VENUES = VenueProfile(
    name="two", venues={"SIM": VenueAccess.ALLOW, "ALT": VenueAccess.ALLOW}, groups={"alt": ("ALT",)},
    group_share_max={"alt": Decimal("0.4")},
)  # fmt: skip
LONG_ONLY = RiskProfile(
    name="long", leverage_max=Decimal(1), price_collar=HALF, order_notional_max=Decimal(20_000),
    symbol_notional_max=Decimal(45_000), strategy_notional_max=Decimal(60_000), portfolio_notional_max=Decimal(90_000),
    orders_per_s_max=Decimal(20), orders_burst=5, open_orders_max=12, watch_interval="1s",
)  # fmt: skip
BOTH_WAYS = RiskProfile(
    name="both", leverage_max=Decimal(2), short_allowed=True, price_collar=HALF, order_notional_max=Decimal(30_000),
    symbol_notional_max=Decimal(70_000), strategy_leverage_max=Decimal("1.2"), orders_per_s_max=Decimal("33.3"),
    orders_burst=7, drawdown_tiers=(DrawdownTier(drawdown=Decimal("0.02"), size=HALF),
                                    DrawdownTier(drawdown=Decimal("0.2"), entries=False)),
)  # fmt: skip


class Puppet(Strategy):
    """Wants what it is told to want, when a timer of its own fires."""

    def __init__(self):
        self.wants = []

    def on_timer(self, timer, desk):
        wants, self.wants = self.wants, []
        for want in wants:
            want(desk)


def made(profile):
    """Return a fresh state of the world, and its puppets."""
    frames = Frames()
    for name in NAMES:
        base = name.partition("/")[0]
        kind = InstrumentKind.PERPETUAL if name in MARGINED else InstrumentKind.SPOT
        definition = Instrument(
            instrument_id=name, kind=kind, base=base, quote="USD", price_tick=TICK, quantity_lot=LOT,
            underlier="BTC" if name in MARGINED else None,
        )  # fmt: skip
        row = {column: np.array([100.0]) for column in ("open", "high", "low", "close", "volume")}
        frames.add(name, {"ts": np.array([START_NS]), **row}, definition)
    config = parse(
        {
            "data": [{"instrument": name, "interval": "1m"} for name in NAMES],
            "strategies": [{"name": "buy_and_hold"}] * len(PUPPETS), "account": {"currency": "USD", "cash": 100_000},
            "risk": "capital_preserving",
        }
    )  # fmt: skip
    puppets = {name: Puppet() for name in PUPPETS}
    state = parts_of(config, frames, given=list(puppets.items()), shares_books=False).state
    state.go_on_record()
    state.venue_profile = VENUES
    state.adopt(profile)
    return state, puppets


class AtVenue:
    """One order, as the venue has it."""

    def __init__(self, order):
        self.order = order
        self.quantity, self.limit, self.filled = order.quantity_lots, order.limit_ticks, 0
        self.requests = []  # Replacements it has not looked at yet
        self.gone = False  # Whether it said that it is over
        self.asked = []  # All that may still come about, as far as our side can tell: a refusal does not say of which


class Auditor:
    """Counts everything again. Money in units, as integers; limits as fractions."""

    def __init__(self, profile):
        self.profile = profile
        self.cash = 0
        self.held, self.cost, self.price = {}, {}, {}
        self.orders = {}
        self.stopped = set()
        self.tokens, self.tokens_ns = Fraction(profile.orders_burst), 0

    def worth(self, ticks, lots):
        return ticks * lots * LOT_TICK_UNITS

    def could_fill(self, each):
        most = max([each.quantity, *(lots for lots, _ in each.asked)])
        return most - each.filled

    def could_cost(self, each):
        name = each.order.instrument_id
        kinds = [(each.quantity, each.limit), *each.asked]
        if each.limit is None:
            return self.worth(self.price[name], self.could_fill(each))
        return max(self.worth(ticks, lots - each.filled) for lots, ticks in kinds if ticks is not None)

    def worst(self, name, strategy=None):
        held = sum(lots for (who, what), lots in self.held.items() if what == name and strategy in (None, who))
        sides = {Side.BUY: 0, Side.SELL: 0}
        for each in self.orders.values():
            if each.order.instrument_id == name and not each.gone and strategy in (None, each.order.strategy_id):
                sides[each.order.side] += self.could_fill(each)
        lots = max(abs(held + sides[Side.BUY]), abs(held - sides[Side.SELL]))
        return self.worth(self.price.get(name, 0), lots)

    def gross(self, venue=""):
        return sum(self.worst(name) for name in NAMES if name.endswith(venue))

    def equity(self):
        total = self.cash
        for (who, name), lots in self.held.items():
            total += self.worth(self.price[name], lots) if lots else 0
            total -= self.cost.get((who, name), 0) if name in MARGINED else 0
        return total

    def free_cash(self):
        reserved = 0
        for each in self.orders.values():
            if each.order.side is Side.BUY and not each.gone and each.order.instrument_id not in MARGINED:
                reserved += self.could_cost(each)
        return self.cash - reserved

    def spend(self, time_ns):
        rate, burst = self.profile.orders_per_s_max, self.profile.orders_burst
        self.tokens = min(Fraction(burst), self.tokens + Fraction(time_ns - self.tokens_ns, 10**9) * Fraction(rate))
        self.tokens_ns = time_ns
        self.tokens -= 1
        assert self.tokens >= 0, "more orders than the rate allows"

    def reached(self, name, strategy):
        """Return all that is limited, by the name of its limit, and the limits, in units."""
        profile, equity = self.profile, self.equity()
        gross, own = self.gross(), sum(self.worst(each, strategy) for each in NAMES)
        found = {
            "symbol_notional_max": (self.worst(name), profile.symbol_notional_max, UNIT),
            "strategy_notional_max": (own, profile.strategy_notional_max, UNIT),
            "portfolio_notional_max": (gross, profile.portfolio_notional_max, UNIT),
            "leverage_max": (gross, profile.leverage_max, equity),
            "strategy_leverage_max": (own, profile.strategy_leverage_max, equity),
        }
        if name.endswith("ALT"):
            found["group"] = (self.gross("ALT"), VENUES.group_share_max["alt"], equity)
        if profile.leverage_max <= 1 and name not in MARGINED:
            found["cash"] = (-self.free_cash(), Decimal(0), UNIT)
        return {limit: (now, most * unit) for limit, (now, most, unit) in found.items() if most is not None}

    def filled(self, fill, strategy):
        key, signed = (strategy, fill.instrument_id), fill.side.sign * fill.quantity_lots
        held, worth = self.held.get(key, 0), self.worth(fill.price_ticks, fill.quantity_lots)
        self.held[key] = held + signed
        if fill.instrument_id not in MARGINED:
            self.cash -= fill.side.sign * worth
            return
        self.cost[key] = self.cost.get(key, 0) + fill.side.sign * worth  # Gains are counted when all of it is worth 0


class World:
    """The engine, the venue and the auditor. Every method is one thing that can happen; ``draw(n)`` is below n."""

    def __init__(self, profile):
        self.first = profile
        self.state, self.puppets = made(profile)
        self.auditor = Auditor(profile)
        self.ids = 0
        self.sessions = 1
        self.approved = self.refused = self.steps = self.adding = 0
        self.reasons = {}
        self.take(ProfileChanged(profile, "ann", "", *self.at()))
        self.auditor.cash = 100_000 * UNIT
        self.take(Deposited("first", "USD", 100_000 * UNIT, *self.at()))
        for name in NAMES:
            self.move(name, 10_000)

    def at(self, later_ns=0):
        time_ns = max(self.state.time_ns, START_NS) + later_ns
        return time_ns, time_ns

    # Time, prices, people

    def move(self, name, ticks):
        self.auditor.price[name] = ticks
        price = float(ticks * TICK)
        self.take(Bar(name, 60_000 * MS, *self.at(MS), price, price, price, price, 10.0))

    def price(self, draw):
        name = NAMES[draw(len(NAMES))]
        before = self.auditor.price[name]
        self.move(name, max(5_000, min(20_000, before + draw(401) - 200)))

    def wait(self, draw):
        self.take(ClockTick(*self.at((1 + draw(400)) * MS)))

    def trip(self, draw):
        scope = [GLOBAL, Scope(ScopeKind.VENUE, "ALT"), Scope(ScopeKind.STRATEGY, "alpha")][draw(3)]
        self.auditor.stopped.add(scope)
        self.take(Tripped(scope, TripSource.CLI, "ann", "drill", False, *self.at()))
        if draw(2):
            self.clear(draw)

    def clear(self, _draw):
        for scope in sorted(self.auditor.stopped):
            self.auditor.stopped.discard(scope)
            self.take(Cleared(scope, ("ann", "ben"), "it was a drill", *self.at()))

    def limits(self, draw):
        factor = [Decimal("0.5"), Decimal("0.8"), Decimal(1), Decimal(1)][draw(4)]
        changed = {
            name: getattr(self.first, name) * factor
            for name in ("order_notional_max", "symbol_notional_max", "strategy_notional_max", "portfolio_notional_max",
                         "leverage_max", "strategy_leverage_max", "orders_per_s_max")
            if getattr(self.first, name) is not None
        }  # fmt: skip
        profile = msgspec.structs.replace(self.first, **changed, orders_burst=1 + draw(self.first.orders_burst))
        auditor = self.auditor
        rate = auditor.profile.orders_per_s_max
        grown = auditor.tokens + Fraction(self.state.time_ns - auditor.tokens_ns, 10**9) * Fraction(rate)
        auditor.tokens = min(grown, Fraction(auditor.profile.orders_burst), Fraction(profile.orders_burst))
        auditor.tokens_ns, auditor.profile = self.state.time_ns, profile
        self.take(ProfileChanged(profile, "ann", "", *self.at()))

    def restart(self, _draw):
        """Go through a boundary, as bytes: a new process that knows nothing else."""
        kept = msgspec.json.decode(msgspec.json.encode(boundary.boundary_of(self.state)), type=boundary.Boundary)
        state, self.puppets = made(self.first)
        boundary.load(state, kept)
        self.sessions += 1
        state.order_prefix = f"{self.sessions}."
        self.state = state
        self.auditor.tokens, self.auditor.tokens_ns = Fraction(0), state.time_ns
        assert boundary.boundary_of(state) == kept

    # What strategies want

    def want(self, draw):
        """Let a puppet want up to four things at once."""
        puppet = PUPPETS[draw(len(PUPPETS))]
        for _ in range(1 + draw(4)):
            kind = draw(10)
            rotate = draw(4)
            own = [each for each in self.auditor.orders.values() if each.order.strategy_id == puppet and not each.gone]
            own = own[rotate:] + own[:rotate]
            if kind < 6 or not own:
                self.puppets[puppet].wants.append(self._order(draw))
            elif kind < 8:
                if len(own[0].asked) >= ASKED_MAX - 4:
                    continue  # Beyond this the engine cannot tell all of them apart
                self.puppets[puppet].wants.append(self._replacement(draw, own[0]))
            else:
                gone = own[draw(len(own))].order.client_order_id
                self.puppets[puppet].wants.append(lambda desk, gone=gone: desk.cancel(gone))
        self.tell(puppet)

    def _order(self, draw):
        name = NAMES[draw(len(NAMES))]
        side, quantity = ["buy", "sell"][draw(2)], Decimal(1 + draw(25_000)) * LOT
        kind, offset = draw(3), draw(801) - 400
        limit = None if kind == 0 else (self.auditor.price[name] + offset) * TICK
        return lambda desk: getattr(desk, side)(quantity, instrument=name, limit=limit, post_only=kind == 2)

    def _replacement(self, draw, each):
        quantity = Decimal(1 + draw(2 * each.quantity)) * LOT if draw(2) else None
        limit = None
        if each.limit is not None and draw(3):
            limit = (self.auditor.price[each.order.instrument_id] + draw(601) - 300) * TICK
        order_id = each.order.client_order_id
        return lambda desk: desk.replace(order_id, quantity=quantity, limit=limit)

    def tell(self, puppet):
        self.take(TimerFired(puppet, "now", *self.at()))

    # What the venue says

    def report(self, draw):
        working = [each for each in self.auditor.orders.values() if not each.gone]
        if not working:
            return
        each = working[draw(len(working))]
        order, kind = each.order, draw(12)
        order_id, name = order.client_order_id, order.instrument_id
        status = self.state.orders.open[order_id].status
        if kind < 2:
            self.take(OrderAccepted(order_id, name, *self.at()))
        elif kind < 6:
            self.fill(each, 1 + draw(each.quantity - each.filled))
        elif kind == 6:
            self.end(each, OrderCancelled(order_id, name, Rejection.REQUESTED, *self.at()), draw)
        elif kind == 7:
            self.end(each, OrderExpired(order_id, name, *self.at()), draw)
        elif kind == 8 and status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN) and not each.filled:
            self.end(each, OrderRejected(order_id, name, Rejection.PRICE_INVALID, *self.at()), draw)
        elif kind == 9:
            self.take(OrderUnknown(order_id, name, *self.at()))
        elif kind == 10 and each.requests:
            lots, ticks = each.requests.pop(0)
            if lots > each.filled and (ticks is None) == (each.limit is None):
                each.quantity, each.limit = lots, ticks
                del each.asked[: each.asked.index((lots, ticks)) + 1]
                self.take(OrderReplaced(order_id, name, lots, ticks, *self.at()))
            else:
                self.refuse_replacement(each)
        elif kind == 11 and each.requests:
            each.requests.pop(0)
            self.refuse_replacement(each)

    def refuse_replacement(self, each):
        order = each.order
        self.take(CancelRejected(order.client_order_id, order.instrument_id, Rejection.PRICE_INVALID, *self.at()))

    def fill(self, each, lots):
        order = each.order
        self.ids += 1
        ticks = each.limit or self.auditor.price[order.instrument_id]
        fill = Fill(
            f"f{self.ids}", order.client_order_id, order.instrument_id, order.side, ticks, lots, 0, "USD",
            Liquidity.MAKER, FillReason.VENUE, "", *self.at(),
        )  # fmt: skip
        each.filled += lots
        each.gone = each.gone or each.filled == each.quantity
        self.auditor.filled(fill, order.strategy_id)
        self.take(fill)
        if self.ids % 3 == 0:
            self.take(msgspec.structs.replace(fill, local_time_ns=self.state.time_ns))  # And once more

    def end(self, each, report, draw):
        each.gone = True
        self.take(report)
        left = each.quantity - each.filled
        if left and draw(4) == 0:
            self.fill(each, 1 + draw(left))  # It crossed the end on the wire

    # The engine, and whether what it did was right

    def take(self, event):
        if isinstance(event, TimerFired):
            reached = self.auditor.reached
            self.before = {(name, puppet): reached(name, puppet) for name in NAMES for puppet in PUPPETS}
        commands = step(self.state, event)
        self.steps += 1
        adding = []
        for command in commands:
            if isinstance(command, NewOrder):
                judged = self._adds(command)
                self.auditor.orders[command.client_order_id] = AtVenue(command)
                self._approved(command, judged, command.quantity_lots, command.limit_ticks, adding)
            elif isinstance(command, ReplaceOrder):
                each = self.auditor.orders[command.client_order_id]
                left = command.quantity_lots - each.filled
                asked = (command.quantity_lots, command.limit_ticks)
                same_kind = (command.limit_ticks is None) == (each.limit is None)
                smaller = command.quantity_lots <= each.quantity and command.limit_ticks == each.limit
                each.requests.append(asked)
                if left <= 0 or not same_kind or smaller:
                    each.asked.append(asked)
                    continue
                gone, each.gone = each.gone, True
                judged = self._adds(each.order, left)
                each.gone = gone
                each.asked.append(asked)
                self._approved(each.order, judged, left, command.limit_ticks, adding, replaces=True)
            elif isinstance(command, CancelOrder):
                assert command.client_order_id in self.auditor.orders
            elif type(command).__name__ == "Refused":
                self.refused += 1
                self.reasons[command.reason] = self.reasons.get(command.reason, 0) + 1
        self.check(adding)

    def _adds(self, order, lots=None):
        lots = order.quantity_lots if lots is None else lots
        name = order.instrument_id
        held = sum(each for (_, what), each in self.auditor.held.items() if what == name)
        same = sum(
            self.auditor.could_fill(each)
            for each in self.auditor.orders.values()
            if not each.gone and each.order.instrument_id == name and each.order.side is order.side
        )
        return -order.side.sign * held - same < lots

    def _approved(self, order, adds, lots, limit, adding, *, replaces=False):
        auditor = self.auditor
        self.approved += 1
        auditor.spend(self.state.time_ns)
        for scope in auditor.stopped:
            covered = {ScopeKind.GLOBAL: True, ScopeKind.VENUE: order.instrument_id.endswith(f".{scope.name}"),
                       ScopeKind.STRATEGY: order.strategy_id == scope.name}  # fmt: skip
            assert not covered[scope.kind], (scope, order)
        at = limit or auditor.price[order.instrument_id]
        assert auditor.worth(at, lots) <= auditor.profile.order_notional_max * UNIT
        if order.order_type is OrderType.LIMIT:
            away = (at - auditor.price[order.instrument_id]) * order.side.sign
            assert away <= auditor.profile.price_collar * auditor.price[order.instrument_id]
        if adds:
            self.adding += 1
            adding.append((order, replaces))

    def check(self, adding):
        """Hold the engine to its limits, where anything was approved that could make us larger."""
        auditor = self.auditor
        assert len(self.state.orders.open) <= auditor.profile.open_orders_max
        for order, replaces in adding:
            name, strategy = order.instrument_id, order.strategy_id
            for limit, (now, most) in auditor.reached(name, strategy).items():
                # The smaller of two that may come about adds nothing, nor does what another side's worst case covers
                already = (replaces or limit == "group") and now <= self.before[name, strategy][limit][0]
                if limit != "cash" or order.side is Side.BUY:
                    assert now <= most or already, (limit, order)

    def compare(self):
        """Hold the exposures the engine keeps against what the auditor counts."""
        known, auditor = self.state.exposures, self.auditor
        known.refresh()
        assert known.gross_units == auditor.gross()
        assert known.equity_units == auditor.equity() == self.state.equity_units()
        assert known.by_venue() == {"SIM": auditor.gross(".SIM"), "ALT": auditor.gross(".ALT")}
        for name in NAMES:
            assert known.worst(name) == auditor.worst(name)

    def prune(self):
        """Forget orders that are long over, so that a long run stays fast."""
        if len(self.auditor.orders) > 400:
            kept = {order_id: each for order_id, each in self.auditor.orders.items() if not each.gone}
            self.auditor.orders = kept
