"""Imbalance of the best queues, and the mid weighted with it. Prices and sizes in any unit; results are float64."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def queue_imbalance(bid_size: Array, ask_size: Array) -> Floats:
    """Return bid / (bid + ask), 0..1; NaN where both are 0."""
    total = np.asarray(bid_size, dtype=np.float64) + ask_size
    share: Floats = np.divide(bid_size, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return share


def weighted_mid(bid: Array, ask: Array, bid_size: Array, ask_size: Array) -> Floats:
    """Return the mid weighted towards the thinner side, in the unit of the prices; NaN where both sizes are 0."""
    share = queue_imbalance(bid_size, ask_size)
    weighted: Floats = share * ask + (1 - share) * bid
    return weighted
