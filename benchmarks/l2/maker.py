"""The strategies of the L2 benchmark, as kernel strategies. ``hftbacktest_side.py`` says the same in its words."""

from typing import Any

from njord.market.view import CANCELLING
from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import buy, cancel, quote, sell

STEP_NS = 100_000_000


class TwoSided(KernelStrategy):
    """Keep one bid and one ask around the mid, moved when it moves; stop adding at ``position_max_lots``."""

    half_spread_ticks: int = 1
    lots: int = 5
    position_max_lots: int = 100

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:  # noqa: ARG004
        seen = view[0]
        if seen.guard:
            quote(view, out, 0, 0, 0, 0, 0)
            return
        mid = (seen.bid_ticks + seen.ask_ticks) // 2
        bid_lots = params.lots if seen.position_lots < params.position_max_lots else 0
        ask_lots = params.lots if seen.position_lots > -params.position_max_lots else 0
        quote(view, out, 0, mid - params.half_spread_ticks, bid_lots, mid + params.half_spread_ticks, ask_lots)


class Scheduled(KernelStrategy):
    """Send orders that depend on the time and the book alone, so that no fill has an effect on what comes later.

    Every ``life`` steps all orders are cancelled and a bid and an ask are sent: by turns one tick better than the best,
    at it, and one tick behind; of 1 to ``lots_max`` lots. Nothing is sent from ``until_ns`` on.
    """

    life: int = 5
    lots_max: int = 1
    until_ns: int = 0

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:  # noqa: ARG004
        seen = view[0]
        step = seen.time_ns // STEP_NS
        if step % params.life:
            return
        for i in range(seen.orders):
            if seen.order_state[i] != CANCELLING:
                cancel(out, seen.order_number[i])
        if seen.guard == 0 and seen.time_ns < params.until_ns:
            turn = step // params.life
            behind = turn % 3 - 1
            lots = 1 + turn % params.lots_max
            buy(out, 0, lots, seen.bid_ticks - behind)
            sell(out, 0, lots, seen.ask_ticks + behind)
