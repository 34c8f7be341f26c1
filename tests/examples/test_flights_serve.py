"""The app and the pipeline together, with topics in memory where Kafka would be.

1 to 14 February: v1 serves | trigger: retrain on these days | 15 to 21 February: v2 serves
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flights.delivery import Undelivered, deliver
from flights.model_files import load_model, next_version, save_first_versions, save_model, version_made_for, versions
from flights.models import FLIGHT_TIME, LATE_ARRIVAL, RECIPES, TrainedModel
from flights.pipeline import retrain, run
from flights.recount import recount
from flights.replay import Replay
from flights.serve import Day, serve
from flights.served import ServedFile, read_served
from flights.training_data import Ranges, Record
from trueup.sdk import Emitter, EmitterLimits, ReceivedTrigger
from trueup.sdk.received_trigger import parse_trigger

PREDICTIONS, FEEDBACK, DEPLOYMENTS = "trueup.predictions", "trueup.feedback", "trueup.deployments"


class Topics:
    """Where the Emitter delivers to: topics in memory, of one partition each."""

    def __init__(self) -> None:
        self.records: dict[str, list[bytes]] = {PREDICTIONS: [], FEEDBACK: [], DEPLOYMENTS: []}

    def send(self, topic: str, *, key: bytes, value: bytes, done: Callable[[BaseException | None], None]) -> None:
        assert key
        self.records[topic].append(value)
        done(None)

    def close(self, timeout_s: float) -> None: ...

    def abandon(self) -> None: ...

    def emitter(self, limits: EmitterLimits | None = None) -> Emitter:
        return Emitter("nowhere", connect=lambda: self, limits=limits)

    def events(self, topic: str) -> list[dict[str, Any]]:
        contents = [json.loads(value) for value in self.records[topic]]
        return [event for content in contents for event in (content if isinstance(content, list) else [content])]

    def february(self) -> dict[str, Any]:
        """A trigger's data set: everything so far, of which the predictions of February."""
        ranges = {topic: {"0": [0, len(self.records[topic])]} for topic in (PREDICTIONS, FEEDBACK)}
        return {"topics": ranges, "from_time": "2013-02-01T00:00:00Z", "to_time": "2013-03-01T00:00:00Z", "labelled": 1}

    def read(self, ranges: Ranges) -> Iterator[Record]:
        for topic, parts in ranges.items():
            for begin, end in parts.values():
                yield from (Record(topic, 0, value) for value in self.records[topic][begin:end])

    def current_version(self, model_id: str) -> str:
        mine = [event["model_version"] for event in self.events(DEPLOYMENTS) if event["model_id"] == model_id]
        return mine[-1] if mine else "v1"


class Silence(Topics):
    """A Kafka that takes everything and acknowledges nothing."""

    def send(self, topic: str, *, key: bytes, value: bytes, done: Callable[[BaseException | None], None]) -> None: ...


