"""``njord bench``: how fast this machine runs the engine, in events per CPU second."""

from typing import Annotated, Any

from cyclopts import Parameter

from njord.cli.output import JsonOption, print_json

BARS_MAX = 20_000_000


def bench(
    *,
    bars: Annotated[int, Parameter(help="One-minute bars to run over.")] = 500_000,
    json: JsonOption = False,
) -> None:
    """Run the EMA cross through the full engine: risk, ledger, journal and digest on.

    The comparison with other engines is benchmarks/peers.py, in environments of their own: make bench.
    """
    from njord.research.benchmark import engine_speed

    if not 1_000 <= bars <= BARS_MAX:
        raise ValueError(f"--bars must be from 1000 to {BARS_MAX}, was {bars}")
    found: dict[str, Any] = {fill: engine_speed(bars, fill) for fill in ("next_open", "same_close", "none")}
    if json:
        print_json({"bars": bars, "runs": found})
        return
    names = {"next_open": "EMA cross, next open", "same_close": "EMA cross, same close", "none": "no orders"}
    for fill, each in found.items():
        print(
            f"{names[fill]:<24} {each['events_per_cpu_s']:>12,} bars/CPU-s  {each['orders']:>8,} orders  "
            f"{each['run_cpu_s']:.2f} CPU-s  digest {each['digest'][:12]}"
        )
