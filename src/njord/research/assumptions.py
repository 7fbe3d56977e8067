"""What a run took for granted about the world, and which way each assumption bends the result."""

from collections.abc import Iterator

from njord.domain.market import Kind
from njord.engine.assemble import Assembly
from njord.research.report.data import Assumption
from njord.venues.simulated.settings import Fees, FillAt, LimitFill, Slippage, SlippageModel, VenueSettings


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
    else:
        yield Assumption("Resting limits", "cross", "pessimistic", "the market must trade beyond the limit")
    yield _fees(settings.fees)
    yield _slippage(settings.slippage, on_bars=on_bars)
    latency_ms = settings.latency_ns / 1e6
    yield Assumption("Order latency", f"{latency_ms:g} ms", "neutral" if latency_ms else "optimistic")
    feed_ms = settings.feed_latency_ms
    yield Assumption("Market data latency", f"{feed_ms:g} ms", "neutral" if feed_ms else "optimistic")


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
