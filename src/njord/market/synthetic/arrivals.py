"""When participants wake: at exponential times, sometimes in bursts, at a mean rate that is kept exactly."""

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_S

# A wake sets off a burst with the first chance, and a burst goes on with the second
BURST_BEGINS, BURST_GOES_ON = 0.05, 0.70
BURST_GAP_S = 0.02
# Of all gaps, how many are those of a burst: the stationary share of the two-state chain
BURST_SHARE = BURST_BEGINS / (BURST_BEGINS + 1 - BURST_GOES_ON)


class Arrivals(msgspec.Struct):
    """The wakes of one instrument: the superposition of its participants' own exponential clocks, and bursts."""

    per_s: float
    bursting: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.per_s * BURST_SHARE * BURST_GAP_S < 1:
            raise ValueError(f"arrivals: {self.per_s} a second must be > 0 and slower than a burst")

    def wait_ns(self, rng: np.random.Generator) -> int:
        """Return the time until the next wake."""
        self.bursting = rng.random() < (BURST_GOES_ON if self.bursting else BURST_BEGINS)
        calm_s = (1 / self.per_s - BURST_SHARE * BURST_GAP_S) / (1 - BURST_SHARE)
        return 1 + int(rng.exponential(BURST_GAP_S if self.bursting else calm_s) * NS_PER_S)
