"""Numbers and times as text, and small pieces of HTML. Everything that is not ours is escaped here."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

MINUS = "\u2212"
MISSING = "\u2013"


def number(value: float | None, decimals: int = 2) -> str:
    """Return a number with thousands separated and a true minus sign."""
    if value is None:
        return MISSING
    if abs(value) >= 1e15:
        return f"{value:.3e}".replace("-", MINUS, 1)
    if value != 0 and abs(value) < 10**-decimals / 2:
        return f"{value:.2g}".replace("-", MINUS, 1)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS, 1)


def signed(value: float | None, decimals: int = 2) -> str:
    """Return a number that says its sign also when it is positive."""
    text = number(value, decimals)
    return f"+{text}" if value is not None and value > 0 else text


def percent(fraction: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Return a fraction in percent."""
    if fraction is None:
        return MISSING
    if abs(fraction) >= 1e6:
        return f"{fraction * 100:.1e} %".replace("-", MINUS, 1)
    return f"{(signed if sign else number)(round(fraction * 100, decimals) + 0.0, decimals)} %"


def moment(time_ns: float | None, *, day_only: bool = False) -> str:
    """Return a UTC time to the second, or its day."""
    if time_ns is None:
        return MISSING
    at = datetime.fromtimestamp(int(time_ns) // 1_000_000_000, UTC)
    return at.strftime("%Y-%m-%d" if day_only else "%Y-%m-%d %H:%M:%S")


def tone(value: float | None) -> str:
    """Return the class that colours a gain or a loss; its sign says it without colour."""
    if value is None or value == 0:
        return ""
    return "up" if value > 0 else "down"


def panel(title: str, body: str, *, note: str = "", name: str = "") -> str:
    """Return a titled section. ``body`` and ``note`` are HTML, ``title`` is text."""
    label = f' id="{escape(name)}"' if name else ""
    aside = f'<span class="note">{note}</span>' if note else ""
    return f'<section class="panel"{label}><header><h2>{escape(title)}</h2>{aside}</header>{body}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric_from: int = 1, name: str = "") -> str:
    """Return a table of cells that are HTML already; columns from ``numeric_from`` on are numbers."""
    classes = ["num" if i >= numeric_from else "" for i in range(len(head))]
    top = "".join(f'<th scope="col" class="{c}">{escape(h)}</th>' for h, c in zip(head, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f'<td class="{c}">{cell}</td>' for cell, c in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table class="{name}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
