"""A maker on a market made to order: engine and compiled loop agree, the result adds up, and has its two readings."""

from pathlib import Path
from typing import Any

import pytest

import njord as nj
from njord.domain.ids import instrument_id
from njord.engine.config import ConfigError, parse
from njord.engine.sample import write_book
from njord.market.catalog import Catalog
from njord.market.synthetic.order_by_order import Flow
from njord.research.run import run
from njord.strategies.market_making.adaptive import AdaptiveMaker

NAME = "SYN/USD.SIM"
VENUE = {"fees": {"maker": 0, "taker": 0.0005}, "latency_ms": 2, "queue": {"model": "power", "exponent": 1}}
PARAMS = {"quantity": 0.005, "position_max": 0.05, "gamma": 0.001}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    store = Catalog(tmp_path_factory.mktemp("catalog"))
    book, trades = write_book(store, instrument_id(NAME), 1, 4.0, Flow(informed_share=0.2))
    assert book > 50_000
    assert trades > 500
    return store


def config(**changes: Any) -> Any:
    return parse(
        {
            "data": [{"instrument": NAME, "kind": kind} for kind in ("book", "trades")],
            "strategies": [{"name": "adaptive_maker", "params": PARAMS}],
            "account": {"currency": "USD", "cash": 100_000},
            "venue": VENUE,
            "risk": "research",
            **changes,
        },
        "test",
    )  # fmt: skip


@pytest.mark.slow
def test_compiled_and_engine_are_one_run_that_adds_up(catalog: Catalog, tmp_path: Path) -> None:
    engine, compiled = run(config(), catalog), run(config(compiled=True), catalog)
    assert compiled.assembly.backtest.fills == engine.assembly.backtest.fills
    assert len(engine.assembly.backtest.fills) > 50
    assert compiled.final_equity == engine.final_equity
    assert compiled.assembly.backtest.orders == engine.assembly.backtest.orders
    one, other = engine.document(), compiled.document()
    for key in (
        "fills",
        "fees",
        "net_pnl",
        "rejected_by_reason",
        "attribution",
        "markouts",
        "interval",
        "max_drawdown",
    ):
        assert one[key] == other[key], key
    assert one["attribution"]["reconciles"]
    # Where few know more, what is captured is more than what is lost to them
    assert float(one["attribution"]["lines"]["capture_maker"]) > 0
    assert one["net_pnl"] > 0
    report = compiled.report(tmp_path / "report.html").read_text()
    for said in ("What the queue leaves open", "Where the result came from", "Markouts", "Inventory"):
        assert said in report


@pytest.mark.slow
def test_the_interval_is_the_same_run_with_other_queues(catalog: Catalog) -> None:
    found = run(config(), catalog).interval
    assert found is not None
    assert found.cross.fills < found.estimate.fills < found.touch.fills
    for model, bound in (("cross", found.cross), ("touch", found.touch)):
        queue = {"queue": {"model": model}, "limit_fill": "touch" if model == "touch" else "cross"}
        alone = run(config(venue={**VENUE, **queue}), catalog, interval=False)
        assert alone.interval is None
        assert len(alone.assembly.backtest.fills) == bound.fills
        assert alone.document()["net_pnl"] == pytest.approx(bound.net_pnl, abs=1e-9)


@pytest.mark.slow
def test_a_notebook_has_it_too_and_for_strategies_that_are_no_kernels(catalog: Catalog) -> None:
    from njord.strategies.grid_maker import GridMaker

    specs = [{"instrument": NAME, "kind": kind} for kind in ("book", "trades")]
    venue = {"latency_ms": 2, "queue": {"model": "power", "exponent": 1}}
    for strategy in (AdaptiveMaker(**PARAMS), GridMaker(step=0.000002, levels=2, quantity=0.005, short=True)):
        result = nj.backtest(
            strategy, data=(catalog, specs), cash=100_000, maker=0, taker=0.0005, venue=venue, risk="research"
        )
        assert result.interval is not None
        assert result.interval.estimate.fills == len(result.fills)
        assert len(result.attribution())
        assert len(result.markouts())


def test_what_cannot_be_compiled_is_said_in_one_line(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match="grid_maker is no kernel"):
        run(config(compiled=True, strategies=[{"name": "grid_maker"}]), catalog)
    with pytest.raises(ConfigError, match="no risk engine"):
        run(config(compiled=True, risk="capital_preserving"), catalog)
    with pytest.raises(ConfigError, match="needs a book"):
        run(config(compiled=True, data=[{"instrument": NAME, "kind": "trades"}]), catalog)
