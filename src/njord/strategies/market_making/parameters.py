"""Checks and the two terms that the quoting models share: what a fill must earn, and what it costs in frequency."""

import math

# exp of it is the largest a float holds, nearly
EXPONENT_MAX = 700.0


def finite(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is a finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{name}: must be a finite number, was {value}")


def positive(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is finite and > 0."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: must be > 0 and finite, was {value}")


def not_negative(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is finite and >= 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}: must be >= 0 and finite, was {value}")


def markup(aversion: float, decay: float) -> float:
    """Return (1/x) ln(1 + x/k) with x the aversion, in price; its limit 1/k at x = 0.

    The margin over the indifference price at which a quote earns most under exponential utility (Avellaneda and
    Stoikov, 2008).
    """
    ratio = aversion / decay
    return math.log1p(ratio) / ratio / decay if ratio > 0 else 1 / decay


def log_thinning(aversion: float, decay: float) -> float:
    """Return (1 + k/x) ln(1 + x/k) with x the aversion; its limit 1 at x = 0.

    Its negative is the logarithm of C_xi of Gueant (2016), and of eta / A of Gueant, Lehalle and Fernandez-Tapia
    (2013).
    """
    ratio = aversion / decay
    return (1 + 1 / ratio) * math.log1p(ratio) if ratio > 0 else 1.0
