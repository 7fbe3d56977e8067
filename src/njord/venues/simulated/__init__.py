"""The simulated venue: every assumption about the world, in one folder.

It is plain Python, to be read; compiled kernels must equal it. Fidelity follows the data: bars, then quotes and
trades, then an L2 book. Defaults are pessimistic, and what is optimistic has to be asked for by name.
"""
