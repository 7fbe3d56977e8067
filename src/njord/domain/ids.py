"""Identifiers: distinct types for distinct things, all derived from what they name."""

from typing import NewType

InstrumentId = NewType("InstrumentId", str)
VenueId = NewType("VenueId", str)
StrategyId = NewType("StrategyId", str)
ClientOrderId = NewType("ClientOrderId", str)
FillId = NewType("FillId", str)
EntryId = NewType("EntryId", str)

INSTRUMENT_ID_CHARS_MAX = 64


def instrument_id(text: str) -> InstrumentId:
    """Return ``text`` as an instrument id, ``<unified symbol>.<VENUE>`` such as ``BTC/USD.KRAKEN``.

    Raises ValueError naming what is wrong.
    """
    symbol, dot, venue = text.rpartition(".")
    if not dot or not symbol or not venue:
        raise ValueError(f"instrument {text!r}: must look like BTC/USD.KRAKEN, a symbol, a dot and a venue")
    if venue != venue.upper() or not venue.replace("_", "").isalnum():
        raise ValueError(f"instrument {text!r}: venue must be upper case letters, digits and _, was {venue!r}")
    if len(text) > INSTRUMENT_ID_CHARS_MAX:
        raise ValueError(f"instrument {text!r}: at most {INSTRUMENT_ID_CHARS_MAX} characters, was {len(text)}")
    if any(character.isspace() or character in "\\\0" for character in symbol):
        raise ValueError(f"instrument {text!r}: no white space or backslash in a symbol")
    if any(part in ("", ".", "..") for part in symbol.split("/")):
        raise ValueError(f"instrument {text!r}: empty part in the symbol")
    return InstrumentId(text)


def venue_of(instrument: InstrumentId) -> VenueId:
    """Return the venue part of an instrument id."""
    return VenueId(instrument.rpartition(".")[2])
