"""Where a resting order stands in the queue of its level, of which an L2 book shows only the total.

A trade at the level takes from the front, and nobody doubts it. Of a level that shrinks without a trade, what left may
have stood ahead of us or behind: that is what a model guesses. Volume that traded is taken off the level at once, so
that the depth change that follows it is not counted a second time.

The probabilities are those in use among L2 backtesters; their known values are in the tests.
"""

import enum
import math


class QueueModel(enum.StrEnum):
    """How a resting order moves up when its level shrinks without a trade. The first and the last are the ends of what
    can be true: no estimate fills less than ``CROSS`` or more than ``TOUCH``.
    """

    CROSS = "cross"  # never reached: only what trades, or is quoted, beyond the limit fills it
    RISK_AVERSE = "risk_averse"  # all that left stood behind us, until the level is smaller than our queue
    POWER = "power"  # behind with chance b^n / (b^n + f^n), for f lots ahead and b behind
    LOG = "log"  # the same with ln(1 + x) in place of x^n
    POWER_OF_TOTAL = "power_of_total"  # b^n / (b + f)^n
    LOG_OF_TOTAL = "log_of_total"  # ln(1 + b) / ln(1 + b + f)
    FRONT_SHARE = "front_share"  # 1 - (f / (f + b))^n
    EXACT = "exact"  # the feed says of each order that leaves when it came (order by order data)
    TOUCH = "touch"  # nobody is ahead: the first trade at the limit is ours


def behind_chance(model: QueueModel, exponent: float, ahead: float, behind: float) -> float:
    """Return the chance that a lot which left the level stood behind us. ``ahead`` and ``behind`` are lots, 0 or more.

    Raises ValueError for a model that does not guess.
    """
    if ahead <= 0.0:
        return 1.0
    if behind <= 0.0:
        return 0.0
    match model:
        case QueueModel.POWER:
            back = math.pow(behind, exponent)
            return back / (back + math.pow(ahead, exponent))
        case QueueModel.LOG:
            back = math.log(1.0 + behind)
            return back / (back + math.log(1.0 + ahead))
        case QueueModel.POWER_OF_TOTAL:
            return math.pow(behind, exponent) / math.pow(behind + ahead, exponent)
        case QueueModel.LOG_OF_TOTAL:
            return math.log(1.0 + behind) / math.log(1.0 + behind + ahead)
        case QueueModel.FRONT_SHARE:
            return 1.0 - math.pow(ahead / (ahead + behind), exponent)
    raise ValueError(f"queue model {model} does not guess")


def ahead_after(model: QueueModel, exponent: float, ahead: float, before: float, after: float) -> float:
    """Return the lots ahead of us once our level shows ``after`` lots. ``before`` is what it showed when we last
    looked, less what has traded there since: what is missing from that was cancelled.
    """
    left = before - after
    if left > 0.0 and ahead > 0.0 and model not in _CERTAIN:
        behind = before - ahead
        chance = behind_chance(model, exponent, ahead, behind)
        # Where more left from behind than stood there, the rest stood ahead
        ahead = ahead - (1.0 - chance) * left + min(behind - chance * left, 0.0)
    return max(0.0, min(ahead, after))


_CERTAIN = frozenset({QueueModel.CROSS, QueueModel.RISK_AVERSE, QueueModel.EXACT, QueueModel.TOUCH})
