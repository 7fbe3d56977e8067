"""Markets that never were, from a seed: price and order-flow processes with known parameters."""