class Requests:
    """Triggers as the inbox hands them out, and what the pipeline said about them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, str | None]] = []

    def trigger(
        self, dataset: Mapping[str, Any] | None, *, action: str = "retrain", trigger_id: str = "t-1"
    ) -> ReceivedTrigger:
        sent = {"trigger_id": trigger_id, "action": action, "model_id": FLIGHT_TIME, "dataset": dataset}
        return parse_trigger(json.dumps(sent).encode(), self._report)

    def _report(self, trigger: ReceivedTrigger, status: str, *, model_version: str | None, detail: str | None) -> None:
        assert trigger.model_id == FLIGHT_TIME
        self.told.append((status, model_version, detail))


@pytest.fixture(scope="module")
def replay(flights: pd.DataFrame) -> Replay:
    return Replay(flights)


@pytest.fixture
def models_folder(tmp_path: Path, first_models: dict[str, TrainedModel]) -> Path:
    for model in first_models.values():
        save_model(tmp_path / "models", model, "v1", {})
    return tmp_path / "models"


def serve_days(
    replay: Replay,
    topics: Topics,
    models_folder: Path,
    path: Path,
    count: int,
    on_day_end: Callable[[Day], object] = repr,
) -> None:
    with topics.emitter() as emitter, ServedFile(path) as served:
        serve(
            emitter,
            replay,
            models_folder=models_folder,
            current_version=topics.current_version,
            on_day_end=on_day_end,
            served=served,
            days=replay.days[:count],
        )


def test_a_retrained_version_serves_from_the_next_day_on_and_errs_less(
    replay: Replay, models_folder: Path, tmp_path: Path, flights: pd.DataFrame, first_models: dict[str, TrainedModel]
) -> None:
    topics, served_versions = Topics(), {}

    def at_the_end_of(day: Day) -> None:
        served_versions[day.day] = day.versions[FLIGHT_TIME]
        if day.day == date(2013, 2, 14):
            with topics.emitter() as emitter:
                run([Requests().trigger(topics.february())], topics.read, emitter, models_folder)

    serve_days(replay, topics, models_folder, tmp_path / "served.csv", 21, at_the_end_of)

    assert [day for day, version in served_versions.items() if version == "v1"] == replay.days[:14]
    assert [day for day, version in served_versions.items() if version == "v2"] == replay.days[14:21]
    made = read_served(tmp_path / "served.csv")
    counted = recount(made, flights, first_models[FLIGHT_TIME], replay.days[20])
    assert counted.error_with < counted.error_without
    assert counted.error_with == counted.models[FLIGHT_TIME].mean_error
    assert sum(count.predictions for count in counted.models.values()) == len(topics.events(PREDICTIONS))
    assert sum(count.feedback for count in counted.models.values()) == len(topics.events(FEEDBACK))


def test_the_pipeline_deploys_reports_and_remembers(replay: Replay, models_folder: Path, tmp_path: Path) -> None:
    topics, requests = Topics(), Requests()
    serve_days(replay, topics, models_folder, tmp_path / "served.csv", 5)
    with topics.emitter() as emitter:
        assert retrain(requests.trigger(topics.february()), topics.read, emitter, models_folder) == "v2"
    assert requests.told == [("accepted", None, None), ("running", None, None), ("succeeded", "v2", None)]
    assert topics.events(DEPLOYMENTS) == [
        {
            "model_id": FLIGHT_TIME,
            "model_version": "v2",
            "role": "champion",
            "deployed_at": "2013-03-01T00:00:00.000000+00:00",
            "trigger_id": "t-1",
        }
    ]
    origin = json.loads((models_folder / FLIGHT_TIME / "v2.json").read_text())
    assert origin["examples"] == sum(event["model_id"] == FLIGHT_TIME for event in topics.events(FEEDBACK))


def test_a_trigger_that_comes_again_gives_the_version_it_gave(
    replay: Replay, models_folder: Path, tmp_path: Path
) -> None:
    """The pipeline was killed after it had saved and before it had reported."""
    topics, requests = Topics(), Requests()
    serve_days(replay, topics, models_folder, tmp_path / "served.csv", 2)
    with topics.emitter() as emitter:
        triggers = [requests.trigger(topics.february(), trigger_id=name) for name in ("t-1", "t-1", "t-2")]
        made = [retrain(trigger, topics.read, emitter, models_folder) for trigger in triggers]
    assert made == ["v2", "v2", "v3"]
    assert versions(models_folder, FLIGHT_TIME) == ["v1", "v2", "v3"]


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        pytest.param(None, "no usable data set", id="no data set"),
        pytest.param({"topics": {}, "from_time": 0, "to_time": 1}, "no example", id="an empty data set"),
    ],
)
def test_what_cannot_be_trained_on_is_reported_and_not_deployed(
    dataset: Mapping[str, Any] | None, reason: str, tmp_path: Path
) -> None:
    topics, requests = Topics(), Requests()
    with topics.emitter() as emitter:
        assert retrain(requests.trigger(dataset), topics.read, emitter, tmp_path) is None
    assert [status for status, _, _ in requests.told] == ["accepted", "running", "failed"]
    assert reason in (requests.told[-1][2] or "")
    assert topics.events(DEPLOYMENTS) == []
    assert versions(tmp_path, FLIGHT_TIME) == []


def test_a_deployment_that_is_not_delivered_leaves_the_trigger_open(
    replay: Replay, models_folder: Path, tmp_path: Path
) -> None:
    topics, requests = Topics(), Requests()
    serve_days(replay, topics, models_folder, tmp_path / "served.csv", 1)
    with topics.emitter() as emitter:
        emitter.close()
        with pytest.raises(Undelivered):
            retrain(requests.trigger(topics.february()), topics.read, emitter, models_folder)
    assert [status for status, _, _ in requests.told] == ["accepted", "running"]


def test_triggers_for_others_are_left_alone(tmp_path: Path) -> None:
    """A rollback is the serving app's affair."""
    topics, requests = Topics(), Requests()
    with topics.emitter() as emitter:
        run([requests.trigger(None, action="rollback")], topics.read, emitter, tmp_path)
    assert requests.told == []


