"""Whether all is exact: the status against a recount, the outputs against a replay, records of one id with each other.

journal of the monitor ── replay in memory ──> signals, dead letters ══ topics
journal of the alerter ── replay in memory ──> alerts, triggers, audit ══ topics
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.faults import recount
from benchmarks.faults.installation import Installation
from trueup.console.status import read_status
from trueup.engine.records import Chunk, Record
from trueup.engine.replay import replay
from trueup.workers.setups import WorkerName, lane_setup
from trueup_schemas.journal import JournalEntry

#: What an id is, in each topic of outputs: of the value, the headers and the partition.
Id = tuple[Any, ...]
OUTPUTS: Mapping[str, Callable[[dict[str, Any], int], Id]] = {
    "signals": lambda value, partition: (partition, value["series"], value["number"]),
    "alerts": lambda value, _: (value["alert_id"], value["revision"]),
    "triggers": lambda value, _: (value["trigger_id"],),
    "audit": lambda value, _: (value["audit_id"],),
    "journal": lambda value, _: (value["worker"], value["partition"], value["save"]),
}
WRITTEN_BY: Mapping[WorkerName, tuple[str, ...]] = {
    "monitor": ("signals", "journal"),
    "alerter": ("alerts", "triggers", "audit", "journal"),
}


class Content(NamedTuple):
    """The bytes of one record: what has to be the same wherever its id is the same."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways to the same thing. `apart`: how many differ; `first`: one of them, in words."""

    name: str
    apart: int
    first: str = ""
    compared: int = 0

    @property
    def exact(self) -> bool:
        """Whether they agree, about anything at all."""
        return self.apart == 0 and self.compared > 0


@dataclass(slots=True)
class Verdict:
    """All comparisons of one run, and what it was about."""

    comparisons: list[Comparison] = field(default_factory=list)
    #: Topic -> different ids in it.
    ids: dict[str, int] = field(default_factory=dict)
    #: Topic -> records for each id, on average.
    records_per_id: dict[str, float] = field(default_factory=dict)
    events: int = 0

    @property
    def exact(self) -> bool:
        """Whether every comparison agrees."""
        return all(comparison.exact for comparison in self.comparisons)

    @property
    def failed(self) -> list[Comparison]:
        """Those that do not."""
        return [comparison for comparison in self.comparisons if not comparison.exact]


class Topics:
    """The topics of one installation, each read once."""

    def __init__(self, here: Installation) -> None:
        self._here = here
        self._read: dict[str, list[Any]] = {}

    def __getitem__(self, topic: str) -> list[Any]:
        if topic not in self._read:
            self._read[topic] = recount.records(self._here.bootstrap, self._here.prefix + topic)
        return self._read[topic]

    def chunk(self, topic: str, partition: int, first: int, end: int) -> Chunk:
        """The records `[first, end)`; nothing of these topics is compacted away."""
        mine = self._of(topic, partition)[first:end]
        return Chunk(topic, partition, mine)

    def _of(self, topic: str, partition: int) -> list[Record]:
        name = f"{topic}/{partition}"
        if name not in self._read:
            found = [record for record in self[topic] if record.partition == partition]
            assert [record.offset for record in found] == list(range(len(found))), f"{name} has gaps"
            self._read[name] = [Record(r.offset, r.timestamp / 1_000, r.key, r.value) for r in found]
        return self._read[name]

    def by_id(self, topic: str) -> dict[Id, Counter[Content]]:
        """Id -> the contents that records with it have, and how many have each."""
        found: dict[Id, Counter[Content]] = {}
        for record in self[topic]:
            name = OUTPUTS[topic](json.loads(record.value), record.partition)
            headers = tuple((key, bytes(value)) for key, value in record.headers)
            found.setdefault(name, Counter())[Content(record.key, record.value, headers)] += 1
        return found


def compare(here: Installation) -> Verdict:
    """Compare everything. The workers are to be quiet.

    Raises:
        Unavailable: Redis or Kafka does not answer.
    """
    topics, verdict = Topics(here), Verdict()
    status = read_status(here.progress)
    read = {kind: _read(kind, topics[kind]) for kind in ("predictions", "feedback")}
    verdict.events = sum(len(events) for events, _ in read.values())
    again = recount.recount(read["predictions"].events, read["feedback"].events)
    verdict.comparisons.append(_same("counts", recount.counted(status), again))
    faults = read["predictions"].faults + read["feedback"].faults
    verdict.comparisons.append(_same("dead_letters", status["dead_letters"], dict(faults)))
    published = {topic: topics.by_id(topic) for topic in OUTPUTS}
    for topic, by_id in published.items():
        verdict.ids[topic] = len(by_id)
        records = sum(counter.total() for counter in by_id.values())
        verdict.records_per_id[topic] = round(records / len(by_id), 4) if by_id else 0.0
        verdict.comparisons.append(_one_content(topic, by_id))
    for worker, written in WRITTEN_BY.items():
        verdict.comparisons += _replayed(here, topics, worker, {topic: published[topic] for topic in written})
    return verdict


