"""A gateway with the rights that the guide gives it, and no others."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from tests.gateway.conftest import SHARE, Site, quoted

from njord.bus.port import BusUnavailable
from njord.bus.redis_streams import RedisBus
from njord.bus.topics import ACCOUNTS, KILL, MARKET
from njord.cli.serving import backlog_of
from njord.domain.market import TradingStatus
from njord.engine.garbage import collected_seldom
from njord.gateway.redis_sessions import RedisSessions

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "processes.md"


@pytest.fixture
def gateways(redis_space):
    """The URL of a gateway's own user, made by the line of the guide."""
    url, prefix = redis_space
    name, password = f"{prefix}-gateway", "a password of this test"
    line = re.search(r"^    ACL SETUSER gateway (.+)$", GUIDE.read_text(), re.MULTILINE)[1]
    words = line.replace("njord:", f"{prefix}:").replace("A-LONG-PASSWORD", password.replace(" ", "-"))
    admin = redis.Redis.from_url(url)
    admin.execute_command("ACL", "SETUSER", name, *re.findall(r"\([^)]+\)|\S+", words))
    there = urlsplit(url)
    yield f"redis://{name}:{password.replace(' ', '-')}@{there.hostname}:{there.port or 6379}{there.path}"
    admin.execute_command("ACL", "DELUSER", name)
    admin.close()


@pytest.mark.slow
def test_a_gateway_does_all_it_does_and_can_do_nothing_else(tmp_path, redis_space, gateways):
    url, prefix = redis_space
    sessions = RedisSessions(gateways, prefix=prefix)
    with collected_seldom():
        site = Site(tmp_path, space=(url, prefix), gateways=gateways, sessions=sessions)
        try:
            quoted(site, SHARE)
            ann = site.user("ann")
            ann.order("one", quantity="5")
            ann.until("one", "filled")
            with ann.stream() as stream:
                stream.send_json({"op": "subscribe", "instruments": [SHARE]})
                assert stream.receive_json()
            assert [each["current"] for each in ann.get("/auth/sessions").json()] == [True]
            assert [ann.get("/market/curve").status_code for _ in range(20)] == [200] * 20
            assert site.cache.found > 0
            assert ann.post("/auth/logout").status_code == 204
            assert ann.get("/auth/me").status_code == 401
            refused(RedisBus(gateways, prefix=prefix), redis.Redis.from_url(gateways), prefix)
        finally:
            site.close()


def refused(bus, client, prefix):
    said = TradingStatus(SHARE, 1, 1, True)
    for act in (
        lambda: bus.publish(KILL, said),
        lambda: bus.publish(f"{MARKET}.status.{SHARE}", said),
        lambda: bus.publish("view.market", said),
        lambda: bus.newest(ACCOUNTS, 1),
        lambda: bus.join(ACCOUNTS, "g", "g"),
    ):
        with pytest.raises(BusUnavailable, match="permission"):
            act()
    assert {stream for stream, _, _ in backlog_of(bus)()} == {"ask", "answer", "view"}
    for words in (
        ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("DEL", f"{prefix}:ctl"), ("GET", f"{prefix}:accounts"),
        ("ACL", "LIST"), ("SET", f"{prefix}:md", "x"), ("EVAL", "return 1", "0"), ("DEL", f"{prefix}:view"),
        ("HSET", f"{prefix}:hot:market", "x", "y"), ("HGET", f"{prefix}:accounts", "x"),
    ):  # fmt: skip
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words)
    client.close()
    bus.close()
