"""Chained files: what was synced is there after any cut, and any other change is named."""

import errno
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.ledger import chain
from njord.ledger.chain import Broken, Chain, Unwritable

BODIES = [json.dumps({"n": n, "text": "x" * (n % 7)}).encode() for n in range(40)]


def written(folder, bodies=BODIES, **options):
    with Chain(folder, "journal", **options) as made:
        for body in bodies:
            made.append(body)
            made.sync()
        return made.head


def test_what_was_written_is_read_back_and_goes_on_after_reopening(tmp_path):
    written(tmp_path, BODIES[:20])
    head = written(tmp_path, BODIES[20:])

    assert list(chain.read(tmp_path, "journal", expected=[head])) == BODIES
    with Chain(tmp_path, "journal") as again:
        assert (again.position, again.head) == (40, head)


def test_segments_rotate_and_can_be_archived_one_by_one(tmp_path):
    written(tmp_path, segment_bytes_max=500)
    found = chain.segments(tmp_path, "journal")
    assert len(found) > 3

    for path in found[:-1]:
        chain.archive(path)

    assert list(chain.read(tmp_path, "journal")) == BODIES
    written(tmp_path, [b'{"more":1}'], segment_bytes_max=500)
    assert list(chain.read(tmp_path, "journal")) == [*BODIES, b'{"more":1}']


def test_a_file_cut_off_at_any_byte_gives_every_whole_line_and_can_be_continued(tmp_path):
    written(tmp_path / "whole", BODIES[:12])
    data = chain.segments(tmp_path / "whole", "journal")[0].read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]

    for cut in range(len(data) + 1):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / chain.segment_name("journal", 1)).write_bytes(data[:cut])
        whole = max(0, sum(end <= cut for end in ends) - 1)  # The first line names the segment

        assert list(chain.read(folder, "journal")) == BODIES[:whole]
        written(folder, [b'{"after":"crash"}'])
        assert list(chain.read(folder, "journal")) == [*BODIES[:whole], b'{"after":"crash"}']


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_removed_added_or_moved_line_is_named(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tampered")
    head = written(folder, BODIES[:10])
    path = chain.segments(folder, "journal")[0]
    lines = path.read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(1, 9))
    how = data.draw(st.sampled_from(["flip", "delete", "insert", "swap"]))
    if how == "flip":
        position = data.draw(st.integers(0, len(lines[at]) - 2))
        changed = bytearray(lines[at])
        changed[position] ^= 1 << data.draw(st.integers(0, 6))
        lines[at] = bytes(changed)
    elif how == "delete":
        del lines[at]
    elif how == "insert":
        lines.insert(at, lines[data.draw(st.integers(1, 9))])
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    path.write_bytes(b"".join(lines))

    with pytest.raises(Broken, match=rf"line {at + 1}:" if how != "insert" else r"line \d+:"):
        list(chain.read(folder, "journal", expected=[head]))


def test_lines_cut_off_at_the_end_are_missed_by_whoever_knows_the_head(tmp_path):
    head = written(tmp_path)
    path = chain.segments(tmp_path, "journal")[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    assert list(chain.read(tmp_path, "journal")) == BODIES[:-1]
    with pytest.raises(Broken, match="ends early"):
        list(chain.read(tmp_path, "journal", expected=[head]))


def test_a_segment_that_is_missing_or_renamed_is_named(tmp_path):
    written(tmp_path, segment_bytes_max=300)
    found = chain.segments(tmp_path, "journal")
    found[1].unlink()
    with pytest.raises(Broken, match=r"000002.ndjson: missing"):
        list(chain.read(tmp_path, "journal"))

    found[2].rename(found[1])
    for path in found[3:]:
        path.unlink()
    with pytest.raises(Broken, match=r"000002.ndjson line 1"):
        list(chain.read(tmp_path, "journal"))


def test_a_full_disk_says_so_and_nothing_is_lost_when_there_is_room_again(tmp_path, monkeypatch):
    made = Chain(tmp_path, "journal")
    made.append(BODIES[0])
    made.sync()
    real = made._file.write

    def full(data):
        if len(data) > 20:
            return real(data[:20])  # As much as there was room for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full:
        def __getattr__(self, name):
            return full if name == "write" else getattr(kept, name)

    kept, made._file = made._file, Full()
    made.append(BODIES[1])
    with pytest.raises(Unwritable, match="No space left") as caught:
        made.sync()
    assert caught.value.filename == str(made.path)

    made.append(BODIES[2])
    made.sync()
    made.close()
    assert list(chain.read(tmp_path, "journal")) == BODIES[:3]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from njord.ledger.chain import Chain, Unwritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
chain = Chain(Path(sys.argv[1]), "journal")
chain.append(b'{"before":1}')
chain.sync()
resource.setrlimit(resource.RLIMIT_FSIZE, (chain.path.stat().st_size + 50, resource.RLIM_INFINITY))
chain.append(b'{"during":1}')
try:
    chain.sync()
except Unwritable as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
chain.append(b'{"after":1}')
chain.close()
"""


def test_a_disk_that_really_takes_no_more(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)

    assert "File too large" in done.stdout
    assert list(chain.read(tmp_path, "journal")) == [b'{"before":1}', b'{"during":1}', b'{"after":1}']


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Unwritable, match=r"Not a directory|File exists"):
        Chain(tmp_path / "file" / "journal", "journal")
