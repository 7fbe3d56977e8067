"""Njord: a trading platform whose results can be trusted.

import njord as nj
from njord.strategies.ema_cross import EmaCross

result = nj.backtest(EmaCross(fast=10, slow=50), data=bars, cash=1_000_000, taker=0.001)
result.stats, result.fills, result.plot(), result.digest
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from njord.domain.instrument import Instrument, InstrumentKind
    from njord.market.catalog import Catalog
    from njord.research.notebook import backtest
    from njord.research.result import Result
    from njord.research.sweep import sweep
    from njord.strategies.port import Desk, Strategy

__version__ = "0.1.0"
__all__ = ["Catalog", "Desk", "Instrument", "InstrumentKind", "Result", "Strategy", "__version__", "backtest", "sweep"]

# Imported when first asked for: whoever needs one name should not wait for all
_HOMES = {
    "Catalog": "njord.market.catalog",
    "Desk": "njord.strategies.port",
    "Instrument": "njord.domain.instrument",
    "InstrumentKind": "njord.domain.instrument",
    "Result": "njord.research.result",
    "Strategy": "njord.strategies.port",
    "backtest": "njord.research.notebook",
    "sweep": "njord.research.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'njord' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
