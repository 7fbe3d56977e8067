"""The five lines of a notebook: a strategy, a frame, a result."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from njord.bus.memory import MemoryBus
from njord.domain.clock import interval_text
from njord.domain.instrument import Instrument
from njord.domain.profile import RiskProfile
from njord.engine.assemble import Source, strategy_name
from njord.engine.config import RunConfig, parse
from njord.market.catalog import Catalog
from njord.research.frames import Frames
from njord.research.result import Result
from njord.research.run import run
from njord.strategies.port import Strategy

Number = Decimal | float | int


def backtest(
    strategy: Strategy | list[Strategy],
    data: Any,
    cash: Number,
    *,
    instrument: str = "ASSET/USD.SIM",
    currency: str | None = None,
    fill: str = "next_open",
    maker: Number | None = None,
    taker: Number | None = None,
    latency_ms: float | None = None,
    venue: Mapping[str, Any] | None = None,
    risk: str | RiskProfile = "capital_preserving",
    definition: Instrument | None = None,
    seed: int = 1,
    bus: MemoryBus | None = None,
) -> Result:
    """Run one or more strategies over bars in memory, or over data of a catalog, through the full engine.

    ``data`` is a frame or dict of arrays with ts (start of the bar), open, high, low, close and volume; or a mapping of
    instrument ids to such; or a ``(catalog, [data specs as in a config])`` pair. ``maker`` defaults to ``taker``, and
    that to the venue's default. Equal settings give the digest of ``njord backtest``. Raises ValueError in one line.
    """
    source, specs = _source(data, instrument, definition)
    strategies = strategy if isinstance(strategy, list) else [strategy]
    names = [strategy_name(type(each)) for each in strategies]
    settings: dict[str, Any] = {"fill": fill, **(venue or {})}
    fees = dict(settings.get("fees", {}))
    if taker is not None:
        fees = {"maker": taker, **fees, "taker": taker}
    if maker is not None:
        fees["maker"] = maker
    settings["fees"] = fees
    if latency_ms is not None:
        settings["latency_ms"] = latency_ms
    first = source.instrument(specs[0]["instrument"])
    config: RunConfig = parse(
        {
            "data": specs,
            "strategies": [{"name": name} for name in names],
            "account": {"currency": currency or first.settlement, "cash": cash},
            "venue": settings,
            "risk": risk,
            "seed": seed,
        },
        "backtest",
    )
    return run(config, source, given=list(zip(names, strategies, strict=True)), bus=bus)


def _source(data: Any, instrument: str, definition: Instrument | None) -> tuple[Source, list[dict[str, Any]]]:
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Catalog):
        return data[0], list(data[1])
    frames = Frames()
    several = isinstance(data, Mapping) and all("." in str(key) for key in data) and bool(data)
    parts = dict(data) if several else {instrument: data}
    specs = []
    for name, frame in parts.items():
        dataset_id = frames.add(str(name), frame, definition if not several else None)
        assert dataset_id.interval_ns is not None
        specs.append({"instrument": str(name), "interval": interval_text(dataset_id.interval_ns)})
    return frames, specs
