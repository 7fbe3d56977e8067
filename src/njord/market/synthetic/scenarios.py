"""What may happen to a synthetic market, as data: the same scenario is the same market, in any version.

A scenario is a list of steps at offsets from when it is applied. Its id is the SHA-256 of its canonical JSON.
"""

import hashlib

import msgspec

from njord.domain.ids import InstrumentId
from njord.market.synthetic.adversaries import AdversaryKind

STEPS_MAX = 1_000
# Bounds of what makes sense; the flows and kernels are sized for them
SCALE_MAX = 20.0
OFFSET_S_MAX = 366 * 86_400.0


class Volatility(msgspec.Struct, frozen=True, tag="volatility", forbid_unknown_fields=True):
    """From now on prices move ``scale`` times as much as the universe says. No underliers means all."""

    scale: float
    underliers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("volatility scale", self.scale, 0.0, SCALE_MAX)


class Drift(msgspec.Struct, frozen=True, tag="drift", forbid_unknown_fields=True):
    """From now on this is added to the drift, a fraction a year. No underliers means all."""

    shift: float
    underliers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("drift shift", self.shift, -1_000.0, 1_000.0)


class Halt(msgspec.Struct, frozen=True, tag="halt", forbid_unknown_fields=True):
    """Trading stops. No instruments means all that trade in a book."""

    instruments: tuple[InstrumentId, ...] = ()


class Resume(msgspec.Struct, frozen=True, tag="resume", forbid_unknown_fields=True):
    """Trading goes on, with an auction."""

    instruments: tuple[InstrumentId, ...] = ()


class LiquidityChange(msgspec.Struct, frozen=True, tag="liquidity", forbid_unknown_fields=True):
    """From now on market makers and dealers show ``depth`` times their size at ``spread`` times their spread."""

    depth: float = 1.0
    spread: float = 1.0
    instruments: tuple[InstrumentId, ...] = ()

    def __post_init__(self) -> None:
        _within("liquidity depth", self.depth, 0.0, 100.0)
        _within("liquidity spread", self.spread, 0.1, 100.0)


class Adversaries(msgspec.Struct, frozen=True, tag="adversaries", forbid_unknown_fields=True):
    """From now on ``share`` of all that happens in a book is done by spoofers, stuffers and snipers; 0 ends it."""

    share: float
    kinds: tuple[AdversaryKind, ...] = tuple(AdversaryKind)
    instruments: tuple[InstrumentId, ...] = ()

    def __post_init__(self) -> None:
        _within("adversaries share", self.share, 0.0, 0.9)
        if not self.kinds:
            raise ValueError("adversaries kinds must name at least one")


class FlashCrash(msgspec.Struct, frozen=True, tag="flash_crash", forbid_unknown_fields=True):
    """Values fall by ``drop`` within ``fall_s`` and then win back a share of that, ``recovery``, in ``recovery_s``."""

    drop: float
    fall_s: float
    recovery_s: float
    recovery: float = 1.0
    underliers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("flash crash drop", self.drop, 0.0, 0.95)
        _within("flash crash fall_s", self.fall_s, 0.001, 86_400.0)
        _within("flash crash recovery_s", self.recovery_s, 0.001, 86_400.0)
        _within("flash crash recovery", self.recovery, 0.0, 1.0)


class RatesShift(msgspec.Struct, frozen=True, tag="rates_shift", forbid_unknown_fields=True):
    """All zero rates move by so many basis points, at once, and stay there."""

    bp: float

    def __post_init__(self) -> None:
        _within("rates shift bp", self.bp, -1_000.0, 1_000.0)


Action = Volatility | Drift | Halt | Resume | LiquidityChange | Adversaries | FlashCrash | RatesShift


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happens, ``at_s`` seconds after the scenario was applied."""

    at_s: float
    action: Action

    def __post_init__(self) -> None:
        _within("step at_s", self.at_s, 0.0, OFFSET_S_MAX)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named list of steps. Raises ValueError naming the field that makes no sense."""

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= 100:
            raise ValueError(f"scenario: name must have 1 to 100 characters, was {len(self.name)}")
        if not 0 < len(self.steps) <= STEPS_MAX:
            raise ValueError(f"scenario {self.name}: 1 to {STEPS_MAX} steps, was {len(self.steps)}")
        if any(b.at_s < a.at_s for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"scenario {self.name}: steps must be in the order of at_s")

    @property
    def scenario_id(self) -> str:
        """The name by content: equal scenarios have equal ids."""
        return hashlib.sha256(encode(self)).hexdigest()


def encode(scenario: Scenario) -> bytes:
    """Return the canonical JSON of a scenario: fields in their declared order, no white space."""
    return msgspec.json.encode(scenario)


def decode(content: bytes | str) -> Scenario:
    """Return the scenario that JSON describes. Raises ValueError naming the field."""
    return msgspec.json.decode(content, type=Scenario)


def _within(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} must be within {least:g} and {most:g}, was {value}")


NAMED = {
    each.name: each
    for each in (
        Scenario("calm", (Step(0.0, Volatility(0.5)), Step(0.0, LiquidityChange(depth=2.0)))),
        Scenario("volatile", (Step(0.0, Volatility(3.0)), Step(0.0, LiquidityChange(depth=0.5, spread=2.0)))),
        Scenario("liquidity-crunch", (Step(0.0, LiquidityChange(depth=0.1, spread=5.0)),)),
        Scenario(
            "flash-crash",
            (
                Step(0.0, LiquidityChange(depth=0.2, spread=3.0)),
                Step(0.0, Volatility(3.0)),
                Step(5.0, FlashCrash(drop=0.09, fall_s=60.0, recovery_s=300.0, recovery=0.9)),
                Step(365.0, Volatility(1.0)),
                Step(365.0, LiquidityChange()),
            ),
        ),
        Scenario("rates-up-100bp", (Step(0.0, RatesShift(100.0)),)),
        Scenario("bear", (Step(0.0, Drift(-50.0)), Step(0.0, Volatility(1.5)))),
        Scenario("adversaries", (Step(0.0, Adversaries(0.3)), Step(600.0, Adversaries(0.0)))),
        Scenario("halt", (Step(0.0, Halt()), Step(60.0, Resume()))),
    )
}  # fmt: skip
