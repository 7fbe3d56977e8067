"""``njord research var``: value at risk of a series of gains and losses, and whether it was right."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from njord.cli import csv_files
from njord.cli.output import JsonOption, print_json


def var(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    confidence: Annotated[Decimal, Parameter(help="0.99: one interval in a hundred is worse.")] = Decimal("0.99"),
    window: Annotated[int, Parameter(help="Intervals that a forecast is made from.")] = 250,
    json: JsonOption = False,
) -> None:
    """Value at risk and expected shortfall of a CSV file with a column pnl, and backtests of its forecasts.

    Forecasts are the column value_at_risk where there is one, else made of each interval from the ``window`` before.
    """
    from njord.risk.value_at_risk import HistoricalWindow
    from njord.risk.var_backtests import (
        BASEL_INTERVALS,
        conditional_coverage,
        exceptions,
        independence,
        kupiec,
        traffic_light,
    )

    given = "value_at_risk" in csv_files.header(file)
    kept = HistoricalWindow(window, confidence)
    gains: list[float] = []
    forecasts: list[float] = []
    for line, row in enumerate(csv_files.rows(file, ("pnl",)), 2):
        gain = csv_files.number(file, line, "pnl", row["pnl"])
        forecast = math.nan
        if given:
            forecast = csv_files.number(file, line, "value_at_risk", row["value_at_risk"])
        elif len(kept) == window:
            forecast = kept.tail().value_at_risk
        if not math.isnan(forecast):
            gains.append(gain)
            forecasts.append(forecast)
        try:
            kept.add(gain)
        except ValueError as error:
            raise ValueError(f"{file}: line {line}: {error}") from None
    if len(kept) == 0:
        raise ValueError(f"{file}: no rows")
    tail = kept.tail()
    document: dict[str, object] = {
        "confidence": confidence, "intervals": len(kept), "value_at_risk": tail.value_at_risk,
        "shortfall": tail.shortfall, "forecasts": len(forecasts),
    }  # fmt: skip
    if len(forecasts) >= 2:
        failed = exceptions(gains, forecasts)
        probability = float(1 - confidence)
        document["exceptions"] = sum(failed)
        for name, verdict in (
            ("kupiec", kupiec(sum(failed), len(failed), probability)), ("independence", independence(failed)),
            ("conditional_coverage", conditional_coverage(failed, probability)),
        ):  # fmt: skip
            document[name] = verdict._asdict()
        if confidence == Decimal("0.99") and len(failed) >= BASEL_INTERVALS:
            document["basel"] = traffic_light(sum(failed[-BASEL_INTERVALS:]))._asdict()
    if json:
        print_json(document)
        return
    for name, value in document.items():
        words = value if not isinstance(value, dict) else ", ".join(f"{key} {each}" for key, each in value.items())
        print(f"{name:22} {words}")
