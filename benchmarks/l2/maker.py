"""The maker of the L2 benchmark as a kernel strategy: a bid and an ask around the mid, moved when the mid does."""

from typing import Any

from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import quote


class TwoSided(KernelStrategy):
    """Keep one bid and one ask; stop adding at ``position_max_lots``."""

    half_spread_ticks: int = 3
    lots: int = 5
    position_max_lots: int = 100

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        seen = view[0]
        if seen.guard:
            quote(view, out, 0, 0, 0, 0, 0)
            return
        mid = (seen.bid_ticks + seen.ask_ticks) // 2
        bid_lots = params.lots if seen.position_lots < params.position_max_lots else 0
        ask_lots = params.lots if seen.position_lots > -params.position_max_lots else 0
        quote(view, out, 0, mid - params.half_spread_ticks, bid_lots, mid + params.half_spread_ticks, ask_lots)
