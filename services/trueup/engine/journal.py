"""What was taken in which order, so that replaying the topics gives the same bytes again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from trueup.step import Output


@dataclass(frozen=True, slots=True)
class Build:
    """What, besides the input, decides the output: settings and code."""

    settings_hash: str = ""
    code_version: str = ""


@dataclass(slots=True)
class Journal:
    """Notes of one lane since its last save, in the order of what was taken: a chunk as it was given to the step."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    anew: bool = False
    quiet: bool = False
    quiet_until: Mapping[str, int] = field(default_factory=dict)

    def chunk(self, topic: str, from_offset: int, to_offset: int, *, apart: bool = False) -> None:
        """Records `[from_offset, to_offset)` of a topic were taken as one chunk; `apart`: event by event."""
        note = {"type": "chunk", "topic": topic, "from_offset": from_offset, "to_offset": to_offset}
        self.taken.append({**note, "apart": True} if apart else note)

    def tick(self, now: float) -> None:
        """The step was told the time."""
        self.taken.append({"type": "tick", "now": now})

    def skip(self, topic: str, offset: int, index: int) -> None:
        """The step could not take this event."""
        self.taken.append({"type": "skip", "topic": topic, "offset": offset, "index": index})

    def output(self, *, worker: str, partition: int, epoch: int, save: int, build: Build) -> Output:
        """The journal's record of one save, first in the outbox."""
        entry = {
            "worker": worker,
            "partition": partition,
            "epoch": epoch,
            "save": save,
            "taken": self.taken,
            "settings_hash": build.settings_hash,
            "code_version": build.code_version,
        }
        entry |= {name: True for name, said in (("anew", self.anew), ("quiet", self.quiet)) if said}
        if self.anew and self.quiet_until:
            entry["quiet_until"] = dict(sorted(self.quiet_until.items()))
        key = f"{worker}:{partition}".encode()
        return Output("journal", key, orjson.dumps(entry), partition=partition)
