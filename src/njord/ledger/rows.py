"""From a record to rows: a pure function, so that a verifier can make them again and compare.

Each row's hash is SHA-256 over its table and columns; ``rows_hash`` of a step is SHA-256 over the hashes of its rows in
order; ``chain`` is SHA-256 over the chain before it, the hash of the payload and ``rows_hash``.
"""

import collections
import hashlib
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

import msgspec

from njord.domain.command import (
    Assessed,
    CancelOrder,
    Command,
    Entry,
    Reallocated,
    Refused,
    ReplaceOrder,
    Restricted,
    Snapshot,
    StrategyNote,
    StrategyStopped,
)  # fmt: skip
from njord.domain.event import (
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)  # fmt: skip
from njord.domain.fill import Fill
from njord.domain.governance import AllocationChanged, Cleared, ModelActivated, OrderUnknown, ProfileChanged, Tripped
from njord.domain.order import NewOrder
from njord.domain.profile import RiskProfile
from njord.ledger.port import LedgerRefused
from njord.ledger.record import StepRecord, canonical, parse
from njord.ledger.tables import BY_NAME, UNITS_DIGITS_MAX, UNLIMITED_BP, Kind

NS_PER_HOUR = 3_600_000_000_000
EMPTY_CHAIN = "0" * 64
_INT64_MAX = 2**63 - 1

Columns = dict[str, Any]
Row = tuple[str, Columns]
_encode = msgspec.json.Encoder().encode
_NAMES = {name: table.names[:-1] for name, table in BY_NAME.items()}
_KINDS = {name: {column.name: column.kind for column in table.columns} for name, table in BY_NAME.items()}
_ORDER_EVENTS: dict[type, str] = {
    OrderAccepted: "accepted", OrderRejected: "rejected", OrderCancelled: "cancelled", OrderExpired: "expired",
    OrderReplaced: "replaced", CancelRejected: "cancel_rejected", OrderUnknown: "unknown",
}  # fmt: skip


class Tier(NamedTuple):
    """One drawdown tier of a profile on record, in 1/10000 of the highest equity: from, and up to but without."""

    from_bp: int
    to_bp: int
    entries: bool


class OnRecord(NamedTuple):
    """A profile on record: its canonical text, and its drawdown tiers; number 0 is above all that it names."""

    definition: str
    tiers: tuple[Tier, ...]


Profiles = dict[tuple[str, int], OnRecord]  # By name and version


class Made(NamedTuple):
    """A record as rows. ``once`` are those to be written unless they are there already; ``rows`` are all others."""

    step: Columns
    rows: list[Row]
    once: list[Row]

    @property
    def chain(self) -> str:
        return str(self.step["chain"])


def payload(record: StepRecord) -> str:
    """Return the canonical text of a record. Raises LedgerRefused for one that would not read back as itself."""
    try:
        data = canonical(record)
        back = canonical(parse(data))
    except (ValueError, msgspec.MsgspecError) as error:
        raise LedgerRefused(f"{_place(record)}: cannot be written down: {error}") from error
    if back != data:
        raise LedgerRefused(f"{_place(record)}: does not read back as it was written")
    return data.decode()


def sha256(text: str) -> str:
    """Return the hash of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def chained(previous: str, payload_hash: str, rows_hash: str) -> str:
    """Return the chain after a step."""
    return sha256(f"{previous}|{payload_hash}|{rows_hash}")


def row_hash(table: str, row: Columns) -> str:
    """Return the hash of a row's columns. Raises LedgerRefused where a number does not fit its column."""
    values = [row[name] for name in _NAMES[table]]
    for value in values:
        if value.__class__ is int and not -_INT64_MAX <= value <= _INT64_MAX:
            _check_numbers(table, row)
    return hashlib.sha256(_encode([table, *values])).hexdigest()


