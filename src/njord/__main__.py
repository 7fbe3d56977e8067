"""``python -m njord``."""

from njord.cli.main import main

main()
