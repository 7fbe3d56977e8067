"""What in a statement is known to look ahead: the ways in which pandas and numpy hand over a later row.

These name the likely cause of a leak that was measured. They accuse nobody by themselves: each also has honest uses.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

_BACKWARDS = {"shift", "diff", "pct_change"}
_WHOLE = {
    "mean", "std", "var", "max", "min", "sum", "median", "quantile", "rank", "prod", "sem", "skew", "kurt", "idxmax",
    "idxmin", "argmax", "argmin", "describe", "percentile", "nanmean", "nanstd", "nanmax", "nanmin", "nanpercentile",
    "nanquantile", "nanmedian", "ptp", "average", "zscore", "qcut", "cut", "factorize", "argsort", "sort_values",
    "sort", "nlargest", "nsmallest", "corr", "cov", "corrcoef", "value_counts", "histogram", "amax", "amin",
}  # fmt: skip
_FITS = {
    "fit", "fit_transform", "fit_predict", "polyfit", "lstsq", "curve_fit", "OLS", "eig", "eigh", "svd", "pinv",
    "linregress",
}  # fmt: skip
_TWO_SIDED = {
    "savgol_filter": "fits both sides of each row", "filtfilt": "filters forwards and backwards",
    "sosfiltfilt": "filters forwards and backwards", "detrend": "fits the whole sample",
    "gradient": "takes the difference of the rows around each row", "hilbert": "transforms the whole sample",
    "gaussian_filter1d": "smooths over both sides of each row", "lowess": "smooths over both sides of each row",
    "FixedForwardWindowIndexer": "is a window of the rows that follow",
    "argrelextrema": "compares with later rows", "find_peaks": "compares with later rows",
    "seasonal_decompose": "averages over both sides of each row",
}  # fmt: skip
_FOURIER = {"fft", "ifft", "rfft", "irfft", "dct", "idct"}
_CAUSAL = {"rolling", "expanding", "ewm"}
_GROUPED = {"groupby", "resample"}
_GROUP_WHOLE = _WHOLE | {"last", "first", "ohlc", "agg", "transform", "count", "size", "nth"}


class Cause(NamedTuple):
    """What in a statement takes from later rows, and the line it is on."""

    line: int
    text: str


def causes(node: ast.AST) -> list[Cause]:
    """Return what in a statement is known to look ahead, the most certain first."""
    found: list[tuple[int, Cause]] = []
    for part in _own(node):
        if isinstance(part, ast.Call):
            for certainty, text in _of_call(part):
                found.append((certainty, Cause(_line(part), text)))
        elif isinstance(part, ast.Subscript):
            for certainty, text in _of_subscript(part):
                found.append((certainty, Cause(part.lineno, text)))
        elif isinstance(part, ast.For):
            text = _of_loop(part.iter)
            if text:
                found.append((1, Cause(part.lineno, text)))
    return [cause for _, cause in sorted(found, key=lambda each: each[0])]


def _own(node: ast.AST) -> Iterator[ast.AST]:
    # A compound statement is only its own head; its body has statements of its own
    for name, value in ast.iter_fields(node):
        if name in ("body", "orelse", "finalbody", "handlers", "cases") and isinstance(value, list):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from ast.walk(part)
    yield node


def _line(call: ast.Call) -> int:
    return call.func.end_lineno or call.lineno


def _of_call(call: ast.Call) -> Iterator[tuple[int, str]]:
    name = _name(call.func)
    chain = _chain(call.func)
    keywords = {each.arg: each.value for each in call.keywords if each.arg}
    text = ast.unparse(call) if len(call.args) + len(call.keywords) < 4 else f"{name}(...)"
    text = text if len(text) <= 60 else f"{name}(...)"
    first = call.args[0] if call.args else keywords.get("periods")
    if name in _BACKWARDS and first is not None and _negative(first):
        yield 0, f"{name}({ast.unparse(first)}) takes the value of a later row"
    if name == "rolling" and _true(keywords.get("center")):
        yield 0, "rolling(center=True) averages over rows on both sides"
    if name in ("bfill", "backfill") or _word(keywords.get("method")) in ("bfill", "backfill", "nearest"):
        yield 0, f"{text} fills a gap with the value that comes after it"
    if name == "fillna" and call.args and _word(call.args[0]) in ("bfill", "backfill"):
        yield 0, f"{text} fills a gap with the value that comes after it"
    if name in ("interpolate", "interp", "interp1d", "CubicSpline", "UnivariateSpline"):
        yield 0, f"{name}() draws a line to the next known value"
    if name == "merge_asof" and _word(keywords.get("direction")) in ("forward", "nearest"):
        yield 0, f'merge_asof(direction="{_word(keywords["direction"])}") joins with a later row'
    if name == "roll":
        yield 0, f"{text} brings rows round from the other end"
    if name in _TWO_SIDED:
        yield 0, f"{name}() {_TWO_SIDED[name]}"
    if name in _FOURIER or "fft" in chain:
        yield 0, f"{name}() transforms the whole sample"
    if name in ("convolve", "correlate") and _word(keywords.get("mode") or _at(call, 2)) != "full":
        yield 0, f"{text} lays its window around each row"
    if name in ("reversed", "flip", "flipud"):
        yield 1, f"{text} turns the rows round, so what follows runs from the end"
    grouped = _GROUPED & chain
    if grouped and name in _GROUP_WHOLE:
        which = "resample" if "resample" in grouped else "groupby"
        how = f'("{_word(call.args[0])}")' if call.args and _word(call.args[0]) else "()"
        yield 1, f"{which}(...).{name}{how} is known only when its group is complete, and its earlier rows have it too"
    elif name in _FITS:
        yield 2, f"{name}() is fitted on the whole sample"
    elif name in _WHOLE and not (_CAUSAL & chain) and not _across(keywords) and not grouped:
        yield 3, f"{name}() is taken over the whole sample, later rows included"


def _of_subscript(part: ast.Subscript) -> Iterator[tuple[int, str]]:
    index = part.slice
    for each in index.elts if isinstance(index, ast.Tuple) else [index]:
        if isinstance(each, ast.Slice):
            if each.step is not None and _negative(each.step):
                yield 1, f"[{ast.unparse(index)}] turns the rows round, so what follows runs from the end"
            elif isinstance(part.ctx, ast.Load) and each.upper is None and each.lower is not None:
                # values[1:] beside values[:-1], and arr[i:] inside a loop
                yield 2, f"{_short(part)} starts at a later row than the one it is used for"
            elif isinstance(part.ctx, ast.Load) and each.upper is not None and _ahead(each.upper):
                yield 1, f"{_short(part)} reaches rows after the current one"
        elif isinstance(part.ctx, ast.Load) and _ahead(each):
            yield 0, f"{_short(part)} is a later row"
        elif isinstance(part.ctx, ast.Load) and _negative(each):
            yield 2, f"{_short(part)} is the end of the sample"


def _of_loop(walked: ast.expr) -> str:
    if not isinstance(walked, ast.Call) or _name(walked.func) != "range" or len(walked.args) != 3:
        return ""
    return f"{ast.unparse(walked)} walks from the end to the start" if _negative(walked.args[2]) else ""


def _name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _chain(func: ast.expr) -> set[str]:
    # The names of what a method is called on: close.rolling(3).max -> {rolling, close}
    names: set[str] = set()
    part: ast.expr | None = func.value if isinstance(func, ast.Attribute) else None
    while part is not None:
        if isinstance(part, ast.Call):
            part = part.func
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
            part = part.value
        elif isinstance(part, ast.Subscript):
            part = part.value
        else:
            names.update({part.id} if isinstance(part, ast.Name) else ())
            part = None
    return names


def _negative(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return True
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value < 0


def _ahead(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
        and any(isinstance(side, ast.Name | ast.Attribute) for side in (node.left, node.right))
    )  # fmt: skip


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _word(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _at(call: ast.Call, position: int) -> ast.expr | None:
    return call.args[position] if len(call.args) > position else None


def _across(keywords: dict[str, ast.expr]) -> bool:
    axis = keywords.get("axis")
    return isinstance(axis, ast.Constant) and axis.value in (1, "columns", -1)


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."
