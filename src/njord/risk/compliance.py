"""Rules about where we trade and with whom: venue access, caps on groups of venues, no trade with ourselves.

Each check returns a reason to refuse or None, and reads nothing but its arguments.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from njord.domain.ids import InstrumentId, VenueId
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import VenueAccess, VenueProfile

Cap = tuple[tuple[VenueId, ...], int, int]  # Venues that are capped together, and their largest share of equity
_SLEEPING = (OrderType.STOP, OrderType.STOP_LIMIT)
_ACCESS = {
    VenueAccess.ALLOW: None,
    VenueAccess.DATA_ONLY: Refusal.VENUE_DATA_ONLY,
    VenueAccess.DENY: Refusal.VENUE_NOT_ALLOWED,
}


class Working(Protocol):
    """An order of ours that is not done: what the order book of the account keeps."""

    @property
    def instrument_id(self) -> InstrumentId: ...
    @property
    def side(self) -> Side: ...
    @property
    def limit_ticks(self) -> int | None: ...


class VenueRules:
    """A venue profile, prepared to be asked at every order: who may be traded with, and the caps on each venue."""

    __slots__ = ("_access", "_default", "caps", "profile")

    def __init__(self, profile: VenueProfile) -> None:
        self.profile = profile
        self._access = {VenueId(venue): _ACCESS[access] for venue, access in profile.venues.items()}
        self._default = _ACCESS[profile.default]
        self.caps: dict[VenueId, list[Cap]] = {}  # Of each venue that is in a group
        for group, share in profile.group_share_max.items():
            venues = tuple(VenueId(venue) for venue in profile.groups[group])
            for venue in dict.fromkeys(venues):
                self.caps.setdefault(venue, []).append((venues, *share.as_integer_ratio()))

    def access_refusal(self, venue: VenueId) -> Refusal | None:
        """Return why no order may go to a venue at all, or None. A venue that is not named has the default, deny."""
        return self._access.get(venue, self._default)

    def group_refusal(
        self, venue: VenueId, exposure_units: Mapping[VenueId, int], added_units: int, equity_units: int
    ) -> Refusal | None:
        """Return whether an order would take a group of venues over its share of equity.

        ``exposure_units`` is the worst case of each venue, all that is held there and all that is working, without the
        order; ``added_units`` what the order adds to that worst case. What adds nothing is the way out, never refused.
        """
        if added_units <= 0:
            return None
        for venues, numerator, denominator in self.caps.get(venue, ()):
            together = added_units
            for name in venues:
                together += exposure_units.get(name, 0)
            if together * denominator > equity_units * numerator:
                return Refusal.VENUE_EXPOSURE_TOO_LARGE
        return None


def self_trade_refusal(order: NewOrder, working: Iterable[Working]) -> Refusal | None:
    """Return whether an order would at once trade with one of ours, of any strategy of the account: a wash trade.

    An instrument belongs to one venue, so the same instrument is the same book. A post-only order never takes, and a
    stop sleeps: when it wakes, the venue's own prevention has to do. Orders without a limit do not rest.
    """
    if order.post_only or order.order_type in _SLEEPING:
        return None
    limit = order.limit_ticks
    for own in working:
        resting = own.limit_ticks
        if own.instrument_id != order.instrument_id or own.side is order.side or resting is None:
            continue
        if limit is None or (limit >= resting if order.side is Side.BUY else limit <= resting):
            return Refusal.WOULD_SELF_TRADE
    return None
