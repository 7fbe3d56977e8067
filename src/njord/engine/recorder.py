"""The record of a session: journal first, then ledger, and what happens when one of them cannot be written.

- A journal that cannot be written closes the gate. What is to be recorded waits, the session with it, and nothing is
  dropped: it is tried again until there is room, for WAIT_S_MAX at most.
- A ledger that cannot be reached keeps no orders waiting: the journal has everything, records queue up to a bound, and
  until the ledger has caught up nothing new may leave.
- A ledger that refuses a record has found what must not be: the session stops.
"""

import hashlib
from collections.abc import Callable

import msgspec

from njord.domain.governance import GLOBAL, TripSource
from njord.engine.gate import Gate, Trip
from njord.engine.session_journal import STEPS_PER_LINE_MAX, Closed, SessionJournal, Step, Steps, record_of
from njord.ledger.chain import Unwritable
from njord.ledger.port import Ledger, LedgerRefused, LedgerUnavailable
from njord.ledger.record import StepRecord

# Records that wait for a ledger that cannot be reached. At the bound nothing more is taken in until it can
UNRECORDED_MAX = 10_000
COMMIT_MAX = 1_000  # In one transaction
RETRY_S = 0.25
WAIT_S_MAX = 600.0

_encode = msgspec.json.Encoder().encode


class Stopped(RuntimeError):
    """The session cannot go on. The message says why; what is on record is whole."""


class Recorder:
    """Journal and ledger of one session."""

    def __init__(
        self,
        journal: SessionJournal,
        ledger: Ledger,
        *,
        account_id: str,
        session_id: str,
        gate: Gate,
        wait: Callable[[float], None],
        stuck: Callable[[], None],
        reached: Callable[[str], None],
    ) -> None:
        self._journal, self._ledger = journal, ledger
        self._account_id, self._session_id = account_id, session_id
        self._gate = gate
        self._wait = wait
        self._stuck = stuck  # Called while nothing can be recorded, again and again
        self._reached = reached
        self._steps: list[Step] = []
        self._records: list[StepRecord] = []
        self._hash = hashlib.sha256()

    @property
    def waiting(self) -> int:
        """How many steps the journal has not been handed yet."""
        return len(self._steps)

    @property
    def unrecorded(self) -> int:
        """How many records the ledger does not have yet."""
        return len(self._records)

    @property
    def digest(self) -> str:
        """SHA-256 over all steps that caused commands, in hexadecimal."""
        return self._hash.hexdigest()

    def add(self, step: Step) -> None:
        """Take a step to be recorded."""
        self._steps.append(step)
        if step.commands:
            self._hash.update(digested(step))
        record = record_of(step, self._account_id, self._session_id)
        if record is not None:
            self._records.append(record)

    def flush(self) -> bool:
        """Record all steps. Return whether the ledger has them as well: only then orders may leave.

        Steps that changed nothing but prices are handed to the system; for others the disk is waited for. Raises
        Stopped.
        """
        durable = bool(self._records)
        for start in range(0, len(self._steps), STEPS_PER_LINE_MAX):
            self._journal.append(Steps(tuple(self._steps[start : start + STEPS_PER_LINE_MAX])))
        self._steps.clear()
        self._reached("journal appended")
        self._write(durable)
        self._reached("journal durable")
        if not durable:
            return True
        try:
            while self._records:  # After an outage there may be more than one transaction takes
                self._ledger.commit(self._records[:COMMIT_MAX])
                del self._records[:COMMIT_MAX]
        except LedgerUnavailable:
            return False
        except LedgerRefused as error:
            self._gate.trip(Trip(GLOBAL, TripSource.LEDGER, "ledger", str(error)))
            self._stuck()
            raise Stopped(f"the ledger refused a record: {error}") from error
        self._reached("ledger committed")
        return True

    def close(self, sequence: int) -> None:
        """Write how the session ended, and let go of the journal. Raises Stopped where the ledger cannot catch up."""
        waited_s = 0.0
        while not self.flush():
            waited_s = self._waited(waited_s, "the ledger cannot be reached")
        head = self._ledger.head(self._account_id)
        self._journal.append(Closed(sequence, self.digest, head.position, head.chain))
        self._write(durable=True)
        self._journal.close()

    def _write(self, durable: bool) -> None:
        waited_s = 0.0
        while True:
            try:
                if durable:
                    self._journal.sync()
                else:
                    self._journal.write()
            except Unwritable as error:
                if waited_s == 0.0:
                    self._gate.trip(Trip(GLOBAL, TripSource.JOURNAL, "journal", f"{error.filename}: {error.strerror}"))
                self._stuck()  # Nobody can be told what became of a cancel meanwhile, so it is asked for each time
                waited_s = self._waited(waited_s, f"{error.filename}: {error.strerror}")
            else:
                return

    def _waited(self, so_far_s: float, why: str) -> float:
        if so_far_s >= WAIT_S_MAX:
            raise Stopped(f"{why}, for {WAIT_S_MAX:.0f} s")
        self._wait(RETRY_S)
        return so_far_s + RETRY_S


def digested(step: Step) -> bytes:
    """Return the bytes of a step that the digest of a session is taken of."""
    return _encode((step.sequence, step.time_ns, step.cause, step.commands))
