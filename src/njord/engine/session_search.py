"""Looking into a session's journal without decoding all of it: steps from a number on, and what concerns one order.

A journal grows by a gigabyte in a day. Every line that is passed is verified, from the beginning of its segment; only
those that matter are decoded.
"""

import collections
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from njord.domain.fill import Fill
from njord.engine.session_journal import NAME, Closed, Step, Steps, decoded
from njord.engine.why import NotOnRecord
from njord.ledger import chain

# Lines before an order that may have what made it: timers that set timers, event after event
CAUSES_LINES_MAX = 256
_FIRST_STEP = re.compile(rb'\{"type":"steps","steps":\[\[(\d+),')


def steps_from(folder: Path, first: int) -> Iterator[Step]:
    """Yield the steps of a session from a number on. Raises Broken."""
    held: bytes | None = None  # It may have the step that is looked for, if the line after it begins later
    for body in chain.read(folder, NAME, first_segment=_segment_of(folder, first)):
        begins = _begins_at(body)
        if begins is not None and begins <= first:
            held = body
            continue
        for line in (held, body):
            if line is not None:
                yield from (step for step in _steps(folder, line) if step.sequence >= first)
        held = None
    if held is not None:
        yield from (step for step in _steps(folder, held) if step.sequence >= first)


def last_step(folder: Path) -> int:
    """Return the number of a session's newest step, 0 where there is none. Raises Broken."""
    body = chain.last(folder, NAME)
    if body is None:
        return 0
    line = decoded(folder, body)
    if isinstance(line, Closed):
        return line.sequence
    return line.steps[-1].sequence if isinstance(line, Steps) and line.steps else 0


def steps_about(folder: Path, name: str) -> Iterator[Step]:
    """Yield the steps that say something of an order, which may be named by a fill or an entry of it, and those that
    went before it.

    Raises NotOnRecord where nothing has this name, Broken.
    """
    about = _field("client_order_id", _order_of(folder, name.removeprefix("fill:")))
    before: collections.deque[bytes] | None = collections.deque(maxlen=CAUSES_LINES_MAX)
    for body in chain.read(folder, NAME):
        if about not in body:
            if before is not None:
                before.append(body)
            continue
        for each in (*(before or ()), body):
            yield from _steps(folder, each)
        before = None


def _order_of(folder: Path, name: str) -> str:
    order, fill = _field("client_order_id", name), _field("fill_id", name)
    for body in chain.read(folder, NAME):
        if order in body:
            return name
        if fill in body:
            for step in _steps(folder, body):
                if isinstance(step.event, Fill) and step.event.fill_id == name:
                    return step.event.client_order_id
    raise NotOnRecord(f"no order, fill or entry {name!r} on record")


def _field(field: str, value: str) -> bytes:
    # As it stands in a line: what is looked for is found without decoding what it is not in
    return b'"%s":%s' % (field.encode(), msgspec.json.encode(value))


def _segment_of(folder: Path, first: int) -> int:
    # The last segment that begins with the step or before it
    found = 1
    for number, path in enumerate(chain.segments(folder, NAME), start=1):
        begins = _begins_at(chain.first(path) or b"")
        if begins is not None and begins <= first:
            found = number
    return found


def _begins_at(body: bytes) -> int | None:
    matched = _FIRST_STEP.match(body, 0, 64)
    return None if matched is None else int(matched[1])


def _steps(folder: Path, body: bytes) -> tuple[Step, ...]:
    line = decoded(folder, body)
    return line.steps if isinstance(line, Steps) else ()
