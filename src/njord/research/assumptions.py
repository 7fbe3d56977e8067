"""What a run took for granted about the world, and which way each assumption bends the result."""

from collections.abc import Iterator

import numpy as np

from njord.domain.clock import NS_PER_MS
from njord.domain.market import Kind
from njord.engine.assemble import Assembly
from njord.research.report.data import Assumption, Verdict
from njord.venues.simulated.latency import Line
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import (
    Fees,
    FillAt,
    LimitFill,
    QueueSettings,
    Slippage,
    SlippageModel,
    VenueSettings,
)


def assumptions(assembly: Assembly) -> list[Assumption]:
    """Return all that was assumed, venue by venue."""
    settings: dict[str, VenueSettings] = {}
    kinds: dict[str, set[Kind]] = {}
    for name, venue in assembly.venues.items():
        venue_id = str(assembly.instruments[name].venue)
        settings[venue_id] = venue.settings
        kinds.setdefault(venue_id, set()).add(venue.fidelity.get(name, Kind.BARS))
    found: list[Assumption] = []
    for venue_id, chosen in settings.items():
        prefix = f"{venue_id}: " if len(settings) > 1 else ""
        theirs = _of_venue(chosen, kinds[venue_id])
        found += [Assumption(prefix + each.name, each.value, each.verdict, each.note) for each in theirs]
    profile = assembly.config.profile
    if profile.backtest_only:
        found.append(Assumption("Risk profile", profile.name, "optimistic", "no venue lends without limit"))
    else:
        found.append(Assumption("Risk profile", profile.name, "neutral"))
    found += [Assumption("Missing data", notice, "optimistic") for notice in assembly.notices]
    return found


def _of_venue(settings: VenueSettings, kinds: set[Kind]) -> Iterator[Assumption]:
    yield Assumption("Matched against", ", ".join(sorted(kinds)), "neutral", "fidelity follows the data")
    on_bars = bool(kinds & {Kind.BARS, Kind.QUOTE_BARS})
    if on_bars:
        if settings.fill is FillAt.SAME_CLOSE:
            yield Assumption("Market orders", "same close", "optimistic", "the price decided on is gone by then")
        else:
            yield Assumption("Market orders", "next open", "pessimistic", "the first price after the decision")
        if settings.volume_share is None:
            note = "set venue.volume_share to bound it"
            yield Assumption("Liquidity", "all that is asked", "optimistic", note)
        else:
            yield Assumption("Liquidity", f"{settings.volume_share:.0%} of a bar's volume", "neutral")
    if settings.limit_fill is LimitFill.TOUCH:
        yield Assumption("Resting limits", "touch", "optimistic", "as if nobody were ahead in the queue")
    elif Kind.BOOK in kinds:
        yield _queue(settings.queue)
    else:
        yield Assumption("Resting limits", "cross", "pessimistic", "the market must trade beyond the limit")
    yield _fees(settings.fees)
    yield _slippage(settings.slippage, on_bars=on_bars)
    for name, line in (
        ("Order latency", settings.order_line()), ("Report latency", settings.response_line()),
        ("Market data latency", settings.feed_line()),
    ):  # fmt: skip
        yield _latency(name, line)


def _queue(queue: QueueSettings) -> Assumption:
    # The first and the last of the models are the ends of what can be true (see venues.simulated.queue)
    value = queue.model.value
    if queue.model in _SHAPED:
        value += f", exponent {queue.exponent:g}"
    verdict, note = _QUEUES.get(queue.model, ("neutral", "a guess which side of us cancelled: compare with the ends"))
    return Assumption("Place in the queue", value, verdict, note)


def _latency(name: str, line: Line) -> Assumption:
    if not len(line.times_ns):
        latency_ms = line.constant_ns / NS_PER_MS
        if latency_ms == 0:
            return Assumption(name, "0 ms", "optimistic", "nothing travels in no time")
        return Assumption(name, f"{latency_ms:g} ms", "neutral", "always the same: it is longest when it matters")
    low, middle, high = (float(each) / NS_PER_MS for each in np.percentile(line.latencies_ns, [0, 50, 100]))
    value = f"a curve of {len(line.times_ns)} knots, {low:g} to {high:g} ms, median {middle:g}"
    if high == 0:
        return Assumption(name, value, "optimistic", "nothing travels in no time")
    return Assumption(name, value, "neutral", "as it was measured, between knots interpolated")


_SHAPED = frozenset({QueueModel.POWER, QueueModel.POWER_OF_TOTAL, QueueModel.FRONT_SHARE})
_QUEUES: dict[QueueModel, tuple[Verdict, str]] = {
    QueueModel.CROSS: ("pessimistic", "the market must trade or be quoted beyond the limit"),
    QueueModel.RISK_AVERSE: ("pessimistic", "whoever cancels stood behind us"),
    QueueModel.EXACT: ("neutral", "the data tell of every order"),
    QueueModel.TOUCH: ("optimistic", "as if nobody were ahead in the queue"),
}


def _fees(fees: Fees) -> Assumption:
    value = f"maker {fees.maker}, taker {fees.taker}"
    if fees.per_quantity:
        value += f", {fees.per_quantity} a unit"
    if fees.taker <= 0 and fees.per_quantity <= 0:
        return Assumption("Fees", value, "optimistic", "no venue trades for nothing")
    return Assumption("Fees", value, "neutral")


def _slippage(slippage: Slippage, *, on_bars: bool) -> Assumption:
    if slippage.model is SlippageModel.NONE:
        if on_bars:
            return Assumption("Slippage", "none", "optimistic", "our own size moves no price")
        return Assumption("Slippage", "none", "neutral", "the displayed sizes bound every fill")
    return Assumption("Slippage", f"{slippage.model.value} {slippage.coefficient:g}", "neutral")
