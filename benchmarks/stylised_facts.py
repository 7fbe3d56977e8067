"""Stylised facts: does the synthetic market move, trade and quote as real ones do?

Run: python benchmarks/stylised_facts.py [--minutes 30] [--days 0] [--seed 1] [--json]. Measures eight shares and four
coins of the default universe, and real ticks where NJORD_SHARED_DATA has them: a Bitcoin perpetual and spot, a few
minutes of 8 August 2024. ``--days`` adds returns of minutes over whole days, beside a month of Bitcoin, Ether and
Solana perpetuals of 2025: the median day, and the middle 90 % of days.

A market order is all trades of one moment and one side. Returns are of the mid from one market order to the tenth after
it, so that a busy and a quiet market are compared on the same clock. Impact: the mean move over ten market orders goes
with |net quantity| to a power, fitted over eight equally filled groups. Bands are the middle 90 % of 200 moving-block
bootstraps (blocks of 50), of the median over instruments.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from pyarrow import feather

from njord.domain.clock import NS_PER_MINUTE, NS_PER_S, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.market import Kind, Quote, Trade
from njord.engine.marketplace import Marketplace
from njord.market.book import Book
from njord.market.book_history import updates
from njord.market.catalog import Catalog, DatasetId
from njord.market.importers import import_files
from njord.market.microstructure import market_orders, spread_over_time
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.universe import Universe

STRIDE = 10
LAGS = (1, 5, 20)
DAY_LAGS = (1, 5, 20, 60)  # Minutes
BLOCK, RESAMPLES = 50, 200
GROUPS = 8
NAMES = ("BRAGE.SIM", "IDUN.SIM", "SKALD.SIM", "FENRIR.SIM", "RAN.SIM", "EIR.SIM", "SURTR.SIM", "SIF.SIM",
         "DRAUPNIR/USD.SIM", "RUNE9/USD.SIM", "EMBLA/USD.SIM", "ASKR/USD.SIM")  # fmt: skip


class Tape(NamedTuple):
    """What is measured: of each market order its sign, quantity and the mid before it; and the spread over time."""

    sign: np.ndarray
    quantity: np.ndarray
    mid: np.ndarray
    spread_ticks: tuple[float, float, float]  # 5 %, 50 %, 95 % of the time
    orders_per_s: float


def tape_of(trades: np.ndarray, quotes: np.ndarray) -> Tape:
    """``trades`` has columns time, price, quantity, side; ``quotes`` time, bid, ask; prices in ticks."""
    orders = market_orders(*trades, *quotes)
    place = np.searchsorted(quotes[0], orders.time_ns, side="left") - 1
    mid = (quotes[1] + quotes[2])[place] / 2
    found = spread_over_time(quotes[0], quotes[1].astype(float), quotes[2].astype(float))
    spread = tuple(float(found.quantiles[q]) for q in (0.05, 0.5, 0.95))
    seconds = (orders.time_ns[-1] - orders.time_ns[0]) / NS_PER_S
    return Tape(orders.side, orders.quantity, mid, spread, len(orders) / seconds)


def synthetic(minutes: float, seed: int) -> list[Tape]:
    """Run the market and put down who took what."""
    start_ns = time_ns("2026-01-05")
    market = Marketplace(universe_of(start_ns), seed)
    trades: dict[str, list[tuple[int, ...]]] = {name: [] for name in NAMES}
    quotes: dict[str, list[tuple[int, ...]]] = {name: [] for name in NAMES}
    for second in range(1, round(minutes * 60) + 1):
        for event in market.advance(start_ns + second * NS_PER_S):
            if type(event) is Trade and event.aggressor:
                row = (event.venue_time_ns, event.price_ticks, event.quantity_lots, int(event.aggressor))
                trades[event.instrument_id].append(row)
            elif type(event) is Quote and event.bid_lots and event.ask_lots:
                quotes[event.instrument_id].append((event.venue_time_ns, event.bid_ticks, event.ask_ticks))
    return [tape_of(np.array(trades[name]).T, np.array(quotes[name]).T) for name in NAMES]


def real(folder: Path, files: list[str], name: str) -> Tape:
    """Read recorded ticks through the catalog."""
    instrument_id = InstrumentId(name)
    with tempfile.TemporaryDirectory() as home:
        catalog = Catalog(Path(home))
        import_files(catalog, "binance-l2", [folder / each for each in files], instrument_id)
        book, rows = Book(instrument_id), []
        for update in updates(instrument_id, catalog.read(DatasetId(instrument_id, Kind.BOOK))):
            book.apply(update)
            bid, ask = book.best_bid(), book.best_ask()
            if bid is not None and ask is not None:
                rows.append((update.venue_time_ns, bid[0], ask[0]))
        chunks = list(catalog.read(DatasetId(instrument_id, Kind.TRADES)))
        columns = ("venue_time_ns", "price_ticks", "quantity_lots", "aggressor")
        trades = np.array([np.concatenate([chunk[column] for chunk in chunks]) for column in columns])
    return tape_of(trades, np.array(rows).T)


def universe_of(start_ns: int) -> Universe:
    """Return the default universe with those instruments alone that are measured."""
    whole = default_universe(start_ns)
    kept = tuple(each for each in whole.listings if each.instrument.instrument_id in NAMES)
    return msgspec.structs.replace(whole, listings=kept)


def synthetic_days(days: int, seed: int) -> list[np.ndarray]:
    """Return the returns of the mid by minute, of each instrument on each day, of a market that is traded in."""
    start_ns = time_ns("2026-01-05")
    market = Marketplace(universe_of(start_ns), seed)
    mids: dict[str, list[float]] = {name: [] for name in NAMES}
    for minute in range(1, days * 1_440 + 1):
        until_ns = start_ns + minute * NS_PER_MINUTE
        while market.now_ns < until_ns:
            market.advance(until_ns)
        for name in NAMES:
            bid_ticks, bid_lots, ask_ticks, ask_lots = market.top(InstrumentId(name))
            if bid_lots and ask_lots:
                mids[name].append((bid_ticks + ask_ticks) / 2)
            else:
                mids[name].append(mids[name][-1] if mids[name] else market.fair(InstrumentId(name)))
    return [
        np.diff(np.log(series[day * 1_440 : (day + 1) * 1_440]))
        for series in (np.array(each) for each in mids.values()) for day in range(days)
    ]  # fmt: skip


def real_days(folder: Path) -> list[np.ndarray]:
    """Return the same of recorded candles, by coin and day."""
    found = []
    for path in sorted(folder.glob("*-1m-futures.feather")):
        table = feather.read_table(path)
        day = table["date"].to_numpy().astype("datetime64[D]")
        close = table["close"].to_numpy()
        found += [np.diff(np.log(close[day == each])) for each in np.unique(day) if (day == each).sum() == 1_440]
    return found


def day_card(returns: list[np.ndarray]) -> dict[str, tuple[float, float, float]]:
    """Return (median day, 5 %, 95 % of days) of each fact of minutes."""
    rows = {f"acf |r| {lag}": [autocorrelation(np.abs(each), lag) for each in returns] for lag in DAY_LAGS}
    rows["kurtosis"] = [float((each**4).mean() / (each**2).mean() ** 2) for each in returns]
    return {
        name: (float(np.median(each)), *(float(q) for q in np.quantile(each, (0.05, 0.95))))
        for name, each in rows.items()
    }  # fmt: skip


def autocorrelation(series: np.ndarray, lag: int) -> float:
    """Return the correlation of a series with itself ``lag`` later."""
    centred = series - series.mean()
    total = float(centred @ centred)
    return float(centred[:-lag] @ centred[lag:]) / total if total else float("nan")


def impact_exponent(flow: np.ndarray, move: np.ndarray) -> float:
    """Fit log mean move on log |net quantity|."""
    size, signed = np.abs(flow), move * np.sign(flow)
    order = np.argsort(size[size > 0])
    size, signed = size[size > 0][order], signed[size > 0][order]
    groups = [
        (np.log(part.mean()), moves.mean())
        for part, moves in zip(np.array_split(size, GROUPS), np.array_split(signed, GROUPS), strict=True)
    ]
    usable = [(x, np.log(y)) for x, y in groups if y > 0]
    return float(np.polyfit(*np.array(usable).T, 1)[0]) if len(usable) >= 4 else float("nan")


def figures(tape: Tape, rows: np.ndarray) -> dict[str, float]:
    """Return the facts of the windows chosen. A window is ``STRIDE`` market orders."""
    windows = len(tape.mid) // STRIDE - 1
    marks = np.arange(windows + 1) * STRIDE
    moves = np.diff(np.log(tape.mid[marks]))[rows]
    flow = np.add.reduceat(tape.sign * tape.quantity, marks)[:-1][rows]
    centred = moves - moves.mean()
    found = {"kurtosis": float((centred**4).mean() / (centred**2).mean() ** 2)}
    for lag in LAGS:
        found[f"acf |r| {lag}"] = autocorrelation(np.abs(moves), lag)
        found[f"acf r {lag}"] = autocorrelation(moves, lag)
    found["impact exponent"] = impact_exponent(flow, moves)
    orders = (rows[:, None] * STRIDE + np.arange(STRIDE)).ravel()
    for lag in LAGS:
        found[f"acf sign {lag}"] = autocorrelation(tape.sign[orders].astype(float), lag)
    return found


def scorecard(tapes: list[Tape], seed: int = 7) -> dict[str, tuple[float, float, float]]:
    """Return (median over instruments, low, high) of each fact."""
    rng = np.random.default_rng(seed)
    counts = [len(tape.mid) // STRIDE - 1 for tape in tapes]
    whole = [figures(tape, np.arange(count)) for tape, count in zip(tapes, counts, strict=True)]
    draws = []
    for _ in range(RESAMPLES):
        drawn = []
        for tape, count in zip(tapes, counts, strict=True):
            block = min(BLOCK, count // 4)
            starts = rng.integers(0, count - block, -(-count // block))
            drawn.append(figures(tape, (starts[:, None] + np.arange(block)).ravel()[:count]))
        draws.append({key: np.nanmedian([each[key] for each in drawn]) for key in whole[0]})
    return {
        key: (
            float(np.nanmedian([each[key] for each in whole])),
            *(float(q) for q in np.nanquantile([draw[key] for draw in draws], (0.05, 0.95))),
        )
        for key in whole[0]
    }


def table(cards: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    """Print each fact's median and band, of each market."""
    print(f"{'':18}" + "".join(f"{name:>28}" for name in cards))
    for fact in cards["synthetic"]:
        cells = (f"{card[fact][0]:9.3f} [{card[fact][1]:7.3f},{card[fact][2]:7.3f}]" for card in cards.values())
        print(f"{fact:18}" + "".join(f"{cell:>28}" for cell in cells))


