"""Text to numbers, a block at a time and exactly: no price passes through a float on its way to ticks."""

import datetime
import zoneinfo
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from njord.domain.clock import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S, iso, time_ns
from njord.domain.instrument import TICKS_MAX
from njord.market.importers.sieve import Sieve

UNIT_NS = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
# A stamp outside is of another unit, or garbage
TIME_MIN_NS, TIME_MAX_NS = 0, 4_102_444_800 * NS_PER_S  # 1970 .. 2100
DECIMALS_MAX = 18

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

FINE, EMPTY, NOT_A_NUMBER, OFF_GRID, TOO_LARGE = range(5)


class Step(msgspec.Struct, frozen=True):
    """A tick or lot, and how texts in a file are scaled: ``shift`` 4 reads 136300 as 13.63."""

    size: Decimal
    shift: int = 0

    @property
    def decimals(self) -> int:
        exponent = self.size.normalize().as_tuple().exponent
        assert isinstance(exponent, int), self.size
        return max(0, -exponent, self.shift)


def steps(text: pa.Array, step: Step) -> tuple[Ints, Codes]:
    """Return numbers as whole steps, with a code for each that is not: empty, no number, off the grid, too large."""
    values, codes = scaled(text, step.decimals - step.shift)
    unit = int(step.size.scaleb(step.decimals))
    if unit != 1:
        values, odd = np.divmod(values, unit)
        codes = np.where((codes == FINE) & (odd != 0), OFF_GRID, codes).astype(np.int8)
    codes = np.where((codes == FINE) & (np.abs(values) > TICKS_MAX), TOO_LARGE, codes).astype(np.int8)
    return values, codes


def scaled(text: pa.Array, decimals: int) -> tuple[Ints, Codes]:
    """Return decimal texts times 10^decimals, exactly, with a code for each that cannot be."""
    try:
        return _low_words(pc.cast(text, pa.decimal128(38, decimals)))
    except pa.ArrowInvalid:
        pass
    # Something in this block is wrong: find out what, one by one
    values, codes = np.zeros(len(text), dtype=np.int64), np.zeros(len(text), dtype=np.int8)
    for position, item in enumerate(text.to_pylist()):
        values[position], codes[position] = _one(item, decimals)
    return values, codes


def read_steps(sieve: Sieve, text: pa.Array, step: Step, name: str, *, minimum: int) -> Ints:
    """Return a column as steps; refuse rows with no number, off the grid, or under ``minimum`` steps (0 or 1)."""
    values, codes = steps(text, step)
    if codes.any():
        sieve.refuse(codes == EMPTY, lambda _: f"{name} is empty")
        sieve.refuse(codes == NOT_A_NUMBER, lambda at: f"{name} {sieve.shown(name, at)} is not a number")
        sieve.refuse(codes == OFF_GRID, lambda at: f"{name} {sieve.shown(name, at)} is off the grid of {step.size:f}")
        sieve.refuse(codes == TOO_LARGE, lambda at: f"{name} {sieve.shown(name, at)} is over 2**53 x {step.size:f}")
    sieve.refuse(values < 0, lambda at: f"{name} {sieve.shown(name, at)} is negative")
    if minimum > 0:
        sieve.refuse(values < minimum, lambda at: f"{name} {sieve.shown(name, at)} is zero")
    return values


def read_floats(sieve: Sieve, text: pa.Array, name: str) -> Floats:
    """Return a column of sizes as floats; refuse rows where it is not a finite number >= 0."""
    try:
        values: Floats = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values = np.array([_float(item) for item in text.to_pylist()], dtype=np.float64)
    odd = ~np.isfinite(values)
    if odd.any():
        empty = pc.equal(text, "").to_numpy(zero_copy_only=False)
        sieve.refuse(empty, lambda _: f"{name} is empty")
        sieve.refuse(odd, lambda at: f"{name} {sieve.shown(name, at)} is not a number")
    sieve.refuse(values < 0, lambda at: f"{name} {sieve.shown(name, at)} is negative")
    return values


def read_integers(sieve: Sieve, text: pa.Array, name: str) -> Ints:
    """Return a column of whole numbers such as ids; refuse rows where it is not one."""
    values, codes = scaled(text, 0)
    sieve.refuse(codes != FINE, lambda at: f"{name} {sieve.shown(name, at)} is not a whole number")
    return values


def decimals_used(text: pa.Array, shift: int = 0) -> int:
    """Return the most decimals any number among the texts needs, trailing zeros not counted.

    Integers of 10^-shift need ``shift``: that is the grid their source keeps.
    """
    if shift:
        return shift
    plain = pc.match_substring_regex(text, r"^[+-]?[0-9]*\.[0-9]+$")
    fractions = pc.utf8_rtrim(pc.filter(text, plain), "0")
    lengths = pc.subtract(pc.subtract(pc.binary_length(fractions), pc.find_substring(fractions, ".")), 1)
    most = pc.max(lengths).as_py() or 0
    powers = pc.filter(text, pc.match_substring_regex(text, r"^[+-]?[0-9.]+[eE][+-]?[0-9]+$"))
    for item in powers.to_pylist():
        exponent = Decimal(item).normalize().as_tuple().exponent
        most = max(most, -exponent if isinstance(exponent, int) else 0)
    return min(most, DECIMALS_MAX)


class TimeRule(msgspec.Struct, frozen=True):
    """How a column says the time: a unit since 1970, or ``iso``, ``lean`` (20140606 00:00) or milliseconds of a day."""

    unit: str  # s, ms, us, ns, iso, lean
    zone: str | None = None  # Of times that do not say it themselves; None is UTC
    day_ns: int = 0  # Midnight local time, of files that give the time of one day


