"""Every topic: what it carries, how it is keyed, how long it is kept. The literal table of the outside contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from trueup_schemas.alert import Alert
from trueup_schemas.audit import AuditEntry
from trueup_schemas.command import Command
from trueup_schemas.deployment import Deployment
from trueup_schemas.feedback import Feedback
from trueup_schemas.journal import JournalEntry
from trueup_schemas.prediction import Prediction
from trueup_schemas.signal import Signal
from trueup_schemas.trigger import Trigger
from trueup_schemas.trigger_update import TriggerUpdate

#: What names begin with, and how many partitions every topic has, where nobody says otherwise.
DEFAULT_PREFIX = "trueup."
DEFAULT_PARTITIONS = 4

Retention = Literal["label_horizon", "kept", "compacted", "week"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `value` is the type of one event in it (None: bytes as they came)."""

    name: str
    direction: Literal["in", "internal", "out"]
    key: str
    value: Any
    retention: Retention
    #: Whether a record may hold a JSON array of events.
    batches: bool
    about: str
    #: At least one of these fields must be given, and not null.
    one_of: tuple[str, ...] = ()


PREDICTIONS = Topic(
    "predictions",
    "in",
    "model_id",
    Prediction,
    "label_horizon",
    True,
    "What models answered.",
    one_of=("prediction", "error"),
)
FEEDBACK = Topic(
    "feedback",
    "in",
    "model_id",
    Feedback,
    "label_horizon",
    True,
    "What turned out to be true.",
    one_of=("actual", "score"),
)
DEPLOYMENTS = Topic("deployments", "in", "model_id", Deployment, "kept", True, "Which version plays which role.")
TRIGGER_UPDATES = Topic(
    "trigger-updates", "in", "model_id", TriggerUpdate, "kept", True, "What pipelines did with triggers."
)
COMMANDS = Topic("commands", "in", "model_id", Command, "kept", True, "What people ask for.")
SIGNALS = Topic("signals", "internal", "model_id", Signal, "week", True, "What the monitor noticed.")
JOURNAL = Topic("journal", "internal", "partition", JournalEntry, "label_horizon", False, "What was processed when.")
ALERTS = Topic("alerts", "out", "alert_id", Alert, "compacted", False, "What on-call should know.")
TRIGGERS = Topic("triggers", "out", "model_id", Trigger, "kept", False, "What pipelines are to do.")
AUDIT = Topic("audit", "out", "model_id", AuditEntry, "kept", False, "Every decision, and why.")
DEAD_LETTERS = Topic("dead-letters", "out", "original key", None, "kept", False, "What could not be used, untouched.")

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        PREDICTIONS,
        FEEDBACK,
        DEPLOYMENTS,
        TRIGGER_UPDATES,
        COMMANDS,
        SIGNALS,
        JOURNAL,
        ALERTS,
        TRIGGERS,
        AUDIT,
        DEAD_LETTERS,
    )
}