def main() -> None:
    """Print both markets side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--days", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    markets = {"synthetic": synthetic(arguments.minutes, arguments.seed)}
    shared = Path(os.environ.get("NJORD_SHARED_DATA", "../shared/data")) / "market"
    folder = shared / "binance_l2_20240808"
    if folder.is_dir():
        markets["real perpetual"] = [real(folder, ["usdm/btcusdt_20240808.gz"], "BTC/USDT:USDT.BINANCE")]
        spot = ["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"]
        markets["real spot"] = [real(folder, spot, "BTC/USDT.BINANCE")]
    cards = {name: scorecard(tapes) for name, tapes in markets.items()}
    spreads = {
        name: np.median([tape.spread_ticks for tape in tapes], axis=0).tolist() for name, tapes in markets.items()
    }
    rates = {name: float(np.median([tape.orders_per_s for tape in tapes])) for name, tapes in markets.items()}
    days = {}
    if arguments.days:
        days["synthetic"] = day_card(synthetic_days(arguments.days, arguments.seed))
        if (shared / "binance_perp_2025").is_dir():
            days["real perpetuals"] = day_card(real_days(shared / "binance_perp_2025"))
    if arguments.json:
        print(json.dumps({"facts": cards, "spread_ticks": spreads, "orders_per_s": rates, "minutes": days}))
        return
    table(cards)
    for title, rows in (("spread 5/50/95 %", {k: "/".join(f"{x:g}" for x in v) for k, v in spreads.items()}),
                        ("market orders /s", {k: f"{v:.2f}" for k, v in rates.items()})):  # fmt: skip
        print(f"{title:18}" + "".join(f"{rows[name]:>28}" for name in cards))
    if days:
        print("\nminutes of whole days")
        table(days)


if __name__ == "__main__":
    main()