def made(record: StepRecord, text: str, step: int, previous_chain: str, profiles: Profiles) -> Made:
    """Return the rows of a record at a position, after the step whose chain is given; ``text`` is its payload.

    ``profiles`` are those on record; one that the record brings is added to it. Raises LedgerRefused for a decision
    under a profile that is not on record, for one recorded before with other content, and for numbers too large.
    """
    hour_ns = record.time_ns // NS_PER_HOUR * NS_PER_HOUR
    writer = _Writer(record, hour_ns, step, profiles)
    writer.event(record.event)
    unassessed = _unassessed(record.commands)
    for index, command in enumerate(record.commands):
        writer.command(command, index in unassessed)
    writer.lots()
    rows_hash = sha256("".join(row["row_hash"] for _, row in writer.rows))
    payload_hash = sha256(text)
    columns = {
        "account_id": record.account_id, "session_id": record.session_id, "hour_ns": hour_ns, "step": step,
        "sequence": record.sequence, "time_ns": record.time_ns, "cause": _text(record.cause), "payload": text,
        "payload_hash": payload_hash, "rows_count": len(writer.rows), "rows_hash": rows_hash,
        "chain": chained(previous_chain, payload_hash, rows_hash),
    }  # fmt: skip
    _check_numbers("steps", columns)
    return Made(columns, writer.rows, writer.once)


def on_record(profile: RiskProfile) -> OnRecord:
    """Return what the ledger keeps of a profile."""
    starts = [0, *(_bp(tier.drawdown, up=True) for tier in profile.drawdown_tiers)]
    entries = [True, *(tier.entries for tier in profile.drawdown_tiers)]
    ends = [*starts[1:], UNLIMITED_BP]
    return OnRecord(_json(profile), tuple(Tier(*tier) for tier in zip(starts, ends, entries, strict=True)))


def unbalanced(rows: list[Row]) -> str | None:
    """Return the first entry whose postings do not sum to zero for each asset, with its sums; None if all do."""
    sums: dict[tuple[str, str], int] = {}
    for table, row in rows:
        if table == "postings":
            key = (row["entry_id"], row["asset"])
            sums[key] = sums.get(key, 0) + row["amount"]
    for (entry_id, asset), total in sums.items():
        if total:
            return f"entry {entry_id}: its postings of {asset} sum to {total}, not to zero"
    return None


