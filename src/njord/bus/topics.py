"""What is published under which name, and which names travel in one stream.

A topic is dotted words: ``md.quotes.BRAGE.SIM``, ``orders.accepted``, ``fills.new``. Topics that must stay in order
among themselves share a stream: all market data, all that happens to accounts, all exposures, all control; and what
gateways ask, are answered and are shown.
"""

from typing import Any

from njord.domain.command import (
    Assessed,
    CancelOrder,
    Entry,
    Refused,
    ReplaceOrder,
    Restricted,
    SetTimer,
    Snapshot,
    StrategyNote,
    StrategyStopped,
)
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from njord.domain.fill import Fill
from njord.domain.instruction import Instructed
from njord.domain.market import Bar, BookUpdate, DealerQuote, MarketEvent, Quote, QuoteBar, Trade, TradingStatus
from njord.domain.order import NewOrder

MARKET, ACCOUNTS, RISK, CONTROL = "md", "accounts", "risk", "ctl"
ASK, ANSWER, VIEW = "ask", "answer", "view"  # Between gateways and the platform
STREAMS = (MARKET, ACCOUNTS, RISK, CONTROL, ASK, ANSWER, VIEW)
# Messages that matter for seconds, and can be large, are not kept for long
KEPT_MAX = {ASK: 2_000, ANSWER: 2_000, VIEW: 2_000}
KILL = "ctl.kill"
EXPOSURE = "risk.exposure"
FILLS = "fills.new"

_OF_MARKET: dict[type, str] = {
    Quote: "quotes", DealerQuote: "dealers", Trade: "trades", BookUpdate: "books", Bar: "bars", QuoteBar: "bars",
    TradingStatus: "status",
}  # fmt: skip
_OF_ACCOUNTS: dict[type, str] = {
    NewOrder: "orders.accepted", Refused: "risk.refused", CancelOrder: "orders.cancel",
    ReplaceOrder: "orders.replace", Entry: "ledger.entries", SetTimer: "strat.timer", StrategyStopped: "strat.stopped",
    StrategyNote: "strat.note", Instructed: "strat.intent", Restricted: "risk.decision", Assessed: "risk.decision",
    Snapshot: "ledger.snapshots", Fill: FILLS, OrderAccepted: "orders.reports", OrderRejected: "orders.reports",
    OrderCancelled: "orders.reports", OrderExpired: "orders.reports", OrderReplaced: "orders.reports",
    CancelRejected: "orders.reports",
}  # fmt: skip


_OWN = frozenset({MARKET, CONTROL, ASK, ANSWER, VIEW})


def topic_of(message: Any) -> str:
    """Return the topic of a message of the market or of an account."""
    kind = message.__class__
    of_market = _OF_MARKET.get(kind)
    if of_market is not None:
        return f"{MARKET}.{of_market}.{message.instrument_id}"
    of_accounts = _OF_ACCOUNTS.get(kind)
    if of_accounts is not None:
        return of_accounts
    return f"{MARKET}.events.{message.instrument_id}" if isinstance(message, MarketEvent) else "accounts.events"


def stream_of(topic: str) -> str:
    """Return the stream a topic travels in."""
    first = topic.partition(".")[0]
    return first if first in _OWN or topic == EXPOSURE else ACCOUNTS


def matches(wanted: str, topic: str) -> bool:
    """Return whether a topic is one that is wanted: by its own name, or with ``*`` at the end by its beginning."""
    return topic.startswith(wanted[:-1]) if wanted.endswith("*") else wanted == topic
