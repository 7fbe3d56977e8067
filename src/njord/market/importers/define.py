"""What an instrument is, where nobody has said: read from its id, its venue and the decimals in the files."""

from decimal import Decimal

from njord.domain.ids import InstrumentId, venue_of
from njord.domain.instrument import Instrument, InstrumentKind
from njord.market.importers.report import ImportOptions

FX_VENUES = frozenset({"OANDA", "FXCM"})
EQUITY_VENUES = frozenset({"USA", "NYSE", "NASDAQ"})
CRYPTO_LOT = Decimal("1e-8")
# A contract of Binance's coin-margined futures is worth this many USD
COIN_CONTRACT_USD = {"BTC": 100}
COIN_CONTRACT_USD_OTHERS = 10


def inferred(
    instrument_id: InstrumentId, options: ImportOptions, *, price_decimals: int, quantity_decimals: int
) -> Instrument:
    """Return a definition for an instrument the catalog does not know. Raises ValueError naming the field."""
    symbol = instrument_id.rpartition(".")[0]
    venue = venue_of(instrument_id)
    pair, colon, settlement = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    kind = options.kind or _kind(bool(slash), bool(colon), venue)
    inverse = kind is InstrumentKind.PERPETUAL and settlement == base and bool(colon)
    multiplier = options.multiplier or _multiplier(base, venue, inverse=inverse)
    lot = options.quantity_lot or _lot(kind, inverse=inverse, decimals=quantity_decimals)
    return Instrument(
        instrument_id=instrument_id,
        kind=kind,
        base=base,
        quote=quote or "USD",
        price_tick=options.price_tick or Decimal(1).scaleb(-_tick_decimals(kind, price_decimals)),
        quantity_lot=lot,
        multiplier=multiplier,
        inverse=inverse,
        underlier=f"{pair}.{venue}" if kind is InstrumentKind.PERPETUAL else None,
    )


def _kind(pair: bool, settled: bool, venue: str) -> InstrumentKind:
    if not pair:
        return InstrumentKind.EQUITY
    if settled:
        return InstrumentKind.PERPETUAL
    return InstrumentKind.FX if venue in FX_VENUES else InstrumentKind.SPOT


def _multiplier(base: str, venue: str, *, inverse: bool) -> Decimal:
    if inverse and venue == "BINANCE":
        return Decimal(COIN_CONTRACT_USD.get(base, COIN_CONTRACT_USD_OTHERS))
    return Decimal(1)


def _lot(kind: InstrumentKind, *, inverse: bool, decimals: int) -> Decimal:
    if inverse or kind in (InstrumentKind.EQUITY, InstrumentKind.FX):
        return Decimal(1).scaleb(-decimals)
    return min(CRYPTO_LOT, Decimal(1).scaleb(-decimals))


def _tick_decimals(kind: InstrumentKind, decimals: int) -> int:
    # A share that was always at whole dollars in a file still trades in cents
    return max(decimals, 2) if kind is InstrumentKind.EQUITY else decimals
