"""What an account is worth and exposed to at one moment, for whoever watches from outside its engine."""

import msgspec

from njord.domain.ids import InstrumentId


class Exposure(msgspec.Struct, frozen=True, kw_only=True, tag="exposure"):
    """One account. Money is in units of ``currency``; ``delta`` is money by underlier, ``dv01`` by curve bucket."""

    account_id: str
    time_ns: int
    currency: str
    nav_units: int
    cash_units: dict[str, int]
    lots: dict[InstrumentId, int]
    gross_units: int
    leverage: float
    delta: dict[str, float]
    vega: dict[str, float]
    dv01: tuple[float, ...]
    value_at_risk: float | None  # Over a minute, at 99 %
