"""One contract, three ledgers: memory, SQLite, PostgreSQL."""

import concurrent.futures

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from njord.domain.command import Entry, Posting, StrategyNote
from njord.ledger.memory import MemoryLedger
from njord.ledger.port import LedgerRefused
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.tables import TABLES

from ..ledger.records import (  # noqa: TID252 - tests are no package, and have no other name
    ACCOUNT,
    CAREFUL,
    HOUR_NS,
    assessed,
    bought,
    deposit,
    fill,
    fills,
    order,
    profile_change,
    record,
    run_records,
    sold,
    story,
)  # fmt: skip

LEDGERS = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.connects)]
DATABASES = LEDGERS[1:]


@pytest.fixture
def url(request, tmp_path):
    kind = request.param
    return request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'l.sqlite'}"


@pytest.fixture
def ledger(request, tmp_path):
    if request.param == "memory":
        yield MemoryLedger()
        return
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path / 'l'}"
    made = SqlLedger(migrated(url))
    yield made
    made.close()


every_ledger = pytest.mark.parametrize("ledger", LEDGERS, indirect=True)
every_database = pytest.mark.parametrize("url", DATABASES, indirect=True)


@every_ledger
def test_what_is_committed_reads_back_and_verifies(ledger):
    records = story()
    empty = ledger.head(ACCOUNT)
    assert (empty.position, empty.chain) == (0, "0" * 64)

    head = ledger.commit(records)

    assert (head.position, head.session_id, head.sequence) == (len(records), "s1", 15)
    assert ledger.head(ACCOUNT) == head
    assert list(ledger.records(ACCOUNT)) == records
    assert list(ledger.records(ACCOUNT, after=5)) == records[5:]
    assert ledger.accounts() == [ACCOUNT]
    assert ledger.verify() == ledger.verify(ACCOUNT) == []


@every_ledger
def test_the_chain_depends_on_content_and_order_and_not_on_how_it_was_written(ledger):
    together = MemoryLedger()
    together.commit(story())

    for each in story():
        head = ledger.commit([each])

    assert head == together.head(ACCOUNT)
    other = MemoryLedger()
    other.commit([deposit(0, amount=1)])
    assert other.head(ACCOUNT).chain != MemoryLedger().commit([deposit(0, amount=2)]).chain


@every_ledger
def test_a_real_run_is_kept_and_its_money_adds_up(ledger, monkeypatch, bars):
    records, result = run_records(monkeypatch, bars)
    assert len(result.fills) > 20

    for first in range(0, len(records), 7):
        ledger.commit(records[first : first + 7])

    kept = list(ledger.records("run"))
    assert kept == records
    assert ledger.verify() == []
    cash = sum(
        p.amount for r in kept for c in r.commands if isinstance(c, Entry) for p in c.postings if p.account == "fees"
    )
    assert cash == sum(r.event.fee_units for r in kept if hasattr(r.event, "fee_units")) > 0


@every_ledger
def test_records_already_there_are_passed_over(ledger):
    ledger.commit(story()[:4])

    head = ledger.commit(story())
    again = ledger.commit(story())

    assert head == again
    assert list(ledger.records(ACCOUNT)) == story()
    assert ledger.commit([story()[0], story()[0]]) == head


@every_ledger
def test_a_record_with_other_content_is_refused(ledger):
    ledger.commit([deposit(0), deposit(5)])

    with pytest.raises(LedgerRefused, match="other content"):
        ledger.commit([deposit(5, amount=7)])
    with pytest.raises(LedgerRefused, match="comes before the last"):
        ledger.commit([deposit(3)])
    assert ledger.head(ACCOUNT).position == 2


@every_ledger
def test_a_session_that_was_followed_by_another_cannot_go_on(ledger):
    ledger.commit([deposit(0, session="one"), deposit(0, session="two", entry_id="x")])

    with pytest.raises(LedgerRefused, match="session two has begun"):
        ledger.commit([deposit(9, session="one")])
    with pytest.raises(LedgerRefused, match="session three has begun"):
        ledger.commit([deposit(1, session="three"), deposit(2, session="two")])


def small(number):
    return record(number, order(f"o{number}"))


