"""``njord backtest CONFIG``: run a config, write its report, print its figures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from njord.cli.output import JsonOption, Progress, print_json

if TYPE_CHECKING:
    from njord.engine.assemble import Source
    from njord.engine.config import RunConfig
    from njord.research.result import Result

CONFIG_BYTES_MAX = 4 * 1024 * 1024


def backtest(
    config: Path,
    /,
    *,
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    out: Annotated[Path | None, Parameter(help="For the run's files; NJORD_HOME/runs/RUN_ID if not given.")] = None,
    report: Annotated[bool, Parameter(help="Write the HTML report.")] = True,
    interval: Annotated[bool, Parameter(help="Run a maker twice more, for what its queues leave open.")] = True,
    compiled: Annotated[bool, Parameter(help="Compile a kernel strategy and the venue into one loop.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the strategies of a config over recorded data.

    The config is YAML (or JSON): data, strategies, account, and where wanted venue, risk and seed. Examples are in
    examples/. A strategy that breaks is stopped, said so, and makes the exit code 1.
    """
    import msgspec

    from njord.cli.paths import catalog_root, home
    from njord.market.catalog import Catalog

    parsed = load(config)
    if compiled:
        parsed = msgspec.structs.replace(parsed, compiled=True)
    result, artifacts = run_and_save(
        parsed, Catalog(catalog_root(catalog)), out, home() / "runs", here=config.parent, report=report,
        interval=interval,
    )  # fmt: skip
    if json:
        print_json({**result.document(), "artifacts": artifacts})
    else:
        show(result, artifacts)
    if result.assembly.backtest.stopped:
        for stopped in result.assembly.backtest.stopped:
            print(f"error: strategy {stopped.strategy_id} was stopped: {stopped.reason}", file=sys.stderr)
        raise SystemExit(1)


def load(path: Path) -> "RunConfig":
    """Read a config file. Raises ConfigError in one line."""
    import yaml

    from njord.engine.config import ConfigError, parse

    text = path.read_bytes()
    if len(text) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{path}: more than {CONFIG_BYTES_MAX} bytes")
    try:
        document = yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader, less its guesses at dates
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    return parse(document, str(path), path.parent)


def run_and_save(
    config: "RunConfig",
    source: "Source",
    out: Path | None,
    runs: Path,
    *,
    here: Path,
    report: bool,
    interval: bool = True,
) -> tuple["Result", dict[str, str]]:
    """Run a config with a bar on the terminal and keep its files. Return the result and the artifacts' paths."""
    import tempfile

    from njord.domain.clock import iso
    from njord.research.artifacts import JOURNAL, save
    from njord.research.run import run

    parent = out.parent if out is not None else runs
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".run-", dir=parent) as scratch, Progress("backtest") as bar:
        journal = Path(scratch) / JOURNAL
        result = run(
            config, source, journal=journal, here=here, interval=interval,
            progress=lambda events, time_ns: bar.told(f"backtest {iso(time_ns)[:10]}, {events:,} events", events),
        )  # fmt: skip
        artifacts = save(result, out if out is not None else runs / result.run_id, journal, report=report)
    return result, artifacts


def show(result: "Result", artifacts: dict[str, str]) -> None:
    """Print a result for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    document, stats = result.document(), result.stats
    currency = result.assembly.config.account.currency
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")

    def percent(name: str) -> str:
        value = stats.get(name)
        return "—" if value is None else f"{value:.2%}"

    def ratio(name: str) -> str:
        value = stats.get(name)
        return "—" if value is None else f"{value:.2f}"

    rows = [
        ("events", f"{document['events']:,}"),
        ("orders / fills", f"{document['orders']:,} / {document['fills']:,}"),
        ("rejected", f"{document['rejected']:,}"),
        ("final equity", f"{document['final_equity']:,.2f} {currency}"),
        ("net P&L", f"{document['net_pnl']:,.2f} {currency}" if document["net_pnl"] is not None else "—"),
        ("fees", f"{document['fees']:,.2f} {currency}"),
        ("funding", f"{document['funding']:,.2f} {currency}"),
        ("total return", percent("total_return")),
        ("CAGR", percent("cagr")),
        ("max drawdown", percent("max_drawdown")),
        ("Sharpe / Sortino", f"{ratio('sharpe')} / {ratio('sortino')}"),
        ("round trips", f"{document['trades']:,}"),
        *_interval_row(result, currency),
        ("speed", f"{document['events_per_cpu_s'] or 0:,} events/CPU-s"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for warning in result.warnings:
        console.print(f"[yellow]![/] {_escaped(warning)}", soft_wrap=True)
    console.print(f"digest  {document['digest']}", soft_wrap=True)
    if "report" in artifacts:
        console.print(f"report  {_escaped(artifacts['report'])}", soft_wrap=True)
    console.print(f"prove   njord replay verify {document['run_id']}", soft_wrap=True)


def _interval_row(result: "Result", currency: str) -> list[tuple[str, str]]:
    found = result.interval
    if found is None:
        return []
    ends = f"{found.cross.net_pnl:,.2f} … {found.touch.net_pnl:,.2f} {currency}"
    return [("net P&L, queues never … always reached", ends)]


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _loader() -> type:
    import yaml

    # YAML reads 2020-01-01 as a date and 1:30 as ninety: leave words as they were written
    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
