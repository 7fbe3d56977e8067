"""An account's strategies: which there are, what they do now and why, and starting and stopping them."""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from njord.domain.governance import Scope, TripSource
from njord.domain.ids import StrategyId
from njord.domain.instruction import BY_HAND
from njord.engine.config import StrategySpec
from njord.engine.gate import Trip
from njord.engine.loading import built_in
from njord.engine.simulation.blotter import Note
from njord.engine.simulation.house import Account
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.trading import TradingDesk
from njord.ops.desk.values import BadRequest, NotFound, StrategyKind, StrategyState
from njord.ops.platform import Platform
from njord.strategies import registry
from njord.strategies.registry import BUILT_IN, parameters

STRATEGIES_MAX = 20


class StrategiesDesk:
    """Strategies of accounts."""

    def __init__(self, platform: Platform, market: MarketDesk, trading: TradingDesk) -> None:
        self.platform, self._market, self._trading = platform, market, trading

    def strategy_kinds(self) -> list[StrategyKind]:
        """Return the strategies that come with Njord and what they can be given."""
        found = []
        for name in BUILT_IN:
            if name == BY_HAND:
                continue
            kind = built_in(name)
            about = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
            given = {
                key: (str(getattr(p.annotation, "__name__", p.annotation)), _plain(p.default))
                for key, p in parameters(kind).items()
            }
            found.append(StrategyKind(name, about, given))
        return found

    def strategies(self, account_id: str) -> list[StrategyState]:
        """Return an account's strategies as they are now."""
        account = self._trading.account(account_id)
        return self.platform.call(lambda: _strategy_states(account))

    def set_strategies(self, account_id: str, specs: list[dict[str, Any]]) -> None:
        """Trade by other strategies, or with other parameters, from now on. Raises BadRequest naming which."""
        if len(specs) > STRATEGIES_MAX:
            raise BadRequest("strategies", f"at most {STRATEGIES_MAX}")
        made = tuple(self._spec(position, each) for position, each in enumerate(specs))
        account = self._trading.account(account_id)
        plan = msgspec.structs.replace(account.plan, strategies=made)
        try:
            self.platform.call(lambda: self.platform.open(account_id, plan), 120.0)
        except ValueError as error:
            raise BadRequest("strategies", str(error)) from None

    def stop_strategy(self, account_id: str, actor: str, strategy_id: str, reason: str, *, flatten: bool) -> None:
        """Stop one strategy and cancel its orders, until it is started again."""
        scope = self._strategy_scope(account_id, strategy_id)
        self.platform.call(
            lambda: self.platform.house.trip(Trip(scope, TripSource.CLI, actor, reason, flatten), account_id)
        )

    def start_strategy(self, account_id: str, actor: str, strategy_id: str, reason: str) -> None:
        """Let a strategy that was stopped go on."""
        scope = self._strategy_scope(account_id, strategy_id)
        self.platform.call(lambda: self.platform.house.clear(scope, (actor,), reason, account_id))

    def notes(self, account_id: str) -> list[Note]:
        """Return what strategies put on record of why, oldest first."""
        blotter = self._trading.account(account_id).blotter
        return self.platform.call(lambda: list(blotter.notes))

    def _strategy_scope(self, account_id: str, strategy_id: str) -> Scope:
        session = self._trading.account(account_id).session
        if session is None or StrategyId(strategy_id) not in session.state.slots:
            raise NotFound(f"no strategy {strategy_id!r}")
        return Scope.parse(f"strategy:{strategy_id}")

    def _spec(self, position: int, given: Mapping[str, Any]) -> StrategySpec:
        where = f"strategies[{position}]"
        name, instruments = given.get("name"), given.get("instruments") or []
        if name not in BUILT_IN or name == BY_HAND:
            raise BadRequest(f"{where}.name", f"no strategy {name!r}")
        for each in instruments:
            self._market.listing(each)
        if not instruments:
            raise BadRequest(f"{where}.instruments", "needs at least one")
        params = dict(given.get("params") or {})
        try:
            registry.build(built_in(name), name, params)
        except registry.BadParameter as error:
            raise BadRequest(f"{where}.params", str(error)) from None
        return StrategySpec(name=name, params=params, instruments=list(instruments))


def _strategy_states(account: Account) -> list[StrategyState]:
    session = account.session
    assert session is not None, account.account_id
    state, found = session.state, []
    specs = dict(zip([name for name in state.slots if name != BY_HAND], account.plan.strategies, strict=False))
    for strategy_id, slot in state.slots.items():
        spec = specs.get(strategy_id)
        if spec is None:
            continue
        mine = {name: holding for (owner, name), holding in state.portfolio.holdings.items() if owner == strategy_id}
        unrealised = 0
        for name, holding in mine.items():
            price = state.last_price.get(name)
            if holding.lots and price is not None:
                grid = state.grids[name]
                unrealised += grid.value_units(grid.nearest_ticks(price), holding.lots) - holding.cost_units
        fills = [line for line in account.blotter.fills if line.strategy_id == strategy_id]
        tripped = [trip.reason for scope, trip in state.kill.tripped.items() if scope.name in ("", strategy_id)]
        notes = [note for note in account.blotter.notes if note.strategy_id == strategy_id]
        found.append(
            StrategyState(
                strategy_id, spec.name or "", dict(spec.params), tuple(spec.instruments or ()),
                slot.stopped or (tripped[0] if tripped else None),
                {name: holding.lots for name, holding in mine.items() if holding.lots},
                account.blotter.realised.get(strategy_id, 0), unrealised,
                len(slot.order_ids), len(fills), notes[-1] if notes else None,
            )
        )  # fmt: skip
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else None
