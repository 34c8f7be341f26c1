"""The retraining pipeline: a retrain trigger in, a model, a report and a deployment out.

    TriggerInbox -> accept -> read the offsets it names -> train -> save -> deploy as champion -> succeeded

It is as thin as it looks: everything it must know is in the trigger. It may be killed and started again at any point.
Until it has said `succeeded`, the inbox hands it the trigger again; that is why it says so last. A model that was
already trained for a trigger is not trained again, and deploying it twice changes nothing.
"""

import argparse
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from kafka import KafkaConsumer

from flights.delivery import deliver
from flights.model_files import next_version, save_model, version_made_for
from flights.models import RECIPES, CannotTrain, train
from flights.training_data import Dataset, Ranges, Record, examples, read_ranges
from trueup.sdk import Emitter, ReceivedTrigger, TriggerInbox

ReadRanges = Callable[[Ranges], Iterable[Record]]
"""Reads ranges of offsets; `training_data.read_ranges` with a consumer of its own, in the demo."""


def run(inbox: Iterable[ReceivedTrigger], read: ReadRanges, emitter: Emitter, models_folder: Path) -> None:
    """Carry out every retrain trigger for a model of the demo; return when the inbox ends."""
    for trigger in inbox:
        if trigger.action == "retrain" and trigger.model_id in RECIPES:
            retrain(trigger, read, emitter, models_folder)


def retrain(trigger: ReceivedTrigger, read: ReadRanges, emitter: Emitter, models_folder: Path) -> str | None:
    """Carry out one trigger; return the new version, or None where the trigger's data does not allow to train.

    The new version is deployed as of the moment of the request, in the time of the events, which in a replay is not
    the time on the wall.

    Raises:
        Undelivered, UpdateNotDelivered: Kafka does not take the deployment or a report; the trigger stays open.
    """
    trigger.accept()
    trigger.running()
    try:
        dataset = Dataset.of(trigger.dataset)
        version = version_made_for(models_folder, trigger.model_id, trigger.id)
        version = version or _new_version(trigger, dataset, read(dataset.topics), models_folder)
    except CannotTrain as error:
        trigger.failed(str(error))
        return None
    emitter.emit_deployment(
        model_id=trigger.model_id,
        model_version=version,
        role="champion",
        deployed_at=trigger.requested_at or dataset.to_time,
        trigger_id=trigger.id,
    )
    deliver(emitter, f"the deployment of {trigger.model_id} {version}")
    trigger.succeeded(model_version=version)
    return version


def _new_version(trigger: ReceivedTrigger, dataset: Dataset, records: Iterable[Record], models_folder: Path) -> str:
    rows = examples(dataset, trigger.model_id, records)
    model = train(trigger.model_id, rows)
    version = next_version(models_folder, trigger.model_id)
    origin = {
        "trigger_id": trigger.id,
        "examples": len(rows),
        "labelled": dataset.labelled,
        "from_time": dataset.from_time.isoformat(),
        "to_time": dataset.to_time.isoformat(),
    }
    save_model(models_folder, model, version, origin)
    return version


def main() -> None:
    """Run until told to stop (SIGTERM or Ctrl-C)."""
    parser = argparse.ArgumentParser(prog="python -m flights.pipeline", description="Retrain when Trueup says so.")
    parser.add_argument("bootstrap", help="Kafka, as host:port")
    parser.add_argument("models_folder", type=Path, help="where the serving app finds its models")
    given = parser.parse_args()

    def read(ranges: Ranges) -> Iterable[Record]:
        consumer = KafkaConsumer(bootstrap_servers=given.bootstrap, enable_auto_commit=False)
        try:
            yield from read_ranges(ranges, consumer)
        finally:
            consumer.close()

    with TriggerInbox(given.bootstrap, group="flights", action="retrain") as inbox, Emitter(given.bootstrap) as emitter:

        def stop(_: int, __: FrameType | None) -> None:
            inbox.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        run(inbox, read, emitter, given.models_folder)


if __name__ == "__main__":
    main()
