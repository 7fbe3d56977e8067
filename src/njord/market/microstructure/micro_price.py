"""The micro-price of Stoikov (2018), Quant. Finance 18(12): the mid, plus what is to be expected of its next moves.

Prices are in ticks, sizes in lots or any unit, all floats or integers; results are float64.
"""

import msgspec
import numpy as np

from njord.market.microstructure.imbalance import Array, Floats, queue_imbalance

# Terms of the micro-price series. Symmetrised data needs about 6; a series that has not settled by then is not fitted
TERMS_MAX = 100
SETTLED_TICKS = 1e-10


class NotConverged(ValueError):
    """The states a micro-price was fitted on never lead to a move of the mid, or lead to moves without end."""


class Transitions(msgspec.Struct, frozen=True):
    """How a quote goes from state to state. Rows are states, numbered spread-major: spread x buckets + imbalance.

    ``stay`` (Q) has the probability of each next state while the mid stands; ``moves`` (R) that of each of
    ``sizes_ticks`` (K) when it moves; ``lands`` (T) that of each next state when it moves.
    """

    stay: Floats
    moves: Floats
    sizes_ticks: Floats
    lands: Floats


class MicroPrice(msgspec.Struct, frozen=True):
    """Stoikov's micro-price: the mid, plus what is to be expected of it given imbalance and spread, in ticks."""

    adjustment_ticks: Floats  # [spread - 1, bucket]
    terms: int  # How many terms of the series were needed

    def adjustment(self, imbalance: Array, spread_ticks: Array) -> Floats:
        """Return what to add to the mid, in ticks. A spread wider than those fitted counts as the widest."""
        spreads, buckets = self.adjustment_ticks.shape
        row = np.clip(np.asarray(spread_ticks), 1, spreads) - 1
        found = self.adjustment_ticks[row, bucket_of(imbalance, buckets)]
        # With an even number of buckets the balanced book lies between two that cancel
        balanced: Floats = np.where(np.asarray(imbalance) == 0.5, 0.0, found)
        return balanced


def bucket_of(imbalance: Array, buckets: int) -> Array:
    """Return the bucket 0 .. buckets - 1 of each imbalance; that of 1 - I is the mirror image of that of I."""
    share = np.asarray(imbalance, dtype=np.float64)
    # Rounded: 1 - 0.8 is a little less than 0.2, and both lie on an edge of ten buckets
    low = np.floor(np.round(np.minimum(share, 1 - share) * buckets, 9)).astype(np.int64)
    found: Array = np.where(share <= 0.5, np.minimum(low, buckets - 1), buckets - 1 - low)
    return found


def fit(
    bid_ticks: Array, ask_ticks: Array, bid_size: Array, ask_size: Array, *, buckets: int = 10, spreads: int = 2
) -> MicroPrice:
    """Fit a micro-price on quotes in time order. Quotes wider than ``spreads`` ticks, or one-sided, are left out.

    Raises NotConverged when the data never show the mid move.
    """
    return solve(transitions(bid_ticks, ask_ticks, bid_size, ask_size, buckets=buckets, spreads=spreads), spreads)


def transitions(
    bid_ticks: Array, ask_ticks: Array, bid_size: Array, ask_size: Array, *, buckets: int, spreads: int
) -> Transitions:
    """Count transitions between successive quotes, each together with its mirror image.

    The mirror (imbalance reversed, move negated) makes up and down alike, so that a trend of the sample is not taken
    for a property of the book, and makes the series converge.
    """
    spread = np.asarray(ask_ticks) - bid_ticks
    usable = (spread >= 1) & (spread <= spreads) & (np.asarray(bid_size) + ask_size > 0)
    pairs = usable[1:] & usable[:-1]
    share = queue_imbalance(bid_size, ask_size)
    bucket = bucket_of(np.where(usable, share, 0.5), buckets)
    mirror = buckets - 1 - bucket
    level = (np.clip(spread, 1, spreads) - 1) * buckets
    # Half ticks: a mid is a whole number of them
    move = np.diff(np.asarray(bid_ticks) + ask_ticks)[pairs]
    begin = np.concatenate([(level + bucket)[:-1][pairs], (level + mirror)[:-1][pairs]])
    end = np.concatenate([(level + bucket)[1:][pairs], (level + mirror)[1:][pairs]])
    both = np.concatenate([move, -move])
    sizes = np.unique(both[both != 0])
    states = buckets * spreads
    counts = np.bincount(begin, minlength=states).astype(np.float64)
    seen = np.maximum(counts, 1)[:, None]
    moved = both != 0

    def table(rows: Array, columns: Array, width: int) -> Floats:
        flat = np.bincount(rows * width + columns, minlength=states * width)
        shares: Floats = flat.reshape(states, width) / seen
        return shares

    return Transitions(
        table(begin[~moved], end[~moved], states),
        table(begin[moved], np.searchsorted(sizes, both[moved]), max(1, len(sizes))),
        (sizes if len(sizes) else np.zeros(1)) / 2,
        table(begin[moved], end[moved], states),
    )


def solve(given: Transitions, spreads: int) -> MicroPrice:
    """Return the micro-price of a transition model: G1 = (1 - Q)^-1 R K, B = (1 - Q)^-1 T, sum of B^i G1.

    Raises NotConverged when the mid never moves from some state, or the series does not settle.
    """
    states = len(given.stay)
    # A state never seen has no row: it expects nothing
    inverse_of = np.eye(states) - given.stay
    try:
        first = np.linalg.solve(inverse_of, given.moves @ given.sizes_ticks)
        again = np.linalg.solve(inverse_of, given.lands)
    except np.linalg.LinAlgError:
        raise NotConverged("micro-price: from some state the mid never moves; use fewer buckets or more data") from None
    total, term = first.copy(), first
    for count in range(1, TERMS_MAX + 1):
        term = again @ term
        if np.abs(term).max() <= SETTLED_TICKS:
            return MicroPrice(total.reshape(spreads, -1).astype(np.float64), count)
        total += term
    raise NotConverged(f"micro-price: the series has not settled after {TERMS_MAX} terms")
