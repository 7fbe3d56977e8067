"""Capture, markout and adverse selection: the definitions, their averages, and a market with known takers."""

import numpy as np
import pytest

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.market import Kind
from njord.domain.order import Side
from njord.research.making_tops import Tops
from njord.research.markouts import HORIZONS_S, document, grouped, mark_out, weighted

S = 1_000_000_000
NAME = "BTC/USD.SIM"


def fill(number, time_s, side, ticks, lots=1, liquidity=Liquidity.MAKER):
    return Fill(
        f"f-{number}", f"maker-{number}", NAME, side, ticks, lots, 0, "USD", liquidity, FillReason.TRADE_AT_LIMIT, "t",
        round(time_s * S), round(time_s * S),
    )  # fmt: skip


def tops(*rows, end_s=1_000.0, kind=Kind.BOOK):
    times, bids, asks, *sizes = zip(*rows, strict=True)
    bid_lots, ask_lots = sizes or ([1] * len(times), [1] * len(times))
    whole = [np.array(each, dtype=np.int64) for each in (bids, asks, bid_lots, ask_lots)]
    return Tops(kind, np.array([round(t * S) for t in times], dtype=np.int64), *whole, round(end_s * S))


def test_the_worked_example():
    # Bought at 100.00 with the mid at 100.05, which is 99.98 a second later
    prices = tops((0, 10_004, 10_006), (10.5, 9_997, 9_999))
    marked = mark_out(NAME, [fill(1, 10, Side.BUY, 10_000)], prices)

    assert marked.capture_ticks.tolist() == [5.0]
    assert marked.markout_ticks[0].tolist() == [5.0, -2.0, -2.0, -2.0, -2.0]
    assert marked.adverse_ticks[0].tolist() == [0.0, -7.0, -7.0, -7.0, -7.0]
    (group,) = grouped(marked, "instrument")
    assert group.capture_bps == pytest.approx(5.0)
    assert group.horizons[1].adverse_bps == pytest.approx(-7.0)
    mirrored = mark_out(NAME, [fill(1, 10, Side.SELL, 10_000)], prices)
    assert mirrored.capture_ticks.tolist() == [-5.0]
    assert mirrored.markout_ticks[0, 1] == 2.0


def test_a_maker_met_what_stood_before_and_a_taker_what_came_with_the_moment():
    prices = tops((0, 99, 101), (10, 95, 96))
    maker, taker = fill(1, 10, Side.BUY, 99), fill(2, 10, Side.BUY, 96, liquidity=Liquidity.TAKER)
    marked = mark_out(NAME, [maker, taker], prices)
    assert marked.capture_ticks.tolist() == [1.0, -0.5]


def test_horizons_beyond_the_data_are_left_out_and_counted():
    prices = tops((0, 99, 101), (50, 97, 99), end_s=60)
    fills = [fill(number, time_s, Side.BUY, 99) for number, time_s in enumerate((20, 40, 58, 59.5))]
    marked = mark_out(NAME, fills, prices)
    (group,) = grouped(marked, "instrument")
    assert [(at.fills, at.excluded) for at in group.horizons] == [(4, 0), (3, 1), (2, 2), (1, 3), (0, 4)]
    assert group.horizons[4].markout_ticks is None
    assert group.horizons[3].markout_ticks == -1.0
    assert [at.horizon_s for at in group.horizons] == list(HORIZONS_S)


def test_means_are_weighted_by_lots_and_know_their_error():
    rng = np.random.default_rng(2)
    values, weights = rng.normal(1.0, 2.0, 4_000), rng.integers(1, 5, 4_000)
    mean, error = weighted(values, weights)
    assert mean == pytest.approx((values * weights).sum() / weights.sum())
    # A second opinion: the spread of means of samples drawn again with replacement
    picks = rng.integers(0, 4_000, (400, 4_000))
    means = (values[picks] * weights[picks]).sum(axis=1) / weights[picks].sum(axis=1)
    assert error == pytest.approx(means.std(), rel=0.12)
    assert weighted(np.array([3.0]), np.array([2])) == (3.0, None)
    assert weighted(np.zeros(0), np.zeros(0, dtype=np.int64)) == (None, None)
    same, error = weighted(np.ones(5), np.arange(1, 6))
    assert (same, error) == (pytest.approx(1.0), pytest.approx(0.0))


