"""What books and trades say about the next move of the price: imbalance, flow, micro-price, volatility, arrivals.

Arrays in, numbers and arrays out; units of price and size are the caller's unless a name ends in one.
"""

from njord.market.microstructure.arrivals import MarketOrders, market_orders
from njord.market.microstructure.imbalance import Array, Floats, queue_imbalance, weighted_mid
from njord.market.microstructure.micro_price import (
    SETTLED_TICKS,
    TERMS_MAX,
    MicroPrice,
    NotConverged,
    Transitions,
    bucket_of,
    fit,
    solve,
    transitions,
)
from njord.market.microstructure.order_flow import (
    Impact,
    flow_in_windows,
    multi_level_order_flow_imbalance,
    order_flow_imbalance,
    price_impact,
)
from njord.market.microstructure.statistics import (
    Distribution,
    depth_over_time,
    over_time,
    sign_autocorrelation,
    spread_over_time,
)
from njord.market.microstructure.volatility import (
    best_scale,
    noise_variance,
    realised_variance,
    sampled_prices,
    two_scale_variance,
    two_scale_volatility,
    volatility,
)

__all__ = [
    "SETTLED_TICKS",
    "TERMS_MAX",
    "Array",
    "Distribution",
    "Floats",
    "Impact",
    "MarketOrders",
    "MicroPrice",
    "NotConverged",
    "Transitions",
    "best_scale",
    "bucket_of",
    "depth_over_time",
    "fit",
    "flow_in_windows",
    "market_orders",
    "multi_level_order_flow_imbalance",
    "noise_variance",
    "order_flow_imbalance",
    "over_time",
    "price_impact",
    "queue_imbalance",
    "realised_variance",
    "sampled_prices",
    "sign_autocorrelation",
    "solve",
    "spread_over_time",
    "transitions",
    "two_scale_variance",
    "two_scale_volatility",
    "volatility",
    "weighted_mid",
]
