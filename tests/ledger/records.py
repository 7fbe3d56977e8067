"""Records to fill ledgers with: a story that touches every table, a real run of the engine, and any number of fills."""

from decimal import Decimal

from njord.domain.command import (
    Assessed,
    CancelOrder,
    Cause,
    Entry,
    Level,
    Posting,
    Reallocated,
    Refused,
    ReplaceOrder,
    Restricted,
    SetTimer,
    Snapshot,
    StrategyNote,
    StrategyStopped,
)  # fmt: skip
from njord.domain.event import OrderAccepted, OrderCancelled
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import (
    GLOBAL,
    AllocationChanged,
    Cleared,
    ClockTick,
    ModelActivated,
    ProfileChanged,
    Scope,
    ScopeKind,
    Tripped,
    TripSource,
)  # fmt: skip
from njord.domain.limits import Refusal
from njord.domain.market import Quote
from njord.domain.order import NewOrder, OrderType, Rejection, Side
from njord.domain.profile import DrawdownTier, RiskProfile
from njord.ledger.lots import ClosedLot, Lot
from njord.ledger.record import OpenedLot, StepRecord

ACCOUNT = "desk ½"
HOUR_NS = 3_600_000_000_000
START_NS = 1_700_000_000 * 10**9 // HOUR_NS * HOUR_NS
BTC = "BTC/USD.SIM"
UNIT = 10**18
CAREFUL = RiskProfile(
    name="careful", version=3, leverage_max=Decimal("1.5"),
    drawdown_tiers=(
        DrawdownTier(drawdown=Decimal("0.05"), size=Decimal("0.5")),
        DrawdownTier(drawdown=Decimal("0.1"), entries=False),
    ),
)  # fmt: skip


def record(sequence, *commands, event=None, account=ACCOUNT, session="s1", time_ns=None, opened=(), closed=()):
    return StepRecord(
        account_id=account, session_id=session, sequence=sequence,
        time_ns=START_NS + sequence * 10**9 if time_ns is None else time_ns, cause=f"event:{sequence}", event=event,
        commands=tuple(commands), opened=tuple(opened), closed=tuple(closed),
    )  # fmt: skip


def deposit(sequence=0, amount=1_000_000 * UNIT, entry_id=None, **place):
    postings = (Posting("capital", "USD", -amount), Posting("cash", "USD", amount))
    return record(sequence, Entry(entry_id or f"deposit:{sequence}", "deposit", START_NS, postings), **place)


def order(name, side=Side.BUY, lots=10):
    return NewOrder(name, "maker", BTC, side, OrderType.LIMIT, lots, limit_ticks=100)


def assessed(name, **changes):
    figures = {
        "client_order_id": name, "strategy_id": "maker", "instrument_id": BTC, "refusal": None, "adds": True,
        "order_units": UNIT, "equity_units": 2**90, "gross_before_bp": 0, "gross_after_bp": 10_000,
        "leverage_max_bp": 15_000, "drawdown_bp": 120, "tier": 0, "tier_entries": True, "var_before_units": None,
        "var_after_units": 5, "var_max_units": None, "profile": "careful", "profile_version": 3,
    }  # fmt: skip
    return Assessed(**(figures | changes))


def fill(name, order_id, side=Side.BUY, lots=10, time_ns=START_NS):
    return Fill(
        fill_id=name, client_order_id=order_id, instrument_id=BTC, side=side, price_ticks=100, quantity_lots=lots,
        fee_units=UNIT, fee_asset="USD", liquidity=Liquidity.MAKER, reason=FillReason.VENUE, causation_id="trade:7",
        venue_time_ns=time_ns, local_time_ns=time_ns,
    )  # fmt: skip


def bought(sequence, name, order_id, lots=10, **place):
    worth = lots * 100 * UNIT
    entry = Entry(
        f"fill:{name}", name, START_NS,
        (
            Posting("position", BTC, lots), Posting("market", BTC, -lots), Posting("position", "USD", worth),
            Posting("cash", "USD", -worth - UNIT), Posting("fees", "USD", UNIT),
        ),
    )  # fmt: skip
    opened = OpenedLot("maker", BTC, Lot(name, lots, worth, UNIT, START_NS))
    return record(sequence, entry, event=fill(name, order_id, lots=lots), opened=[opened], **place)


def sold(sequence, name, order_id, entry_fill, lots=4, **place):
    worth = lots * 100 * UNIT
    entry = Entry(
        f"fill:{name}", name, START_NS,
        (
            Posting("position", BTC, -lots), Posting("market", BTC, lots), Posting("position", "USD", -worth),
            Posting("cash", "USD", worth - UNIT), Posting("fees", "USD", UNIT), Posting("realised", "USD", 0),
        ),
    )  # fmt: skip
    closed = ClosedLot("maker", BTC, entry_fill, name, lots, worth, worth, 2 * UNIT, START_NS, START_NS + 1)
    return record(sequence, entry, event=fill(name, order_id, Side.SELL, lots), closed=[closed], **place)


