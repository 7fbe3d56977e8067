"""What is out of order is set aside and counted; chunking makes no difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.market import Kind
from njord.market.sequence import Guarded


def book(rows):
    names = ("sequence", "venue_time_ns", "snapshot")
    return {name: np.array([row[at] for row in rows], dtype=np.int64) for at, name in enumerate(names)}


def kept(chunks, kind=Kind.BOOK):
    guarded = Guarded(kind, chunks)
    rows = [tuple(row) for chunk in guarded for row in zip(*(array.tolist() for array in chunk.values()), strict=True)]
    return rows, guarded.quarantine


@pytest.mark.parametrize(
    ("rows", "bad", "reason"),
    [
        ([(1, 1, 1), (1, 1, 1), (2, 2, 0), (2, 2, 0), (3, 2, 0)], [], None),
        ([(1, 1, 1), (2, 2, 0), (3, 1, 0), (4, 3, 0)], [2], "time_back"),
        ([(1, 1, 1), (3, 2, 0), (2, 3, 0), (4, 3, 0)], [2], "sequence_back"),
        ([(1, 1, 1), (3, 2, 0), (3, 3, 0)], [2], "sequence_back"),  # an id again, later
        ([(9, 1, 1), (10, 2, 0), (1, 3, 1), (2, 4, 0)], [], None),  # a snapshot starts a new count
        ([(0, 1, 1), (0, 2, 0), (0, 3, 0)], [], None),  # a venue without ids
    ],
)
def test_violations_of_a_book(rows, bad, reason):
    good, quarantine = kept([book(rows)])

    assert good == [row for number, row in enumerate(rows) if number not in bad]
    assert quarantine.count == len(bad)
    if reason:
        assert getattr(quarantine, reason) == len(bad)
        assert quarantine.first_ns == rows[bad[0]][1]


ROW = st.tuples(st.integers(0, 8), st.integers(0, 8), st.sampled_from([0, 0, 0, 1]))


@given(rows=st.lists(ROW, max_size=30), cut=st.integers(0, 30))
def test_chunking_does_not_matter(rows, cut):
    whole = kept([book(rows)])
    parts = kept([book(rows[:cut]), book(rows[cut:])])

    assert whole[0] == parts[0]
    assert whole[1] == parts[1]


@given(st.lists(st.integers(0, 20), max_size=30))
def test_times_of_what_passes_never_go_back(times):
    chunk = {"venue_time_ns": np.array(times, dtype=np.int64)}

    good, quarantine = kept([chunk], Kind.TRADES)

    assert [row[0] for row in good] == sorted(row[0] for row in good)
    assert len(good) + quarantine.count == len(times)
