"""Circuit breakers: what is wrong right now, of an instrument or of all, and when it has been right long enough.

Each breaker opens as soon as its threshold is reached, stays open while its cause lasts and ``cool_down_s`` after it,
then closes and is armed again. A cause that came and went between two ticks opens it all the same.

The four causes, each None in the profile where there is no such breaker:

volatility      short-term over long-term volatility of an instrument's prices, given at equal steps. The long-term one
                is as it was before the price that is judged, or a jump would excuse itself.
reject_share    of the last ``reject_window`` orders. It forgets them when it opens: what is refused after that counts
                anew, or it could never close while nobody may trade.
stale_s         no market data of an instrument that had some.
loss_share      equity below the highest within ``loss_window_s``. The caller leaves out deposits and withdrawals.
"""

import collections
import math
from collections.abc import Iterator
from typing import NamedTuple

from njord.domain.clock import NS_PER_S
from njord.domain.command import Cause
from njord.domain.ids import InstrumentId
from njord.domain.profile import Breakers
from njord.risk.drawdown import lost_bp, lost_share
from njord.risk.sizing import Volatility

SHORT_HALF_LIFE = 10.0  # Prices
LONG_HALF_LIFE = 300.0
WARM_UP = 60  # Prices before volatility is judged
EQUITIES_MAX = 4_096
assert SHORT_HALF_LIFE < WARM_UP < LONG_HALF_LIFE, "the long term must remember what the short term forgets"


class Change(NamedTuple):
    """A breaker opened or closed: of one instrument, or with None of all trading."""

    cause: Cause
    instrument_id: InstrumentId | None
    opened: bool
    detail: str


class _Watched:
    __slots__ = ("detail", "holds", "last_ns", "opened")

    def __init__(self) -> None:
        self.holds = True
        self.opened = False
        self.last_ns = 0  # When the cause was last there
        self.detail = ""


