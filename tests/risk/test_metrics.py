"""Exposure, concentration and leverage of portfolios that can be added up by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.instrument import Instrument, InstrumentKind
from njord.risk.metrics import ClassExposure, Concentration, Leverage, by_class, concentration, leverage


def instrument(name, kind, **more):
    return Instrument(
        instrument_id=name, kind=kind, base="B", quote="USD", price_tick=Decimal(1), quantity_lot=Decimal(1), **more
    )


INSTRUMENTS = {
    each.instrument_id: each
    for each in (
        instrument("BTC/USD.SIM", InstrumentKind.SPOT), instrument("ETH/USD.SIM", InstrumentKind.SPOT),
        instrument("BTC/USD:USD.SIM", InstrumentKind.PERPETUAL, underlier="BTC"),
        instrument("EUR/USD.SIM", InstrumentKind.FX),
    )
}  # fmt: skip
BOOK = {"BTC/USD.SIM": 500, "ETH/USD.SIM": 100, "BTC/USD:USD.SIM": -400, "EUR/USD.SIM": 0}


def test_by_class():
    found = by_class({**BOOK, "ETH/USD.SIM": -100}, INSTRUMENTS)

    assert found == {
        InstrumentKind.SPOT: ClassExposure(500, 100, Fraction(6, 10)),
        InstrumentKind.PERPETUAL: ClassExposure(0, 400, Fraction(4, 10)),
    }
    assert found[InstrumentKind.SPOT].gross_units == 600
    assert found[InstrumentKind.SPOT].net_units == 400
    assert found[InstrumentKind.PERPETUAL].net_units == -400
    assert by_class({}, INSTRUMENTS) == {}
    with pytest.raises(KeyError):
        by_class({"X": 1}, INSTRUMENTS)


def test_concentration():
    assert concentration(BOOK) == Concentration(Fraction(25 + 1 + 16, 100), "BTC/USD.SIM", Fraction(1, 2))
    assert concentration({"A": -7}) == Concentration(Fraction(1), "A", Fraction(1))
    assert concentration({"A": 1, "B": -3}).largest == "B"
    assert concentration(dict.fromkeys("ABCD", 5)) == Concentration(Fraction(1, 4), "A", Fraction(1, 4))
    assert concentration({"A": 0}) == concentration({}) == Concentration(None, None, None)


def test_leverage():
    assert leverage(BOOK, 500) == Leverage(Fraction(2), Fraction(2, 5))
    assert leverage({"A": -300}, 100) == Leverage(Fraction(3), Fraction(-3))
    assert leverage({}, 1) == Leverage(Fraction(0), Fraction(0))
    assert leverage(BOOK, 0) == leverage(BOOK, -5) == Leverage(None, None)


@given(st.dictionaries(st.sampled_from(sorted(INSTRUMENTS)), st.integers(-(10**24), 10**24)), st.integers(1, 10**24))
def test_the_parts_make_the_whole(book, equity):
    classes = by_class(book, INSTRUMENTS).values()
    gross = sum(map(abs, book.values()))

    assert sum(each.gross_units for each in classes) == gross
    assert sum(each.net_units for each in classes) == sum(book.values())
    assert leverage(book, equity).gross * equity == gross
    assert abs(leverage(book, equity).net) <= leverage(book, equity).gross
    if gross:
        assert sum(each.gross_share for each in classes) == 1
        found = concentration(book)
        assert Fraction(1, len(book)) <= found.herfindahl <= found.largest_share <= 1
