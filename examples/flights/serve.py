"""The serving app: it answers a day of flights, says so through the Emitter, and waits for the day to be dealt with.

    day 1: predictions, on_predictions, feedback, on_day_end | day 2: which version now? predictions, ... | day 3: ...

A new version serves from the start of the next day on, never from the middle of one. Together with an `on_day_end`
that returns only when everything the day set off has come to rest (a training too), that makes two runs of the year
the same.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from flights.delivery import deliver
from flights.model_files import load_model
from flights.models import RECIPES
from flights.replay import Feedback, Prediction, Replay, Serving
from flights.served import ServedFile
from trueup.sdk import Emitter


@dataclass(frozen=True)
class Day:
    """What happened on one day: events by model, and the version that served."""

    day: date
    versions: Mapping[str, str]
    predictions: Mapping[str, int]
    feedback: Mapping[str, int]


def serve(
    emitter: Emitter,
    replay: Replay,
    *,
    models_folder: Path,
    current_version: Callable[[str], str],
    on_day_end: Callable[[Day], object],
    on_predictions: Callable[[Day], object] = lambda _: None,
    served: ServedFile,
    days: Sequence[date] | None = None,
) -> None:
    """Serve `days` (by default, all of the replay), one after the other.

    `current_version(model_id)` is asked at the start of each day; the version it names must lie in `models_folder`.
    `on_predictions` is called when a day's predictions are delivered, and before its feedback is emitted; `on_day_end`
    when all its events are. Both may block: Kafka keeps no order between topics, and what is to come in a fixed order
    has to wait for what comes before it.

    Raises:
        Undelivered: an event was lost, or was not delivered within a minute.
        FileNotFoundError: `current_version` named a version that is not there.
    """
    serving: dict[str, Serving] = {}
    for day in replay.days if days is None else days:
        serving = {model_id: _now(model_id, current_version, serving, models_folder) for model_id in RECIPES}
        events = list(replay.events(day, serving))
        today = Day(day, {model_id: now.version for model_id, now in serving.items()}, *_counted(events))
        for kind, dealt_with in ((Prediction, on_predictions), (Feedback, on_day_end)):
            for event in events:
                if isinstance(event, kind):
                    emit(emitter, event)
                    served.add(event)
            deliver(emitter, f"the {kind.__name__.lower()}s of {day}")
            dealt_with(today)


def _counted(events: Sequence[Prediction | Feedback]) -> tuple[Counter[str], Counter[str]]:
    """Predictions and feedback by model."""
    predictions = Counter(event.model_id for event in events if isinstance(event, Prediction))
    feedback = Counter(event.model_id for event in events if isinstance(event, Feedback))
    return predictions, feedback


def emit(emitter: Emitter, event: Prediction | Feedback) -> None:
    """Hand one event to the Emitter."""
    if isinstance(event, Feedback):
        emitter.emit_feedback(
            prediction_id=event.prediction_id,
            model_id=event.model_id,
            actual=event.actual,
            observed_at=event.at,
            source="landing",
        )
        return
    emitter.emit_prediction(
        prediction_id=event.prediction_id,
        model_id=event.model_id,
        model_version=event.model_version,
        prediction=event.prediction,
        probability=event.probability,
        features=event.features,
        segment=event.segment,
        predicted_at=event.at,
    )


def _now(
    model_id: str, current_version: Callable[[str], str], serving: Mapping[str, Serving], models_folder: Path
) -> Serving:
    """The version to serve now; loaded only where it is not the one that serves already."""
    version, before = current_version(model_id), serving.get(model_id)
    if before is not None and before.version == version:
        return before
    return Serving(version, load_model(models_folder, model_id, version))