def profile_change(sequence, profile=CAREFUL, **place):
    return record(sequence, event=ProfileChanged(profile, "olga", "", START_NS, START_NS), **place)


def story(account=ACCOUNT, session="s1", ids=""):
    """One session, in which something happens for every table, across two hours and two weeks."""
    place = {"account": account, "session": session}
    week_later = {"time_ns": START_NS + 7 * 24 * HOUR_NS}
    quote = Quote(BTC, START_NS, START_NS, 99.5, 100.5, 1.0, 1.0, 99, 101, 10, 10)
    a, b, f, g = (f"{ids}{name}" for name in ("order-a", "order-b", "fill-ß", "fill-g"))
    return [
        deposit(0, entry_id=f"{ids}deposit", **place),
        profile_change(1, **place),
        record(
            4, assessed(a), order(a), assessed(f"{ids}no", refusal=Refusal.LEVERAGE_TOO_HIGH, gross_after_bp=99_999),
            Refused(f"{ids}no", "maker", BTC, Refusal.LEVERAGE_TOO_HIGH), Refused("?", "maker", BTC, Refusal.HALTED),
            SetTimer("maker", "soon", 5), StrategyNote("maker", "why\0not \U0001f40b"), event=quote, **place,
        ),
        record(6, event=OrderAccepted(a, BTC, START_NS, START_NS), **place),
        bought(7, f, a, **place),
        record(
            8, ReplaceOrder(a, "maker", BTC, 12, 101), order(b, Side.SELL, 4), CancelOrder(a, "maker", BTC),
            StrategyStopped("other", "broke its contract"),
            Reallocated("maker", Decimal("0.5"), Decimal("0.25"), "loss"),
            Restricted(Scope(ScopeKind.STRATEGY, "maker"), Cause.DRAWDOWN, Level.REDUCING, "5 %"), **place,
        ),
        sold(9, g, b, f, **place, time_ns=START_NS + 2 * HOUR_NS),
        record(10, event=OrderCancelled(a, BTC, Rejection.REQUESTED, START_NS, START_NS), **place, **week_later),
        record(11, event=Tripped(GLOBAL, TripSource.CLI, "olga", "drill", True, 1, 2), **place, **week_later),
        record(12, event=Cleared(GLOBAL, ("olga", "per"), "drill over", 1, 2), **place, **week_later),
        record(
            13, event=AllocationChanged({"maker": Decimal("0.7"), "x": Decimal(0)}, "olga", "ap-1", "", 1, 2), **place,
            **week_later,
        ),
        record(14, event=ModelActivated("m1", True, "olga", "ap-2", 1, 2), **place, **week_later),
        record(
            15, Snapshot(START_NS, 2**100, 2**100, 5, {"USD": 2**100}, {BTC: 6}, {BTC: 100}),
            event=ClockTick(1, 2), **place, **week_later,
        ),
    ]  # fmt: skip


def fills(count, account=ACCOUNT, session="bulk", first=1):
    """As many steps as asked for: each an order with its decision, or its fill."""
    made = [deposit(0, entry_id=f"{session}:deposit", account=account, session=session)]
    for number in range(first, first + count):
        name = f"{session}:{number // 2}"
        if number % 2 == 0:
            made.append(record(number, order(name), account=account, session=session))
        elif number > first:
            made.append(bought(number, f"{session}:f{number}", name, account=account, session=session))
    return made


def run_records(monkeypatch, bars, count=400):
    """Run the engine for real and return what its ledger would be given."""
    import njord as nj
    from njord.engine import step as engine
    from njord.strategies.ema_cross import EmaCross

    made = []
    step = engine.step

    def recorded(state, event):
        before = len(state.closed)
        commands = step(state, event)
        if commands:
            opened = []
            if isinstance(event, Fill):
                for (strategy_id, name), holding in state.portfolio.holdings.items():
                    opened += [
                        OpenedLot(
                            strategy_id, name, Lot(lot.fill_id, lot.lots, lot.cost_units, lot.fee_units, lot.time_ns)
                        )
                        for lot in holding.open_lots
                        if lot.fill_id == event.fill_id
                    ]
            made.append(
                StepRecord(
                    account_id="run", session_id="backtest", sequence=state.sequence, time_ns=state.time_ns,
                    cause=f"event:{state.sequence}", event=event, commands=tuple(commands), opened=tuple(opened),
                    closed=tuple(state.closed[before:]),
                )
            )  # fmt: skip
        return commands

    monkeypatch.setattr(engine, "step", recorded)
    result = nj.backtest(
        EmaCross(fast=3, slow=8, quantity=5), data=bars(count), cash=1_000_000, taker=0.001, risk="research"
    )
    return made, result
