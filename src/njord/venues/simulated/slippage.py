"""How our own size moves the price against us.

With participation x, our quantity over what the market traded or showed, the price is worse by a fraction of itself:
fixed c; linear c x (Kyle 1985); square root c sqrt(x) (Almgren et al. 2005, Direct estimation of equity market impact).
An unknown volume counts as x = 1.
"""

import math
from collections.abc import Sequence

from njord.venues.simulated.settings import Slippage, SlippageModel


def fraction(slippage: Slippage, participation: float) -> float:
    """Return by what fraction of itself the price is worse."""
    match slippage.model:
        case SlippageModel.NONE:
            return 0.0
        case SlippageModel.FIXED:
            return slippage.coefficient
        case SlippageModel.LINEAR:
            return slippage.coefficient * participation
        case SlippageModel.SQUARE_ROOT:
            return slippage.coefficient * math.sqrt(participation)


def ticks_against(slippage: Slippage, price_ticks: int, lots: int, market_lots: float) -> int:
    """Return by how many ticks the price is worse, rounded up."""
    if slippage.model is SlippageModel.NONE:
        return 0
    participation = lots / market_lots if market_lots > 0 else 1.0
    return math.ceil(abs(price_ticks) * fraction(slippage, participation))


def fit(model: SlippageModel, participation: Sequence[float], observed: Sequence[float]) -> float:
    """Return the coefficient that explains observed slippage fractions best, by least squares through the origin."""
    if len(participation) != len(observed) or not observed:
        raise ValueError(
            f"slippage fit: needs as many participations as observations, at least one, was {len(participation)}"
        )
    shape = [fraction(Slippage(model=model, coefficient=0.5), x) / 0.5 for x in participation]
    weight = sum(x * x for x in shape)
    if weight == 0:
        raise ValueError("slippage fit: no participation above 0")
    return sum(x * y for x, y in zip(shape, observed, strict=True)) / weight
