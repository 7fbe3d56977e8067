"""Impure: raised in a strategy that asks for more than its events. Apart, so that ``step`` need not know the guard."""


class Impure(Exception):
    """A strategy depends on more than its events. The message names it, its file and line, and what it called."""
