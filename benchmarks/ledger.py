"""The ledger: rows a second of commit, verification, backup and restore, on SQLite and PostgreSQL.

Run: python benchmarks/ledger.py [--steps N] [--postgres URL] [--only NAME] [--json]. Steps are made here: orders with
their assessment, and the fills that open and close lots, in turns. Rows are counted in the database. Times are wall
time, since a commit mostly waits for the disk; every figure that follows from them depends on the machine. The restore
drill backs the ledger up, restores the backup into an empty database and compares heads; scratch databases are made on
the PostgreSQL server and dropped.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from njord.domain.command import Assessed, Entry, Posting
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import ProfileChanged
from njord.domain.ids import ClientOrderId, EntryId, FillId, InstrumentId, StrategyId
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import CAPITAL_PRESERVING
from njord.ledger.lots import ClosedLot, Lot
from njord.ledger.record import OpenedLot, StepRecord
from njord.ledger.sql.connecting import connected, parsed
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.validation import violations
from njord.ledger.tables import TABLES
from njord.ops.backup import backup, restore

ONE_BY_ONE = 500
BATCH = 100
BEGAN_NS = 1_700_000_000 * 10**9
STEP_NS = 5 * 10**9
UNIT = 10**18
BTC = InstrumentId("BTC/USD.KRAKEN")
MAKER = StrategyId("maker")


def records(steps: int, account: str) -> Iterator[StepRecord]:
    """Yield a profile, then orders and fills in turns: buys that open a lot, sells that close it."""
    for number in range(steps):
        time_ns = BEGAN_NS + number * STEP_NS
        pair, what = divmod(number - 1, 4)
        if number == 0:
            event = ProfileChanged(CAPITAL_PRESERVING, "bench", "", time_ns, time_ns)
            yield StepRecord(
                account_id=account, session_id="s", sequence=0, time_ns=time_ns, cause="start", event=event, commands=()
            )
        else:
            yield (order if what in (0, 2) else filled)(account, number, time_ns, pair, buys=what < 2)


def order(account: str, number: int, time_ns: int, pair: int, *, buys: bool) -> StepRecord:
    name = ClientOrderId(f"{MAKER}:{pair}:{'b' if buys else 's'}")
    assessed = Assessed(
        client_order_id=name, strategy_id=MAKER, instrument_id=BTC, refusal=None, adds=buys, order_units=UNIT,
        equity_units=10**6 * UNIT, gross_before_bp=0, gross_after_bp=1, leverage_max_bp=10_000, drawdown_bp=0, tier=0,
        tier_entries=True, var_before_units=None, var_after_units=None, var_max_units=None,
        profile=CAPITAL_PRESERVING.name, profile_version=CAPITAL_PRESERVING.version,
    )  # fmt: skip
    new = NewOrder(name, MAKER, BTC, Side.BUY if buys else Side.SELL, OrderType.LIMIT, 10, limit_ticks=6_000_000)
    return StepRecord(
        account_id=account, session_id="s", sequence=number, time_ns=time_ns, cause=f"quote:{BTC}:{time_ns}",
        event=None, commands=(assessed, new),
    )  # fmt: skip


def filled(account: str, number: int, time_ns: int, pair: int, *, buys: bool) -> StepRecord:
    side = "b" if buys else "s"
    name = FillId(f"kraken:{pair}:{side}")
    worth = 60_000 * UNIT
    fill = Fill(
        fill_id=name, client_order_id=ClientOrderId(f"{MAKER}:{pair}:{side}"), instrument_id=BTC,
        side=Side.BUY if buys else Side.SELL, price_ticks=6_000_000, quantity_lots=10, fee_units=UNIT, fee_asset="USD",
        liquidity=Liquidity.MAKER, reason=FillReason.VENUE, causation_id="t", venue_time_ns=time_ns,
        local_time_ns=time_ns,
    )  # fmt: skip
    sign = 1 if buys else -1
    legs = (
        ("position", BTC, 10 * sign), ("market", BTC, -10 * sign), ("position", "USD", worth * sign),
        ("cash", "USD", -worth * sign - UNIT), ("fees", "USD", UNIT),
    )  # fmt: skip
    entry = Entry(EntryId(f"fill:{name}"), name, time_ns, tuple(Posting(*leg) for leg in legs))
    opened = (OpenedLot(MAKER, BTC, Lot(name, 10, worth, UNIT, time_ns)),) if buys else ()
    bought = FillId(f"kraken:{pair}:b")
    closed = () if buys else (ClosedLot(MAKER, BTC, bought, name, 10, worth, worth, 2 * UNIT, time_ns, time_ns),)
    return StepRecord(
        account_id=account, session_id="s", sequence=number, time_ns=time_ns, cause=f"fill:{name}", event=fill,
        commands=(entry,), opened=opened, closed=closed,
    )  # fmt: skip


def row_count(ledger: SqlLedger) -> int:
    with ledger.engine.connect() as connection:
        return sum(connection.execute(sa.text(f"SELECT count(*) FROM {spec.name}")).scalar() or 0 for spec in TABLES)


def measured(url: str, empty_url: str, steps: int, folder: Path) -> dict[str, float]:
    """Write, verify, back up and restore; return what each took."""
    ledger = SqlLedger(migrated(url))
    waits = []
    for record in records(ONE_BY_ONE, "single"):
        began = time.perf_counter()
        ledger.commit([record])
        waits.append(time.perf_counter() - began)
    waits.sort()
    single_rows = row_count(ledger)
    began = time.perf_counter()
    batch = []
    for record in records(steps, "batch"):
        batch.append(record)
        if len(batch) == BATCH:
            ledger.commit(batch)
            batch = []
    if batch:
        ledger.commit(batch)
    batch_s = time.perf_counter() - began
    rows = row_count(ledger)
    began = time.perf_counter()
    assert ledger.verify() == []
    verify_s = time.perf_counter() - began
    began = time.perf_counter()
    assert violations(ledger.engine) == []
    validate_s = time.perf_counter() - began
    file = folder / f"{ledger.engine.dialect.name}.gz"
    began = time.perf_counter()
    manifest = backup(ledger, file)
    backup_s = time.perf_counter() - began
    fresh = SqlLedger(migrated(empty_url))
    began = time.perf_counter()
    restore(fresh, file)
    restore_s = time.perf_counter() - began
    assert {name: fresh.head(name) for name in fresh.accounts()} == manifest.accounts
    assert row_count(fresh) == rows
    ledger.close()
    fresh.close()
    return {
        "rows": rows,
        "steps": manifest.steps,
        "one_step_a_transaction_ms_p50": waits[len(waits) // 2] * 1e3,
        "one_step_a_transaction_ms_p99": waits[len(waits) * 99 // 100] * 1e3,
        "one_step_a_transaction_rows_per_s": single_rows / sum(waits),
        f"{BATCH}_steps_a_transaction_rows_per_s": (rows - single_rows) / batch_s,
        "verify_rows_per_s": rows / verify_s,
        "validate_rows_per_s": rows / validate_s,
        "backup_rows_per_s": rows / backup_s,
        "backup_mb": file.stat().st_size / 1e6,
        "restore_rows_per_s": rows / restore_s,
        "restore_s": restore_s,
    }


def scratch(server: str, name: str, verb: str) -> str:
    engine = connected(parsed(server)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if verb == "CREATE":
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    engine.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=20_000)
    options.add_argument("--postgres", default=os.environ.get("NJORD_TEST_POSTGRES", ""), help="a server's URL")
    options.add_argument("--only", choices=("sqlite", "postgresql"))
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="njord-bench-") as name:
        folder = Path(name)
        if asked.only != "postgresql":
            found["sqlite"] = measured(f"sqlite:///{folder / 'a'}", f"sqlite:///{folder / 'b'}", asked.steps, folder)
        if asked.postgres and asked.only != "sqlite":
            names = [f"njord_bench_{os.getpid()}_{part}" for part in "ab"]
            urls = [scratch(asked.postgres, each, "CREATE") for each in names]
            try:
                found["postgresql"] = measured(*urls, asked.steps, folder)
            finally:
                for each in names:
                    scratch(asked.postgres, each, "DROP")
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for key in next(iter(found.values())):
        print(f"{key:40}" + "".join(f"{figures[key]:>16,.1f}" for figures in found.values()))


if __name__ == "__main__":
    main()
