"""``njord check FILE``: does a strategy look ahead, or depend on more than its events?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from njord.research.look_ahead import Finding
    from njord.research.purity import Impurity

GENERATED_BARS = 600
GENERATED_SEED = 1
BARS_MAX = 5_000


def check(
    strategy: Path,
    /,
    *,
    data: Annotated[Path | None, Parameter(help="A config whose bars and parameters to check with.")] = None,
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    seed: Annotated[int, Parameter(help="Of the moments at which the future is replaced.")] = 1,
    json: JsonOption = False,
) -> None:
    """Check a strategy file: for clocks, dice, files and network; and, if it has signals, for looking ahead.

    Signals are tried on the bars of a config (the first 5,000 of each data set), or on generated ones. Exit code 1 if
    anything is wrong.
    """
    from njord.research.purity import Severity, purity

    impurities = purity(strategy)
    errors = [each for each in impurities if each.severity is Severity.ERROR]
    # What reaches for the network or the disk is not run to see what else it does
    findings, tried, rows = ([], False, 0) if errors else _look_ahead(strategy, data, catalog, seed)
    rows_json = [_impurity(each) for each in impurities] + [_finding(each) for each in findings]
    ok = not errors and not findings
    if json:
        print_json({"ok": ok, "strategy": str(strategy), "look_ahead": tried, "bars": rows, "findings": rows_json})
    else:
        for row in rows_json:
            label = "warning: " if row["severity"] == "warning" else ""
            what = f"{row['what']} looks ahead" if row["kind"] == "look_ahead" else row["what"]
            print(f"{row['file']}:{row['line']}: {label}{what}: {row['why']}")
        if ok:
            looked = f"does not look ahead on {rows:,} bars" if tried else "no signals to check for look-ahead"
            print(f"{strategy}: ok: pure; {looked}")
    if not ok:
        raise SystemExit(1)


def _impurity(each: "Impurity") -> dict[str, Any]:
    return {
        "kind": "purity", "severity": each.severity.value, "file": each.file, "line": each.line,
        "strategy": each.strategy, "what": each.what, "why": each.why,
    }  # fmt: skip


def _finding(each: "Finding") -> dict[str, Any]:
    return {
        "kind": "look_ahead", "severity": "error", "file": each.file, "line": each.line, "what": each.column,
        "why": each.cause, "source": each.source, "first_time_ns": each.first_time_ns,
        "cut_time_ns": each.cut_time_ns, "message": each.message,
    }  # fmt: skip


def _look_ahead(path: Path, data: Path | None, catalog: Path | None, seed: int) -> tuple[list["Finding"], bool, int]:
    from njord.engine.loading import from_file
    from njord.research.look_ahead import look_ahead
    from njord.strategies.registry import build
    from njord.strategies.signals import SignalStrategy

    kind = from_file(path)
    if not issubclass(kind, SignalStrategy):
        return [], False, 0
    frames, params = _bars(path, data, catalog)
    strategy = build(kind, kind.__name__, params)
    assert isinstance(strategy, SignalStrategy), strategy
    rows = 0
    for bars in frames:
        rows += len(bars["ts"])
        found = look_ahead(strategy, bars, seed=seed)
        if found is not None:
            return [found], True, rows
    return [], True, rows


def _bars(path: Path, data: Path | None, catalog: Path | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if data is None:
        from njord.research.look_ahead_run import generated_bars

        return [generated_bars(GENERATED_BARS, GENERATED_SEED)], {}
    from itertools import islice

    from njord.cli.backtest import load
    from njord.cli.paths import catalog_root
    from njord.domain.instrument import Grid
    from njord.domain.market import Bar, Kind
    from njord.market.catalog import Catalog, DatasetId
    from njord.market.feed import Feed
    from njord.strategies.signals import COLUMNS

    config = load(data)
    source = Catalog(catalog_root(catalog))
    frames = []
    for spec in config.data:
        if spec.kind is Kind.BARS:
            dataset_id = DatasetId(spec.instrument_id, spec.kind, spec.interval_ns)
            if source.dataset(dataset_id) is None:
                raise ValueError(f"{data}: no data of {dataset_id}; import some, or see: njord data ls")
            grid = Grid.of(source.instrument(spec.instrument_id))
            chunks = source.read(dataset_id, spec.start_ns, spec.end_ns, BARS_MAX)
            feed = Feed(spec.instrument_id, spec.kind, spec.interval_ns, grid, islice(chunks, 1))
            bars = [event for window in feed for event in window.events if isinstance(event, Bar)]
            columns = {name: [getattr(bar, name) for bar in bars] for name in COLUMNS}
            frames.append({"ts": [bar.venue_time_ns - bar.interval_ns for bar in bars], **columns})
    if not frames:
        raise ValueError(f"{data}: data: no bars to check with")
    own = [s for s in config.strategies if s.file and (data.parent / s.file).resolve() == path.resolve()]
    return frames, dict(own[0].params) if own else {}