class _Writer:
    """Collects the rows of one record, numbering them."""

    def __init__(self, record: StepRecord, hour_ns: int, step: int, profiles: Profiles) -> None:
        self.rows: list[Row] = []
        self.once: list[Row] = []
        self._record = record
        self._profiles = profiles
        self._leading = (record.account_id, record.session_id, hour_ns, step)
        self._ordinal = 0
        self._add_once("hours")

    def event(self, event: Event | None) -> None:
        kind = event.__class__
        if kind is Fill:
            assert isinstance(event, Fill)
            self._identify("fill_ids", fill_id=event.fill_id)
            self._add("fills", **msgspec.structs.asdict(event))
        elif kind in _ORDER_EVENTS:
            self._order_event(_ORDER_EVENTS[kind], event)
        elif isinstance(event, Tripped):
            self._add(
                "kill_events", kind="tripped", scope=str(event.scope), source=event.source, actors=_json([event.actor]),
                reason=event.reason, flatten=event.flatten, venue_time_ns=event.venue_time_ns,
            )  # fmt: skip
        elif isinstance(event, Cleared):
            self._add(
                "kill_events", kind="cleared", scope=str(event.scope), source=None, actors=_json(event.actors),
                reason=event.reason, flatten=None, venue_time_ns=event.venue_time_ns,
            )  # fmt: skip
        elif isinstance(event, ProfileChanged):
            self._profile(event)
        elif isinstance(event, AllocationChanged):
            for strategy_id, share in sorted(event.shares.items()):
                self._add(
                    "allocations", kind="governance", strategy_id=strategy_id, before_share=None,
                    after_share=str(share), actor=event.actor, approval_id=event.approval_id, reason=event.reason,
                )  # fmt: skip
        elif isinstance(event, ModelActivated):
            self._add(
                "models", model_id=event.model_id, active=event.active, actor=event.actor, approval_id=event.approval_id
            )

    def command(self, command: Command, unassessed: bool) -> None:
        if unassessed:
            self._bare_decision(command)
        if isinstance(command, Entry):
            self._identify("entry_ids", entry_id=command.entry_id)
            self._add("entries", entry_id=command.entry_id, cause=command.cause, entry_time_ns=command.time_ns)
            for leg, posting in enumerate(command.postings):
                self._add(
                    "postings", entry_id=command.entry_id, leg=leg, book=posting.account, asset=posting.asset,
                    amount=posting.amount,
                )  # fmt: skip
        elif isinstance(command, Assessed):
            self._assessed(command)
        elif isinstance(command, NewOrder):
            self._order(command)
        elif isinstance(command, CancelOrder | ReplaceOrder):
            asked = "cancel_requested" if isinstance(command, CancelOrder) else "replace_requested"
            self._order_event(asked, command)
        elif isinstance(command, Snapshot):
            self._add(
                "snapshots", snapshot_time_ns=command.time_ns, equity_units=command.equity_units,
                peak_units=command.peak_units, day_units=command.day_units, cash=_json(command.cash),
                lots=_json(command.lots), ticks=_json(command.ticks),
            )  # fmt: skip
        elif isinstance(command, Restricted):
            self._add(
                "restrictions",
                scope=str(command.scope),
                cause=command.cause,
                level=command.level,
                whose=command.whose,
                detail=command.detail,
            )
        elif isinstance(command, Reallocated):
            self._add(
                "allocations", kind="engine", strategy_id=command.strategy_id, before_share=str(command.before),
                after_share=str(command.after), actor=None, approval_id=None, reason=command.reason,
            )  # fmt: skip
        elif isinstance(command, StrategyNote):
            self._add("notes", kind="note", strategy_id=command.strategy_id, text=command.text)
        elif isinstance(command, StrategyStopped):
            self._add("notes", kind="stopped", strategy_id=command.strategy_id, text=command.reason)

    def lots(self) -> None:
        for opened in self._record.opened:
            lot = opened.lot
            self._add(
                "lots", strategy_id=opened.strategy_id, instrument_id=opened.instrument_id, fill_id=lot.fill_id,
                lots=lot.lots, cost_units=lot.cost_units, fee_units=lot.fee_units, lot_time_ns=lot.time_ns,
            )  # fmt: skip
        for trade in self._record.closed:
            self._add(
                "trades", strategy_id=trade.strategy_id, instrument_id=trade.instrument_id,
                entry_fill_id=trade.entry_fill_id, exit_fill_id=trade.exit_fill_id, lots=trade.lots,
                entry_units=trade.entry_units, exit_units=trade.exit_units, gain_units=trade.gain_units,
                fee_units=trade.fee_units, entry_time_ns=trade.entry_ns, exit_time_ns=trade.exit_ns,
            )  # fmt: skip

    def _order(self, order: NewOrder) -> None:
        # Derived, so that a replay or a second delivery of the same intent is the same signal
        signal_id = sha256(_encode([order.strategy_id, self._record.cause, order.client_order_id]).decode())
        self._identify("signal_ids", signal_id=signal_id)
        self._add(
            "signals", signal_id=signal_id, strategy_id=order.strategy_id, instrument_id=order.instrument_id,
            cause=self._record.cause, client_order_id=order.client_order_id,
        )  # fmt: skip
        self._identify("order_ids", client_order_id=order.client_order_id)
        self._add("orders", signal_id=signal_id, **msgspec.structs.asdict(order))

    def _order_event(self, kind: str, message: Any) -> None:
        self._add(
            "order_events", kind=kind, client_order_id=message.client_order_id, instrument_id=message.instrument_id,
            reason=getattr(message, "reason", None), quantity_lots=getattr(message, "quantity_lots", None),
            limit_ticks=getattr(message, "limit_ticks", None), venue_time_ns=getattr(message, "venue_time_ns", None),
        )  # fmt: skip

    def _profile(self, event: ProfileChanged) -> None:
        profile = event.profile
        key = (profile.name, profile.version)
        leverage = profile.leverage_max
        leverage_bp = UNLIMITED_BP if leverage is None else _bp(leverage, up=False)
        named = {"profile": profile.name, "profile_version": profile.version}
        self._add("profile_changes", **named, actor=event.actor, approval_id=event.approval_id)
        kept = on_record(profile)
        if self._profiles.setdefault(key, kept) != kept:
            what = f"profile {profile.name} version {profile.version} is on record with other content"
            raise LedgerRefused(f"{_place(self._record)}: {what}: a change needs a new version")
        self._add_once("profiles", **named, leverage_max_bp=leverage_bp, definition=kept.definition)
        for number, tier in enumerate(kept.tiers):
            self._add_once(
                "profile_tiers", **named, tier=number, tier_from_bp=tier.from_bp, tier_to_bp=tier.to_bp,
                tier_entries=tier.entries,
            )  # fmt: skip

    def _assessed(self, seen: Assessed) -> None:
        known = self._profiles.get((seen.profile, seen.profile_version))
        if known is None or not 0 <= seen.tier < len(known.tiers):
            what = f"tier {seen.tier} of profile {seen.profile} version {seen.profile_version}"
            raise LedgerRefused(f"{_place(self._record)}: order {seen.client_order_id}: {what} is not on record")
        columns = msgspec.structs.asdict(seen)
        if seen.leverage_max_bp is None:
            columns["leverage_max_bp"] = UNLIMITED_BP
        columns["approved"] = seen.refusal is None
        tier = known.tiers[seen.tier]
        self._add("decisions", **columns, tier_from_bp=tier.from_bp, tier_to_bp=tier.to_bp)

    def _bare_decision(self, command: Any) -> None:
        reason = command.reason if isinstance(command, Refused) else None
        columns: Columns = dict.fromkeys(_NAMES["decisions"])
        columns.update(
            client_order_id=command.client_order_id, strategy_id=command.strategy_id,
            instrument_id=command.instrument_id, approved=reason is None, refusal=reason,
        )  # fmt: skip
        self._add("decisions", **columns)

    def _identify(self, table: str, **column: str) -> None:
        # Carries the ordinal of the row it is the id of, which is the next
        self.rows.append((table, self._row(table, self._ordinal + 1, column)))

    def _add(self, table: str, **columns: Any) -> None:
        self._ordinal += 1
        self.rows.append((table, self._row(table, self._ordinal, columns)))

    def _add_once(self, table: str, **columns: Any) -> None:
        self.once.append((table, self._row(table, self._ordinal, columns)))

    def _row(self, table: str, ordinal: int, columns: Columns) -> Columns:
        leading = (*self._leading, ordinal)
        row = dict(zip(_NAMES[table], leading, strict=False))
        for name in _NAMES[table][len(leading) :]:
            value = columns[name]
            # Closed words become plain text here, so that what is written and what is read back are equal in kind
            row[name] = _text(value) if isinstance(value, str) else value
        row["row_hash"] = row_hash(table, row)
        return row