class _Events(NamedTuple):
    events: list[dict[str, Any]]
    faults: Counter[str]


def _read(kind: str, records: Sequence[Any]) -> _Events:
    events: list[dict[str, Any]] = []
    faults: Counter[str] = Counter()
    for record in records:
        for event, fault in recount.told(kind, record.value):
            if fault is None:
                events.append(event)
            else:
                faults[fault] += 1
    return _Events(events, faults)


# -- the comparisons --------------------------------------------------------------------------------------------------


def _same(name: str, ours: Any, theirs: Any) -> Comparison:
    """Two trees of counts: what the status says, and what was counted again."""
    mine, other = dict(_leaves(ours)), dict(_leaves(theirs))
    apart = sorted(path for path in {*mine, *other} if mine.get(path) != other.get(path))
    first = f"{apart[0]}: {mine.get(apart[0])} instead of {other.get(apart[0])}" if apart else ""
    return Comparison(name, len(apart), first, len(other))


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _leaves(value, f"{path}/{name}")
    else:
        yield path, tree


def _one_content(topic: str, by_id: Mapping[Id, Counter[Content]]) -> Comparison:
    """Every id has the same bytes in all of its records."""
    apart = [name for name, contents in by_id.items() if len(contents) > 1]
    first = f"{apart[0]} has {len(by_id[apart[0]])} different contents" if apart else ""
    return Comparison(f"{topic}: one content for each id", len(apart), first, len(by_id))


def _replayed(
    here: Installation, topics: Topics, worker: WorkerName, published: Mapping[str, Mapping[Id, Counter[Content]]]
) -> list[Comparison]:
    """What a worker published is what a replay of its journal gives, id by id."""
    made: dict[str, dict[Id, Content]] = {topic: {} for topic in published}
    try:
        for topic, name, content in _replay(here, topics, worker):
            if topic in made:
                made[topic][name] = content
    except Exception as error:  # a journal that cannot be replayed is a finding, and no end of the run
        return [Comparison(f"{worker}: replay of the journal", 1, repr(error), 1)]
    found = []
    for topic, ids in made.items():
        there = {name: contents for name, contents in published[topic].items() if _is_of(worker, topic, name)}
        apart = [name for name in {*ids, *there} if set(there.get(name, ())) != {ids.get(name)}]
        first = f"{apart[0]}: {_differ(there.get(apart[0], ()), ids.get(apart[0]))}" if apart else ""
        found.append(Comparison(f"{worker}: {topic} as in the replay", len(apart), first, len(ids)))
    return found


def _differ(there: Any, made: Content | None) -> str:
    if made is None:
        return "published, and not made by the replay"
    if not there:
        return "made by the replay, and not published"
    one = next(iter(there))
    at = next((at for at, (x, y) in enumerate(zip(one.value, made.value or b"", strict=False)) if x != y), -1)
    around = slice(max(0, at - 60), at + 60)
    return f"published {one.value[around]!r}, made {(made.value or b'')[around]!r} (at byte {at})"


def _is_of(worker: WorkerName, topic: str, name: Id) -> bool:
    return topic != "journal" or name[0] == worker


def _replay(here: Installation, topics: Topics, worker: WorkerName) -> Iterator[tuple[str, Id, Content]]:
    setup = lane_setup(worker, here.settings)
    for partition in range(here.settings.kafka.partitions):
        entries = _journal(topics, worker, partition)

        def read(topic: str, first: int, end: int, partition: int = partition) -> Chunk:
            return topics.chunk(topic, partition, first, end)

        for outputs in replay(partition, entries, read, setup):
            for output in outputs:
                if output.topic in OUTPUTS:
                    name = OUTPUTS[output.topic](json.loads(output.value), partition)
                    yield output.topic, name, Content(output.key, output.value, output.headers)


def _journal(topics: Topics, worker: WorkerName, partition: int) -> list[JournalEntry]:
    """The entries of one partition by growing save, each once: the first of each save that was published."""
    entries: dict[int, JournalEntry] = {}
    for record in topics["journal"]:
        entry: JournalEntry = json.loads(record.value)
        if entry["worker"] == worker and entry["partition"] == partition:
            entries.setdefault(entry["save"], entry)
    return [entries[save] for save in sorted(entries)]
