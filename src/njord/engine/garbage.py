"""Looking for cycles less often: a run makes many values and no cycles among them, so it is work for nothing."""

import contextlib
import gc
from collections.abc import Iterator

THRESHOLD = 50_000


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Look for cycles only every THRESHOLD new values, until this is left."""
    before = gc.get_threshold()
    gc.set_threshold(THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
