"""What a run is asked to be: the config file, validated. Every mistake is one line that names the field."""

import enum
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.clock import interval_ns, time_ns
from njord.domain.ids import InstrumentId, instrument_id
from njord.domain.market import Kind
from njord.domain.profile import (
    ANYWHERE,
    PROFILES,
    Breakers,
    DrawdownTier,
    RiskProfile,
    SevereLoss,
    VarLimit,
    VenueProfile,
)
from njord.domain.spelling import suggestion
from njord.engine.curves import BadCurve, read_curve
from njord.risk.sizing import Sizing
from njord.venues.simulated.latency import LatencyKnot
from njord.venues.simulated.settings import Fees, QueueSettings, Slippage, VenueSettings

DATA_MAX = 1_000
STRATEGIES_MAX = 1_000


class ConfigError(ValueError):
    """A config asks for what cannot be. The message names the field."""


class DataSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One data set, from ``start`` up to and without ``end``."""

    instrument: str
    kind: Kind = Kind.BARS
    interval: str | None = None
    start: str | None = msgspec.field(name="from", default=None)
    end: str | None = msgspec.field(name="to", default=None)

    @property
    def instrument_id(self) -> InstrumentId:
        return instrument_id(self.instrument)

    @property
    def interval_ns(self) -> int | None:
        return None if self.interval is None else interval_ns(self.interval)

    @property
    def start_ns(self) -> int | None:
        return None if self.start is None else time_ns(self.start)

    @property
    def end_ns(self) -> int | None:
        return None if self.end is None else time_ns(self.end)


class StrategySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy: a built-in by name, or a file of your own. ``instruments`` defaults to all that have data."""

    name: str | None = None
    file: str | None = None
    params: dict[str, Any] = {}
    instruments: list[str] | None = None
    sizing: Sizing | None = None
    model: str | None = None  # The model its signals come from: in a session it trades only while that is active
    share: Decimal | None = None  # Of the equity, for it to work with


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account: its currency and what is paid in at the start."""

    currency: str
    cash: Decimal


class World(enum.StrEnum):
    """Where a config may be run."""

    PAPER = "paper"
    LIVE = "live"


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole run. ``venue`` holds for all venues, ``venues`` for those it names instead.

    ``compiled`` runs one kernel strategy and the venue as one compiled loop over L2 data, without the risk engine.
    """

    data: list[DataSpec]
    strategies: list[StrategySpec]
    account: AccountSpec
    venue: VenueSettings = VenueSettings()
    venues: dict[str, VenueSettings] = {}
    risk: str | RiskProfile = "capital_preserving"
    venue_profile: VenueProfile = ANYWHERE
    env: World = World.PAPER  # Live trading needs this, and NJORD_ENABLE_LIVE=1
    seed: int = 1
    compiled: bool = False

    @property
    def profile(self) -> RiskProfile:
        return self.risk if isinstance(self.risk, RiskProfile) else PROFILES[self.risk]


_NESTED: dict[str, type[msgspec.Struct]] = {
    "data": DataSpec, "strategies": StrategySpec, "account": AccountSpec, "venue": VenueSettings,
    "venues": VenueSettings, "risk": RiskProfile, "fees": Fees, "slippage": Slippage, "sizing": Sizing,
    "queue": QueueSettings, "latency_curve": LatencyKnot, "drawdown_tiers": DrawdownTier, "severe_loss": SevereLoss,
    "value_at_risk": VarLimit, "breakers": Breakers, "venue_profile": VenueProfile,
}  # fmt: skip


