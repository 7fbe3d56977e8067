"""``njord replay``: do a run again and compare every command."""

import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from njord.cli.output import JsonOption, print_json

app = App(name="replay", help="Prove a run by doing it again.")


@app.command
def verify(
    run: str,
    /,
    *,
    catalog: Annotated[Path | None, Parameter(help="Folder of the catalog.")] = None,
    json: JsonOption = False,
) -> None:
    """Run a saved run again from its manifest; name the first command that differs.

    RUN is a run id, or the folder of a run.
    """
    from njord.cli.paths import catalog_root, home
    from njord.market.catalog import Catalog
    from njord.research.artifacts import verify as verify_run

    folder = Path(run) if Path(run).is_dir() else home() / "runs" / run
    if not folder.is_dir():
        raise ValueError(f"no run {run!r} in {folder.parent}")
    with tempfile.TemporaryDirectory(prefix="njord-replay-") as scratch:
        found = verify_run(folder, Catalog(catalog_root(catalog)), Path(scratch))
    if json:
        print_json(found)
    else:
        for note in found.notes:
            print(f"! {note}")
        if found.ok:
            print(f"ok: every command repeated, digest {found.digest}")
        else:
            print(f"NOT REPEATED: recorded {found.digest}, replayed {found.replayed_digest}")
        if found.first_divergence is not None:
            print(f"first divergence, journal line {found.first_divergence.line}")
            print(f"  recorded  {found.first_divergence.recorded or '(the journal ends here)'}")
            print(f"  replayed  {found.first_divergence.replayed or '(the journal ends here)'}")
    if not found.ok:
        raise SystemExit(1)
