"""``njord research brinson`` and ``njord research factors``: why a portfolio did as it did, from CSV files."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from njord.cli import csv_files
from njord.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from njord.research.performance import Segment

_COLUMNS = ("period", "segment", "portfolio_weight", "benchmark_weight", "portfolio_return", "benchmark_return")


def brinson(file: Annotated[Path, Parameter(name="FILE")], /, *, json: JsonOption = False) -> None:
    """Split the active return of a CSV file by segment: allocation, selection, interaction (Brinson and Fachler).

    Columns: period, segment, portfolio_weight, benchmark_weight, portfolio_return, benchmark_return. Several periods
    are linked (Carino). A return may be empty where there is no weight.
    """
    from njord.research import performance

    periods: dict[str, list[Segment]] = {}
    for number, row in enumerate(csv_files.rows(file, _COLUMNS), 2):
        values = [csv_files.number(file, number, name, row[name]) for name in _COLUMNS[2:]]
        periods.setdefault(row["period"], []).append(performance.Segment(row["segment"], *values))
    found = performance.linked([performance.brinson(segments) for segments in periods.values()])
    if json:
        print_json(
            {"periods": len(periods), "portfolio_return": found.portfolio_return,
             "benchmark_return": found.benchmark_return, "active_return": found.active_return,
             "effects": [
                 {"segment": each.name, "allocation": each.allocation, "selection": each.selection,
                  "interaction": each.interaction, "total": each.total}
                 for each in found.effects
             ]}
        )  # fmt: skip
        return
    print(f"{'segment':20} {'allocation':>11} {'selection':>11} {'interaction':>11} {'total':>11}")
    for each in found.effects:
        parts = (each.allocation, each.selection, each.interaction, each.total)
        print(f"{each.name:20} " + " ".join(f"{part:+11.4%}" for part in parts))
    print(
        f"portfolio {found.portfolio_return:+.4%}, benchmark {found.benchmark_return:+.4%}, "
        f"active {found.active_return:+.4%} over {len(periods)} periods"
    )


def factors(
    returns: Annotated[Path, Parameter(name="RETURNS")],
    factors: Annotated[Path, Parameter(name="FACTORS")],
    /,
    *,
    benchmark: Annotated[str | None, Parameter(help="The factor that risk is adjusted against; the first.")] = None,
    periods_per_year: Annotated[float, Parameter(help="252 trading days, 365, 52, 12.")] = 252,
    json: JsonOption = False,
) -> None:
    """Split returns by factor with least squares, and adjust them for the risk taken.

    RETURNS has the columns date and return, FACTORS date and one for each factor; dates that are in both count.
    """
    import numpy as np

    from njord.domain.spelling import suggestion
    from njord.research.performance import factor_attribution

    if not periods_per_year > 0:
        raise ValueError(f"periods-per-year: must be > 0, was {periods_per_year}")
    ours = _series(returns, ("return",))
    names = tuple(name for name in csv_files.header(factors) if name != "date")
    theirs = _series(factors, names)
    market = benchmark or next(iter(names), "")
    if market not in names:
        raise ValueError(f"{factors}: no factor {market!r}{suggestion(market, names)}")
    dates = [date for date in ours if date in theirs]
    series = np.array([ours[date][0] for date in dates])
    columns = np.array([theirs[date] for date in dates]).reshape(len(dates), len(names))
    found = factor_attribution(series, columns, names)
    measures = {
        name: _valid(measure(series, columns[:, names.index(market)], periods_per_year))
        for name, measure in _measures().items()
    }
    rows = [
        {"factor": name, "beta": found.betas[k], "t": _valid(found.t_values[k + 1]), "contribution": each}
        for k, (name, each) in enumerate(zip(names, found.contributions, strict=True))
    ]
    if json:
        print_json(
            {"periods": len(dates), "mean_return": found.mean_return, "alpha": found.alpha,
             "alpha_t": _valid(found.t_values[0]), "factors": rows, "r_squared": _valid(found.r_squared),
             "residual_deviation": _valid(found.residual_deviation), "benchmark": market, "measures": measures}
        )  # fmt: skip
        return
    print(f"{'':20} {'beta':>10} {'t':>8} {'mean a period':>14}")
    print(f"{'alpha':20} {'':>10} {found.t_values[0]:8.2f} {found.alpha:+14.6%}")
    for k, name in enumerate(names):
        print(f"{name:20} {found.betas[k]:10.4f} {found.t_values[k + 1]:8.2f} {found.contributions[k]:+14.6%}")
    print(f"{'return':20} {'':>10} {'':>8} {found.mean_return:+14.6%}   R squared {found.r_squared:.4f}")
    for name, value in measures.items():
        print(f"{name:20} {'undefined' if value is None else f'{value:.4f}':>10}")


def _measures() -> "dict[str, Callable[[Any, Any, float], float]]":
    from njord.research import performance, returns

    return {
        "sharpe": lambda ours, _, per_year: returns.sharpe(ours, per_year),
        "treynor": performance.treynor,
        "modigliani": performance.modigliani,
        "information_ratio": lambda ours, theirs, _: returns.information_ratio(ours, theirs),
        "tracking_error": performance.tracking_error,
        "ulcer_index": lambda ours, _, __: performance.ulcer_index(ours),
        "martin_ratio": lambda ours, _, per_year: performance.martin_ratio(ours, per_year),
    }


def _series(path: Path, columns: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for number, row in enumerate(csv_files.rows(path, ("date", *columns)), 2):
        if row["date"] in found:
            raise ValueError(f"{path}: line {number}: date {row['date']} is there twice")
        found[row["date"]] = tuple(csv_files.number(path, number, name, row[name]) for name in columns)
    return found


def _valid(value: float) -> float | None:
    return value if math.isfinite(value) else None
