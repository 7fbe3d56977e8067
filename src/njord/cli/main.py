"""``njord``: the entry point. Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage."""

import os
import sys

from cyclopts import App, CycloptsError

app = App(
    name="njord",
    help="A trading platform whose results can be trusted: one deterministic engine from research to live.",
    version_flags=["--version"],
    help_format="plaintext",  # Parsing Markdown for a page of help costs as much as all else
    help_epilogue="Start here: njord run. Every command takes --help, and --json for one JSON document on stdout.",
)
# Loaded only when called: help must not pay for what it does not use
for _name, _target, _help in (
    ("run", "njord.cli.run:run", "The platform: a living market, accounts, strategies, API and web app."),
    ("role", "njord.cli.role:app", "The platform in processes of their own: platform, gateway, recorder, watcher."),
    ("sample", "njord.cli.sample:sample", "Generate a market, import it, backtest the examples, write their reports."),
    ("backtest", "njord.cli.backtest:backtest", "Run a config over recorded data; write its report."),
    ("data", "njord.cli.data:app", "Import, list, show and check market data."),
    ("paper", "njord.cli.paper:paper", "Trade a config on a simulated exchange, with everything on record."),
    ("exchange", "njord.cli.paper:exchange", "The simulated exchange of a config, as a process of its own."),
    ("live", "njord.cli.paper:live", "Trade a config with real money: refused until all that needs is there."),
    ("kill", "njord.cli.kill:app", "The kill switch: trip, clear, check."),
    ("ctl", "njord.cli.ctl:app", "An account and its session: where it stands, and what a person may change."),
    ("why", "njord.cli.why:why", "Why an order or a fill happened, back to the market."),
    ("replay", "njord.cli.replay:app", "Prove a run by doing it again."),
    ("check", "njord.cli.check:check", "Does a strategy look ahead, or depend on more than its events?"),
    ("bench", "njord.cli.bench:bench", "How fast this machine runs the engine."),
    ("risk", "njord.cli.risk:app", "Risk and venue profiles, and founders' approvals of what loosens them."),
    ("research", "njord.cli.research:app", "Papers done again, recorded markets, attribution."),
    ("db", "njord.cli.db:app", "The ledger: migrate, verify, back up, restore."),
    ("retain", "njord.cli.retain:app", "What is old enough to go, and legal holds."),
    ("doctor", "njord.cli.doctor:doctor", "Is this machine ready?"),
):
    app.command(_target, name=_name, help=_help)


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
        _say(_line(error))
        if os.environ.get("NJORD_DEBUG"):
            raise
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(1) from None


def _say(what: str) -> None:
    from njord.cli import logs

    if logs.as_json():
        logs.begin()
        logs.fail("command.failed", what)
    else:
        print(f"error: {what}", file=sys.stderr)


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())


if __name__ == "__main__":
    main()
