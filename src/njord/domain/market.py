"""What the market says: bars, quotes, trades, books, funding, corporate actions, trading status.

Each event has two times: ``venue_time_ns``, when it was true at the venue, and ``local_time_ns``, when we could know.
Quotes, trades and books carry the venue's numbers as whole ticks and lots, and beside them the floats a strategy reads.
A bar is an aggregate: its floats are exactly the decimals of its source, and whoever must trade against them goes
back to the grid through ``Grid.nearest_ticks``, which is exact for them.
"""

import enum

import msgspec

from njord.domain.ids import InstrumentId


class Kind(enum.StrEnum):
    """The kinds of market data, as the catalog and configs name them."""

    BARS = "bars"
    QUOTE_BARS = "quote_bars"
    QUOTES = "quotes"
    TRADES = "trades"
    BOOK = "book"
    FUNDING = "funding"
    ACTIONS = "actions"
    STATUS = "status"

    __hash__ = str.__hash__  # Enum's own is a Python function


class Aggressor(enum.IntEnum):
    """Who crossed the spread in a trade."""

    SELLER = -1
    UNKNOWN = 0
    BUYER = 1


class Bar(msgspec.Struct, frozen=True, gc=False, tag="bar"):
    """Open, high, low, close and volume of the interval that ends at ``venue_time_ns``: known only then."""

    instrument_id: InstrumentId
    interval_ns: int
    venue_time_ns: int
    local_time_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class QuoteBar(Bar, frozen=True, gc=False, tag="quote_bar"):
    """A bar of bid and ask. The inherited prices are mids, for signals; buys trade at the asks, sells at the bids."""

    bid_open: float
    bid_high: float
    bid_low: float
    bid_close: float
    ask_open: float
    ask_high: float
    ask_low: float
    ask_close: float


class Quote(msgspec.Struct, frozen=True, gc=False, tag="quote"):
    """Best bid and ask. A side without liquidity has 0 lots."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    bid_ticks: int
    ask_ticks: int
    bid_lots: int
    ask_lots: int

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2


class DealerQuote(msgspec.Struct, frozen=True, gc=False, tag="dealer_quote"):
    """What one dealer bids and asks, for so many lots a side, until it expires. A side without interest has 0 lots."""

    quote_id: str
    dealer: str
    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    expires_ns: int

    def __post_init__(self) -> None:
        if min(self.bid_lots, self.ask_lots) < 0 or self.expires_ns <= self.venue_time_ns:
            raise ValueError(f"quote {self.quote_id}: lots must be 0 or more, and it must expire after it was made")
        if self.bid_lots and self.ask_lots and self.bid_ticks >= self.ask_ticks:
            raise ValueError(f"quote {self.quote_id}: bid {self.bid_ticks} must be below ask {self.ask_ticks}")


class Trade(msgspec.Struct, frozen=True, gc=False, tag="trade"):
    """Two others traded."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    price: float
    quantity: float
    price_ticks: int
    quantity_lots: int
    aggressor: Aggressor


class BookUpdate(msgspec.Struct, frozen=True, tag="book"):
    """Levels of an L2 book that changed together. ``lots`` is what now rests there; 0 removes the level.

    A snapshot replaces the whole book. ``sequence`` is the venue's own update id. ``left`` says which orders went
    without trading, and when each had come, where the venue tells of every order: (sign of the side, price_ticks, lots,
    time_ns).
    """

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    sequence: int
    snapshot: bool
    bids: tuple[tuple[int, int], ...]  # (price_ticks, lots)
    asks: tuple[tuple[int, int], ...]
    left: tuple[tuple[int, int, int, int], ...] = ()


class Funding(msgspec.Struct, frozen=True, gc=False, tag="funding"):
    """A perpetual pays: longs pay shorts ``rate_pico`` 1e-12 of notional; negative the other way round."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    rate_pico: int
    mark_ticks: int | None = None  # None: the last price we saw


class Split(msgspec.Struct, frozen=True, gc=False, tag="split"):
    """From now on ``denominator`` old shares are ``numerator`` new ones: 7 for 1 is 7/1."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if self.numerator <= 0 or self.denominator <= 0:
            raise ValueError(
                f"{self.instrument_id}: split {self.numerator}/{self.denominator} must be > 0 on both sides"
            )


class Dividend(msgspec.Struct, frozen=True, gc=False, tag="dividend"):
    """Goes ex: whoever holds one unit of the instrument is paid ``amount_units`` of its quote currency."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    amount_units: int


class TradingStatus(msgspec.Struct, frozen=True, gc=False, tag="status"):
    """Trading of the instrument stopped or resumed."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    halted: bool


class Expiry(msgspec.Struct, frozen=True, gc=False, tag="expiry"):
    """The contract is over: all that is held of it is settled in cash at ``price_ticks``. ``venue_time_ns`` is when."""

    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int
    price_ticks: int


MarketEvent = Bar | QuoteBar | Quote | Trade | BookUpdate | Funding | Split | Dividend | Expiry | TradingStatus
# After which a record has all lots of the instrument as they are, and not what was opened and closed
RESTATING = (Split, Expiry)
