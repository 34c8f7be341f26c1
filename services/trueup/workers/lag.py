"""A worker that reads nothing though there is something to read: found out, so that it can end and come back.

Kafka's clients may stay stuck after an outage of the broker: connected, members of the group, and without one record.
Nothing raises. What shows is that the topics' ends, asked for in a request of its own, lie beyond what was taken, and
that nothing is taken:

    end of the topic    ──5────9────9────9────9──
    taken               ──5────5────5────5────5──
    since                      │ at least `stuck_seconds`, and then some record can be read there by another consumer

The last makes it certain: where records were deleted, or are a transaction's marks, the end lies beyond what anybody
will ever read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

#: Topic without prefix, partition.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Look:
    """How things stand now."""

    now: float
    #: The offset after the last record taken, for each place of the lanes that are held.
    taken: Mapping[Place, int]
    #: The offset after the last record that Kafka has.
    ends: Mapping[Place, int]
    #: Partitions that cannot be saved or published: another watch ends the worker for them, and says why.
    behind: AbstractSet[int] = frozenset()
    #: Partitions that are assigned, and that nobody is taking over.
    unclaimed: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when nothing was taken of the partition of a place that has more."""

    #: Of all topics of the partition together, for a lane takes what is oldest: one topic may long wait for another.
    taken: int
    since: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known from look to look."""

    standing: Mapping[Place, Standing]
    unclaimed_since: Mapping[int, float]
    #: Up to here another consumer found nothing to read.
    nothing_before: Mapping[Place, int]


NOTHING_KNOWN = Watch({}, {}, {})


def followed(watch: Watch, look: Look) -> Watch:
    """What is known after this look. A place whose partition moved, or that holds nothing more, starts anew."""
    standing, of_partition = {}, Counter[int]()
    for (_, partition), taken in look.taken.items():
        of_partition[partition] += taken
    for place, taken in look.taken.items():
        if look.ends.get(place, 0) <= max(taken, watch.nothing_before.get(place, 0)):
            continue
        before, moved_to = watch.standing.get(place), of_partition[place[1]]
        standing[place] = before if before is not None and before.taken == moved_to else Standing(moved_to, look.now)
    unclaimed = {partition: watch.unclaimed_since.get(partition, look.now) for partition in look.unclaimed}
    return Watch(standing, unclaimed, watch.nothing_before)


def suspects(watch: Watch, look: Look, stuck_seconds: float) -> list[Place]:
    """Places with more, in partitions of which nothing was taken for so long.

    Another consumer has to find something to read there before anything is concluded.
    """
    return sorted(
        place
        for place, standing in watch.standing.items()
        if look.now - standing.since >= stuck_seconds and place[1] not in look.behind
    )


def cleared(watch: Watch, place: Place, end: int) -> Watch:
    """Another consumer has found nothing to read before `end` either."""
    standing = {other: since for other, since in watch.standing.items() if other != place}
    return Watch(standing, watch.unclaimed_since, {**watch.nothing_before, place: end})


def not_taken_over(watch: Watch, look: Look, stuck_seconds: float) -> int | None:
    """A partition that was assigned so long ago and that nobody claims; None: there is none."""
    overdue = [
        partition
        for partition, since in sorted(watch.unclaimed_since.items())
        if look.now - since >= stuck_seconds and partition not in look.behind
    ]
    return overdue[0] if overdue else None