@every_ledger
@pytest.mark.parametrize(
    ("what", "bad"),
    [
        ("order", record(21, order("order-a"))),
        ("fill", record(21, event=fill("fill-ß", "order-a"))),
        ("entry", deposit(21, entry_id="deposit")),
        ("fill of no order", record(21, event=fill("f9", "nobody's"))),
        ("trade of no fill", record(21, closed=sold(1, "x", "order-a", "nowhere").closed)),
        ("lot of no fill", record(21, opened=bought(1, "f8", "order-a").opened)),
        ("unbalanced", record(21, Entry("e", "c", 1, (Posting("cash", "USD", 5), Posting("capital", "USD", -4))))),
        ("too large", record(21, Entry("e", "c", 1, (Posting("cash", "U", 10**38), Posting("x", "U", -(10**38)))))),
        ("too large for 64 bits", record(21, order("big", lots=2**63))),
        ("before 1970", record(21, time_ns=-1)),
        ("two accounts", record(21, account="other")),
        ("not a number", record(21, StrategyNote("a", "\ud800"))),
        ("leverage", record(21, assessed("n", gross_after_bp=15_001), order("n"))),
        (
            "no entries in this tier",
            record(21, assessed("n", drawdown_bp=1_000, tier=2, tier_entries=False), order("n")),
        ),
        ("a tier that allows what the profile does not", record(21, assessed("n", drawdown_bp=1_000, tier=2))),
        ("drawdown above its tier", record(21, assessed("n", drawdown_bp=500))),
        ("drawdown below its tier", record(21, assessed("n", drawdown_bp=499, tier=1))),
        ("a limit that is not the profile's", record(21, assessed("n", leverage_max_bp=20_000))),
        ("no limit where the profile has one", record(21, assessed("n", leverage_max_bp=None))),
        ("a tier that does not exist", record(21, assessed("n", tier=3))),
        ("a profile that is not on record", record(21, assessed("n", profile_version=4))),
        ("a profile with other content", profile_change(21, msgspec.structs.replace(CAREFUL, short_allowed=True))),
    ],
)
def test_a_batch_with_one_bad_record_appends_nothing(ledger, what, bad):
    ledger.commit(story())
    head = ledger.head(ACCOUNT)

    with pytest.raises(LedgerRefused):
        ledger.commit([small(20), bad, small(22)])

    assert ledger.head(ACCOUNT) == head
    assert ledger.verify() == []
    assert ledger.commit([small(20)]).position == head.position + 1  # And it goes on


@every_ledger
def test_limits_hold_up_to_their_edge(ledger):
    ledger.commit([profile_change(1)])

    ledger.commit(
        [
            record(2, assessed("a", gross_after_bp=15_000, drawdown_bp=499), order("a")),
            record(3, assessed("b", drawdown_bp=500, tier=1), order("b")),
            record(4, assessed("c", adds=False, gross_after_bp=99_999, drawdown_bp=1_000, tier=2, tier_entries=False)),
            profile_change(5),  # The same again, as every session says it
            profile_change(6, msgspec.structs.replace(CAREFUL, version=4, leverage_max=None)),
            record(7, assessed("d", gross_after_bp=10**9, leverage_max_bp=None, profile_version=4), order("d")),
        ]
    )

    assert ledger.verify() == []


@every_ledger
def test_a_profile_on_record_binds_later_sessions_and_other_accounts_have_their_own(ledger):
    ledger.commit([profile_change(1, session="one")])
    ledger.commit([record(1, assessed("a"), order("a"), session="two")])

    with pytest.raises(LedgerRefused):
        ledger.commit([record(1, assessed("a"), order("a"), account="other")])
    assert ledger.accounts() == [ACCOUNT]


@every_ledger
def test_accounts_do_not_see_each_other(ledger):
    ledger.commit(story("one"))
    ledger.commit(story("two"))

    assert ledger.accounts() == ["one", "two"]
    assert ledger.head("one").position == ledger.head("two").position == len(story())
    assert ledger.verify() == []


