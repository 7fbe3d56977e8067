"""Fills of two engines over one tape, order by order; each difference is put down to a rule that the tape confirms.

The first moment at which two accounts of one order part is what is explained: what comes after it, of that order,
follows from it. A rule is a predicate over the order, both fills and the tape at that moment, so a difference that only
looks like one of them is counted as unexplained.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from protocol import FILLED, LATENCY_NS, OPEN, QUOTE_THROUGH, REJECTED, TRADE_AT_LIMIT, TRADE_THROUGH

from njord.venues.simulated.kernels.layout import ASK, BID, CLEAR, TRADE_BUY, TRADE_SELL, WHAT, Tape

FATES = ("open", "filled", "rejected", "cancelled")
RULES = {
    "locked": "the other side comes to rest at our price, and not beyond it: hftbacktest fills, Njord waits",
    "at_limit": "more trades at our price than stood ahead: hftbacktest fills all of us, Njord what the trade had left",
    "beyond": "a trade beyond our price: hftbacktest fills all of us, Njord as much as traded",
    "quoted": "the other side moves beyond our price: hftbacktest fills all of us, Njord as much as is quoted there",
    "own": "the order would have met our own on the other side: Njord refuses it, as venues do, hftbacktest has both",
    "history": "the engines' positions or open orders differed when the order was sent or cancelled",
}


@dataclass
class Comparison:
    """How many orders came to the same, by what became of them, and which did not, by rule."""

    orders: int = 0
    equal: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)
    fills: tuple[int, int] = (0, 0)
    lots: tuple[int, int] = (0, 0)

    def document(self) -> dict[str, Any]:
        return {
            "orders": self.orders, "equal": self.equal, "rules": self.rules, "unexplained": len(self.unexplained),
            "examples": self.unexplained[:5], "fills": self.fills, "lots": self.lots,
        }  # fmt: skip


class Replay:
    """The tape's book at any row, asked for in the order of rows."""

    def __init__(self, tape: Tape) -> None:
        self.tape, self.what, self.done = tape, tape.what & WHAT, 0
        of_book = self.what <= ASK
        prices = tape.price_ticks[of_book]
        self.floor = int(prices.min()) if len(prices) else 0
        cells = int(prices.max()) - self.floor + 1 if len(prices) else 1
        self.sides = {1: np.zeros(cells, dtype=np.int64), -1: np.zeros(cells, dtype=np.int64)}

    def row_of(self, time_ns: int) -> int:
        """Return the last row of a moment, -1 if there is none."""
        row = int(np.searchsorted(self.tape.times_ns, time_ns, side="right")) - 1
        return row if row >= 0 and self.tape.times_ns[row] == time_ns else -1

    def within(self, row: int, sign: int, price: int) -> tuple[int | None, int]:
        """Return, after a row, the best price an order of this side would meet, and the lots up to its limit."""
        assert row >= self.done - 1, "rows are asked for in order"
        what = self.what[self.done : row + 1]
        cleared = np.flatnonzero(what == CLEAR)
        if len(cleared):
            for lots in self.sides.values():
                lots[:] = 0
            self.done += int(cleared[-1]) + 1
            what = what[int(cleared[-1]) + 1 :]
        for code, side in ((BID, 1), (ASK, -1)):
            rows = self.done + np.flatnonzero(what == code)
            # Of a level that changes twice, the last assignment stays
            self.sides[side][self.tape.price_ticks[rows] - self.floor] = self.tape.lots[rows]
        self.done = row + 1
        cells = np.flatnonzero(self.sides[-sign])
        if not len(cells):
            return None, 0
        best = int(cells[0] if sign > 0 else cells[-1]) + self.floor
        met = cells[(cells + self.floor - price) * sign <= 0]
        return best, int(self.sides[-sign][met].sum())

    def ahead(self, order: Any, row: int) -> int:
        """Return the lots ahead of an order at a row, were all who left its level behind it."""
        tape, what = self.tape, self.what
        sign, price = int(order["sign"]), int(order["price"])
        arrived = int(np.searchsorted(tape.times_ns, order["sent_ns"] + LATENCY_NS, side="right"))
        side, trade = (BID, TRADE_SELL) if sign > 0 else (ASK, TRADE_BUY)
        ahead, begin = 0, arrived
        while begin > 0:  # What the level last showed; further back each time
            end, begin = begin, max(0, begin - 65_536)
            cleared = np.flatnonzero(what[begin:end] == CLEAR)
            shown = np.flatnonzero((what[begin:end] == side) & (tape.price_ticks[begin:end] == price))
            if len(shown) and not (len(cleared) and cleared[-1] > shown[-1]):
                ahead = int(tape.lots[begin + shown[-1]])
            if len(shown) or len(cleared):
                break
        for at in (arrived + np.flatnonzero(tape.price_ticks[arrived:row] == price)).tolist():
            if what[at] == side:
                ahead = min(ahead, int(tape.lots[at]))
            elif what[at] == trade:
                ahead = max(0, ahead - int(tape.lots[at]))
        return ahead


