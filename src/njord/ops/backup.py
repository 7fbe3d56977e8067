"""Backup of a ledger: one file that any ledger, SQLite or PostgreSQL, is restored from, and that verifies itself.

Gzip over lines of JSON: a header; for each step its account, chain and payload, in order; a manifest with the head of
each account and SHA-256 of all lines before it. Rows are not in it: they are made again from the payloads, and the
chain says whether they came out the same. It is read from one snapshot, so writers need not stop.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from njord.ledger.appending import empty_head
from njord.ledger.port import Break, BreakKind, Head
from njord.ledger.rows import EMPTY_CHAIN
from njord.ledger.sql.store import STEPS_PER_READ, SqlLedger

FORMAT = "njord-ledger-backup"
FORMAT_VERSION = 1
# Beyond this gzip costs twice the time for a twentieth of the size
COMPRESSION = 3
LINE_BYTES_MAX = 64 * 1024 * 1024  # A line that is longer is no step of ours, and is not read into memory

Told = Callable[[int], None]


class BadBackup(ValueError):
    """A backup that is not complete, or not what was written."""


class Header(msgspec.Struct, frozen=True, array_like=True):
    """The first line: what this file is."""

    format: str
    version: int


class Manifest(msgspec.Struct, frozen=True):
    """The last line: where each account ends, how many steps there are, and SHA-256 of all lines before this one."""

    accounts: dict[str, Head]
    steps: int
    sha256: str


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A step: its account, chain after it, and payload as the text that was hashed."""

    account_id: str
    chain: str
    payload: msgspec.Raw