def _unassessed(commands: tuple[Command, ...]) -> set[int]:
    # The indices of decisions that nothing was assessed for: what a halt refuses, for example
    assessed = collections.Counter((c.client_order_id, c.refusal) for c in commands if isinstance(c, Assessed))
    found = set()
    for index, command in enumerate(commands):
        if isinstance(command, NewOrder | ReplaceOrder | Refused):
            key = (command.client_order_id, command.reason if isinstance(command, Refused) else None)
            if assessed[key] > 0:
                assessed[key] -= 1
            else:
                found.add(index)
    return found


def _check_numbers(table: str, row: Columns) -> None:
    for name, value in row.items():
        if value.__class__ is int:
            units = _KINDS[table][name] is Kind.UNITS
            if abs(value) > (10**UNITS_DIGITS_MAX - 1 if units else _INT64_MAX):
                width = f"{UNITS_DIGITS_MAX} digits" if units else "64 bits"
                raise LedgerRefused(f"{table}.{name}: {value} does not fit into {width}")


def _text(value: str) -> str:
    # PostgreSQL has no NUL in text. The payload keeps what was said; rows show the sign for it
    return str(value).replace("\0", "\u2400")


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _bp(share: Decimal, *, up: bool) -> int:
    return int((share * 10_000).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def _place(record: StepRecord) -> str:
    return f"account {record.account_id} session {record.session_id} sequence {record.sequence}"
