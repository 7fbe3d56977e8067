"""The ledger in memory: for backtests and tests. The rules a database holds are held here in plain Python."""

import collections
from collections.abc import Iterator, Sequence

from njord.ledger.appending import empty_head, fresh, one_account
from njord.ledger.port import Break, Head, LedgerRefused
from njord.ledger.record import StepRecord, parse
from njord.ledger.rows import Columns, Made, Profiles, made, unbalanced
from njord.ledger.tables import BY_NAME, TABLES
from njord.ledger.verifying import Window, breaks

_IDENTIFIERS = tuple(table.name for table in TABLES if table.name.endswith("_ids"))
_Ids = set[tuple[str, str]]  # Table and identifier


class _Account:
    def __init__(self) -> None:
        self.steps: list[Columns] = []
        self.places: dict[tuple[str, int], Columns] = {}
        self.sessions: set[str] = set()
        self.rows: dict[str, list[Columns]] = collections.defaultdict(list)
        self.ids: _Ids = set()
        self.profiles: Profiles = {}
        self.once: dict[tuple[object, ...], Columns] = {}

    def head(self) -> Head:
        if not self.steps:
            return empty_head()
        last = self.steps[-1]
        return Head(last["step"], last["session_id"], last["sequence"], last["chain"])


class MemoryLedger:
    """A ledger that lives as long as the object. See ``ledger.port.Ledger``."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def head(self, account_id: str) -> Head:
        """Return where an account's ledger ends."""
        account = self._accounts.get(account_id)
        return empty_head() if account is None else account.head()

    def commit(self, records: Sequence[StepRecord]) -> Head:
        """Append records, all or none. Raises LedgerRefused."""
        if not records:
            raise LedgerRefused("no records: a commit needs at least one")
        account_id = one_account(records)
        account = self._accounts.get(account_id) or _Account()
        new = fresh(
            records,
            account.head(),
            lambda *place: account.places[place]["payload_hash"] if place in account.places else None,
            account.sessions.__contains__,
        )
        position, chain = len(account.steps), account.head().chain
        profiles, ids, once = dict(account.profiles), set[tuple[str, str]](), dict(account.once)
        batch: list[Made] = []
        for record, text in new:
            position += 1
            result = made(record, text, position, chain, profiles)
            chain = result.chain
            _check(result, account.ids, ids, once)
            batch.append(result)
        for result in batch:  # Nothing below can fail
            account.steps.append(result.step)
            account.places[result.step["session_id"], result.step["sequence"]] = result.step
            account.sessions.add(result.step["session_id"])
            for table, row in result.rows:
                account.rows[table].append(row)
        for key, row in once.items():
            if key not in account.once:
                account.rows[str(key[0])].append(row)
        account.ids |= ids
        account.profiles, account.once = profiles, once
        self._accounts[account_id] = account
        return account.head()

    def records(self, account_id: str, after: int = 0) -> Iterator[StepRecord]:
        """Yield an account's records in order, from the one after a position."""
        account = self._accounts.get(account_id)
        for step in account.steps[after:] if account is not None else ():
            yield parse(step["payload"].encode())

    def accounts(self) -> list[str]:
        """Return the accounts that have records, sorted."""
        return sorted(self._accounts)

    def verify(self, account_id: str | None = None) -> list[Break]:
        """Recompute every hash, chain and row. Return what does not hold."""
        found = []
        for name in self.accounts() if account_id is None else [account_id]:
            account = self._accounts.get(name)
            if account is not None:
                found += breaks(name, [Window(account.steps, dict(account.rows))])
        return found

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def _check(result: Made, known: _Ids, added: _Ids, once: dict[tuple[object, ...], Columns]) -> None:
    # What the database holds by constraints and triggers. Ids are added to ``added``, rows written once to ``once``
    place = f"account {result.step['account_id']} step {result.step['step']}"
    if result.step["hour_ns"] < 0:
        raise LedgerRefused(f"{place}: a time before 1970")
    for table, row in result.once:
        key = (table, *(row[name] for name in BY_NAME[table].key))
        once.setdefault(key, row)
    for table, row in result.rows:
        if table in _IDENTIFIERS:
            identifier = (table, row[BY_NAME[table].key[1]])
            if identifier in known or identifier in added:
                raise LedgerRefused(f"{place}: {table}: {identifier[1]} was used before")
            added.add(identifier)
    for table, row in result.rows:
        reason = _refers(table, row, known, added) or _limit(table, row, once)
        if reason is not None:
            raise LedgerRefused(f"{place}: {table} ordinal {row['ordinal']}: {reason}")
    lopsided = unbalanced(result.rows)
    if lopsided is not None:
        raise LedgerRefused(f"{place}: {lopsided}")


def _refers(table: str, row: Columns, known: _Ids, added: _Ids) -> str | None:
    for reference in BY_NAME[table].references:
        if reference.table in _IDENTIFIERS:
            wanted = (reference.table, row[reference.columns[1]])
            if wanted not in known and wanted not in added:
                return f"{reference.columns[1]} {wanted[1]} is not in {reference.table}"
    return None


def _limit(table: str, row: Columns, once: dict[tuple[object, ...], Columns]) -> str | None:
    if table in ("orders", "fills") and row["quantity_lots"] <= 0:
        return f"quantity_lots must be > 0, was {row['quantity_lots']}"
    if table in ("lots", "trades") and row["lots"] == 0:
        return "lots must not be 0"
    if table != "decisions" or row["profile"] is None:
        return None
    named = (row["account_id"], row["profile"], row["profile_version"])
    if once["profiles", *named]["leverage_max_bp"] != row["leverage_max_bp"]:
        return f"leverage_max_bp {row['leverage_max_bp']} is not that of profile {row['profile']}"
    if once["profile_tiers", *named, row["tier"]]["tier_entries"] != row["tier_entries"]:
        return f"tier_entries is not that of tier {row['tier']}"
    if not row["tier_from_bp"] <= row["drawdown_bp"] < row["tier_to_bp"]:
        return f"drawdown_bp {row['drawdown_bp']} is not in tier {row['tier']}"
    if row["approved"] and row["adds"]:
        if row["gross_after_bp"] > row["leverage_max_bp"]:
            return f"approved, with gross_after_bp {row['gross_after_bp']} above {row['leverage_max_bp']}"
        if not row["tier_entries"]:
            return f"approved, though tier {row['tier']} allows no entries"
    return None
