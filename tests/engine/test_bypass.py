"""No way round the risk engine: whatever a strategy reaches for, an order without a decision stops the run."""

import pytest

import njord as nj
from njord.engine.causes import Bypass

BYPASSES = {
    "commands": "desk._state.commands.append(order)",
    "replaced list": "desk._state.commands = [order]",
    "extend": "desk._state.commands.extend([order])",
    "insert": "desk._state.commands.insert(0, order)",
    "a copy of an approved order": "desk._state.commands.append(__import__('msgspec').structs.replace(order))",
    "an order put on record by itself": "desk._state.orders.open['x-1'] = type('T', (), {'order': None})()\n"
    "desk._state.commands.append(order)",
    "through the slot": "desk._state.slots['bypasser'].desk._state.commands.append(order)",
    "with another's name": "desk._state.commands.append("
    "__import__('msgspec').structs.replace(order, strategy_id='other'))",
    "twice": "desk._state.commands += [order, order]",
    "from a callback of its own": "(lambda: desk._state.commands.append(order))()",
}


@pytest.mark.parametrize("way", BYPASSES)
def test_no_way_round_the_risk_engine(run, way):
    source = BYPASSES[way]

    class Bypasser(nj.Strategy):
        def on_bar(self, bar, desk):
            from njord.domain.order import NewOrder, OrderType, Side

            order = NewOrder("x-1", "bypasser", "BTC/USD.SIM", Side.BUY, OrderType.MARKET, 10**12)
            exec(source, {"desk": desk, "order": order})

    with pytest.raises(Bypass, match="never approved"):
        run(Bypasser(), risk="capital_preserving")
