"""vectorbt: signals as arrays, then one call. It is vectorised: no strategy is called and no order is answered.

Next open is what its users do for it: signals moved on by one bar, and the opens as prices. Its code is compiled on a
short tape first; that counts as loading.
"""

from collections.abc import Generator
from typing import Any

import numpy as np
import vectorbt as vbt
from protocol import CASH, FAST, FEE, SLOW, Tape, frame, serve


def average(closes: Any, period: int) -> Any:
    """The average by pandas, seeded by the mean of the first values."""
    seeded = closes.copy()
    seeded.iloc[: period - 1] = np.nan
    seeded.iloc[period - 1] = closes.iloc[:period].sum() / period
    return seeded.ewm(span=period, adjust=False).mean()


def portfolio(table: Any, same_close: bool) -> Any:
    close = table["Close"]
    above = average(close, FAST) > average(close, SLOW)
    before = above.shift(1, fill_value=False)
    entries, exits = above & ~before, before & ~above
    price = close
    if not same_close:
        entries, exits = entries.shift(1, fill_value=False), exits.shift(1, fill_value=False)
        price = table["Open"]
    return vbt.Portfolio.from_signals(
        close, entries, exits, price=price, size=1.0, fees=FEE, init_cash=CASH, freq="1min"
    )


def bars(tape: Tape, same_close: bool) -> Generator[None, None, dict[str, Any]]:
    table = frame(tape)
    portfolio(table.iloc[:500], same_close).final_value()
    yield
    found = portfolio(table, same_close)
    equity = float(found.final_value())
    count = int(found.orders.count())
    return {"orders": count, "fills": count, "equity": repr(equity)}


if __name__ == "__main__":
    serve(
        {"next_open": lambda tape: bars(tape, False), "same_close": lambda tape: bars(tape, True)},
        "vectorbt",
    )
