"""The folder of a stack: who owns it, and which ports it used last."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

from trueup.embedded.errors import FolderInUse

# A stack whose parent was killed needs this long, at most, until its watchdogs have stopped the servers.
_LEAVING_DEADLINE_S = 15.0
_POLL_S = 0.05


class Folder:
    """A folder held by one stack at a time, through two lock files that the system releases by itself.

    `owner.lock` belongs to the parent alone: while it is held, the stack is alive and others are refused at once.
    `servers.lock` is inherited by the watchdogs: while only that one is held, the parent has died and the servers are
    being stopped, which is worth waiting for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner: IO[str] | None = None
        self._servers: IO[str] | None = None

    def take(self) -> int:
        """Take the folder, creating it where needed, and return the descriptor that the servers are to inherit.

        Raises:
            FolderInUse: a live stack holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._owner = (self.path / "owner.lock").open("a+")
        if not _lock(self._owner):
            self._owner.seek(0)
            owner = self._owner.read().strip() or "unknown"
            self.release()
            raise FolderInUse(
                f"{self.path} is in use by a running stack (process {owner}). Use that one, stop it, "
                "or start this one in another folder."
            )
        self._owner.truncate(0)
        self._owner.write(str(os.getpid()))
        self._owner.flush()
        self._servers = (self.path / "servers.lock").open("a+")
        deadline = time.monotonic() + _LEAVING_DEADLINE_S
        while not _lock(self._servers):
            if time.monotonic() > deadline:
                self.release()
                raise FolderInUse(
                    f"the servers of an earlier stack in {self.path} are still running after {_LEAVING_DEADLINE_S:.0f} "
                    "s, though their parent has gone. End them, or start in another folder."
                )
            time.sleep(_POLL_S)
        return self._servers.fileno()

    def release(self) -> None:
        """Give the folder back; the servers' part is released when the last of them has ended."""
        for file in (self._servers, self._owner):
            if file is not None:
                file.close()
        self._servers = self._owner = None

    def last_ports(self) -> dict[str, int]:
        """Return the ports of the last run by name; empty for a new folder."""
        try:
            stored = json.loads((self.path / "ports.json").read_text())
            return {str(name): int(port) for name, port in stored.items()}
        except (FileNotFoundError, ValueError, AttributeError, TypeError):
            return {}

    def keep_ports(self, ports: dict[str, int]) -> None:
        """Remember the ports, so that the next run has the same addresses where it can."""
        (self.path / "ports.json").write_text(json.dumps(ports))


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
