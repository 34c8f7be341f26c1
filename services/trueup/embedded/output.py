"""Where the output of a server goes: into a file, or on to whoever reads the output of this process."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_TAIL_LINES = 20
_LONGEST_LINE_BYTES = 65_536
# What a server that has ended wrote last lies in the pipe, unless something that it started holds the pipe open.
_SETTLE_S = 1.0


class LogFile:
    """A file that grows with each start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = 0

    def __str__(self) -> str:
        return str(self._path)

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Yield a descriptor for a new start to write to."""
        with self._path.open("ab") as log:
            self._start = log.tell()
            yield log.fileno()

    def settle(self) -> None:
        """All that was written is there."""

    def tail(self) -> str:
        """Return the last lines since the last start."""
        with self._path.open("rb") as log:
            log.seek(self._start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])


class Relay:
    """Passes on each line as it comes, whole, with `[name] ` before it; the last ones are remembered.

    Several may pass on to one stream, which has to be unbuffered. Where nobody reads it any more, lines are dropped and
    the server goes on.
    """

    def __init__(self, name: str, to: BinaryIO) -> None:
        self._name = name
        self._to = to
        self._last: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._reader: threading.Thread | None = None

    def __str__(self) -> str:
        return f"[{self._name}]"

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Yield a descriptor for a new start to write to."""
        self._last.clear()
        end, start = os.pipe()
        self._reader = threading.Thread(target=self._pass_on, args=(end,), name=f"relay {self._name}", daemon=True)
        self._reader.start()
        try:
            yield start
        finally:
            os.close(start)

    def settle(self) -> None:
        """Return when all that an ended server wrote was passed on."""
        if self._reader is not None:
            self._reader.join(_SETTLE_S)

    def tail(self) -> str:
        """Return the last lines since the last start, as they were written."""
        return b"\n".join(list(self._last)).decode(errors="replace")

    def _pass_on(self, descriptor: int) -> None:
        before = f"{self} ".encode()
        with os.fdopen(descriptor, "rb") as written:
            while line := written.readline(_LONGEST_LINE_BYTES):
                self._last.append(line.rstrip(b"\n"))
                with contextlib.suppress(OSError):
                    self._to.write(before + line.rstrip(b"\n") + b"\n")
