"""``njord sample``: from nothing to backtests with reports."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from njord.cli.backtest import run_and_save
from njord.cli.output import JsonOption, Progress, print_json

BARS = "BTC/USD.SAMPLE"
TRADES = "ETH/USD.SAMPLE"
SAMPLE_BARS = 3 * 8_766
SAMPLE_TRADES_S = 8 * 3_600
_FEES = {"maker": 0.0016, "taker": 0.0026}
# What each example runs on, and with what
_EXAMPLES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("buy_and_hold", BARS, {"share": 0.95}),
    ("ema_cross", BARS, {"fast": 24, "slow": 120, "quantity": 2.0}),
    ("trendline_break", BARS, {"reach": 12, "quantity": 2.0}),
    ("rsi_tema_bb", BARS, {"quantity": 2.0, "oversold": 35.0, "overbought": 65.0}),
    ("grid_maker", TRADES, {"step": 0.0004, "levels": 3, "quantity": 0.5, "position_max": 5.0}),
)


def sample(
    *,
    seed: Annotated[int, Parameter(help="Of the generated market.")] = 7,
    home: Annotated[Path | None, Parameter(help="Where to keep it; NJORD_HOME/sample if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Generate a market, import it as you would your own data, backtest the examples, write their reports."""
    from njord.cli.paths import home as njord_home
    from njord.engine.config import parse
    from njord.market.catalog import Catalog

    began = time.monotonic()
    root = home if home is not None else njord_home() / "sample"
    root.mkdir(parents=True, exist_ok=True)
    catalog = Catalog(root / "catalog")
    say = sys.stderr if json else sys.stdout
    print(f"1/3  generating a market (seed {seed})", file=say)
    bars, trades = _generate(root, seed)
    print(f"2/3  importing it: njord data import kraken-ohlcvt {bars.name} --instrument {BARS}", file=say)
    _import(catalog, bars, trades)
    print(f"3/3  backtesting {len(_EXAMPLES)} strategies on it", file=say)
    done = []
    for name, instrument, params in _EXAMPLES:
        config = parse(_config(name, instrument, params), f"example {name}")
        result, artifacts = run_and_save(config, catalog, root / "runs" / name, root / "runs", here=root, report=True)
        done.append((name, result, artifacts))
    elapsed_s = time.monotonic() - began
    if json:
        print_json(
            {"elapsed_s": elapsed_s, "runs": [{**r.document(), "strategy": n, "artifacts": a} for n, r, a in done]}
        )
        return
    _summarise(done)
    print(f"\n{elapsed_s:.1f} s. Open a report in a browser, then:")
    print(f"  njord replay verify {root / 'runs' / 'ema_cross'} --catalog {catalog.root}")
    print("  njord data import --help      bring your own data")
    print("  njord backtest --help         run your own config; examples/ has some to copy")


def _generate(root: Path, seed: int) -> tuple[Path, Path]:
    from njord.engine.sample import write_bars, write_trades

    folder = root / "files"
    folder.mkdir(exist_ok=True)
    bars, trades = folder / f"XBTUSD_60_seed{seed}.csv", folder / f"ETHUSD_seed{seed}.csv"
    write_bars(bars, seed, SAMPLE_BARS, 42_000.0)
    write_trades(trades, seed, SAMPLE_TRADES_S, 230_000)
    return bars, trades


def _import(catalog: Any, bars: Path, trades: Path) -> None:
    from njord.market.importers import ImportOptions, import_files

    with Progress("importing", total=1.0) as bar:
        options = ImportOptions(interval_ns=3_600_000_000_000, replace=True)
        import_files(catalog, "kraken-ohlcvt", [bars], BARS, options, bar.told)
        options = ImportOptions(replace=True)
        import_files(catalog, "kraken-trades", [trades], TRADES, options, bar.told)


def _config(name: str, instrument: str, params: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"instrument": instrument, "kind": "trades"}
    if instrument == BARS:
        data = {"instrument": instrument, "kind": "bars", "interval": "1h"}
    return {
        "data": [data],
        "strategies": [{"name": name, "params": params}],
        "account": {"currency": "USD", "cash": 200_000},
        "venue": {"fees": _FEES, "latency_ms": 50},
    }


def _summarise(done: list[tuple[str, Any, dict[str, str]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("strategy", "events", "fills", "net P&L USD", "return", "max drawdown", "Sharpe", "doubts"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for name, result, _ in done:
        stats = result.stats
        table.add_row(
            name, f"{result.document()['events']:,}", f"{len(result.assembly.backtest.fills):,}",
            _shown(stats.get("net_pnl"), ",.0f"), _shown(stats.get("total_return"), ".1%"),
            _shown(stats.get("max_drawdown"), ".1%"), _shown(stats.get("sharpe"), ".2f"), str(len(result.warnings)),
        )  # fmt: skip
    print()
    Console(highlight=False).print(table)
    print()
    for _, _, artifacts in done:
        print(artifacts["report"])


def _shown(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)
