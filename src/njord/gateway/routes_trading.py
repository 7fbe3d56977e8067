"""One's own account: orders, fills, portfolio, strategies, risk. Whose it is the session says, never the client."""

from typing import Any

from fastapi import APIRouter, Request, Response

from njord.domain.order import TERMINAL
from njord.gateway import account_models
from njord.gateway.access import Trader
from njord.gateway.models import Problem
from njord.gateway.plain import fill, order, plain
from njord.ops.desk.strategies import StrategiesDesk
from njord.ops.desk.trading import TradingDesk
from njord.ops.desk.values import Placed, Ticket

router = APIRouter(tags=["trading"])
_REFUSALS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}


def _desk(request: Request) -> TradingDesk:
    found: TradingDesk = request.app.state.trading
    return found


def _strategies(request: Request) -> StrategiesDesk:
    found: StrategiesDesk = request.app.state.strategies
    return found


def _placed(placed: Placed, response: Response, taken: int) -> dict[str, Any]:
    # A refusal is an answer, with the order in it as it is on record
    response.status_code = taken if placed.refusal is None else 409
    return {
        "client_order_id": placed.client_order_id, "refusal": placed.refusal,
        "order": None if placed.order is None else order(placed.order),
    }  # fmt: skip


@router.get("/orders", response_model=list[account_models.OrderOut])
def orders(request: Request, session: Trader, working: bool = False) -> Any:
    """List the newest orders, oldest first; with ``working`` those alone that have not ended."""
    ahead = _desk(request).queue_ahead(session.user.account_id)
    found = _desk(request).orders(session.user.account_id)
    return [
        order(each, ahead.get(each.client_order_id))
        for each in found if not working or each.status not in TERMINAL
    ]  # fmt: skip


@router.post(
    "/orders", response_model=account_models.PlacedOut, status_code=201,
    responses={**_REFUSALS, 409: {"model": account_models.PlacedOut}},
)  # fmt: skip
def place(given: account_models.TicketIn, request: Request, response: Response, session: Trader) -> Any:
    """Send an order. 409 with the reason where the risk engine refuses it."""
    ticket = Ticket(**given.model_dump())
    return _placed(_desk(request).place(session.user.account_id, session.user.name, ticket), response, 201)


@router.patch(
    "/orders/{order_id:path}", response_model=account_models.PlacedOut,
    responses={**_REFUSALS, 409: {"model": account_models.PlacedOut}},
)  # fmt: skip
def replace(
    order_id: str, given: account_models.ReplaceIn, request: Request, response: Response, session: Trader
) -> Any:
    """Move an order or change its quantity."""
    found = _desk(request).replace(
        session.user.account_id, session.user.name, order_id, given.quantity, given.limit_price
    )
    return _placed(found, response, 200)


@router.delete(
    "/orders/{order_id:path}", response_model=account_models.PlacedOut,
    responses={**_REFUSALS, 409: {"model": account_models.PlacedOut}},
)  # fmt: skip
def cancel(order_id: str, request: Request, response: Response, session: Trader) -> Any:
    """Cancel an order."""
    return _placed(_desk(request).cancel(session.user.account_id, session.user.name, order_id), response, 200)


@router.get("/fills", response_model=list[account_models.FillOut])
def fills(request: Request, session: Trader) -> Any:
    """List the newest fills, oldest first."""
    return [fill(each) for each in _desk(request).fills(session.user.account_id)]


@router.get("/portfolio", response_model=account_models.PortfolioOut)
def portfolio(request: Request, session: Trader) -> Any:
    """Return what the account is worth and at risk of."""
    return plain(_desk(request).portfolio(session.user.account_id))


@router.get("/portfolio/history", response_model=list[account_models.NavOut])
def history(request: Request, session: Trader) -> Any:
    """Return NAV over time, oldest first."""
    points = _desk(request).history(session.user.account_id)
    return [{"time_ns": str(time_ns), "nav_units": str(nav)} for time_ns, nav in points]


@router.get("/strategies/kinds", response_model=list[account_models.StrategyKindOut], tags=["strategies"])
def strategy_kinds(request: Request, session: Trader) -> Any:
    """List the strategies that can be started, with their parameters."""
    return [
        {
            "name": each.name, "about": each.about,
            "params": [{"name": key, "type": kind, "default": value} for key, (kind, value) in each.params.items()],
        }
        for each in _strategies(request).strategy_kinds()
    ]  # fmt: skip


@router.get("/strategies", response_model=list[account_models.StrategyOut], tags=["strategies"])
def strategies(request: Request, session: Trader) -> Any:
    """List the account's strategies as they are now."""
    return [plain(each) for each in _strategies(request).strategies(session.user.account_id)]


@router.put("/strategies", response_model=list[account_models.StrategyOut], responses=_REFUSALS, tags=["strategies"])
def set_strategies(given: list[account_models.StrategyIn], request: Request, session: Trader) -> Any:
    """Trade by these strategies from now on: others, or the same with other parameters."""
    desk = _strategies(request)
    desk.set_strategies(session.user.account_id, [each.model_dump() for each in given])
    return [plain(each) for each in desk.strategies(session.user.account_id)]


@router.post("/strategies/{strategy_id}/stop", status_code=204, responses=_REFUSALS, tags=["strategies"])
def stop_strategy(strategy_id: str, given: account_models.ReasonIn, request: Request, session: Trader) -> None:
    """Stop a strategy and cancel its orders; with ``flatten`` also sell what it holds."""
    _strategies(request).stop_strategy(
        session.user.account_id, session.user.name, strategy_id, given.reason, flatten=given.flatten
    )


@router.post("/strategies/{strategy_id}/start", status_code=204, responses=_REFUSALS, tags=["strategies"])
def start_strategy(strategy_id: str, given: account_models.ReasonIn, request: Request, session: Trader) -> None:
    """Let a strategy that was stopped go on."""
    _strategies(request).start_strategy(session.user.account_id, session.user.name, strategy_id, given.reason)


@router.get("/strategies/notes", response_model=list[account_models.NoteOut], tags=["strategies"])
def notes(request: Request, session: Trader) -> Any:
    """Return why strategies did what they did, oldest first."""
    return [plain(each) for each in _strategies(request).notes(session.user.account_id)]


@router.get("/risk", response_model=account_models.RiskOut, tags=["risk"])
def risk(request: Request, session: Trader) -> Any:
    """Return the account's limits and how much of them is used, what restricts it, and its VaR."""
    return request.app.state.risk.risk(session.user.account_id)


@router.post("/risk/kill", status_code=204, responses=_REFUSALS, tags=["risk"])
def stop_account(given: account_models.ReasonIn, request: Request, session: Trader) -> None:
    """Stop all trading of one's own account and cancel what works."""
    request.app.state.control.trip(
        session.user.name, "global", given.reason, session.user.account_id, flatten=given.flatten
    )


@router.post("/risk/clear", status_code=204, responses=_REFUSALS, tags=["risk"])
def clear_account(given: account_models.ReasonIn, request: Request, session: Trader) -> None:
    """Let one's own account trade again, where one's own stop is what stopped it."""
    request.app.state.control.clear_own(session.user.name, given.reason, session.user.account_id)