def test_two_runs_serve_the_same(replay: Replay, models_folder: Path, tmp_path: Path) -> None:
    days: dict[str, list[Day]] = {"first": [], "second": []}
    for name, past in days.items():
        serve_days(replay, Topics(), models_folder, tmp_path / name, 3, past.append)
    assert days["first"] == days["second"]
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_what_was_served_reads_back_to_the_last_bit(replay: Replay, models_folder: Path, tmp_path: Path) -> None:
    topics, past = Topics(), list[Day]()
    serve_days(replay, topics, models_folder, tmp_path / "served.csv", 1, past.append)
    read = read_served(tmp_path / "served.csv")
    said = {(e["model_id"], e["prediction_id"]): e["prediction"] for e in topics.events(PREDICTIONS)}
    assert read["prediction"].tolist() == [
        said[key] for key in zip(read["model_id"], read["prediction_id"], strict=True)
    ]
    assert read["actual"].notna().sum() == sum(past[0].feedback.values())


def test_a_day_that_is_dropped_ends_the_demo(replay: Replay, models_folder: Path, tmp_path: Path) -> None:
    topics = Topics()
    limits = EmitterLimits(max_pending_bytes=1)
    with (
        topics.emitter(limits) as emitter,
        ServedFile(tmp_path / "served.csv") as served,
        pytest.raises(Undelivered, match=r"the predictions of 2013-02-01: \d+ events were dropped"),
    ):
        serve(
            emitter,
            replay,
            models_folder=models_folder,
            current_version=topics.current_version,
            on_day_end=list[Day]().append,
            served=served,
        )


def test_events_that_are_not_acknowledged_are_undelivered() -> None:
    emitter = Silence().emitter()
    emitter.emit_feedback(prediction_id="a", model_id="m", actual=1)
    with pytest.raises(Undelivered, match="a day: 1 events are still pending"):
        deliver(emitter, "a day", timeout=0.1)
    emitter.close(0.1)


def test_a_version_is_complete_once_it_can_be_seen(models_folder: Path) -> None:
    """What a killed pipeline left behind is not a version."""
    (models_folder / FLIGHT_TIME / "v2.unfinished").write_bytes(b"half a mo")
    (models_folder / FLIGHT_TIME / "v2.json").write_text('{"trigger_id": "t-1"}')
    assert next_version(models_folder, FLIGHT_TIME) == "v2"
    assert version_made_for(models_folder, FLIGHT_TIME, "t-1") is None


def test_versions_count_on_past_nine(models_folder: Path) -> None:
    model = load_model(models_folder, FLIGHT_TIME, "v1")
    for number in range(2, 11):
        assert next_version(models_folder, FLIGHT_TIME) == f"v{number}"
        save_model(models_folder, model, f"v{number}", {})
    assert next_version(models_folder, FLIGHT_TIME) == "v11"


def test_the_first_versions_of_both_models_are_saved(tmp_path: Path, flights: pd.DataFrame) -> None:
    save_first_versions(tmp_path, flights)
    assert {model_id: versions(tmp_path, model_id) for model_id in RECIPES} == {
        FLIGHT_TIME: ["v1"],
        LATE_ARRIVAL: ["v1"],
    }
