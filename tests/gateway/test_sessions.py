"""Where sessions are kept: one contract for the users' database and for Redis."""

import pytest
import sqlalchemy as sa
from tests.gateway.conftest import PASSWORD

from njord.domain.clock import NS_PER_S
from njord.gateway.redis_sessions import RedisSessions
from njord.gateway.sessions import SESSION_NS, SESSIONS_MAX, SessionsUnavailable, SqlSessions, StoredSession, tables
from njord.gateway.users import Role, Users


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def store(request, tmp_path):
    if request.param == "redis":
        url, prefix = request.getfixturevalue("redis_space")
        made = RedisSessions(url, prefix=prefix)
        yield made
        made.close()
        return
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'users.sqlite'}"
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    tables.create_all(engine)
    yield SqlSessions(engine)
    engine.dispose()


def session(number, name="ann", created_ns=None):
    at = number if created_ns is None else created_ns
    return StoredSession(f"{number:064x}", name, f"csrf {number}", "agent", "here", at, at, at + SESSION_NS)


def test_a_session_is_there_until_its_time_is_over(store):
    one = session(1)
    store.add(one)
    assert store.get(one.token_sha256, 2) == one
    assert store.get(one.token_sha256, one.ends_ns - 1) == one
    assert store.get(one.token_sha256, one.ends_ns) is None
    assert store.of("ann", one.ends_ns) == []
    assert store.get("0" * 64, 2) is None


def test_a_user_has_so_many_sessions_and_the_oldest_ends(store):
    store.add(session(1, "bea"))
    for number in range(2, SESSIONS_MAX + 5):
        store.add(session(number))
    kept = list(range(SESSIONS_MAX + 4, 4, -1))
    assert [int(each.token_sha256, 16) for each in store.of("ann", 100)] == kept
    assert store.get(session(4).token_sha256, 100) is None
    assert [each.name for each in store.of("bea", 100)] == ["bea"]


def test_what_was_ended_is_ended_and_nothing_brings_it_back(store):
    one, two, other = session(1), session(2), session(3, "bea")
    for each in (one, two, other):
        store.add(each)
    assert store.end([one]) == 1
    assert store.end([one]) == 0
    store.seen(one, 9)  # A request of it that was on its way
    assert store.get(one.token_sha256, 9) is None
    store.seen(two, 9)
    assert store.get(two.token_sha256, 10).seen_ns == 9
    assert [each.token_sha256 for each in store.of("ann", 10)] == [two.token_sha256]
    assert store.get(other.token_sha256, 10) == other


def test_redis_drops_a_session_itself_and_keeps_no_token(redis_space, tmp_path):
    url, prefix = redis_space
    store = RedisSessions(url, prefix=prefix)
    users = Users(f"sqlite:///{tmp_path / 'users.sqlite'}", store)
    ann = users.register("ann", PASSWORD, Role.TRADER, 0)
    token, _ = users.log_in(ann, "agent", "here", 0)
    keys = [key.decode() for key in store._redis.scan_iter(f"{prefix}:*")]
    assert len(keys) == 2
    for key in keys:
        assert 0 < store._redis.pttl(key) <= SESSION_NS // 1_000_000
        assert token not in key
    (body,) = [store._redis.get(key).decode() for key in keys if ":session:" in key]
    assert token not in body
    users.close()


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"name": "ann"}', b"[]"])
def test_what_is_no_session_opens_nothing(redis_space, body):
    url, prefix = redis_space
    store = RedisSessions(url, prefix=prefix)
    store.add(session(1))
    store._redis.set(f"{prefix}:session:{session(1).token_sha256}", body)
    assert store.get(session(1).token_sha256, 2) is None
    assert store.of("ann", 2) == []
    store.close()


def test_a_new_password_ends_sessions_even_where_their_store_cannot_be_reached(redis_space, tmp_path, monkeypatch):
    url, prefix = redis_space
    store = RedisSessions(url, prefix=prefix)
    users = Users(f"sqlite:///{tmp_path / 'users.sqlite'}", store)
    ann = users.register("ann", PASSWORD, Role.TRADER, 0)
    token, _ = users.log_in(ann, "agent", "here", 1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "of", _gone)
        users.change_password(ann, "another good one", 2 * NS_PER_S)
    assert store.of("ann", 3 * NS_PER_S)  # It is still there, and opens nothing
    assert users.session(token, 3 * NS_PER_S) is None
    later, _ = users.log_in(ann, "agent", "here", 4 * NS_PER_S)
    assert users.session(later, 5 * NS_PER_S).user == ann
    users.close()


def _gone(*_given):
    raise SessionsUnavailable("gone")


def test_without_redis_nobody_is_let_in(site, monkeypatch):
    """On whichever store: where it cannot be asked, the answer is 503, and it says why."""
    ann = site.user("cut-off")
    monkeypatch.setattr(site.users._sessions, "get", _gone)
    answer = ann.get("/auth/me")
    assert (answer.status_code, answer.json()["error"]) == (503, "gone")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/users.sqlite", "postgresql+psycopg://x@127.0.0.1:1/x"])
def test_a_database_that_cannot_be_reached_is_said(url):
    store = SqlSessions(sa.create_engine(url))
    one = session(1)
    for act in (
        lambda: store.add(one),
        lambda: store.get(one.token_sha256, 2),
        lambda: store.seen(one, 2),
        lambda: store.of("ann", 2),
        lambda: store.end([one]),
    ):
        with pytest.raises(SessionsUnavailable, match="does not answer"):
            act()


def test_a_redis_that_cannot_be_reached_is_said_at_the_start():
    with pytest.raises(SessionsUnavailable, match="does not answer"):
        RedisSessions("redis://127.0.0.1:1/0")
    with pytest.raises(ValueError, match=r"^bus: "):
        RedisSessions("http://127.0.0.1")
