"""The real data beside the project, and instruments the tests share."""

from decimal import Decimal
from pathlib import Path

import pytest

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.market.catalog import Catalog

BTC = InstrumentId("BTC/USD.KRAKEN")


@pytest.fixture
def btc() -> Instrument:
    return Instrument(
        instrument_id=BTC, kind=InstrumentKind.SPOT, base="BTC", quote="USD",
        price_tick=Decimal("0.1"), quantity_lot=Decimal("1e-8"),
    )  # fmt: skip


@pytest.fixture
def catalog(tmp_path: Path, btc: Instrument) -> Catalog:
    made = Catalog(tmp_path / "catalog")
    made.define(btc)
    return made