def detect_unit(sample: str) -> str:
    """Return the unit of a time stamp by its looks and size."""
    whole = sample.partition(".")[0].lstrip("-")
    if not whole.isdigit():
        return "lean" if len(sample) > 8 and sample[:8].isdigit() and sample[8] == " " else "iso"
    # 1e11 s is the year 5138, 1e11 ms is 1973
    return "s" if len(whole) <= 11 else "ms" if len(whole) <= 14 else "us" if len(whole) <= 17 else "ns"


def read_times(sieve: Sieve, text: pa.Array, rule: TimeRule, name: str) -> Ints:
    """Return a column of times as nanoseconds UTC; refuse rows whose time cannot be read or is not in 1970 .. 2100."""
    if rule.unit in UNIT_NS:
        # As decimals, since seconds may have a fraction
        digits = len(str(UNIT_NS[rule.unit])) - 1
        values, codes = scaled(text, digits)
        bad, too_large = (codes != FINE) & (codes != TOO_LARGE), codes == TOO_LARGE
    else:
        too_large = np.zeros(len(text), dtype=np.bool_)
        values, bad = _texts(text, rule.unit)
    if rule.day_ns or (rule.zone and rule.unit not in UNIT_NS):
        values = to_utc(values + rule.day_ns, rule.zone)
    sieve.refuse(bad, lambda at: f"{name} {sieve.shown(name, at)} is not a time ({rule.unit})")
    far = too_large | (values < TIME_MIN_NS) | (values >= TIME_MAX_NS)
    sieve.refuse(far, lambda at: f"{name} {sieve.shown(name, at)} in {rule.unit} is not between 1970 and 2100")
    return values


def to_utc(local_ns: Ints, zone: str | None) -> Ints:
    """Return local times as UTC. An hour that a clock change repeats is taken as its first pass."""
    if not zone or zone == "UTC":
        return local_ns
    offset_of = _offset_rule(zone)
    # Offsets change on quarter hours at most; few distinct ones occur
    quarters, inverse = np.unique(local_ns // (15 * NS_PER_MINUTE), return_inverse=True)
    offsets = np.array([offset_of(int(quarter) * 15 * NS_PER_MINUTE) for quarter in quarters], dtype=np.int64)
    shifted: Ints = local_ns - offsets[inverse]
    return shifted


def check_zone(zone: str) -> None:
    """Raise ValueError unless ``zone`` is an offset such as +03:00 or the name of a time zone."""
    _offset_rule(zone)


def _offset_rule(zone: str) -> Callable[[int], int]:
    if zone[:1] in "+-":
        hours, _, minutes = zone[1:].partition(":")
        if not (hours.isdigit() and (minutes or "0").isdigit() and int(hours) <= 14 and int(minutes or 0) < 60):
            raise ValueError(f"timezone {zone!r}: an offset looks like +03:00")
        fixed = (int(hours) * NS_PER_HOUR + int(minutes or 0) * NS_PER_MINUTE) * (-1 if zone[0] == "-" else 1)
        return lambda _: fixed
    try:
        info = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError(
            f"timezone {zone!r}: unknown; use UTC, an offset such as +03:00 or a name such as Europe/Oslo"
        ) from None

    def offset_ns(local_ns: int) -> int:
        moment = datetime.datetime(1970, 1, 1, tzinfo=info) + datetime.timedelta(seconds=local_ns // NS_PER_S)
        offset = moment.utcoffset()
        assert offset is not None
        return int(offset.total_seconds()) * NS_PER_S

    return offset_ns


def day_start_ns(text: str) -> int:
    """Return YYYYMMDD as nanoseconds of its midnight. Raises ValueError."""
    return time_ns(f"{text[:4]}-{text[4:6]}-{text[6:8]}")


def day_text(day_ns: int) -> str:
    """Return the UTC day of a time as text: 2020-01-31."""
    return iso(day_ns - day_ns % NS_PER_DAY)[:10]


def _texts(text: pa.Array, unit: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
    if unit == "lean":
        text = pc.replace_substring_regex(text, r"^([0-9]{4})([0-9]{2})([0-9]{2}) ", r"\1-\2-\3 ")
    for type_ in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            values: Ints = pc.cast(pc.cast(text, type_), pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            continue
        return values, np.zeros(len(text), dtype=np.bool_)
    values, bad = np.zeros(len(text), dtype=np.int64), np.zeros(len(text), dtype=np.bool_)
    for position, item in enumerate(text.to_pylist()):
        try:
            values[position] = time_ns(item)
        except (ValueError, OverflowError):
            bad[position] = True
    return values, bad


def _low_words(values: pa.Array) -> tuple[Ints, Codes]:
    words = np.frombuffer(values.buffers()[1], dtype=np.int64)[2 * values.offset : 2 * (values.offset + len(values))]
    low, high = words[0::2].copy(), words[1::2]
    return low, np.where(high == (low >> 63), FINE, TOO_LARGE).astype(np.int8)


def _one(item: str, decimals: int) -> tuple[int, int]:
    if not item:
        return 0, EMPTY
    try:
        value = Decimal(item)
    except InvalidOperation:
        return 0, NOT_A_NUMBER
    if not value.is_finite() or "_" in item or item != item.strip():
        return 0, NOT_A_NUMBER
    if value.adjusted() + decimals > 30:
        return 0, TOO_LARGE
    shifted = value.scaleb(decimals)
    if shifted != shifted.to_integral_value():
        # The sign still tells: -0.001 is refused as negative, not as off the grid
        return (-1 if value < 0 else 0), OFF_GRID
    whole = int(shifted)
    return (whole, FINE) if abs(whole) < 2**63 else (0, TOO_LARGE)


def _float(item: str) -> float:
    try:
        return float(item)
    except ValueError:
        return float("nan")
