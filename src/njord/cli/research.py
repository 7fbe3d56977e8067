"""``njord research``: published results done again, and questions to recorded markets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from njord.cli.output import JsonOption, Progress, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from njord.research.papers.avellaneda_stoikov import Comparison, Figure
    from njord.research.papers.glft import Table

PAPERS = {
    "avellaneda-stoikov": "Avellaneda and Stoikov (2008), tables 1-3: inventory against symmetric quotes.",
    "glft": "Gueant, Lehalle and Fernandez-Tapia (2013): exact quotes against their closed form.",
}
# Of Avellaneda and Stoikov, as printed
GAMMAS = (0.1, 0.01, 1.0)
PIPE_CHARS = 200

app = App(name="research", help="Papers done again, what recorded markets say, and why a portfolio did as it did.")
app.command("njord.cli.performance:brinson", name="brinson", help="Split an active return by segment.")
app.command("njord.cli.value_at_risk:var", name="var", help="Value at risk of gains and losses, and was it right.")
app.command("njord.cli.performance:factors", name="factors", help="Split returns by factor, and adjust them for risk.")


@app.command
def papers(
    paper: Annotated[str | None, Parameter(name="PAPER")] = None,
    /,
    *,
    paths: Annotated[int, Parameter(help="How many to simulate; the paper took 1000.")] = 20_000,
    seed: Annotated[int, Parameter(help="Of the simulation: the same seed gives the same numbers.")] = 1,
    fill: Annotated[
        Literal["poisson", "paper_linear"],
        Parameter(help="Probability of a fill: 1 - exp(-rate dt), or rate dt as the paper has it."),
    ] = "poisson",
    gamma: Annotated[float | None, Parameter(help="One risk aversion only; 0.1, 0.01 and 1 were printed.")] = None,
    json: JsonOption = False,
) -> None:
    """Do a paper's numbers again, beside the printed and the exact ones. Without PAPER: which there are.

    The printed tables of avellaneda-stoikov are of --fill paper_linear.
    """
    if paper is None:
        _list(json=json)
    elif paper == "avellaneda-stoikov":
        _avellaneda_stoikov(paths, seed, fill, gamma, json=json)
    elif paper == "glft":
        _glft(json=json)
    else:
        raise ValueError(f"paper {paper!r}: must be one of {', '.join(PAPERS)}")


def _list(*, json: bool) -> None:
    if json:
        print_json({"papers": [{"name": name, "about": about} for name, about in PAPERS.items()]})
        return
    for name, about in PAPERS.items():
        print(f"{name:20} {about}")


def _avellaneda_stoikov(
    paths: int, seed: int, fill: Literal["poisson", "paper_linear"], gamma: float | None, *, json: bool
) -> None:
    import numpy as np

    from njord.research.papers.avellaneda_stoikov import PUBLISHED_PATHS, compare

    if seed < 0:
        raise ValueError(f"seed: must be >= 0, was {seed}")
    wanted = GAMMAS if gamma is None else (gamma,)
    found: list[Comparison] = []
    with Progress("simulating", total=1.0) as progress:
        for index, each in enumerate(wanted):
            progress.told(f"gamma {each:g}", index / len(wanted))
            # A generator for each table: one alone gives the numbers it has among the others
            found += compare(each, paths, np.random.default_rng(seed), fill)
    if json:
        print_json(
            {
                "paper": "avellaneda-stoikov", "paths": paths, "seed": seed, "fill": fill,
                "published_paths": PUBLISHED_PATHS, "published_fill": "paper_linear", "rows": found,
            }
        )  # fmt: skip
        return
    _show_comparison(found, fill)
    print(
        f"simulated: {paths:,} paths, seed {seed}, fill {fill}; printed: {PUBLISHED_PATHS:,} paths, fill paper_linear"
    )
    print("in brackets: standard errors from the exact value, each of its own number of paths")


def _show_comparison(found: "Sequence[Comparison]", fill: str) -> None:
    from rich.table import Table as Grid

    grid = Grid("gamma", "strategy", "figure", title=f"Avellaneda and Stoikov (2008), fill {fill}")
    for title in ("printed", "simulated", "exact"):
        grid.add_column(title, justify="right")
    for row in found:
        for index, figure in enumerate(row.figures):
            label = (f"{row.gamma:g}", row.strategy) if index == 0 else ("", "")
            last = index == len(row.figures) - 1
            grid.add_row(*label, figure.name, *_cells(figure), end_section=last)
    _console().print(grid)


def _cells(figure: "Figure") -> tuple[str, str, str]:
    def beside(value: float, digits: int, deviation: float | None) -> str:
        return f"{value:.{digits}f}" + (f" ({deviation:+.1f})" if deviation is not None else "")

    printed = "" if figure.published is None else beside(figure.published, 2, figure.published_deviation)
    # What is 0 by symmetry comes out as a rounding error of either sign
    return printed, beside(figure.simulated, 3, figure.simulated_deviation), f"{round(figure.exact, 9) + 0.0:.4f}"


def _glft(*, json: bool) -> None:
    from njord.research.papers.glft import tables

    found = tables()
    if json:
        print_json({"paper": "glft", "tables": found})
        return
    for each in found:
        _show_depths(each)


def _show_depths(found: "Table") -> None:
    from rich.table import Table as Grid

    given = found.parameters
    grid = Grid(title=f"GLFT (2013), {found.name}", caption="depths from the mid")
    for title in ("q", "bid exact", "bid closed", "ask exact", "ask closed", "error"):
        grid.add_column(title, justify="right")
    for row in found.rows:
        depths = (row.bid_exact, row.bid_closed, row.ask_exact, row.ask_closed)
        grid.add_row(str(row.inventory), *(f"{depth:.6f}" for depth in depths), f"{row.error:.6f}")
    console = _console()
    console.print(grid)
    console.print(
        f"gamma {given.gamma:g}, sigma {given.sigma:g}, A {given.intensity:g}, k {given.decay:g}, "
        f"time left {found.tau:g}, limit {found.inventory_orders_max}"
    )
    console.print(
        f"half-spread {found.half_spread:.6f}, skew {found.skew:.6f}, lowest eigenvalue {found.lowest_eigenvalue:.6f}"
    )


def _console() -> "Console":
    from rich.console import Console

    # A pipe has no width: cut nothing off for a reader that is not a terminal
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_CHARS)


@app.command
def basis(
    first: Annotated[str, Parameter(name="FIRST", help="Such as BTC/USDT:USDT.BINANCE.")],
    second: Annotated[str, Parameter(name="SECOND", help="What it is compared with, such as BTC/USDT.BINANCE.")],
    /,
    *,
    every: Annotated[str, Parameter(help="The step: 100ms, 1s, 1m.")] = "1s",
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    out: Annotated[Path | None, Parameter(help="Write the series as CSV here.")] = None,
    json: JsonOption = False,
) -> None:
    """How far one instrument trades from another, tick by tick of their books, and which of them moves first."""
    from njord.cli.paths import catalog_root
    from njord.domain.ids import instrument_id
    from njord.market.catalog import Catalog
    from njord.research.basis import basis_of

    every_ns = _step_ns(every)
    found = basis_of(Catalog(catalog_root(catalog)), instrument_id(first), instrument_id(second), every_ns)
    document = {
        "first": first, "second": second, "every_ns": every_ns, "points": len(found.time_ns),
        "mean_bps": float(found.basis_bps.mean()), "sd_bps": float(found.basis_bps.std()),
        "min_bps": float(found.basis_bps.min()), "max_bps": float(found.basis_bps.max()),
        "half_life_s": found.half_life_s, "lead_steps": found.lead, "lead_correlation": found.lead_correlation,
        "same_correlation": found.same_correlation,
    }  # fmt: skip
    if out is not None:
        rows = zip(found.time_ns.tolist(), found.first.tolist(), found.second.tolist(), found.basis_bps.tolist(),
                   strict=True)  # fmt: skip
        lines = ["time_ns,first,second,basis_bps", *(",".join(map(str, row)) for row in rows)]
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if json:
        print_json(document)
        return
    life = "does not revert" if found.half_life_s is None else f"half-life {found.half_life_s:.2g} s"
    print(f"{first} over {second}, {len(found.time_ns):,} points every {every}")
    print(f"basis     {document['mean_bps']:+.3f} bps on average, sd {document['sd_bps']:.3f}, {life}")
    print(f"range     {document['min_bps']:+.3f} … {document['max_bps']:+.3f} bps")
    words = "at the same time"
    if found.lead:
        leader, lag = (second, found.lead) if found.lead > 0 else (first, -found.lead)
        words = f"{leader} first, by {lag} steps"
    print(f"moves     {words}: correlation {found.lead_correlation:.3f}; {found.same_correlation:.3f} in the same step")


def _step_ns(text: str) -> int:
    from njord.domain.clock import NS_PER_MS, interval_ns

    if text.endswith("ms"):
        count = text.removesuffix("ms")
        if not (count.isdigit() and int(count) > 0):
            raise ValueError(f"every: must be a whole number of milliseconds above 0, was {text!r}")
        return int(count) * NS_PER_MS
    return interval_ns(text)
