"""Figures and health: readable by Prometheus, cheap, and true to what the feed does."""

import re
import time

import pytest
from tests.gateway.conftest import SHARE, quoted

from njord.domain.clock import NS_PER_S
from njord.ops.desk.market import SILENCE_NS

LINE = re.compile(r"^[a-z_]+ -?[0-9.e+-]+$")


@pytest.mark.slow
def test_metrics_are_what_prometheus_reads(site):
    quoted(site)
    nobody = site.anybody()
    answer = nobody.get("/metrics")
    text = answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(LINE.match(line) for line in samples)
    kinds = re.findall(r"^# TYPE (\S+) (counter|gauge)$", text, re.MULTILINE)
    assert [name for name, _ in kinds] == [line.split()[0] for line in samples]
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds)
    figures = dict(line.split() for line in samples)
    assert float(figures["njord_market_events_total"]) > 100
    assert float(figures["njord_failed"]) == 0


@pytest.mark.slow
def test_an_instrument_that_falls_silent_is_stale_until_it_speaks(site):
    quoted(site)
    platform, desk = site.platform, site.desk.market

    def silence():
        platform.heard_ns[SHARE] = platform.now_ns - 2 * SILENCE_NS[desk.listings[SHARE].liquidity] - NS_PER_S
        return desk.health()

    assert SHARE in platform.call(silence).stale
    for _ in range(100):
        if SHARE not in desk.health().stale:
            break
        time.sleep(0.05)
    assert SHARE not in desk.health().stale


@pytest.mark.slow
def test_the_newest_quote_is_the_top_of_the_book_at_every_moment(site):
    platform = site.platform

    def look():
        wrong = []
        for name, quote in platform.house.floor.quotes.items():
            shown = (quote.bid_ticks, quote.bid_lots, quote.ask_ticks, quote.ask_lots)
            if shown != platform.market.top(name):
                wrong.append(name)
        return wrong

    for _ in range(50):
        assert platform.call(look) == []
        time.sleep(0.02)
