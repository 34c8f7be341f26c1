"""The port to what lies in the topics already: the journal, and the records that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from trueup.engine.records import Chunk


class History(Protocol):
    """Reads what was written, from where it is asked to, up to what is there at that moment. Changes nothing."""

    def journal(self, partition: int, at: int) -> AsyncIterator[bytes]:
        """The records of the journal's partition from this offset on, of all workers.

        Raises:
            Unavailable: no answer.
        """

    async def records(self, topic: str, partition: int, from_offset: int, to_offset: int) -> Chunk | None:
        """What is left of the records `[from_offset, to_offset)` of a topic (without prefix), None where nothing is.

        Raises:
            Unavailable: no answer.
        """
