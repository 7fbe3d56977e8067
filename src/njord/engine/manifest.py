"""The manifest of a run: all that went into it, by hash, so that it can be done again and known to be the same."""

import functools
import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.clock import iso
from njord.engine.assemble import Assembly, Parts, Source
from njord.engine.config import RunConfig
from njord.engine.loading import source_hash
from njord.strategies.port import Strategy

SCHEMA_VERSION = 1
RUN_ID_CHARS = 16
_VERSIONS_OF = ("njord", "msgspec", "numpy", "pyarrow")


@functools.cache
def code_hash() -> str:
    """Return SHA-256 over the source files of Njord itself, by name and content."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def config_hash(config: RunConfig) -> str:
    """Return SHA-256 of a config's canonical bytes."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def _plain(strategy: Strategy) -> dict[str, Any]:
    # A strategy that came as an object has no params in the config; what is plain of what it holds tells two apart
    kinds = (bool, int, float, str, type(None))
    held = vars(strategy) if hasattr(strategy, "__dict__") else {}
    return {name: value for name, value in sorted(held.items()) if _is_plain(value, kinds)}


def _is_plain(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(part, kinds) for part in value)
    return isinstance(value, kinds) and value == value  # NaN is no JSON


def manifest(assembly: Assembly | Parts, source: Source) -> dict[str, Any]:
    """Return what a run is made of. ``run_id`` names the inputs: the same inputs have the same one anywhere."""
    data = [
        {
            "dataset": str(each.dataset_id),
            "from": None if each.start_ns is None else iso(each.start_ns),
            "to": None if each.end_ns is None else iso(each.end_ns),
            "sha256": source.content_hash(each.dataset_id, each.start_ns, each.end_ns),
        }
        for each in assembly.ranges
    ]
    strategies = [
        {
            "strategy_id": name,
            "class": type(strategy).__qualname__,
            "made_with": _plain(strategy),
            "sha256": source_hash(type(strategy)),
        }
        for name, strategy in assembly.strategies.items()
    ]
    instruments = [msgspec.to_builtins(instrument) for instrument in assembly.instruments.values()]
    inputs: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "code_sha256": code_hash(),
        "config_sha256": config_hash(assembly.config),
        "config": msgspec.to_builtins(assembly.config, order="sorted"),
        "data": data,
        "instruments": instruments,
        "strategies": strategies,
        "seed": assembly.config.seed,
    }
    run_id = hashlib.sha256(msgspec.json.encode(inputs, order="sorted")).hexdigest()[:RUN_ID_CHARS]
    versions = {name: importlib.metadata.version(name) for name in _VERSIONS_OF}
    return {
        "run_id": run_id,
        **inputs,
        "versions": {"python": platform.python_version(), **versions},
    }