def backup(ledger: SqlLedger, file: Path, told: Told | None = None) -> Manifest:
    """Write all accounts of a ledger to a new file, consistent while others write. Return its manifest.

    The file appears under its name only when it is complete and on disk. Raises ValueError where it exists.
    """
    if file.exists():
        raise ValueError(f"{file}: is there already; a backup is not written over")
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("xb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=COMPRESSION, filename="", mtime=0) as zipped:
                manifest = _write(ledger, cast("IO[bytes]", zipped), told)
            raw.flush()
            os.fsync(raw.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(file.parent)
    return manifest


def restore(ledger: SqlLedger, file: Path, told: Told | None = None) -> Manifest:
    """Fill a ledger from a backup, a transaction for each stretch of steps. Return the manifest.

    The ledger is empty, or has a beginning of the backup: one that was interrupted goes on where it was. The file is
    read to its end first, so that a damaged one changes nothing. Raises BadBackup for such a file, and ValueError where
    the ledger has anything else.
    """
    manifest = checked(file)
    heads = {account_id: ledger.head(account_id) for account_id in ledger.accounts()}
    for account_id, head in heads.items():
        if account_id not in manifest.accounts or head.position > manifest.accounts[account_id].position:
            raise ValueError(f"the ledger has records of account {account_id} that are not in {file}: use an empty one")
    done = 0
    for account_id, lines, first in _stretches(file):
        head = heads.get(account_id) or empty_head()
        done += len(lines)
        there = head.position - first + 1  # So many lines of this stretch are in the ledger already
        if there > 0:
            if there <= len(lines) and lines[there - 1].chain != head.chain:
                raise ValueError(
                    f"the ledger has another history of account {account_id} than {file}: use an empty one"
                )
            lines = lines[there:]
        if lines:
            head = ledger.load(account_id, [bytes(line.payload).decode() for line in lines], head)
            if head.chain != lines[-1].chain:
                raise BadBackup(f"{file}: account {account_id} step {head.position}: rows made again, another chain")
            heads[account_id] = head
        if told is not None:
            told(done)
    if heads != manifest.accounts:
        raise BadBackup(f"{file}: restored heads are not those of its manifest")
    return manifest


def checked(file: Path) -> Manifest:
    """Read a backup to its end and return its manifest. Raises BadBackup naming what is wrong."""
    *_, last = _lines(file, hashlib.sha256())
    assert isinstance(last, Manifest), last
    return last


def missing_since(ledger: SqlLedger, file: Path) -> list[Break]:
    """Return where a ledger no longer has what a backup of it had: an end cut off, or a history written anew.

    That is what a chain cannot show by itself.
    """
    found = []
    for account_id, head in sorted(checked(file).accounts.items()):
        step = next(ledger.steps(account_id, head.position - 1), None)
        chain = EMPTY_CHAIN if step is None else str(step["chain"])
        if chain != head.chain:
            kind = BreakKind.MISSING if step is None else BreakKind.CHANGED
            detail = f"chain is {chain}, the backup has {head.chain}"
            found.append(Break(kind, account_id, "steps", head.position, detail))
    return found


def _write(ledger: SqlLedger, out: IO[bytes], told: Told | None) -> Manifest:
    digest = hashlib.sha256()
    heads: dict[str, Head] = {}
    encode = msgspec.json.Encoder().encode

    def write(value: Any) -> None:
        line = encode(value) + b"\n"
        digest.update(line)
        out.write(line)

    write(Header(FORMAT, FORMAT_VERSION))
    steps = 0
    with ledger.snapshot() as stream:
        for account_id, step in stream:
            write(Line(account_id, step["chain"], msgspec.Raw(step["payload"].encode())))
            heads[account_id] = Head(step["step"], step["session_id"], step["sequence"], step["chain"])
            steps += 1
            if told is not None and steps % STEPS_PER_READ == 0:
                told(steps)
    manifest = Manifest(heads, steps, digest.hexdigest())
    out.write(encode(manifest) + b"\n")
    return manifest


def _lines(file: Path, digest: "hashlib._Hash") -> Iterator[Line | Manifest]:
    # Every line after the header; the manifest is the last, and what it says has been compared
    decode_line = msgspec.json.Decoder(Line).decode
    steps = 0
    try:
        with gzip.open(file, "rb") as zipped:
            first = zipped.readline(LINE_BYTES_MAX)
            header = msgspec.json.decode(first, type=Header)
            if header != Header(FORMAT, FORMAT_VERSION):
                raise BadBackup(f"{file}: is {header.format} {header.version}, not {FORMAT} {FORMAT_VERSION}")
            digest.update(first)
            while line := zipped.readline(LINE_BYTES_MAX):
                if line.startswith(b"{"):
                    manifest = msgspec.json.decode(line, type=Manifest)
                    _compare(file, manifest, digest.hexdigest(), steps, zipped.read(1))
                    yield manifest
                    return
                digest.update(line)
                steps += 1
                yield decode_line(line)
    except (EOFError, gzip.BadGzipFile) as error:
        raise BadBackup(f"{file}: is cut off or no backup: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadBackup(f"{file}: line {steps + 2}: {error}") from error
    raise BadBackup(f"{file}: is cut off: it ends after {steps} steps, without its manifest")


def _compare(file: Path, manifest: Manifest, found: str, steps: int, rest: bytes) -> None:
    if rest:
        raise BadBackup(f"{file}: goes on after its manifest")
    if (manifest.sha256, manifest.steps) != (found, steps):
        said = f"{manifest.steps} steps with SHA-256 {manifest.sha256}"
        raise BadBackup(f"{file}: its manifest says {said}, there are {steps} with {found}")


def _stretches(file: Path) -> Iterator[tuple[str, list[Line], int]]:
    # Lines of one account, and the position of the first
    lines: list[Line] = []
    first = 1
    for line in _lines(file, hashlib.sha256()):
        if isinstance(line, Manifest):
            break
        same = bool(lines) and line.account_id == lines[0].account_id
        if lines and not (same and len(lines) < STEPS_PER_READ):
            yield lines[0].account_id, lines, first
            first = first + len(lines) if same else 1
            lines = []
        lines.append(line)
    if lines:
        yield lines[0].account_id, lines, first


def _sync_folder(folder: Path) -> None:
    # The name of a new file is only on disk when its folder is
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