def parse(document: Any, source: str = "config", here: Path | None = None) -> RunConfig:
    """Return a config read from a YAML or JSON document. Raises ConfigError: ``source: field: what is wrong``.

    A latency curve may be the path of a CSV file, from ``here`` where it is relative; its knots become the config's.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(f"{source}: must be a mapping with data, strategies and account, was {_shown(document)}")
    document = _with_curves(document, source, here)
    _check_keys(document, RunConfig, source, "")
    _check_numbers(document, source, "")
    try:
        config = msgspec.convert(document, RunConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_worded(str(error))}") from None
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    _check(config, source)
    return config


def restore(document: Any, source: str) -> RunConfig:
    """Return a config from its own canonical form, in which decimals are text. Raises ConfigError."""
    try:
        config = msgspec.convert(document, RunConfig)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{source}: {_worded(str(error))}") from None
    _check(config, source)
    return config


def _with_curves(document: Mapping[str, Any], source: str, here: Path | None) -> Mapping[str, Any]:
    """Return a document with the knots of its latency curves in place of the files they are in."""
    found = dict(document)
    for key, value in document.items():
        if not isinstance(value, Mapping):
            continue
        if key == "venue":
            found[key] = _with_curve(value, f"{source}: {key}", here)
        elif key == "venues":
            found[key] = {name: _with_curve(each, f"{source}: {key}.{name}", here) for name, each in value.items()}
    return found


def _with_curve(venue: Any, where: str, here: Path | None) -> Any:
    file = venue.get("latency_curve") if isinstance(venue, Mapping) else None
    if not isinstance(file, str):
        return venue
    path = Path(file).expanduser()
    try:
        knots = read_curve(path if here is None or path.is_absolute() else here / path)
    except BadCurve as error:
        raise ConfigError(f"{where}.latency_curve: {error}") from None
    return {**venue, "latency_curve": msgspec.to_builtins(knots)}


def _check(config: RunConfig, source: str) -> None:
    if not config.data:
        raise ConfigError(f"{source}: data: must name at least one data set")
    if not config.strategies:
        raise ConfigError(f"{source}: strategies: must name at least one strategy")
    if len(config.data) > DATA_MAX or len(config.strategies) > STRATEGIES_MAX:
        raise ConfigError(f"{source}: at most {DATA_MAX} data sets and {STRATEGIES_MAX} strategies")
    if not config.account.cash.is_finite() or config.account.cash < 0:
        raise ConfigError(f"{source}: account.cash: must be 0 or more, was {config.account.cash}")
    if isinstance(config.risk, str) and config.risk not in PROFILES:
        raise ConfigError(f"{source}: risk: no profile {config.risk!r}{suggestion(config.risk, PROFILES)}")
    for position, spec in enumerate(config.data):
        _check_data(spec, f"{source}: data[{position}]")
    for position, strategy in enumerate(config.strategies):
        if (strategy.name is None) == (strategy.file is None):
            raise ConfigError(f"{source}: strategies[{position}]: needs either name or file")


def _check_data(spec: DataSpec, where: str) -> None:
    for field, read in (
        ("instrument", lambda: spec.instrument_id), ("interval", lambda: spec.interval_ns),
        ("from", lambda: spec.start_ns), ("to", lambda: spec.end_ns),
    ):  # fmt: skip
        try:
            read()
        except ValueError as error:
            raise ConfigError(f"{where}.{field}: {error}") from None
    needs = spec.kind in (Kind.BARS, Kind.QUOTE_BARS)
    if needs != (spec.interval is not None):
        raise ConfigError(f"{where}.interval: {spec.kind} {'need one, such as 1h' if needs else 'have none'}")
    if spec.start_ns is not None and spec.end_ns is not None and spec.start_ns >= spec.end_ns:
        raise ConfigError(f"{where}: from {spec.start} must be before to {spec.end}: the range is empty")


def _check_keys(document: Mapping[str, Any], struct: type[msgspec.Struct], source: str, path: str) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(struct)]
    for key, value in document.items():
        here = f"{path}{key}"
        if key not in known:
            raise ConfigError(f"{source}: {here}: no such field{suggestion(str(key), known)}")
        nested = _NESTED.get(key)
        if nested is None:
            continue
        parts: list[tuple[str, Any]] = [(here, value)]
        if key == "venues" and isinstance(value, Mapping):
            parts = [(f"{here}.{name}", part) for name, part in value.items()]
        elif isinstance(value, list):
            parts = [(f"{here}[{position}]", part) for position, part in enumerate(value)]
        for name, part in parts:
            if isinstance(part, Mapping):
                _check_keys(part, nested, source, f"{name}.")


_NUMBERS = frozenset(
    {
        "maker", "taker", "per_quantity", "cash", "latency_ms", "feed_latency_ms", "volume_share", "coefficient",
        "seed", "leverage_max", "order_notional_max", "symbol_notional_max", "portfolio_notional_max",
        "order_quantity_max", "price_collar", "market_order_buffer", "volatility", "kelly_fraction", "half_life_bars",
        "equity_share_max", "order_latency_ms", "response_latency_ms", "exponent", "open_orders_max", "time_ns",
        "order_ns", "response_ns", "feed_ns",
    }
)  # fmt: skip


def _check_numbers(value: Any, source: str, path: str) -> None:
    # A number in quotes is usually a slip, and "0.1%" is not a tenth of a percent to everybody: say so
    if isinstance(value, Mapping):
        for key, part in value.items():
            here = f"{path}.{key}" if path else str(key)
            if key in _NUMBERS and isinstance(part, (str, bool)):
                raise ConfigError(f"{source}: {here}: must be a number, was {_shown(part)}")
            if key != "params":
                _check_numbers(part, source, here)
    elif isinstance(value, list):
        for position, part in enumerate(value):
            _check_numbers(part, source, f"{path}[{position}]")


def _worded(message: str) -> str:
    what, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    return f"{path}: {what[0].lower()}{what[1:]}" if path else what


def _shown(value: object) -> str:
    kinds = {str: "text", bool: "true or false", list: "a list", type(None): "nothing"}
    return f"{kinds.get(type(value), type(value).__name__)} {value!r}" if value is not None else "nothing"
