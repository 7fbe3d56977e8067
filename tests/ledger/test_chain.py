"""From signal to trade: what the database says of lots is what a ledger by hand says, for any fills."""

from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.order import NewOrder, OrderType, Side
from njord.ledger.lots import Lot
from njord.ledger.portfolio import Portfolio
from njord.ledger.record import OpenedLot
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.validation import violations

from .records import BTC, START_NS, record

UNIT = 10**18
COIN = Instrument(
    instrument_id=BTC, kind=InstrumentKind.SPOT, base="BTC", quote="USD", price_tick=Decimal(1), quantity_lot=Decimal(1)
)
MAKER = "maker"


def traded(fills, account):
    """The records of a strategy whose orders are filled one by one, and its portfolio at the end."""
    portfolio = Portfolio("USD", [COIN])
    made = []
    for number, (side, lots, ticks) in enumerate(fills, start=1):
        name = f"{account}:{number}"
        order = NewOrder(name, MAKER, BTC, side, OrderType.MARKET, lots)
        made.append(record(2 * number, order, account=account, session="s"))
        fill = Fill(
            fill_id=f"f:{name}", client_order_id=name, instrument_id=BTC, side=side, price_ticks=ticks,
            quantity_lots=lots, fee_units=lots * UNIT // 7, fee_asset="USD",
            liquidity=Liquidity.TAKER, reason=FillReason.VENUE,
            causation_id="t", venue_time_ns=START_NS + number, local_time_ns=START_NS + number,
        )  # fmt: skip
        entry, closed = portfolio.fill(fill, MAKER)
        opened = [
            OpenedLot(MAKER, BTC, Lot(lot.fill_id, lot.lots, lot.cost_units, lot.fee_units, lot.time_ns))
            for lot in portfolio.holding(MAKER, BTC).open_lots
            if lot.fill_id == fill.fill_id
        ]
        made.append(
            record(2 * number + 1, entry, event=fill, account=account, session="s", opened=opened, closed=closed)
        )
    return made, portfolio


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    made = SqlLedger(migrated(f"sqlite:///{tmp_path_factory.mktemp('chain') / 'l'}"))
    yield made
    made.close()


def test_lots_are_those_of_a_ledger_by_hand(ledger):
    made, _ = traded([(Side.BUY, 10, 100), (Side.BUY, 5, 110), (Side.SELL, 12, 120), (Side.SELL, 5, 90)], "hand")
    ledger.commit(made)
    chain = """
        SELECT s.strategy_id, b.side, f.price_ticks, t.lots, x.price_ticks, t.gain_units FROM trades t
        JOIN fills f ON f.account_id = t.account_id AND f.fill_id = t.entry_fill_id
        JOIN fills x ON x.account_id = t.account_id AND x.fill_id = t.exit_fill_id
        JOIN orders b ON b.account_id = f.account_id AND b.client_order_id = f.client_order_id
        JOIN signals s ON s.account_id = b.account_id AND s.signal_id = b.signal_id
        WHERE t.account_id = 'hand' ORDER BY t.step, t.ordinal"""
    with ledger.engine.connect() as connection:
        assert connection.exec_driver_sql(chain).all() == [
            (MAKER, "buy", 100, 10, 120, str(200 * UNIT)),  # The oldest first, all of it
            (MAKER, "buy", 110, 2, 120, str(20 * UNIT)),
            (MAKER, "buy", 110, 3, 90, str(-60 * UNIT)),
        ]
        short = connection.exec_driver_sql("SELECT lots FROM lots WHERE account_id = 'hand' ORDER BY step").scalars()
        assert list(short) == [10, 5, -2]  # And what was sold beyond that is short


TRADES = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 9), st.integers(1, 500)), min_size=1, max_size=25)


@given(fills=TRADES)
@settings(max_examples=40, deadline=None)
def test_for_any_fills_lots_sum_to_the_position_and_no_rule_is_broken(ledger, fills):
    account = f"a{ledger_size(ledger)}"
    made, portfolio = traded(fills, account)

    ledger.commit(made)

    with ledger.engine.connect() as connection:
        total = "SELECT coalesce(sum(lots), 0) FROM {} WHERE account_id = :account"
        opened, closed = (
            connection.execute(sa.text(total.format(table)), {"account": account}).scalar()
            for table in ("lots", "trades")
        )
        cash = sa.text("SELECT exact_sum(amount) FROM postings WHERE account_id = :account AND book = 'cash'")
        assert int(connection.execute(cash, {"account": account}).scalar()) == portfolio.cash["USD"]
    assert opened - closed == portfolio.lots[BTC]
    assert violations(ledger.engine) == ledger.verify(account) == []


def ledger_size(ledger):
    with ledger.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM steps").scalar()
