"""Backtests: start one, watch it, read its report."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from njord.gateway import account_models
from njord.gateway.access import Trader
from njord.gateway.backtests import Backtests
from njord.gateway.models import Problem
from njord.gateway.plain import plain

router = APIRouter(prefix="/backtests", tags=["backtests"])
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'"
)
_REFUSALS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}


def _backtests(request: Request) -> Backtests:
    found: Backtests = request.app.state.backtests
    return found


@router.post("", response_model=account_models.BacktestOut, status_code=201, responses=_REFUSALS)
def start(given: account_models.BacktestIn, request: Request, session: Trader) -> Any:
    """Start a backtest of a strategy on the candles of an instrument."""
    return plain(
        _backtests(request).start(
            session.user.account_id, given.strategy, given.params, given.instrument_id, given.interval_s, given.cash,
            given.taker_fee,
        )
    )  # fmt: skip


@router.get("", response_model=list[account_models.BacktestOut])
def backtests(request: Request, session: Trader) -> Any:
    """List one's own backtests, the newest first."""
    return [plain(each) for each in _backtests(request).all(session.user.account_id)]


@router.get("/{backtest_id}", response_model=account_models.BacktestOut, responses=_REFUSALS)
def backtest(backtest_id: str, request: Request, session: Trader) -> Any:
    """Return one of one's own backtests."""
    return plain(_backtests(request).one(session.user.account_id, backtest_id))


@router.get("/{backtest_id}/report", response_class=FileResponse, responses=_REFUSALS)
def report(backtest_id: str, request: Request, session: Trader) -> FileResponse:
    """Return the report of a backtest: one HTML page that needs no network, and gets none."""
    path = _backtests(request).report(session.user.account_id, backtest_id)
    # Its charts are scripts of its own; in a sandbox they reach nothing of ours, cookies included
    return FileResponse(
        path, media_type="text/html", headers={"content-security-policy": _SANDBOX, "x-frame-options": "SAMEORIGIN"}
    )
