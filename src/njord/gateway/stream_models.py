"""What is said over the WebSocket. ``t`` tells messages apart; a frame is a JSON array of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from njord.gateway.account_models import FillOut, OrderOut, PortfolioOut
from njord.gateway.models import (
    DealerQuoteOut,
    DepthOut,
    In,
    Name,
    QuoteOut,
    TimeNs,
    TradeOut,
)  # fmt: skip


class QuoteMessage(QuoteOut):
    """The best bid and ask of a subscribed instrument changed."""

    t: Literal["quote"] = "quote"


class TradeMessage(TradeOut):
    """A subscribed instrument traded."""

    t: Literal["trade"] = "trade"


class DepthMessage(DepthOut):
    """The book of the instrument whose depth was asked for."""

    t: Literal["depth"] = "depth"


class DealersMessage(BaseModel):
    """Dealers' quotes of the instrument whose depth was asked for."""

    t: Literal["dealers"] = "dealers"
    instrument_id: str
    quotes: list[DealerQuoteOut]


class OrderMessage(BaseModel):
    """An own order changed. ``number`` counts the changes of the account: resume after it."""

    t: Literal["order"] = "order"
    number: int
    order: OrderOut


class FillMessage(BaseModel):
    """An own order was filled."""

    t: Literal["fill"] = "fill"
    number: int
    fill: FillOut


class PortfolioMessage(BaseModel):
    """The account as it is now."""

    t: Literal["portfolio"] = "portfolio"
    portfolio: PortfolioOut


class StatusMessage(BaseModel):
    """Once a second: the market's clock and health."""

    t: Literal["status"] = "status"
    time_ns: TimeNs
    behind_ms: float
    stale: int
    tripped: list[str]
    dropped: int


class ResyncMessage(BaseModel):
    """What was missed is not kept any more: read orders and fills anew, then go on from ``number``."""

    t: Literal["resync"] = "resync"
    number: int


class ErrorMessage(BaseModel):
    """Something that was asked for cannot be."""

    t: Literal["error"] = "error"
    error: str


StreamMessage = Annotated[
    QuoteMessage
    | TradeMessage
    | DepthMessage
    | DealersMessage
    | OrderMessage
    | FillMessage
    | PortfolioMessage
    | StatusMessage
    | ResyncMessage
    | ErrorMessage,
    Field(discriminator="t"),
]


class StreamRequest(In):
    """What a client says over the WebSocket: instruments to hear of, one whose depth to see, where to resume."""

    op: Literal["subscribe", "unsubscribe", "depth", "resume"]
    instruments: Annotated[tuple[Name, ...], Field(max_length=500)] = ()
    after: Annotated[int, Field(ge=0)] | None = None


class StreamSchema(BaseModel):
    """The messages of the WebSocket, for those who make types of them."""

    message: StreamMessage
    request: StreamRequest
