"""``njord``: the entry point. Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage."""

import os
import sys

from cyclopts import App, CycloptsError

app = App(
    name="njord",
    help="A trading platform whose results can be trusted: one deterministic engine from research to live.",
    version_flags=["--version"],
    help_epilogue="Start here: njord run. Every command takes --help, and --json for one JSON document on stdout.",
)
app.command("njord.cli.demo:run", name="run")
app.command("njord.cli.backtest:backtest", name="backtest")
app.command("njord.cli.check:check", name="check")
app.command("njord.cli.data:app", name="data")
app.command("njord.cli.replay:app", name="replay")
app.command("njord.cli.bench:bench", name="bench")
app.command("njord.cli.doctor:doctor", name="doctor")


def main() -> None:
    """Run the command line and leave with its exit code."""
    if not __debug__:
        # Assertions are part of what keeps money safe; without them nothing here may run
        print("error: njord does not run with python -O or PYTHONOPTIMIZE: its assertions must be on", file=sys.stderr)
        raise SystemExit(1)
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        print(f"error: {error}", file=sys.stderr)
        print("try: njord --help", file=sys.stderr)
        raise SystemExit(2) from None
    except (ValueError, OSError, LookupError) as error:
        # Expected trouble: one line that names what is wrong. Anything else is a defect, and shows its trace
        print(f"error: {_line(error)}", file=sys.stderr)
        if os.environ.get("NJORD_DEBUG"):
            raise
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(1) from None


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())


if __name__ == "__main__":
    main()
