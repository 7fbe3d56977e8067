"""What gateways find in Redis of a moment ago is what the platform would have answered."""

import pytest
import redis
from tests.gateway.conftest import BOND, SHARE, Site, quoted
from tests.ops.test_announcing import until

from njord.bus.hot import HotCache
from njord.engine.garbage import collected_seldom

ASKED = [
    ("/instruments", {}), ("/market/quotes", {}), ("/market/depth", {"instrument": SHARE}),
    ("/market/dealers", {"instrument": BOND}), ("/market/trades", {"instrument": SHARE}),
    ("/market/candles", {"instrument": SHARE}), ("/market/chain", {"underlier": "BRAGE"}), ("/market/curve", {}),
    ("/portfolio", {}), ("/portfolio/history", {}), ("/risk", {}),
]  # fmt: skip


@pytest.fixture
def standing(tmp_path, redis_space, monkeypatch):
    """A market that lived, and stands still, behind a gateway that is apart; and its cache, where a moment is long."""
    monkeypatch.setattr("tests.gateway.conftest.HotCache", _lasting)
    with collected_seldom():
        site = Site(tmp_path, space=redis_space)
        for name in (SHARE, BOND):
            quoted(site, name)
        ann = site.user("ann")
        ann.order("one", quantity="5")
        ann.until("one", "filled")
        until(lambda: any(view.positions for view in site.platform.portfolios.values()))  # Looked at once a second
        monkeypatch.setattr(site.platform.house, "turn", lambda _until_ns: None)
        site.platform.call(lambda: None)
        yield site, ann
        monkeypatch.undo()
        site.close()


def _lasting(url, *, prefix):
    return HotCache(url, prefix=prefix, life_ms=60_000)


@pytest.mark.slow
def test_a_cold_cache_gives_the_same_answers_as_a_warm_one(standing, redis_space):
    site, ann = standing
    client = redis.Redis.from_url(redis_space[0])

    def forget():
        for key in client.scan_iter(f"{redis_space[1]}:hot:*"):
            client.delete(key)

    for path, params in ASKED:
        forget()
        before = site.cache.found
        cold = ann.get(path, **params)
        assert cold.status_code == 200, path
        assert site.cache.found == before, path
        warm = ann.get(path, **params)
        assert site.cache.found > before, path
        forget()
        assert warm.content == cold.content == ann.get(path, **params).content, path
    client.close()


@pytest.mark.slow
def test_nobody_is_answered_with_what_was_kept_for_another(standing):
    site, ann = standing
    ben = site.user("ben")
    anns, bens = ann.get("/portfolio").json(), ben.get("/portfolio").json()
    found = site.cache.found
    assert (ann.get("/portfolio").json(), ben.get("/portfolio").json()) == (anns, bens)
    assert site.cache.found == found + 2
    assert anns["account_id"] != bens["account_id"]
    assert [each["instrument_id"] for each in anns["positions"]] == [SHARE]
    assert not bens["positions"]


@pytest.mark.slow
def test_what_becomes_of_an_account_is_in_the_next_answers(standing, monkeypatch):
    _, ann = standing
    assert not ann.get("/risk").json()["tripped"]
    monkeypatch.undo()  # The market goes on; what is kept lasts as long as before
    assert ann.post("/risk/kill", {"reason": "a test"}).status_code == 204
    until(lambda: ann.get("/orders") and ann.get("/risk").json()["tripped"])
