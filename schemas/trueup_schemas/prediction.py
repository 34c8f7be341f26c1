"""Topic `predictions`: what a model answered. In, keyed by model_id."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from trueup_schemas.values import FeatureValue, Id, Label, Milliseconds, Name, Probability, Seconds, Text


@with_config(ConfigDict(extra="ignore"))
class Prediction(TypedDict):
    """One answer of one version of a model. Identified by (model_id, model_version, prediction_id).

    `prediction` may be left out only where `error` says that the call failed. `predicted_at` defaults to the
    record's timestamp. `probability` is that of the positive class, or one for each label.
    """

    prediction_id: Id
    model_id: Name
    model_version: Name
    prediction: NotRequired[Label | None]
    predicted_at: NotRequired[Seconds | None]
    probability: NotRequired[Probability | None]
    features: NotRequired[Annotated[dict[Name, FeatureValue], Field(max_length=2_000)] | None]
    segment: NotRequired[Annotated[dict[Name, Name], Field(max_length=50)] | None]
    latency_ms: NotRequired[Milliseconds | None]
    error: NotRequired[Text | None]
