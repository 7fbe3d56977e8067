"""The kill switch, for whoever may pull it."""

from njord.domain.governance import Scope, TripSource
from njord.engine.gate import Trip
from njord.ops.desk.trading import TradingDesk
from njord.ops.desk.values import BadRequest
from njord.ops.platform import Platform

SCOPES_MAX = 1_000


class ControlDesk:
    """Stopping trading, and letting it go on."""

    def __init__(self, platform: Platform, trading: TradingDesk) -> None:
        self.platform, self._trading = platform, trading
        self._asked: dict[tuple[Scope, str | None], dict[str, None]] = {}

    def trip(self, actor: str, scope: str, reason: str, account_id: str | None, *, flatten: bool) -> None:
        """Stop trading in a scope, of one account or of all of them."""
        try:
            parsed = Scope.parse(scope)
        except ValueError as error:
            raise BadRequest("scope", str(error)) from None
        if account_id is not None:
            self._trading.account(account_id)
        trip = Trip(parsed, TripSource.CLI, actor, reason, flatten)
        self.platform.call(lambda: self.platform.house.trip(trip, account_id))

    def clear(self, actor: str, scope: str, reason: str, account_id: str | None) -> None:
        """Ask that trading may go on. Each account's engine decides by its profile, which may want two people.

        Who asked before for the same scope counts as the first of the two.
        """
        try:
            parsed = Scope.parse(scope)
        except ValueError as error:
            raise BadRequest("scope", str(error)) from None
        asked = self._asked.setdefault((parsed, account_id), {})
        asked[actor] = None
        if len(self._asked) > SCOPES_MAX:
            del self._asked[next(iter(self._asked))]
        actors = tuple(asked)
        self.platform.call(lambda: self.platform.house.clear(parsed, actors, reason, account_id))

    def clear_own(self, actor: str, reason: str, account_id: str) -> None:
        """Let one's own account trade again, unless somebody else stopped it. Raises BadRequest where they did."""
        session = self._trading.account(account_id).session
        assert session is not None, account_id
        others = [trip.actor for trip in session.state.kill.tripped.values() if trip.actor != actor]
        if others:
            raise BadRequest("scope", f"stopped by {others[0]}, who alone, or an operator, may clear it")
        self.clear(actor, "global", reason, account_id)