@every_ledger
@given(data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_amounts_and_words_survive(ledger, data):
    words = st.text(max_size=20)
    amounts = st.integers(-(10**37), 10**37)
    account = f"account {data.draw(st.integers(0, 2**60))}"
    made = []
    for sequence in range(data.draw(st.integers(1, 6))):
        total = data.draw(amounts)
        entry = Entry(f"e{sequence}", "c", 1, (Posting("cash", "X", total), Posting(data.draw(words), "X", -total)))
        made.append(record(sequence, entry, StrategyNote("s", data.draw(words)), account=account, session="s"))

    before = ledger.head(account).position
    if before == 0:
        ledger.commit(made)
        assert list(ledger.records(account)) == made
    assert ledger.verify(account) == []


@every_ledger
def test_many_steps_are_read_in_stretches(ledger):
    made = fills(2_300)
    for first in range(0, len(made), 500):
        ledger.commit(made[first : first + 500])

    assert [r.sequence for r in ledger.records(ACCOUNT, after=999)] == [r.sequence for r in made[999:]]
    assert ledger.verify() == []


@every_ledger
def test_an_empty_commit_and_an_unknown_account(ledger):
    with pytest.raises(LedgerRefused, match="no records"):
        ledger.commit([])
    assert list(ledger.records("nobody")) == []
    assert ledger.verify("nobody") == []
    with pytest.raises(LedgerRefused, match="at most"):
        ledger.commit([small(1)] * 10_001)


@every_database
def test_the_story_touches_every_table(url):
    ledger = SqlLedger(migrated(url))
    ledger.commit(story())
    with ledger.engine.connect() as connection:
        counts = {
            spec.name: connection.exec_driver_sql(f"SELECT count(*) FROM {spec.name}").scalar() for spec in TABLES
        }
    assert all(counts.values()), counts
    assert counts["decisions"] == 5  # Two assessed; a halt, a sell and a replacement that nothing was assessed for
    ledger.close()


@every_database
def test_reopened_it_goes_on_where_it_ended(url):
    first = SqlLedger(migrated(url))
    head = first.commit(story()[:6])
    first.close()

    again = SqlLedger.open(url)
    assert again.head(ACCOUNT) == head
    again.commit(story()[6:])
    assert list(again.records(ACCOUNT)) == story()
    assert again.verify() == []
    again.close()


class Crash(Exception):
    """What a test raises in the middle of a commit."""


@every_database
def test_a_crash_between_any_two_statements_leaves_nothing_and_the_retry_succeeds(url):
    ledger = SqlLedger(migrated(url))
    ledger.commit(story()[:2])
    head = ledger.head(ACCOUNT)
    statements = []
    crash_at = [10**9]

    def before(*_):
        statements.append(1)
        if len(statements) > crash_at[0]:
            raise Crash

    def commit(*_):
        before()

    sa.event.listen(ledger.engine, "before_cursor_execute", before)
    sa.event.listen(ledger.engine, "commit", commit)
    rest = story()[2:]
    for number in range(60):
        statements.clear()
        crash_at[0] = number
        try:
            ledger.commit(rest)
        except Crash:
            crash_at[0] = 10**9
            assert ledger.head(ACCOUNT) == head, number
            assert ledger.verify() == []
        else:
            break
    crash_at[0] = 10**9
    assert number > 12  # It was hurt in that many places before it went through
    assert list(ledger.records(ACCOUNT)) == story()
    assert ledger.verify() == []
    ledger.close()


@every_database
def test_two_writers_never_fork_the_chain(url):
    one, other = SqlLedger(migrated(url)), SqlLedger.open(url)
    one.commit([deposit(0, session="one")])

    other.commit([deposit(0, session="two", entry_id="x")])
    with pytest.raises(LedgerRefused, match="session two has begun"):
        one.commit([deposit(1, session="one")])

    assert one.head(ACCOUNT) == other.head(ACCOUNT)
    assert one.verify() == []
    one.close()
    other.close()


@every_database
def test_two_writers_at_once_write_each_record_once(url):
    ledgers = [SqlLedger(migrated(url)), SqlLedger.open(url)]
    made = fills(120)

    def write(ledger):
        for each in made:
            ledger.commit([each])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ledgers))

    plain = MemoryLedger()
    assert plain.commit(made) == ledgers[0].head(ACCOUNT) == ledgers[1].head(ACCOUNT)
    assert ledgers[0].verify() == []
    for ledger in ledgers:
        ledger.close()


@every_database
def test_an_account_of_records_is_the_same_in_every_ledger(url):
    memory = MemoryLedger()
    ledger = SqlLedger(migrated(url))
    for made in (story("a"), story("b", "s9"), fills(30, "c")):
        assert memory.commit(made) == ledger.commit(made)
    for name in memory.accounts():
        assert list(ledger.records(name)) == list(memory.records(name))
    ledger.close()


@every_database
def test_a_step_at_the_boundary_of_a_week_lands_in_the_later_one(url):
    monday_ns = 345_600 * 10**9 + 2800 * 7 * 24 * HOUR_NS
    ledger = SqlLedger(migrated(url))
    for number, time_ns in enumerate((monday_ns - 1, monday_ns, monday_ns + 7 * 24 * HOUR_NS - 1)):
        ledger.commit([deposit(number, time_ns=time_ns)])
    assert ledger.verify() == []
    if ledger.engine.dialect.name == "postgresql":
        with ledger.engine.connect() as connection:
            where = connection.exec_driver_sql(
                "SELECT tableoid::regclass::text, count(*) FROM entries GROUP BY 1 ORDER BY 1"
            )
            assert [tuple(row) for row in where] == [("entries_20230828", 1), ("entries_20230904", 2)]
    ledger.close()