def key_of(orders: Any) -> list[tuple[int, int, int, int]]:
    """What an order is known by in both engines: when it was sent, its side, price and lots."""
    return list(zip(*(orders[name].tolist() for name in ("sent_ns", "sign", "price", "lots")), strict=True))


def fills_of(orders: Any, fills: Any) -> list[list[tuple[int, int, int]]]:
    """Return each order's fills as (time, price, lots), those of one moment as one."""
    place = {number: at for at, number in enumerate(orders["number"].tolist())}
    found: list[list[tuple[int, int, int]]] = [[] for _ in range(len(orders))]
    for number, time_ns, price, lots in zip(
        *(fills[name].tolist() for name in ("number", "time_ns", "price", "lots")), strict=True
    ):
        own = found[place[number]]
        if own and own[-1][:2] == (time_ns, price):
            lots += own.pop()[2]
        own.append((time_ns, price, lots))
    return found


def compare(njord: Any, other: Any, tape: Tape, feedback: bool) -> Comparison:
    """Compare two engines' orders and fills. With ``feedback``, what was filled has an effect on what was sent."""
    result = Comparison(fills=(len(njord["fills"]), len(other["fills"])))
    result.lots = (int(njord["fills"]["lots"].sum()), int(other["fills"]["lots"].sum()))
    ours, theirs = key_of(njord["orders"]), key_of(other["orders"])
    their_place = {key: at for at, key in enumerate(theirs)}
    our_fills, their_fills = fills_of(**njord), fills_of(**other)
    states = _States(njord, other) if feedback else None
    parted: list[tuple[int, int, int]] = []  # Moment, our order, their order
    result.orders = len(set(ours) | set(theirs))
    for key in sorted(set(ours) ^ set(theirs)):
        _note(result, "history" if states and states.differ(key[0]) else None, f"only one engine sent {key}")
    for at, key in enumerate(ours):
        if key not in their_place:
            continue
        other_at = their_place[key]
        a, b = njord["orders"][at], other["orders"][other_at]
        if our_fills[at] == their_fills[other_at] and (a["fate"], a["done_ns"]) == (b["fate"], b["done_ns"]):
            name = FATES[int(a["fate"])]
            result.equal[name] = result.equal.get(name, 0) + 1
        else:
            parted.append((_parting(our_fills[at], their_fills[other_at], a, b), at, other_at))
    replay = Replay(tape)
    why = {(int(row["number"]), int(row["time_ns"])): int(row["why"]) for row in njord["fills"]}
    for moment, at, other_at in sorted(parted):
        order = njord["orders"][at]
        taken = [sum(lots for t, _, lots in fills if t == moment) for fills in (our_fills[at], their_fills[other_at])]
        left = int(order["lots"]) - sum(lots for t, _, lots in our_fills[at] if t < moment)
        rule = _rule(order, moment, left, taken, why.get((int(order["number"]), moment), -1), replay)
        if rule is None and order["fate"] == REJECTED and moment == order["done_ns"]:
            rule = "own" if _meets_own(njord["orders"], at, moment) else None
        if rule is None and states is not None and not any(taken) and states.differ(moment - LATENCY_NS):
            rule = "history"
        parts = f"{key_of(njord['orders'][at : at + 1])[0]} at {moment}: {our_fills[at]} and {their_fills[other_at]}"
        _note(result, rule, parts)
    return result


