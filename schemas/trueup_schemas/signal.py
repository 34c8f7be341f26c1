"""Topic `signals`: what the monitor noticed. Internal, keyed by model_id, numbered per partition.

A tagged union by `type`. `number` grows by one per partition of the monitor; a reader skips what it has seen. Numbers
are compared within a `series`: it grows where the monitor had to begin anew without its state and without the records
from which it had begun before, and so counts from one again.
Every signal says the event time (`at`) at which it was noticed, never the wall clock's.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, StrictStr
from typing_extensions import TypedDict

from trueup_schemas.deployment import Role
from trueup_schemas.values import Id, Int64, Name, Seconds, Text


class Rate(TypedDict):
    """A mean with its honesty: over how many, and a 95 % interval."""

    mean: float
    n: int
    low: float
    high: float


class Reference(TypedDict):
    """What a detector held the present against."""

    mean: float
    n: int
    #: The highest mean that is not held against the model: reference, its uncertainty and the tolerance.
    bound: float
    #: How much more the mean of a block varies than independent values would (1: independent).
    variance_inflation: float
    from_time: Seconds
    to_time: Seconds


class TrainingData(TypedDict):
    """Where the data to train on lies: offsets `[from, to)` per topic and partition, and the event-time range."""

    topics: dict[str, dict[str, tuple[int, int]]]
    from_time: Seconds
    to_time: Seconds
    #: Predictions whose truth was first observed in the range, as far as the `to` offsets.
    labelled: int


class WindowClosed(TypedDict):
    """An hour of label time of one version is over."""

    type: Literal["window_closed"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    from_time: Seconds
    to_time: Seconds
    #: The hour itself, and the 24 hours that end with it.
    hour: Rate
    day: Rate


class SegmentShare(TypedDict):
    """One value of a segment (or of a pair of them, or a label that was predicted) since the change, and before."""

    segment: dict[str, str]
    recent: Rate
    mean_before: float
    #: Of all outcomes since the change, and in the reference.
    share: float
    share_before: float
    #: What of the rise is its own: since it has another share, and since more is lost on it.
    mix: float
    within: float


class Explained(TypedDict):
    """Where a rise comes from, by the values of one segment: `rise` = `mix` + `within`."""

    #: The segment, or `prediction`: the labels that were predicted.
    by: Text
    n: int
    rise: float
    #: What the other shares of the values explain, with the standard error, and what more errors within them do.
    mix: float
    mix_error: float
    within: float
    #: The values with the largest parts.
    parts: list[SegmentShare]


class ChangeDetected(TypedDict):
    """A detector fired on a stream of one version."""

    type: Literal["change_detected"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    detector: Name
    #: `error`, `score`, or `feature:` and the name of a feature that is watched.
    stream: Annotated[StrictStr, Field(min_length=1, max_length=300)]
    #: Whether on-call is to be called, or this only informs.
    pages: bool
    direction: Literal["rose", "fell"]
    recent: NotRequired[Rate]
    #: Label time of the last label before the likely change.
    changed_at: NotRequired[Seconds]
    reference: NotRequired[Reference]
    #: How long a reader may expect to wait for a false alarm of this kind: expected false pages a month.
    false_pages_per_month: NotRequired[float]
    #: Of a rise that pages: by segment, where it comes from; the one first that tells most of the mix.
    explained: NotRequired[list[Explained]]
    training_data: NotRequired[TrainingData]


class SegmentRise(TypedDict):
    """One value of a segment (or of a pair of them) on which more is lost than before."""

    segment: dict[str, str]
    recent: Rate
    mean_before: float
    #: The highest mean that is not held against it.
    bound: float
    #: Label time after which it likely changed.
    changed_at: Seconds


class SegmentsMoved(TypedDict):
    """More is lost on some values of a version's segments than on the same before; or (`ended`) on none any more."""

    type: Literal["segments_moved"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    #: Whether on-call is to be called, or this only informs.
    pages: bool
    #: Those for which there is most evidence, the strongest first, of all that rose.
    segments: list[SegmentRise]
    risen: int
    ended: bool
    #: Expected false pages a month of all of the model.
    false_pages_per_month: float
    training_data: NotRequired[TrainingData]


class VersionsCompared(TypedDict):
    """The sequential test between a newer version and the one before it came to a verdict."""

    type: Literal["versions_compared"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    previous_version: Name
    #: `not_worse`: shown to cost less than the margin that the team accepts, and not more than that.
    verdict: Literal["worse", "better", "not_worse"]
    pairs: int
    error: Rate
    previous_error: Rate
    #: The chance of ever being wrong that the test was given.
    alpha: float
    #: The loss that the newer version may cost.
    margin: NotRequired[float]
    #: Whether both answered the same requests, each its own (split traffic), or some of each.
    pairing: NotRequired[Literal["same_event", "split", "mixed"]]
    #: Of the newer version. The answers of one in shadow reach nobody: there is nothing to roll back.
    role: NotRequired[Role | None]


class DataFault(TypedDict):
    """The data itself is broken: retraining would not help."""

    type: Literal["data_fault"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    feature: NotRequired[Name | None]
    #: Where the same befell several features at once.
    features: NotRequired[list[Name]]
    fault: Name
    detail: Text
    #: Since when, and whether that is over.
    since: NotRequired[Seconds]
    ended: NotRequired[bool]


class Drift(TypedDict):
    """A stream of one version, a day of it held against its reference."""

    #: `prediction`, `score`, or `feature:` and the name of a feature.
    stream: Annotated[StrictStr, Field(min_length=1, max_length=300)]
    #: `ks` (Kolmogorov-Smirnov) or `chi2`, its statistic, and its p-value, days varying more than values do.
    test: Name
    statistic: float
    p: float
    #: Population stability index; Jensen-Shannon divergence in bits.
    psi: float
    js: float
    #: Values in the day and in the reference, and which share of them was missing.
    n: int
    reference_n: int
    missing: float
    reference_missing: float
    #: The share of texts that the reference does not have.
    unseen: NotRequired[float]


class FeaturesDrifted(TypedDict):
    """Features, or the predictions, are no longer distributed as in the reference. It informs: it may be harmless."""

    type: Literal["features_drifted"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    #: Those that are, for so many days on end, the furthest first (by `psi`).
    drifted: list[Drift]
    days: int


class TrafficShare(TypedDict):
    """Which share of the predictions a value of a segment has, and had: 0 where it is gone or new."""

    value: Text
    share: float
    #: The mean of the days before, and their standard deviation.
    share_before: float
    spread: float


class TrafficMoved(TypedDict):
    """The traffic of a model is made up otherwise than on the days before; or (`ended`) no longer. It informs."""

    type: Literal["traffic_moved"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    #: The name of the segment by whose values it is told.
    segment: Name
    since: Seconds
    ended: bool
    #: Which share of the predictions is other traffic; how likely so odd a share is on days that vary as those before.
    moved: float
    p: float
    #: Predictions of the day, and how many days it is held against.
    n: int
    reference_days: int
    #: The values whose share moved most.
    values: list[TrafficShare]


class Blind(TypedDict):
    """The monitor cannot tell, since when and for want of what; `ended` when it can again."""

    type: Literal["blind"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    #: `label_coverage`: fewer predictions than usual have their truth. `labels_of_class`, `labels_of_segment`: those of
    #: some `values` alone. `clock`: records come, and their event times stand still.
    missing: Literal["predictions", "feedback", "label_coverage", "labels_of_class", "labels_of_segment", "clock"]
    #: The name of the segment, and the values of it, or of what was predicted, whose truths are missing.
    segment: NotRequired[Name]
    values: NotRequired[list[Text]]
    #: The figures, as a sentence.
    detail: NotRequired[Text]
    since: Seconds
    ended: bool


class DeploymentSeen(TypedDict):
    """A deployment passed through the monitor, in its order among the outcomes."""

    type: Literal["deployment_seen"]
    number: int
    series: NotRequired[Int64]
    at: Seconds
    model_id: Name
    model_version: Name
    role: Role
    trigger_id: NotRequired[Id | None]


Signal = Annotated[
    WindowClosed
    | ChangeDetected
    | SegmentsMoved
    | VersionsCompared
    | DataFault
    | FeaturesDrifted
    | TrafficMoved
    | Blind
    | DeploymentSeen,
    Field(discriminator="type"),
]
