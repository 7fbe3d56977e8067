"""What somebody probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

LISTED_MAX = 12


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` where a known name is close, else a list of those there are."""
    names = list(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(names[:LISTED_MAX]) + (", …" if len(names) > LISTED_MAX else "")
    return f"; there are: {shown}" if names else "; there are none"
