"""The market: instruments, prices, books, dealers, chains and the curve; and scenarios that happen to it."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from njord.domain.instrument import Instrument
from njord.gateway import models
from njord.gateway.access import Operator, Refused, Trader
from njord.gateway.models import Problem
from njord.gateway.plain import plain, quote
from njord.market.synthetic.scenarios import Scenario
from njord.ops.desk.market import MarketDesk
from njord.ops.desk.values import Listing

router = APIRouter(tags=["market"])
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
InstrumentQuery = Annotated[str, Query(min_length=1, max_length=64)]


def _desk(request: Request) -> MarketDesk:
    found: MarketDesk = request.app.state.market
    return found


def _instrument(listing: Listing) -> dict[str, Any]:
    instrument: Instrument = listing.instrument
    text = {name: None if (v := getattr(instrument, name)) is None else str(v) for name in _TEXTS}
    return {
        **{name: plain(getattr(instrument, name)) for name in _NAMES}, **text, "name": listing.name,
        "sector": listing.sector, "liquidity": listing.liquidity.value, "over_the_counter": listing.over_the_counter,
        "underlier": listing.underlier,
    }  # fmt: skip


_NAMES = ("instrument_id", "kind", "base", "quote", "paid_in_full", "right")
_TEXTS = ("price_tick", "quantity_lot", "multiplier", "expiry_ns", "strike", "coupon_rate")


@router.get("/instruments", response_model=list[models.InstrumentOut])
def instruments(request: Request, session: Trader) -> Any:
    """List all instruments."""
    return [_instrument(each) for each in _desk(request).instruments()]


@router.get("/market/quotes", response_model=list[models.QuoteOut])
def quotes(request: Request, session: Trader) -> Any:
    """Return the newest quote of every instrument."""
    return [quote(each) for each in _desk(request).quotes()]


@router.get("/market/depth", response_model=models.DepthOut, responses=_UNKNOWN)
def depth(
    request: Request, session: Trader, instrument: InstrumentQuery, levels: Annotated[int, Query(ge=1, le=50)] = 20
) -> Any:
    """Return a book."""
    time_ns, bids, asks = _desk(request).depth(instrument, levels)
    return {"instrument_id": instrument, "time_ns": str(time_ns), "bids": bids, "asks": asks}


@router.get("/market/dealers", response_model=list[models.DealerQuoteOut], responses=_UNKNOWN)
def dealers(request: Request, session: Trader, instrument: InstrumentQuery) -> Any:
    """Return the dealers' quotes of an instrument that is traded over the counter."""
    return [plain(each) for each in _desk(request).dealers(instrument)]


@router.get("/market/trades", response_model=list[models.TradeOut], responses=_UNKNOWN)
def trades(request: Request, session: Trader, instrument: InstrumentQuery) -> Any:
    """Return the newest trades, oldest first."""
    return [plain(each) for each in _desk(request).trades(instrument)]


@router.get("/market/candles", response_model=list[models.CandleOut], responses={**_UNKNOWN, 422: {"model": Problem}})
def candles(request: Request, session: Trader, instrument: InstrumentQuery, interval_s: int = 60) -> Any:
    """Return candles, oldest first; the last one still burns."""
    return [
        {
            "start_ns": str(each.venue_time_ns - each.interval_ns), "open": each.open, "high": each.high,
            "low": each.low, "close": each.close, "volume": each.volume,
        }
        for each in _desk(request).candles(instrument, interval_s)
    ]  # fmt: skip


@router.get("/market/chain", response_model=list[models.OptionOut], responses=_UNKNOWN)
def chain(request: Request, session: Trader, underlier: Annotated[str, Query(min_length=1, max_length=64)]) -> Any:
    """Return the options on an underlier, with values, volatilities and greeks."""
    return [plain(each) for each in _desk(request).chain(underlier)]


@router.get("/market/curve", response_model=models.CurveOut)
def curve(request: Request, session: Trader) -> Any:
    """Return the zero curve."""
    return _desk(request).curve()


@router.get("/scenarios", response_model=list[models.ScenarioOut], tags=["scenarios"])
def scenarios(request: Request, session: Trader) -> Any:
    """List the scenarios there are."""
    return [_scenario(each) for each in _desk(request).known_scenarios()]


@router.post(
    "/scenarios", response_model=models.ScenarioOut, status_code=201, responses={422: {"model": Problem}},
    tags=["scenarios"],
)  # fmt: skip
def add_scenario(given: models.ScenarioIn, request: Request, session: Operator) -> Any:
    """Keep a scenario. Its id is of its content."""
    try:
        made = msgspec.convert(given.model_dump(), Scenario)
    except (msgspec.ValidationError, ValueError) as error:
        raise Refused(422, str(error), field="steps") from None
    _desk(request).add_scenario(made)
    return _scenario(made)


@router.post(
    "/scenarios/{scenario_id}/run", response_model=models.ScenarioOut, responses={**_UNKNOWN, 422: {"model": Problem}},
    tags=["scenarios"],
)  # fmt: skip
def run_scenario(scenario_id: str, request: Request, session: Operator) -> Any:
    """Let a scenario happen to the whole market, from now on."""
    return _scenario(_desk(request).run_scenario(scenario_id))


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {"scenario_id": scenario.scenario_id, **msgspec.to_builtins(scenario)}
