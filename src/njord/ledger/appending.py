"""Which of the records offered are new: the rules of the port that do not need a database."""

from collections.abc import Callable, Sequence

from njord.ledger.port import Head, LedgerRefused
from njord.ledger.record import StepRecord
from njord.ledger.rows import EMPTY_CHAIN, payload, sha256

# One transaction holds so many records at most: what is held in memory and rolled back together stays bounded
RECORDS_PER_COMMIT_MAX = 10_000


def empty_head() -> Head:
    """Return the head of an account that has no records."""
    return Head(position=0, session_id="", sequence=0, chain=EMPTY_CHAIN)


def one_account(records: Sequence[StepRecord]) -> str:
    """Return the account all records are of. Raises LedgerRefused when they are of several, or too many at once."""
    if len(records) > RECORDS_PER_COMMIT_MAX:
        raise LedgerRefused(f"{len(records)} records at once: at most {RECORDS_PER_COMMIT_MAX}")
    accounts = sorted({record.account_id for record in records})
    if len(accounts) != 1:
        raise LedgerRefused(f"records of accounts {', '.join(accounts)} in one call: one account a call")
    return accounts[0]


def fresh(
    records: Sequence[StepRecord],
    head: Head,
    stored_hash: Callable[[str, int], str | None],
    known_session: Callable[[str], bool],
) -> list[tuple[StepRecord, str]]:
    """Return the records that are not there yet, each with its payload.

    ``stored_hash`` gives the payload hash of a session's sequence, None where there is none; ``known_session`` whether
    a session has records. Raises LedgerRefused for a record that is there with other content, or comes before the last.
    """
    found: list[tuple[StepRecord, str]] = []
    session_id, sequence = head.session_id, head.sequence
    pending: dict[tuple[str, int], str] = {}
    begun: set[str] = set()
    for record in records:
        text = payload(record)
        place = f"account {record.account_id} session {record.session_id} sequence {record.sequence}"
        key = (record.session_id, record.sequence)
        is_next = record.session_id == session_id and record.sequence > sequence
        there = None if is_next else pending.get(key) or stored_hash(*key)
        if there is not None:
            if there != sha256(text):
                raise LedgerRefused(f"{place}: is on record with other content")
            continue
        if not is_next and record.session_id == session_id:
            if head.position or found:
                raise LedgerRefused(f"{place}: comes before the last, sequence {sequence}")
        elif not is_next and (record.session_id in begun or known_session(record.session_id)):
            raise LedgerRefused(f"{place}: session {session_id} has begun since, and this one cannot go on")
        session_id, sequence = record.session_id, record.sequence
        begun.add(session_id)
        pending[key] = sha256(text)
        found.append((record, text))
    return found
