"""The tables of a ledger, as data: what columns each has, in which order they are hashed, and what they refer to.

``ledger.rows`` makes rows of them, ``ledger.sql.tables`` makes DDL of them. Every table begins with the same five
columns and ends with the hash of the row:

``account_id``, ``session_id``, ``hour_ns`` (the hour the step fell into: the join key of ``hours``), ``step`` (position
of the record in the account's ledger, from 1), ``ordinal`` (place within the step), ..., ``row_hash``.
"""

import enum

import msgspec


class Kind(enum.StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits
    UNITS = "units"  # A whole number of up to 38 digits
    FLAG = "flag"
    JSON = "json"  # Canonical JSON as text, so that it can be hashed


class Column(msgspec.Struct, frozen=True):
    """A column; ``null`` where it may be empty."""

    name: str
    kind: Kind = Kind.TEXT
    null: bool = False


class Reference(msgspec.Struct, frozen=True):
    """A composite foreign key: these columns are found together in another table."""

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table. ``once``: its rows are written when first seen, and later steps refer to them.

    ``key`` is its primary key, ``partitioned`` whether PostgreSQL keeps it in weeks. ``checks`` hold on every row.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("account_id", "step", "ordinal")
    unique: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    partitioned: bool = False
    once: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


UNITS_DIGITS_MAX = 38
UNLIMITED_BP = 2**63 - 1  # Stands for no limit, so that one comparison serves and a foreign key has no gap
LEADING = (
    Column("account_id"), Column("session_id"), Column("hour_ns", Kind.INTEGER), Column("step", Kind.INTEGER),
    Column("ordinal", Kind.INTEGER),
)  # fmt: skip
HASH = Column("row_hash")
_STEP = Reference(
    ("account_id", "session_id", "hour_ns", "step"), "steps", ("account_id", "session_id", "hour_ns", "step")
)


def _columns(text: str) -> tuple[Column, ...]:
    # "name kind?": a question mark where the column may be empty, text where no kind is said
    found = []
    for part in text.split(","):
        name, _, kind = part.strip().partition(" ")
        found.append(Column(name, Kind(kind.rstrip("?") or "text"), kind.endswith("?")))
    return tuple(found)


def _table(
    name: str, columns: str, *references: Reference, checks: tuple[tuple[str, str], ...] = (), partitioned: bool = True
) -> Table:
    return Table(
        name=name, columns=(*LEADING, *_columns(columns), HASH), references=(_STEP, *references), checks=checks,
        partitioned=partitioned,
    )  # fmt: skip


def _identifiers(name: str, column: str) -> Table:
    # A partitioned table of PostgreSQL cannot hold an id unique without its partition key, so ids have tables of their
    # own. Step and ordinal point at the row that owns the id: a second owner would need the same place, which is taken
    return Table(
        name=name,
        columns=(*LEADING, Column(column), HASH),
        key=("account_id", column),
        unique=(("account_id", column, "step", "ordinal"),),
        references=(_STEP,),
    )


def _owns(column: str, table: str) -> Reference:
    return Reference(
        ("account_id", column, "step", "ordinal"), table, ("account_id", column, "step", "ordinal")
    )  # fmt: skip


def _names(column: str, table: str, target: str | None = None) -> Reference:
    return Reference(("account_id", column), table, ("account_id", target or column))


HOURS = Table(name="hours", columns=(*LEADING, HASH), key=("account_id", "session_id", "hour_ns"), once=True)
STEPS = Table(
    name="steps",
    columns=(
        *LEADING[:4],
        *_columns(
            "sequence integer, time_ns integer, cause, payload json, payload_hash, rows_count integer, rows_hash"
        ),
        Column("chain"),
    ),
    key=("account_id", "step"),
    unique=(("account_id", "session_id", "sequence"), ("account_id", "session_id", "hour_ns", "step")),
    references=(Reference(("account_id", "session_id", "hour_ns"), "hours", ("account_id", "session_id", "hour_ns")),),
    checks=(
        ("step", "step > 0"),
        ("hour", "hour_ns >= 0 AND hour_ns % 3600000000000 = 0 AND time_ns - hour_ns BETWEEN 0 AND 3599999999999"),
    ),
)
PROFILES = Table(
    name="profiles",
    columns=(*LEADING, *_columns("profile, profile_version integer, leverage_max_bp integer, definition json"), HASH),
    key=("account_id", "profile", "profile_version"),
    unique=(("account_id", "profile", "profile_version", "leverage_max_bp"),),
    references=(_STEP,),
    once=True,
)
_TIER = ("account_id", "profile", "profile_version", "tier", "tier_from_bp", "tier_to_bp", "tier_entries")
PROFILE_TIERS = Table(
    name="profile_tiers",
    columns=(
        *LEADING,
        *_columns("profile, profile_version integer, tier integer, tier_from_bp integer, tier_to_bp integer"),
        *_columns("tier_entries flag"),
        HASH,
    ),
    key=("account_id", "profile", "profile_version", "tier"),
    unique=(_TIER,),
    references=(_STEP, Reference(_TIER[:3], "profiles", _TIER[:3])),
    checks=(("range", "tier_from_bp < tier_to_bp"),),
    once=True,
)
_FIGURES = (
    "adds", "order_units", "equity_units", "gross_before_bp", "gross_after_bp", "leverage_max_bp", "drawdown_bp",
    "tier", "tier_from_bp", "tier_to_bp", "tier_entries", "profile", "profile_version",
)  # fmt: skip
DECISIONS = _table(
    "decisions",
    "client_order_id, strategy_id, instrument_id, approved flag, refusal text?, adds flag?, order_units units?, "
    "equity_units units?, gross_before_bp integer?, gross_after_bp integer?, leverage_max_bp integer?, "
    "drawdown_bp integer?, tier integer?, tier_from_bp integer?, tier_to_bp integer?, tier_entries flag?, "
    "var_before_units units?, var_after_units units?, var_max_units units?, profile text?, profile_version integer?",
    Reference(
        ("account_id", "profile", "profile_version", "leverage_max_bp"), "profiles",
        ("account_id", "profile", "profile_version", "leverage_max_bp"),
    ),
    Reference(_TIER, "profile_tiers", _TIER),
    checks=(
        ("reason", "approved = (refusal IS NULL)"),
        # A comparison with NULL passes a CHECK, so figures are all there or all missing
        (
            "figures",
            " OR ".join(
                f"({' AND '.join(f'{name} {rule}' for name in _FIGURES)})" for rule in ("IS NULL", "IS NOT NULL")
            ),
        ),
        ("leverage", "NOT (approved AND adds) OR gross_after_bp <= leverage_max_bp"),
        ("entries", "NOT (approved AND adds) OR tier_entries"),
        ("drawdown", "drawdown_bp >= tier_from_bp AND drawdown_bp < tier_to_bp"),
    ),
)  # fmt: skip

# In the order rows can be written: what is referred to comes first
TABLES: tuple[Table, ...] = (
    HOURS, STEPS, PROFILES, PROFILE_TIERS,
    _identifiers("signal_ids", "signal_id"), _identifiers("order_ids", "client_order_id"),
    _identifiers("fill_ids", "fill_id"), _identifiers("entry_ids", "entry_id"),
    _table(
        "signals", "signal_id, strategy_id, instrument_id, cause, client_order_id", _owns("signal_id", "signal_ids")
    ),
    DECISIONS,
    _table(
        "orders",
        "client_order_id, signal_id, strategy_id, instrument_id, side, order_type, quantity_lots integer, "
        "limit_ticks integer?, stop_ticks integer?, time_in_force, post_only flag, reduce_only flag",
        _owns("client_order_id", "order_ids"), _names("signal_id", "signal_ids"),
        checks=(("quantity", "quantity_lots > 0"), ("side", "side IN ('buy', 'sell')")),
    ),
    _table(
        "order_events",
        "client_order_id, instrument_id, kind, reason text?, quantity_lots integer?, limit_ticks integer?, "
        "venue_time_ns integer?",
    ),
    _table(
        "fills",
        "fill_id, client_order_id, instrument_id, side, price_ticks integer, quantity_lots integer, fee_units units, "
        "fee_asset, liquidity, reason, causation_id, venue_time_ns integer, local_time_ns integer",
        _owns("fill_id", "fill_ids"), _names("client_order_id", "order_ids"),
        checks=(("quantity", "quantity_lots > 0"), ("side", "side IN ('buy', 'sell')")),
    ),
    _table("entries", "entry_id, cause, entry_time_ns integer", _owns("entry_id", "entry_ids")),
    _table("postings", "entry_id, leg integer, book, asset, amount units", _names("entry_id", "entry_ids")),
    _table(
        "lots",
        "strategy_id, instrument_id, fill_id, lots integer, cost_units units, fee_units units, lot_time_ns integer",
        _names("fill_id", "fill_ids"),
        checks=(("lots", "lots <> 0"),),
    ),
    _table(
        "trades",
        "strategy_id, instrument_id, entry_fill_id, exit_fill_id, lots integer, entry_units units, exit_units units, "
        "gain_units units, fee_units units, entry_time_ns integer, exit_time_ns integer",
        _names("entry_fill_id", "fill_ids", "fill_id"), _names("exit_fill_id", "fill_ids", "fill_id"),
        checks=(("lots", "lots <> 0"),),
    ),
    _table(
        "snapshots",
        "snapshot_time_ns integer, equity_units units, peak_units units, day_units units, cash json, lots json, "
        "ticks json",
    ),
    _table("notes", "kind, strategy_id, text"),
    _table("restrictions", "scope, cause, level, whose, detail", partitioned=False),
    _table(
        "kill_events", "kind, scope, source text?, actors json, reason, flatten flag?, venue_time_ns integer",
        partitioned=False,
    ),
    _table("profile_changes", "profile, profile_version integer, actor, approval_id", partitioned=False),
    _table(
        "allocations", "kind, strategy_id, before_share text?, after_share, actor text?, approval_id text?, reason",
        partitioned=False,
    ),
    _table("models", "model_id, active flag, actor, approval_id", partitioned=False),
)  # fmt: skip
BY_NAME = {table.name: table for table in TABLES}
DETAILS = tuple(table for table in TABLES if table is not STEPS and not table.once)
