"""Where to quote: optimal market-making models, their calibration, and the same numbers for compiled strategies.

Notation of all models: mid s, inventory q (signed, in units), risk aversion gamma, volatility sigma (price per square
root of time), and market orders that reach at least a depth delta from the *mid* at the rate A exp(-k delta). A is
``intensity`` (per time and side), k is ``decay`` (per price). Any unit of price and time will do, as long as it is the
same everywhere: k per half tick is half of k per tick.

``kernels`` needs the optional extra ``fast``; nothing else here does.
"""
