"""The market as everybody may see it, and what may be done to it."""

from typing import Any

from njord.domain.clock import NS_PER_S
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, InstrumentKind
from njord.domain.market import Bar, DealerQuote, Trade
from njord.market.pricing.curve import BUCKETS
from njord.market.synthetic.scenarios import Scenario
from njord.market.synthetic.universe import UPDATES_PER_S, Liquidity, underlier_of
from njord.ops.desk.scenarios import Scenarios
from njord.ops.desk.values import BadRequest, Health, Listing, NotFound, QuoteLine
from njord.ops.platform import Platform

DEPTH_LEVELS_MAX = 50
HOUR_NS = 3_600 * NS_PER_S
# How long an instrument may be silent: so many updates would have been due
SILENCE_NS = {kind: int(30 * NS_PER_S / rate) for kind, rate in UPDATES_PER_S.items()}


class MarketDesk:
    """Instruments, prices, books, dealers, the curve, and scenarios."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.listings: dict[InstrumentId, Listing] = {}
        for each in platform.market.world.universe.listings:
            name = each.instrument.instrument_id
            self.listings[name] = Listing(
                each.instrument, each.name, each.sector, each.liquidity, each.liquidity is Liquidity.OTC,
                underlier_of(each.instrument),
            )  # fmt: skip
        self._scenarios = Scenarios(platform.root / "scenarios")
        self._grids = {name: Grid.of(each.instrument) for name, each in self.listings.items()}

    def listing(self, name: str) -> Listing:
        """Return an instrument. Raises NotFound."""
        found = self.listings.get(InstrumentId(name))
        if found is None:
            raise NotFound(f"no instrument {name!r}")
        return found

    def grid(self, name: InstrumentId) -> Grid:
        """Return an instrument's grid."""
        return self._grids[name]

    def instruments(self) -> list[Listing]:
        """Return everything that is traded."""
        return list(self.listings.values())

    def quotes(self) -> list[QuoteLine]:
        """Return the newest quote of everything."""
        return [
            QuoteLine(each, *self.last(each.instrument_id), self.halted(each.instrument_id))
            for each in list(self.platform.house.floor.quotes.values())
        ]

    def last(self, name: InstrumentId) -> tuple[int | None, int | None]:
        """Return the price of the last trade, or the mid where there was none, and that a day, or all we know, ago."""
        began = self.platform.house.candles.opened(name, HOUR_NS, 24)
        tape, quote = self.platform.tape.get(name), self.platform.house.floor.quotes.get(name)
        last = tape[-1].price_ticks if tape else None
        if last is None and quote is not None and quote.bid_lots and quote.ask_lots:
            last = (quote.bid_ticks + quote.ask_ticks) // 2
        return last, None if began is None else self._grids[name].nearest_ticks(began)

    def halted(self, name: InstrumentId) -> bool:
        """Return whether trading of an instrument has stopped."""
        listing = self.listings[name]
        return not listing.over_the_counter and self.platform.market.crossing.halted(name)

    def depth(self, name: str, levels: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
        """Return time, bids and asks, best first; of what is traded over the counter, dealers' quotes."""
        listing, market = self.listing(name), self.platform.market
        levels = max(1, min(levels, DEPTH_LEVELS_MAX))
        known = listing.instrument.instrument_id
        if listing.over_the_counter:
            shown = self.platform.call(lambda: (market.now_ns, market.board.quotes(known, market.now_ns)))
            bids = sorted(((q.bid_ticks, q.bid_lots) for q in shown[1] if q.bid_lots), reverse=True)
            asks = sorted((q.ask_ticks, q.ask_lots) for q in shown[1] if q.ask_lots)
            return shown[0], bids, asks
        return self.platform.call(lambda: (market.now_ns, *market.crossing.depth(known, levels)))

    def dealers(self, name: str) -> list[DealerQuote]:
        """Return the dealers' quotes of an instrument; none where it trades in a book."""
        listing, market = self.listing(name), self.platform.market
        if not listing.over_the_counter:
            return []
        return self.platform.call(lambda: market.board.quotes(listing.instrument.instrument_id, market.now_ns))

    def trades(self, name: str) -> list[Trade]:
        """Return the newest trades, oldest first."""
        known = self.listing(name).instrument.instrument_id
        return self.platform.call(lambda: list(self.platform.tape.get(known, ())))

    def candles(self, name: str, interval_s: int) -> list[Bar]:
        """Return an instrument's candles. Raises BadRequest for an interval that is not kept."""
        known, candles = self.listing(name).instrument.instrument_id, self.platform.house.candles
        if interval_s * NS_PER_S not in candles.intervals_ns:
            kept = ", ".join(str(each // NS_PER_S) for each in candles.intervals_ns)
            raise BadRequest("interval_s", f"must be one of {kept}, was {interval_s}")
        return self.platform.call(lambda: candles.of(known, interval_s * NS_PER_S))

    def chain(self, underlier: str) -> list[dict[str, Any]]:
        """Return an underlier's options with their values, volatilities and greeks."""
        options = [
            each.instrument for each in self.listings.values()
            if each.instrument.kind is InstrumentKind.OPTION and each.underlier == underlier
        ]  # fmt: skip
        if not options:
            raise NotFound(f"no options on {underlier!r}")
        found, rows = self.platform.appraiser.sensitivities, []
        terms = self.platform.call(self.platform.market.world.options)
        fairs = dict(zip(self.platform.market.world.ids, self.platform.appraiser.fairs.tolist(), strict=True))
        for each in options:
            name, term = each.instrument_id, terms[each.instrument_id]
            row = 0 if found is None else found.instruments.index(name)
            greeks = {} if found is None else {
                key: float(getattr(found, key)[row]) / float(each.multiplier)
                for key in ("delta", "gamma", "vega", "theta")
            }  # fmt: skip
            rows.append({
                "instrument_id": name, "expiry_ns": each.expiry_ns, "strike": str(each.strike), "right": each.right,
                "fair": fairs[name], "volatility": term.volatility, "spot": term.spot, "years": term.years, **greeks,
            })  # fmt: skip
        return rows

    def curve(self) -> dict[str, Any]:
        """Return the zero curve, par rates at the buckets, and the bonds and swaps on it."""
        curve = self.platform.call(lambda: self.platform.market.curve)
        return {
            "years": curve.years.tolist(), "zeros": curve.zeros.tolist(),
            "par": [[years, curve.par_rate(years)] for years in BUCKETS],
        }  # fmt: skip

    def health(self) -> Health:
        """Return how the feed is doing: what has been silent for more than twice its cadence is stale."""
        platform = self.platform
        now_ns = platform.now_ns
        stale = tuple(
            name for name, each in self.listings.items()
            if now_ns - platform.heard_ns.get(name, 0) > 2 * SILENCE_NS[each.liquidity]
        )  # fmt: skip
        accounts = list(platform.house.accounts.values())
        return Health(
            now_ns, platform.behind_ns / 1e6, platform.events, len(accounts),
            sum(account.stopped is not None for account in accounts), stale, platform.failure,
        )  # fmt: skip

    def known_scenarios(self) -> list[Scenario]:
        """Return the scenarios there are."""
        return self._scenarios.all()

    def add_scenario(self, scenario: Scenario) -> str:
        """Keep a scenario, over restarts too. Return its id, which is of its content."""
        return self._scenarios.keep(scenario)

    def run_scenario(self, scenario_id: str) -> Scenario:
        """Let a scenario happen, from now on. Raises NotFound or BadRequest."""
        found = self._scenarios.named(scenario_id)
        try:
            self.platform.call(lambda: self.platform.market.apply(found))
        except ValueError as error:
            raise BadRequest("scenario", str(error)) from None
        return found
