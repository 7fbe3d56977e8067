"""A folder that one process at a time may have: what two write at once is nobody's truth."""

import fcntl
import os
from pathlib import Path
from typing import IO


class InUse(ValueError):
    """Another process has this folder. The message says what it is and which process that is."""


class HeldFolder:
    """The folder is ours until ``release``, or until this process ends, however it does."""

    def __init__(self, path: Path, what: str) -> None:
        """Make the folder where there is none. ``what`` it is of, for the message. Raises InUse."""
        path.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] = (path / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise InUse(f"{what}: in use by process {holder}") from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def release(self) -> None:
        """Let another process have it."""
        self._lock.close()