def _note(result: Comparison, rule: str | None, parts: str) -> None:
    if rule is None:
        result.unexplained.append(parts)
    else:
        result.rules[rule] = result.rules.get(rule, 0) + 1


def _parting(ours: list[tuple[int, int, int]], theirs: list[tuple[int, int, int]], a: Any, b: Any) -> int:
    """Return the moment at which two accounts of an order part: a fill, or else an end, that only one has."""
    moments = [fill[0] for fill in set(ours) ^ set(theirs)]
    ends = [(int(each["done_ns"]), int(each["fate"])) for each in (a, b)]
    if ends[0] != ends[1]:
        moments += [done_ns for done_ns, fate in ends if fate not in (FILLED, OPEN)]
    return min(moments) if moments else max(done_ns for done_ns, _ in ends)


def _rule(order: Any, moment: int, left: int, taken: list[int], why: int, replay: Replay) -> str | None:
    """Return the rule that explains what happened to an order at a moment: ``taken`` by Njord and by the other."""
    ours, theirs = taken
    row = replay.row_of(moment)
    if row < 0 or theirs != left or ours >= theirs:
        return None
    sign, price, tape = int(order["sign"]), int(order["price"]), replay.tape
    if replay.what[row] in (TRADE_BUY, TRADE_SELL):
        beyond, traded = (int(tape.price_ticks[row]) - price) * sign, int(tape.lots[row])
        if beyond == 0 and why == TRADE_AT_LIMIT:
            return "at_limit" if ours == traded - replay.ahead(order, row) else None
        return "beyond" if beyond < 0 and why == TRADE_THROUGH and ours == traded else None
    best, lots = replay.within(row, sign, price)
    if best is None:
        return None
    if best == price and ours == 0 and tape.price_ticks[row] == price:
        return "locked"
    return "quoted" if (best - price) * sign < 0 and why == QUOTE_THROUGH and ours == lots else None


def _meets_own(orders: Any, at: int, moment: int) -> bool:
    """Return whether an order that arrives meets one of ours that came before it and is still there."""
    order, earlier = orders[at], orders[max(0, at - 200) : at]
    there = (earlier["sign"] == -order["sign"]) & ((earlier["fate"] == OPEN) | (earlier["done_ns"] > moment))
    return bool((there & ((earlier["price"] - order["price"]) * order["sign"] <= 0)).any())


class _States:
    """What each engine knew of its own position and open orders, at any moment."""

    def __init__(self, *accounts: Any) -> None:
        self.positions, self.open = [], []
        for account in accounts:
            orders, fills = account["orders"], account["fills"]
            signs = dict(zip(orders["number"].tolist(), orders["sign"].tolist(), strict=True))
            known_ns = fills["time_ns"] + LATENCY_NS
            lots = np.array([signs[number] for number in fills["number"].tolist()], dtype=np.int64) * fills["lots"]
            by_time = np.argsort(known_ns, kind="stable")
            self.positions.append((known_ns[by_time], np.concatenate([[0], np.cumsum(lots[by_time])])))
            ended_ns = np.where(orders["fate"] == OPEN, 2**62, orders["done_ns"] + LATENCY_NS)
            self.open.append((orders["sent_ns"], ended_ns, orders["sign"], orders["price"]))

    def differ(self, time_ns: int) -> bool:
        """Return whether they knew different things just before what was sent at a moment."""
        positions = [total[np.searchsorted(known, time_ns, side="right")] for known, total in self.positions]
        if positions[0] != positions[1]:
            return True
        shown = []
        for sent_ns, ended_ns, sign, price in self.open:
            end = int(np.searchsorted(sent_ns, time_ns))
            begin = max(0, end - 200)  # Nothing rests through so many later orders
            live = begin + np.flatnonzero(ended_ns[begin:end] > time_ns)
            shown.append(sorted(zip(sent_ns[live].tolist(), sign[live].tolist(), price[live].tolist(), strict=True)))
        return bool(shown[0] != shown[1])


def account(file: Any) -> Any:
    """Return the orders and fills that a side left in a file."""
    with np.load(file) as stored:
        return {"orders": stored["orders"], "fills": stored["fills"]}
