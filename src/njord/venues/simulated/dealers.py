"""Trading over the counter: dealers quote, each for itself and for a while, and their quotes are hit or lifted.

An order names the quote it takes, or takes the best ones there are. Nothing rests: what cannot trade at once is
cancelled. Invariants:
1. a quote trades at its own price, until it expires and for no more lots than it shows;
2. what the client gets the dealer gives.
"""

from collections.abc import Iterable, Mapping

from njord.domain.event import OrderAccepted, OrderCancelled, OrderRejected, Report
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.ids import ClientOrderId, FillId, InstrumentId
from njord.domain.instrument import Grid, Instrument
from njord.domain.market import Aggressor, DealerQuote, Quote, Trade
from njord.domain.order import NewOrder, Rejection, Side, TimeInForce

# Dealers of one instrument: each has one quote, and a new one takes its place
DEALERS_MAX = 64


class _Shown:
    """A quote, and what is left of it."""

    def __init__(self, quote: DealerQuote) -> None:
        self.quote = quote
        self.lots = {Side.BUY: quote.bid_lots, Side.SELL: quote.ask_lots}  # By the dealer's side
        self.ticks = {Side.BUY: quote.bid_ticks, Side.SELL: quote.ask_ticks}


class QuoteBoard:
    """The quotes of all dealers in all their instruments, and the trades that take them.

    ``positions`` are of everybody who trades here, dealers included; it may be shared with a ``Crossing``.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        positions: dict[str, dict[InstrumentId, int]] | None = None,
        fill_prefix: str = "",
    ) -> None:
        self.positions = {} if positions is None else positions
        self._instruments = {each.instrument_id: each for each in instruments}
        self._grids = {name: Grid.of(each) for name, each in self._instruments.items()}
        self._shown: dict[InstrumentId, dict[str, _Shown]] = {name: {} for name in self._instruments}
        self._best: dict[InstrumentId, tuple[int, int, int, int]] = {}
        self._trades: dict[InstrumentId, int] = dict.fromkeys(self._instruments, 0)
        self._fill_prefix = fill_prefix
        self._private: list[tuple[str, Report]] = []
        self._public: list[Quote | Trade | DealerQuote] = []

    def __contains__(self, instrument_id: InstrumentId) -> bool:
        return instrument_id in self._instruments

    def drain_private(self) -> list[tuple[str, Report]]:
        """Return (owner, report) of all that was reported since the last call, in order."""
        found, self._private = self._private, []
        return found

    def drain_public(self) -> list[Quote | Trade | DealerQuote]:
        """Return quotes, the best of them whenever that changed, and trades, since the last call."""
        found, self._public = self._public, []
        return found

    def put(self, quote: DealerQuote) -> None:
        """Show a dealer's quote in place of its last one. Raises ValueError for more than DEALERS_MAX dealers."""
        theirs = self._shown[quote.instrument_id]
        if quote.dealer not in theirs and len(theirs) >= DEALERS_MAX:
            raise ValueError(f"{quote.instrument_id}: more than {DEALERS_MAX} dealers")
        theirs[quote.dealer] = _Shown(quote)
        self._public.append(quote)
        self._publish(quote.instrument_id, quote.venue_time_ns)

    def expire(self, now_ns: int) -> None:
        """Let go of the quotes whose time is over."""
        for name, theirs in self._shown.items():
            over = [dealer for dealer, shown in theirs.items() if shown.quote.expires_ns <= now_ns]
            for dealer in over:
                del theirs[dealer]
            if over:
                self._publish(name, now_ns)

    def quotes(self, instrument_id: InstrumentId, now_ns: int) -> list[DealerQuote]:
        """Return what is shown now, with the lots that are left, in the order of dealers' names."""
        found = []
        for _, shown in sorted(self._shown[instrument_id].items()):
            q = shown.quote
            if q.expires_ns > now_ns:
                found.append(
                    DealerQuote(
                        q.quote_id, q.dealer, q.instrument_id, q.venue_time_ns, q.local_time_ns, q.bid_ticks,
                        shown.lots[Side.BUY], q.ask_ticks, shown.lots[Side.SELL], q.expires_ns,
                    )
                )  # fmt: skip
        return found

    def top(self, instrument_id: InstrumentId) -> tuple[int, int, int, int]:
        """Return (bid_ticks, bid_lots, ask_ticks, ask_lots) of the best quotes; a side without any has 0 lots."""
        return self._best.get(instrument_id, (0, 0, 0, 0))

    def submit(self, owner: str, order: NewOrder, now_ns: int) -> None:
        """Trade against the quote an order names, or against the best within its limit."""
        name = order.instrument_id
        takes = order.side.opposite  # The dealer's side
        shown = [s for s in self._shown[name].values() if s.quote.expires_ns > now_ns and s.lots[takes]]
        if order.quote_id:
            shown = [s for s in shown if s.quote.quote_id == order.quote_id and s.ticks[takes] == order.limit_ticks]
        limit = order.limit_ticks
        within = [s for s in shown if limit is None or (s.ticks[takes] - limit) * order.side.sign <= 0]
        within.sort(key=lambda s: (s.ticks[takes] * order.side.sign, s.quote.venue_time_ns, s.quote.dealer))
        reason = self._rejection(order, within, takes)
        if reason is not None:
            self._tell(owner, OrderRejected(order.client_order_id, name, reason, now_ns, now_ns))
            return
        self._tell(owner, OrderAccepted(order.client_order_id, name, now_ns, now_ns))
        left = order.quantity_lots
        for each in within:
            lots = min(left, each.lots[takes])
            if not lots:
                break
            self._trade(owner, order, each, lots, now_ns)
            left -= lots
        if left:
            self._tell(
                owner,
                OrderCancelled(order.client_order_id, name, Rejection.NOT_FILLABLE_AT_ONCE, now_ns, now_ns),
            )  # fmt: skip
        self._publish(name, now_ns)

    def trade_counts(self) -> dict[InstrumentId, int]:
        """Return how many trades there were in each instrument: what the ids of fills go on from."""
        return dict(self._trades)

    def set_trade_counts(self, counts: Mapping[InstrumentId, int]) -> None:
        """Let a board that was started again count on."""
        self._trades.update(counts)

    def seed(self, owner: str, positions: Mapping[InstrumentId, int]) -> None:
        """Let an owner begin with positions."""
        self.positions[owner] = dict(positions)

    def _rejection(self, order: NewOrder, within: list[_Shown], takes: Side) -> Rejection | None:
        if order.stop_ticks is not None or order.post_only:
            return Rejection.NOT_FILLABLE_AT_ONCE
        if order.quote_id and not within:
            return Rejection.QUOTE_GONE
        if not within:
            return Rejection.NO_LIQUIDITY
        whole = sum(each.lots[takes] for each in within) >= order.quantity_lots
        if order.time_in_force is TimeInForce.FOK and not whole:
            return Rejection.NOT_FILLABLE_AT_ONCE
        return None

    def _trade(self, owner: str, order: NewOrder, shown: _Shown, lots: int, now_ns: int) -> None:
        name, side, quote = order.instrument_id, order.side, shown.quote
        self._trades[name] += 1
        trade = f"{self._fill_prefix}{name}-{self._trades[name]}"
        price, settlement = shown.ticks[side.opposite], self._instruments[name].settlement
        shown.lots[side.opposite] -= lots
        parties = (
            (owner, order.client_order_id, side, Liquidity.TAKER),
            (quote.dealer, ClientOrderId(quote.quote_id), side.opposite, Liquidity.MAKER),
        )
        for who, order_id, which, liquidity in parties:
            held = self.positions.setdefault(who, {})
            held[name] = held.get(name, 0) + which.sign * lots
            self._tell(
                who,
                Fill(
                    FillId(f"{trade}{which[0]}"), order_id, name, which, price, lots, 0, settlement, liquidity,
                    FillReason.DEALER, quote.quote_id, now_ns, now_ns,
                ),
            )  # fmt: skip
        grid = self._grids[name]
        aggressor = Aggressor.BUYER if side is Side.BUY else Aggressor.SELLER
        self._public.append(
            Trade(name, now_ns, now_ns, grid.price(price), grid.quantity(lots), price, lots, aggressor)
        )  # fmt: skip

    def _publish(self, name: InstrumentId, now_ns: int) -> None:
        # The composite: the highest bid and the lowest ask, each with all that is shown at it
        bids = [(s.ticks[Side.BUY], s.lots[Side.BUY]) for s in self._shown[name].values() if s.lots[Side.BUY]]
        asks = [(s.ticks[Side.SELL], s.lots[Side.SELL]) for s in self._shown[name].values() if s.lots[Side.SELL]]
        bid = max((ticks for ticks, _ in bids), default=0)
        ask = min((ticks for ticks, _ in asks), default=0)
        bid_lots = sum(lots for ticks, lots in bids if ticks == bid)
        ask_lots = sum(lots for ticks, lots in asks if ticks == ask)
        best = (bid, bid_lots, ask, ask_lots)
        if best == self._best.get(name):
            return
        self._best[name] = best
        grid = self._grids[name]
        self._public.append(
            Quote(
                name, now_ns, now_ns, grid.price(bid), grid.price(ask), grid.quantity(bid_lots),
                grid.quantity(ask_lots), bid, ask, bid_lots, ask_lots,
            )
        )  # fmt: skip

    def _tell(self, owner: str, report: Report) -> None:
        self._private.append((owner, report))
