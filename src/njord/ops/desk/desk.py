"""All services of a platform, and which of their methods others may ask for."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Self

from njord.ledger.port import Ledger
from njord.ops.desk.audit import AuditDesk
from njord.ops.desk.control import ControlDesk
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.profiles import ProfilesDesk
from njord.ops.desk.risk import RiskDesk
from njord.ops.desk.strategies import StrategiesDesk
from njord.ops.desk.trading import TradingDesk
from njord.ops.platform import Platform


@dataclasses.dataclass(frozen=True)
class Desk:
    """The services, of a platform in this process or in another (``ops.desk.remote``)."""

    market: MarketDesk
    trading: TradingDesk
    strategies: StrategiesDesk
    control: ControlDesk
    risk: RiskDesk
    profiles: ProfilesDesk
    audit: AuditDesk

    @classmethod
    def of(cls, platform: Platform, ledger: Ledger, home: Path, wall_ns: Callable[[], int]) -> Self:
        """Return the services of a platform in this process. ``home`` has profiles, founders' keys and approvals."""
        market = MarketDesk(platform)
        trading = TradingDesk(platform, market)
        return cls(
            market, trading, StrategiesDesk(platform, market, trading), ControlDesk(platform, trading),
            RiskDesk(trading), ProfilesDesk(platform, trading, home, wall_ns), AuditDesk(platform, ledger),
        )  # fmt: skip


SERVICES: dict[str, type] = {
    "market": MarketDesk, "trading": TradingDesk, "strategies": StrategiesDesk, "control": ControlDesk,
    "risk": RiskDesk, "profiles": ProfilesDesk, "audit": AuditDesk,
}  # fmt: skip
# What can be asked for by bus: nothing else can
ASKABLE: dict[str, tuple[str, ...]] = {
    "market": (
        "instruments", "listing", "quotes", "depth", "dealers", "trades", "candles", "chain", "curve", "health",
        "known_scenarios", "add_scenario", "run_scenario",
    ),
    "trading": (
        "open_account", "accounts", "orders", "fills", "queue_ahead", "portfolio", "history", "place", "cancel",
        "replace",
    ),
    "strategies": ("strategy_kinds", "strategies", "set_strategies", "stop_strategy", "start_strategy", "notes"),
    "control": ("trip", "clear", "clear_own"),
    "risk": ("risk",),
    "profiles": ("offered", "history", "preview", "apply"),
    "audit": ("sessions", "timeline", "why", "verify"),
}  # fmt: skip
