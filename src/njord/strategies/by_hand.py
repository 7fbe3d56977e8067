"""Nothing of its own accord: orders by hand are sent in its name, and it remembers why some were not."""

from typing import Any

from njord.domain.command import Refused
from njord.strategies.port import Desk, Strategy

REFUSALS_MAX = 1_000  # Of the newest; what is older is on record all the same


class ByHand(Strategy):
    """Stands for a person at the desk. ``refusals`` are the newest of the risk engine's, by order."""

    def __init__(self) -> None:
        self.refusals: dict[str, Refused] = {}

    def on_order(self, report: Any, desk: Desk) -> None:
        if isinstance(report, Refused):
            self.refusals[report.client_order_id] = report
            if len(self.refusals) > REFUSALS_MAX:
                del self.refusals[next(iter(self.refusals))]
