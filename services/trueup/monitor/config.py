"""What a team may say about its models. All of it is optional; configuration only sharpens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from trueup_schemas.values import Name

Task = Literal["binary", "multiclass", "regression", "judged"]
#: The names in the tables of `monitor/detectors`, which take River and a second to import.
LossDetector = Literal["adwin", "page_hinkley", "kswin"]
MistakeDetector = Literal["ddm", "hddm_a", "eddm", "hddm_w"]
ScoreDetector = Literal["adwin", "page_hinkley", "kswin", "e_detector"]
FeatureDetector = Literal["adwin", "page_hinkley", "kswin", "e_detector"]


class ModelConfig(BaseModel):
    """How one model is looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: None: inferred from the first outcome.
    task: Task | None = None
    #: Binary: the label that precision, recall and AUC are about, and whose probability is given. 1 is also `true`.
    positive_label: bool | int | float | str = 1
    #: Regression: right when within this share of the truth (0.10 = 10 %). None: no accuracy, only errors.
    tolerance: Annotated[float, Field(gt=0, le=10)] | None = None
    #: Segment names whose values are looked at apart.
    segments: tuple[Name, ...] = ()
    #: The error rate that the team accepts; None: learned from the model's own reference.
    objective: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Learn the reference from at least so many labels over at least so many days; with an objective, how bursty errors
    #: are: until then only what is wrong nearly always is found.
    reference_labels: Annotated[int, Field(ge=200)] = 10_000
    reference_days: Annotated[float, Field(ge=0)] = 14.0
    #: A rise of the error rate below this is not worth waking anyone for.
    worth_paging: Annotated[float, Field(ge=0, lt=1)] = 0.01
    #: How far back the data for a retraining reaches, in days of label time.
    training_days: Annotated[float, Field(gt=0, le=3_650)] = 28.0
    #: Which detectors inform: on losses, on losses of 0 and 1, on scores, and on each of the watched features. Those
    #: that cost much (`kswin`, `hddm_w`) or cry wolf (`eddm`) are for those who ask for them.
    loss_detectors: tuple[LossDetector, ...] = ("adwin", "page_hinkley")
    mistake_detectors: tuple[MistakeDetector, ...] = ("ddm", "hddm_a")
    score_detectors: tuple[ScoreDetector, ...] = ("adwin",)
    feature_detectors: tuple[FeatureDetector, ...] = ("adwin",)
    #: Features whose numbers are watched; other values of theirs are passed over.
    watch_features: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    #: The loss (0 to 1) that a new version may cost against the one before it. 0: which of them is better; 0.01: one
    #: that is shown to be worse by less than a point is not worse.
    comparison_margin: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    #: Features looked at for faults and drift, each held against its own first so many values and days; 0: none.
    most_features: Annotated[int, Field(ge=0, le=1_000)] = 100
    feature_reference_values: Annotated[int, Field(ge=200)] = 1_000
    feature_reference_days: Annotated[float, Field(ge=1)] = 7.0
    #: Whether the calls are looked at for faults: repeated ids, wrong clocks, slowness, failures. What is usual is
    #: learned from so many days.
    watch_calls: bool = True
    call_reference_days: Annotated[float, Field(ge=1)] = 7.0
    #: Whether more is measured than accuracy and mean errors: the metrics of its task, by day, week and in all.
    metrics: bool = True
    #: Whether, of binary models that give probabilities, the performance is estimated before labels come.
    estimates: bool = True
    #: Whether a rise of the errors calls anyone at all. False: the e-detector is off.
    pages: bool = True

    @property
    def stated_task(self) -> Task | None:
        """`task`; without one, a text for the positive label says that there are two labels."""
        return self.task or ("binary" if isinstance(self.positive_label, str) else None)


class MonitorConfig(BaseModel):
    """The monitor's settings: for the fleet, and by model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: How many false pages a month the whole fleet may cost.
    false_pages_per_month: Annotated[float, Field(gt=0)] = 1.0
    #: Outcomes in the rolling window that counts outcomes.
    last_outcomes: Annotated[int, Field(ge=10, le=100_000)] = 1_000
    #: A prediction waits so long for its truth, and is recognised as a repeat so long.
    label_horizon_days: Annotated[float, Field(gt=0, le=3_650)] = 90.0
    #: Without predictions, or without truths, for so long: the monitor says that it cannot tell.
    blind_after_hours: Annotated[float, Field(gt=0)] = 48.0
    #: The chance of ever being wrong about a new version against the one before it.
    comparison_alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    #: Values of one segment name that are kept apart; the rest is `__other__`.
    segment_values: Annotated[int, Field(ge=1, le=10_000)] = 100
    #: Models in one partition, and versions of one model, that are looked at apart; the rest is `__other__`.
    most_models_per_partition: Annotated[int, Field(ge=1)] = 100_000
    most_versions_per_model: Annotated[int, Field(ge=1)] = 200
    #: Prediction ids that are kept, of one model and of all (shared out evenly among the partitions). Of a model with
    #: more, its oldest whole day is let go before the horizon; where there is but one day, the newest ids are.
    most_ids_per_model: Annotated[int, Field(ge=1)] = 10_000_000
    most_ids: Annotated[int, Field(ge=1)] = 100_000_000
    #: Prediction ids that are also held in memory, over all partitions.
    most_ids_in_memory: Annotated[int, Field(ge=0)] = 400_000
    #: A model that was silent for so long leaves memory until it is heard of again.
    rest_after_days: Annotated[float, Field(gt=0)] = 7.0
    defaults: ModelConfig = ModelConfig()
    models: dict[Name, ModelConfig] = {}

    @property
    def kept_days(self) -> float:
        """How long Kafka has to keep predictions and feedback: until the truth may come, and then to train on it."""
        training = max(model.training_days for model in (self.defaults, *self.models.values()))
        return self.label_horizon_days + training + 1

    def of(self, model_id: str) -> ModelConfig:
        """The settings of one model: what is said of it, and for the rest the defaults."""
        said = self.models.get(model_id)
        if said is None:
            return self.defaults
        return self.defaults.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})