class CircuitBreakers:
    """The breakers of one account. Time comes with every call and never runs backwards between ticks."""

    __slots__ = (
        "_cool_down_ns",
        "_equities",
        "_heard",
        "_moves",
        "_rejected",
        "_rules",
        "_stale_ns",
        "_time_ns",
        "_watched",
    )

    def __init__(self, rules: Breakers) -> None:
        self._rules = rules
        self._cool_down_ns = rules.cool_down_s * NS_PER_S
        self._stale_ns = None if rules.stale_s is None else int(rules.stale_s * NS_PER_S)
        self._watched: dict[tuple[Cause, InstrumentId | None], _Watched] = {}
        self._heard: dict[InstrumentId, int] = {}
        self._moves: dict[InstrumentId, tuple[Volatility, Volatility]] = {}
        self._rejected: collections.deque[bool] = collections.deque(maxlen=rules.reject_window)
        # Falling equities, oldest first: the first is the highest of the window
        self._equities: collections.deque[tuple[int, int]] = collections.deque()
        self._time_ns = 0

    @property
    def quiet(self) -> bool:
        """Whether neither prices nor equity nor time could open or close anything now."""
        rules = self._rules
        return (
            not self._watched and rules.volatility_ratio is None and rules.stale_s is None and rules.loss_share is None
        )

    def on_price(self, instrument_id: InstrumentId, price: float, time_ns: int) -> None:
        """Take the price of an instrument. One that is no number above 0 shows that it lives, and is no move."""
        if instrument_id in self._heard:
            self._judge_silence(instrument_id, time_ns)  # However long it was silent until now
        self._heard[instrument_id] = time_ns
        self._judge_silence(instrument_id, time_ns)
        if self._rules.volatility_ratio is None or not (math.isfinite(price) and price > 0):
            return
        moves = self._moves.get(instrument_id)
        if moves is None:
            moves = self._moves[instrument_id] = (
                Volatility(SHORT_HALF_LIFE, WARM_UP), Volatility(LONG_HALF_LIFE, WARM_UP),
            )  # fmt: skip
        short, long = moves
        before, ready = long.per_bar, long.ready
        short.update(price)
        long.update(price)
        if not ready:
            return
        limit = float(self._rules.volatility_ratio)
        # A market that never moved has no ratio: any move at all is more than it ever made
        holds = short.per_bar > 0 and short.per_bar >= limit * before
        said = f"volatility {short.per_bar:.3g} a step, usually {before:.3g}, limit {limit:g} times that"
        self._judge(Cause.VOLATILITY, instrument_id, holds, said, time_ns)

    def on_order_result(self, time_ns: int, *, rejected: bool) -> None:
        """Take what a venue made of an order: refused it, or not."""
        share = self._rules.reject_share
        if share is None:
            return
        seen = self._rejected
        seen.append(rejected)
        refused = sum(seen)
        holds = len(seen) == seen.maxlen and refused >= share * len(seen)
        self._judge(Cause.REJECT_RATE, None, holds, f"{refused} of {len(seen)} orders rejected", time_ns)
        if holds:
            seen.clear()
            self._watched[Cause.REJECT_RATE, None].holds = False

    def on_equity(self, equity_units: int, time_ns: int) -> None:
        """Take what the account is worth."""
        share = self._rules.loss_share
        if share is None:
            return
        equities = self._equities
        while equities and equities[0][0] < time_ns - self._rules.loss_window_s * NS_PER_S:
            equities.popleft()
        while equities and equities[-1][1] <= equity_units:
            equities.pop()
        if len(equities) == EQUITIES_MAX:
            # The last two become one, as high as the one and as late as the other: it may only be remembered too long
            equities[-1] = (time_ns, equities[-1][1])
        else:
            equities.append((time_ns, equity_units))
        highest = equities[0][1]
        said = f"lost {lost_bp(equity_units, highest)} bp within {self._rules.loss_window_s} s"
        self._judge(Cause.LOSS_VELOCITY, None, lost_share(equity_units, highest, share), said, time_ns)

    def tick(self, time_ns: int) -> list[Change]:
        """Return what has opened and closed since the last tick, in the order in which causes arose."""
        assert time_ns >= self._time_ns, (time_ns, self._time_ns)
        self._time_ns = time_ns
        for name in self._heard:
            self._judge_silence(name, time_ns)
        return list(self._changes(time_ns))

    def forget_equity(self) -> None:
        """Begin anew to watch for losses: money was paid in or out."""
        self._equities.clear()

    def reopen(self, cause: Cause, instrument_id: InstrumentId | None, detail: str, time_ns: int) -> None:
        """Take back a breaker that was open before a restart: it cools down from ``time_ns`` on."""
        watched = self._watched[cause, instrument_id] = _Watched()
        watched.opened, watched.holds = True, False
        watched.last_ns, watched.detail = time_ns, detail

    def open_causes(self, instrument_id: InstrumentId) -> list[Cause]:
        """Return which breakers are open for an instrument, its own and those of all trading."""
        return [cause for (cause, name), each in self._watched.items() if each.opened and name in (None, instrument_id)]

    def _judge_silence(self, name: InstrumentId, time_ns: int) -> None:
        if self._stale_ns is not None:
            silent_ns = time_ns - self._heard[name]
            said = f"no market data for {silent_ns / NS_PER_S:g} s"
            self._judge(Cause.STALE_MARKET, name, silent_ns >= self._stale_ns, said, time_ns)

    def _judge(self, cause: Cause, name: InstrumentId | None, holds: bool, detail: str, time_ns: int) -> None:
        watched = self._watched.get((cause, name))
        if watched is None:
            if not holds:
                return
            watched = self._watched[cause, name] = _Watched()
        if holds or watched.holds:
            watched.last_ns = time_ns  # It was there until now
        watched.holds = holds
        if holds:
            watched.detail = detail

    def _changes(self, time_ns: int) -> Iterator[Change]:
        for (cause, name), watched in list(self._watched.items()):
            if not watched.opened:
                watched.opened = True
                yield Change(cause, name, True, watched.detail)
            if watched.holds:
                watched.last_ns = time_ns
            elif time_ns - watched.last_ns >= self._cool_down_ns:
                del self._watched[cause, name]
                yield Change(cause, name, False, f"right for {self._rules.cool_down_s} s")
