"""The port to where state is kept: claim a partition, save it, clear what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trueup.step import Found, Kept, Needs


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition's state as a worker takes it over."""

    epoch: int
    #: Next offset per topic; empty when nothing was ever saved.
    offsets: Mapping[str, int]
    sections: Mapping[str, bytes]
    #: Encoded outputs that were saved and may not have been published, oldest first.
    outbox: Sequence[bytes]
    saves: int = 0
    #: Up to where in the journal's topic all is known to be saved.
    journal_at: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """One atomic write. `base` and `saves` must still stand; a value of None deletes its field."""

    epoch: int
    #: The next offsets, as they were read or saved last.
    base: Mapping[str, int]
    #: How many saves there were before this one. Without it a save of nothing but ticks would leave no trace in `base`.
    saves: int
    offsets: Mapping[str, int]
    sections: Mapping[str, bytes | None] = field(default_factory=dict)
    asleep: Mapping[str, bytes | None] = field(default_factory=dict)
    entries: Mapping[bytes, Kept] = field(default_factory=dict)
    views: Mapping[str, bytes | None] = field(default_factory=dict)
    outbox: Sequence[bytes] = ()


class Checkpoint(Protocol):
    """State, next offsets, views and outbox of each partition, changed together or not at all.

    Every call is atomic. `Unavailable` from `save` leaves its outcome unknown: claim again and see, never repeat it.
    """

    async def claim(self, partition: int) -> Claimed:
        """Raise the partition's epoch and read its state, in one step: from here on earlier claimants are refused.

        Raises:
            Unavailable: no answer; claim again later.
        """

    async def reread(self, partition: int, epoch: int) -> Claimed:
        """The state as it was last saved, for whoever claimed it under this epoch. Takes nothing over.

        Raises:
            StaleWriter: another worker claimed the partition.
            Unavailable: no answer.
        """

    async def read(self, partition: int, needs: Needs) -> Found:
        """What is saved of these entries and sleeping sections. Takes nothing over.

        Raises:
            Unavailable: no answer.
        """

    async def save(self, partition: int, save: Save) -> None:
        """Write all of `save`, if its epoch, number and base offsets still stand, and the sections that belong to them.

        Raises:
            StaleWriter: another worker claimed the partition, or its state is gone; nothing was written.
            Unavailable: no answer; it may have been written.
        """

    async def clear_outbox(
        self, partition: int, epoch: int, count: int, *, saves: int, journal_at: int | None = None
    ) -> None:
        """Forget the `count` oldest outputs, which were published; `journal_at`: what the next claim is to give.

        `saves`: how many there are, as far as whoever clears knows. A store that was put back to a copy has fewer, and
        an outbox of its own.

        Raises:
            StaleWriter: another worker claimed the partition; nothing was cleared.
            Unavailable: no answer; they may have been cleared.
        """

    async def begin_anew(self, partition: int, epoch: int, saves: int) -> None:
        """Forget all that is saved, and go on counting from `saves`.

        Raises:
            StaleWriter, Unavailable: as for `save`.
        """

    async def sweep(self, partition: int, epoch: int, turn: int, outdated: Mapping[int, int], *, saves: int) -> int:
        """Delete entries whose day is outdated for their shelf (-1: any other), and say how many.

        Looks at some of them only; with `turn` growing by one from call to call all have their turn. `saves`: how many
        there were when `outdated` was saved; a store that was put back to a copy with fewer may need what it has.

        Raises:
            StaleWriter, Unavailable: as above.
        """

    async def views(self, partition: int) -> Mapping[str, bytes]:
        """The views as last saved, for whoever shows them. Takes nothing over."""

    async def offsets(self, partition: int) -> Mapping[str, int]:
        """The next offset per topic as last saved. Takes nothing over."""
