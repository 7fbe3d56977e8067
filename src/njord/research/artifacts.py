"""The files of a run: its manifest, journal, fills, equity, result and report, in a folder named by its run id."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from njord.engine.assemble import Source
from njord.engine.config import RunConfig, restore
from njord.engine.manifest import code_hash
from njord.engine.replay import Divergence, first_divergence
from njord.ledger import journal
from njord.research.outcome import equity_table, fill_table, trade_table
from njord.research.result import Result
from njord.research.run import run

MANIFEST = "manifest.json"
JOURNAL = "journal.ndjson"
STRATEGY_FOLDER = "strategies"


class BadRun(ValueError):
    """A run's folder is not what it should be. The message names the file."""


class Verification(msgspec.Struct, frozen=True):
    """What a replay found. ``notes`` say what is different about its surroundings, such as newer code."""

    ok: bool
    run_id: str
    digest: str
    replayed_digest: str
    first_divergence: Divergence | None
    notes: list[str]


def save(result: Result, folder: Path, journal_file: Path, *, report: bool = True) -> dict[str, str]:
    """Write a result into ``folder``, moving its journal there. Return the artifacts' paths."""
    import pyarrow.csv
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    result.assembly.backtest.journal.close()
    if journal_file != folder / JOURNAL:
        shutil.move(journal_file, folder / JOURNAL)
    for name, table in (
        ("fills", fill_table(result)),
        ("equity", equity_table(result)),
        ("trades", trade_table(result)),
    ):
        pyarrow.parquet.write_table(table, folder / f"{name}.parquet", compression="zstd")
        pyarrow.csv.write_csv(table, folder / f"{name}.csv")
    _keep_strategies(result, folder)
    manifest = {**result.manifest, "digest": result.digest, "final_equity": result.final_equity}
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    paths = {
        "fills": folder / "fills.parquet", "equity": folder / "equity.parquet", "trades": folder / "trades.parquet",
        "journal": folder / JOURNAL, "manifest": folder / MANIFEST,
    }  # fmt: skip
    if report:
        paths["report"] = result.report(folder / "report.html")
    artifacts = {name: str(path) for name, path in sorted(paths.items())}
    document = {**result.document(), "artifacts": artifacts}
    (folder / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return artifacts


def verify(folder: Path, source: Source, scratch: Path) -> Verification:
    """Run a saved run again from its manifest and compare every command. ``scratch`` is a folder to work in.

    Raises BadRun when the folder is not a run, or its journal is not the one its digest was taken of.
    """
    manifest = _manifest(folder)
    recorded = folder / JOURNAL
    if not recorded.exists():
        raise BadRun(f"{recorded}: no such file")
    found = journal.digest(recorded)
    notes = []
    if found != manifest["digest"]:
        notes.append(
            f"{recorded} was changed: its digest is {found[:16]}…, the manifest says {manifest['digest'][:16]}…"
        )
    if manifest["code_sha256"] != code_hash():
        notes.append("the code is not that of the recorded run")
    config = _config(manifest, folder)
    replayed = scratch / JOURNAL
    result = run(config, source, journal=replayed, here=folder)
    notes += _data_notes(manifest, result.manifest)
    result.assembly.backtest.journal.close()
    divergence = first_divergence(recorded, replayed)
    ok = divergence is None and found == manifest["digest"] == result.digest
    return Verification(ok, manifest["run_id"], manifest["digest"], result.digest, divergence, notes)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise BadRun(f"{folder}: not a run: it has no {MANIFEST}") from None
    except msgspec.DecodeError as error:
        raise BadRun(f"{path}: {error}") from None
    for name in ("run_id", "digest", "config", "code_sha256", "data"):
        if name not in manifest:
            raise BadRun(f"{path}: no field {name!r}")
    return manifest


def _config(manifest: dict[str, Any], folder: Path) -> RunConfig:
    document = manifest["config"]
    for spec in document["strategies"]:
        if spec.get("file"):
            # The copy that was kept with the run, whatever has become of the original
            spec["file"] = str((folder / STRATEGY_FOLDER / Path(spec["file"]).name).resolve())
    return restore(document, str(folder / MANIFEST))


def _keep_strategies(result: Result, folder: Path) -> None:
    for spec in result.assembly.config.strategies:
        if spec.file is not None:
            kept = folder / STRATEGY_FOLDER
            kept.mkdir(exist_ok=True)
            shutil.copyfile(result.assembly.path_of(spec), kept / Path(spec.file).name)


def _data_notes(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    hashes = {each["dataset"]: each["sha256"] for each in now["data"]}
    return [
        f"the data of {each['dataset']} is not that of the recorded run"
        for each in then["data"]
        if hashes.get(each["dataset"]) != each["sha256"]
    ]
