"""The one place where a command asks what time it is: people act at a moment of the world, not of an event."""

import time


def now_ns() -> int:
    """Return nanoseconds UTC."""
    return time.time_ns()  # noqa: TID251 - see the module
