"""Order book with one cell per tick. Reference: market.book.Book."""

import numpy as np

from njord.venues.simulated.kernels.inner import hot, inner
from njord.venues.simulated.kernels.layout import ASK, BID, CLEAR, Record, Tape


@hot
def what_at(tape: Tape, row: int) -> int:
    """Return what a row is, LAST included."""
    return int(np.int64(tape.what[row]))  # As wide as all other numbers, or each caller would be compiled twice


@hot
def market_at(tape: Tape, row: int) -> int:
    """Return whose row it is."""
    return int(np.int64(tape.markets[row]))


@inner
def clear(market: Record, bids: Record, asks: Record) -> None:
    """Empty both sides. Only cells that were ever used are written."""
    for cell in range(market.bid_low, market.bid_high + 1):
        bids[cell] = 0
    for cell in range(market.ask_low, market.ask_high + 1):
        asks[cell] = 0
    market.bids = market.asks = 0
    market.bid, market.ask = market.offset - 1, market.offset + market.cells
    market.bid_low, market.bid_high = market.offset + market.cells, market.offset - 1
    market.ask_low, market.ask_high = market.offset + market.cells, market.offset - 1


@hot
def begin(market: Record, what: int, sequence: int) -> None:
    """Decide whether an update is applied: not before the first snapshot, and not one that came before."""
    if what == CLEAR:
        market.ready, market.skip = 1, 0
    else:
        market.skip = 0 if market.ready and not 0 < sequence <= market.sequence else 1


@hot
def set_bid(market: Record, bids: Record, cell: int, lots: int) -> None:
    """Set what is bid at a cell, and keep the best bid."""
    before = bids[cell]
    bids[cell] = lots
    if lots > 0:
        if before == 0:
            market.bids += 1
            if cell < market.bid_low:
                market.bid_low = cell
            if cell > market.bid_high:
                market.bid_high = cell
            if cell > market.bid:
                market.bid = cell
    elif before > 0:
        market.bids -= 1
        if cell == market.bid:
            if market.bids == 0:
                market.bid = market.offset - 1
            else:
                cell -= 1
                while bids[cell] == 0:
                    cell -= 1
                market.bid = cell


@hot
def set_ask(market: Record, asks: Record, cell: int, lots: int) -> None:
    """Set what is offered at a cell, and keep the best ask."""
    before = asks[cell]
    asks[cell] = lots
    if lots > 0:
        if before == 0:
            market.asks += 1
            if cell < market.ask_low:
                market.ask_low = cell
            if cell > market.ask_high:
                market.ask_high = cell
            if cell < market.ask:
                market.ask = cell
    elif before > 0:
        market.asks -= 1
        if cell == market.ask:
            if market.asks == 0:
                market.ask = market.offset + market.cells
            else:
                cell += 1
                while asks[cell] == 0:
                    cell += 1
                market.ask = cell


@hot
def apply(market: Record, bids: Record, asks: Record, what: int, price: int, lots: int) -> bool:
    """Apply one row of an update that is not skipped. Whether the best prices or what rests there may have changed."""
    cell = price - market.floor + market.offset
    if what == BID:
        set_bid(market, bids, cell, lots)
        return bool(cell >= market.bid)
    if what == ASK:
        set_ask(market, asks, cell, lots)
        return bool(cell <= market.ask)
    if what == CLEAR:
        clear(market, bids, asks)
        return True
    return False


@hot
def crossed(market: Record) -> bool:
    """Whether the best bid is at or above the best ask."""
    return bool(market.bids > 0 and market.asks > 0 and market.bid >= market.ask)


@hot
def price_at(market: Record, cell: int) -> int:
    """Return the price of a cell, in ticks."""
    return int(cell - market.offset + market.floor)


@inner
def lots_at(market: Record, bids: Record, asks: Record, sign: int, price: int) -> int:
    """Return what rests on one side at a price; 0 outside the ladder."""
    cell = price - market.floor
    if cell < 0 or cell >= market.cells:
        return 0
    return int(bids[market.offset + cell] if sign > 0 else asks[market.offset + cell])
