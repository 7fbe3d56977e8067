"""A whole run: from a config to a result, with its manifest, its statistics, and its files."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from njord.bus.memory import MemoryBus
from njord.domain.clock import iso
from njord.domain.command import Level, Restricted
from njord.domain.fill import FillReason
from njord.domain.instrument import InstrumentKind
from njord.domain.market import Kind
from njord.domain.money import UNITS
from njord.engine.assemble import Assembly, Source, assemble
from njord.engine.compiled import run_compiled
from njord.engine.config import RunConfig
from njord.engine.guard import guarded
from njord.engine.manifest import manifest
from njord.research.attribution import payments_of
from njord.research.interval import interval_of, spare
from njord.research.outcome import Floats, round_trips
from njord.research.plausibility import Context, doubts
from njord.research.purity import vet
from njord.research.result import Result
from njord.research.statistics import summary
from njord.research.uptime import lives_of
from njord.strategies.port import Strategy

# Days a year on which there are returns, for markets that close
TRADING_DAYS = 252
_CLOSES = frozenset({InstrumentKind.EQUITY, InstrumentKind.FX, InstrumentKind.BOND, InstrumentKind.OPTION})


def run(
    config: RunConfig,
    source: Source,
    *,
    journal: Path | None = None,
    here: Path | None = None,
    given: list[tuple[str, Strategy]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    bus: MemoryBus | None = None,
    interval: bool = True,
) -> Result:
    """Run a config to the end of its data. ``journal`` is where its commands are kept, in memory if None.

    ``here`` is what relative paths in the config start from; ``given`` are strategies that exist already.
    Who subscribes to ``bus`` beforehand can read afterwards what was decided and filled, in order. Where a maker's
    fills depend on queues nobody can see, ``interval`` runs it twice more, for the least and the most they allow.
    """
    fresh = spare(given, config) if interval else None
    warnings = vet(config, here) if given is None else []
    assembly = assemble(config, source, journal=journal, here=here, given=given, bus=bus)
    made_of = manifest(assembly, source)
    started_s = time.process_time()
    with guarded(assembly.strategies.values()):
        if config.compiled:
            run_compiled(assembly, source, progress, keep_log=False)
        else:
            assembly.run(progress)
    cpu_s = time.process_time() - started_s
    result = _result(assembly, made_of, cpu_s, source)
    result.warnings = [*warnings, *result.warnings]
    if interval and result.makes_markets and (given is None or fresh is not None):
        result.interval = interval_of(assembly, source, here=here, given=fresh, fees=result.fees)
    return result


def _result(assembly: Assembly, made_of: dict[str, Any], cpu_s: float, source: Source) -> Result:
    backtest, state = assembly.backtest, assembly.backtest.state
    times_ns, equity, prices = backtest.curve.result()
    if len(equity):
        equity[-1] = state.equity_units() / UNITS  # The ledger's own figure, to the last digit
    trips = round_trips(assembly)
    hold = _hold(assembly, equity, prices)
    closes = bool(assembly.instruments) and all(i.kind in _CLOSES for i in assembly.instruments.values())
    fees = _in_currency(assembly, state.portfolio.fees)
    funding = _in_currency(assembly, state.portfolio.funding)
    stats = summary(
        times_ns, equity, trips, benchmark=hold, fees=fees,
        periods_per_year=TRADING_DAYS if closes else None, traded_notional=_traded(assembly),
    )  # fmt: skip
    result = Result(assembly, made_of, source, times_ns, equity, hold, trips, stats, cpu_s)
    result.fees, result.funding = fees, funding
    actions = [each for each in assembly.ranges if each.dataset_id.kind is Kind.ACTIONS]
    paid = (state.portfolio.funding, state.portfolio.dividends, actions)
    result.payments = payments_of(backtest.journal, paid)
    if result.makes_markets:
        result.lives = lives_of(assembly)
    result.warnings = [
        *(f"strategy {each.strategy_id} was stopped: {each.reason}" for each in backtest.stopped),
        *_restrictions(assembly),
        *assembly.notices,
        *(
            f"{quarantine.count} rows of {name} were out of order and set aside"
            for name, quarantine in assembly.quarantined.items()
            if quarantine.count
        ),
        *getattr(source, "notices", []),
        *doubts(stats, _context(assembly, result)),
    ]
    return result


def _restrictions(assembly: Assembly) -> list[str]:
    # A result that the risk engine had a hand in is another one than the strategy's own
    found = assembly.backtest.restricted
    causes: dict[str, list[tuple[int, Restricted]]] = {}
    for time_ns, each in found:
        if each.level is not Level.NORMAL:
            causes.setdefault(each.cause, []).append((time_ns, each))
    return [
        f"the risk profile restricted trading {len(times)} times for {cause.replace('_', ' ')}, first at"
        f" {iso(times[0][0])}: {times[0][1].detail}"
        for cause, times in causes.items()
    ]


def _context(assembly: Assembly, result: Result) -> Context:
    backtest = assembly.backtest
    reasons: dict[str, int] = {}
    for fill in backtest.fills:
        reasons[fill.reason] = reasons.get(fill.reason, 0) + 1
    shares = [venue.volume_shares() for venue in dict.fromkeys(assembly.venues.values())]
    largest = max((share for share, _ in shares), default=0.0)
    return Context(
        fills=len(backtest.fills),
        fees=result.fees,
        fill_reasons=reasons,
        latency_ns=min((venue.settings.latency_ns for venue in assembly.venues.values()), default=None)
        if any(reason not in (FillReason.NEXT_OPEN, FillReason.SAME_CLOSE) for reason in reasons)
        else None,
        volume_share_max=largest or None,
        fills_over_volume=sum(count for _, count in shares) or None,
        hole_share=_holes(assembly),
        positions_open=sum(1 for lots in backtest.state.portfolio.lots.values() if lots),
    )


def _holes(assembly: Assembly) -> float | None:
    # Only markets that never close can be said to miss bars
    shares: list[float] = []
    for feed in assembly.feeds:
        instrument = assembly.instruments[feed.instrument_id]
        if feed.kind is not Kind.BARS or instrument.kind in _CLOSES or feed.interval_ns is None:
            continue
        if feed.first_ns is not None and feed.last_ns is not None:
            whole = (feed.last_ns - feed.first_ns) // feed.interval_ns + 1
            shares.append(1 - feed.events / whole)
    return max(shares, default=None)


def _in_currency(assembly: Assembly, amounts: dict[str, int]) -> float:
    portfolio, last = assembly.backtest.state.portfolio, assembly.backtest.state.last_ticks()
    return float(sum(portfolio.converter.convert(units, asset, last) for asset, units in amounts.items()) / UNITS)


def _traded(assembly: Assembly) -> float:
    state = assembly.backtest.state
    last = state.last_ticks()
    total = 0
    for fill in assembly.backtest.fills:
        value = abs(state.portfolio.value(fill.instrument_id, fill.price_ticks, fill.quantity_lots))
        total += state.portfolio.converter.convert(value, assembly.instruments[fill.instrument_id].settlement, last)
    return float(total / UNITS)


def _hold(assembly: Assembly, equity: Floats, prices: Floats) -> Floats | None:
    """Return what buying the one instrument with everything at its first price would have been worth."""
    known = prices > 0
    if len(assembly.instruments) != 1 or not known.any():
        return None
    first = int(known.argmax())
    held: Floats = equity[0] * prices / prices[first]
    held[:first] = equity[0]
    return held