def test_groups_hold_every_fill_once():
    rng = np.random.default_rng(3)
    prices = tops(*((t, 99, 101, int(rng.integers(1, 50)), int(rng.integers(1, 50))) for t in range(8_000)))
    fills = [
        fill(n, float(t), Side.BUY if rng.random() < 0.5 else Side.SELL, 99, int(rng.integers(1, 9)),
             Liquidity.MAKER if rng.random() < 0.7 else Liquidity.TAKER)
        for n, t in enumerate(np.sort(rng.uniform(0, 8_000, 500)))
    ]  # fmt: skip
    queue = {each.fill_id: float(rng.random()) for each in fills[:200]}
    marked = mark_out(NAME, fills, prices, queue=queue)
    for dimension, count in (("instrument", 500), ("side", 500), ("imbalance", 500), ("hour", 500), ("queue", 200)):
        groups = grouped(marked, dimension)
        assert sum(group.fills for group in groups) == count
        assert len({(group.liquidity, group.value) for group in groups}) == len(groups)
    assert {group.value for group in grouped(marked, "hour")} == {"00:00", "01:00", "02:00"}
    own = marked.imbalance[0]
    at = prices.before(marked.time_ns[:1])[0] if marked.maker[0] else prices.at(marked.time_ns[:1])[0]
    sizes = {1: prices.bid_lots[at], -1: prices.ask_lots[at]}
    assert own == sizes[int(marked.side[0])] / (prices.bid_lots[at] + prices.ask_lots[at])
    told = document([marked])
    assert set(told["by"]) == {"instrument", "side", "imbalance", "hour", "queue"}
    assert told["by"]["side"][0]["horizons"][0]["horizon_s"] == 0.1
    assert "queue" not in document([mark_out(NAME, fills, prices)])["by"]
    with pytest.raises(ValueError, match="dimension must be one of"):
        grouped(marked, "weather")


@pytest.mark.slow
def test_more_informed_takers_mean_more_adverse_selection():
    from njord.market.synthetic.order_by_order import INFORMED, UNINFORMED, Flow, generate

    means, kinds = [], {}
    for share in (0.0, 0.3, 0.6, 0.9):
        tape = generate(np.random.default_rng(21), Flow(informed_share=share), 400.0, start_ns=0)
        keep = slice(tape.opening_rows, None)
        prices = Tops(
            Kind.BOOK, tape.time_ns[keep], tape.bid_ticks[keep], tape.ask_ticks[keep], tape.lots_after[keep],
            tape.lots_after[keep], int(tape.time_ns[-1]),
        )  # fmt: skip
        rows = np.flatnonzero(tape.is_trade)
        fills = [
            fill(row, int(tape.time_ns[row]) / S, Side.SELL if tape.side[row] > 0 else Side.BUY,
                 int(tape.price_ticks[row]), int(tape.change_lots[row]))
            for row in rows.tolist()
        ]  # fmt: skip
        marked = mark_out(NAME, fills, prices)
        (group,) = grouped(marked, "instrument")
        means.append(group.horizons[2].adverse_ticks)
        assert group.capture_ticks > 0.4  # Half a spread of one tick, at least nearly
        if share == 0.3:
            for kind in (UNINFORMED, INFORMED):
                kinds[kind] = np.nanmean(marked.adverse_ticks[tape.taker[rows] == kind, 2])
    assert means == sorted(means, reverse=True)
    assert means[0] - means[-1] > 0.5
    assert kinds[INFORMED] < kinds[UNINFORMED] - 0.5
