"""The inbox on a real Kafka: a pipeline that is killed, restarted, late."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from trueup.sdk import ReceivedTrigger, TriggerInbox

pytestmark = pytest.mark.live

Eventually = Callable[..., None]


def ask(topics: Any, *trigger_ids: str, model_id: str = "m", action: str = "retrain") -> None:
    topics.write("triggers", *({"trigger_id": i, "action": action, "model_id": model_id} for i in trigger_ids))


def take(inbox: TriggerInbox, count: int) -> list[ReceivedTrigger]:
    """The next `count` triggers, and no more than those."""
    found = [trigger for _ in range(count) if (trigger := inbox.poll(10)) is not None]
    assert inbox.poll(0.3) is None
    return found


@pytest.fixture
def inboxes(topics: Any) -> Callable[..., TriggerInbox]:
    topics.create("triggers", "trigger-updates")
    return lambda **filters: TriggerInbox(topics.servers, group="g", topic_prefix=topics.prefix, **filters)


PIPELINE = """
import sys, threading
from trueup.sdk import TriggerInbox
for trigger in TriggerInbox(sys.argv[1], group="g", topic_prefix=sys.argv[2]):
    trigger.running()
    print(trigger.id, flush=True)
    if trigger.id == "b":
        threading.Event().wait()
    trigger.succeeded("2")
"""


def test_a_pipeline_killed_in_the_middle_of_training_gets_the_same_trigger_again(
    topics: Any, inboxes: Callable[..., TriggerInbox]
) -> None:
    ask(topics, "a", "b", "c")
    pipeline = subprocess.Popen(
        [sys.executable, "-c", PIPELINE, topics.servers, topics.prefix], stdout=subprocess.PIPE, text=True
    )
    with pipeline:
        assert pipeline.stdout is not None
        assert [pipeline.stdout.readline().strip() for _ in range(2)] == ["a", "b"]
        pipeline.send_signal(signal.SIGKILL)
    with inboxes() as inbox:
        assert [trigger.id for trigger in take(inbox, 2)] == ["b", "c"]
    assert topics.committed("g") == 1


def test_finished_triggers_are_committed_and_never_come_again(
    topics: Any, inboxes: Callable[..., TriggerInbox]
) -> None:
    ask(topics, "a", "b")
    with inboxes() as inbox:
        a, b = take(inbox, 2)
        b.failed("no data")
        assert topics.committed("g") == 0
        a.succeeded("2")
        assert topics.committed("g") == 2
    ask(topics, "a")
    ask(topics, "c", model_id="n")
    with inboxes() as inbox:
        assert [trigger.id for trigger in take(inbox, 1)] == ["c"]
    updates = {update["trigger_id"]: update for update in topics.events("trigger-updates")}
    assert (updates["a"]["status"], updates["a"]["model_version"]) == ("succeeded", "2")
    assert (updates["b"]["status"], updates["b"]["detail"]) == ("failed", "no data")
    partitions = {record.partition for name in ("triggers", "trigger-updates") for record in topics.records(name)}
    assert len(partitions) <= 2, "updates lie on the partition of their trigger's model"


def test_inboxes_of_one_group_with_other_filters_take_nothing_from_each_other(
    topics: Any, inboxes: Callable[..., TriggerInbox]
) -> None:
    ask(topics, "a")
    ask(topics, "b", action="rollback")
    with inboxes(action="retrain") as inbox:
        (a,) = take(inbox, 1)
        a.succeeded()
    with inboxes(action="rollback") as inbox:
        assert [trigger.id for trigger in take(inbox, 1)] == ["b"]


def test_a_trigger_may_be_reported_on_while_another_thread_waits_for_the_next(
    topics: Any, inboxes: Callable[..., TriggerInbox], eventually: Eventually
) -> None:
    inbox = inboxes()
    got: list[ReceivedTrigger] = []
    reader = threading.Thread(target=lambda: got.extend(inbox))
    reader.start()
    ask(topics, "a")
    eventually(lambda: len(got) == 1)
    got[0].succeeded()
    eventually(lambda: topics.committed("g") == 1)
    inbox.stop()
    reader.join(5)
    assert not reader.is_alive()
    inbox.close()


def test_without_its_topics_the_inbox_waits_until_they_are_created(topics: Any) -> None:
    with TriggerInbox(topics.servers, group="g", topic_prefix=topics.prefix) as inbox:
        assert inbox.poll(0.1) is None
        topics.create("triggers", "trigger-updates")
        ask(topics, "a")
        assert [trigger.id for trigger in take(inbox, 1)] == ["a"]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("refused_sockets")
def test_without_kafka_polling_returns_and_closing_does_not_raise() -> None:
    with TriggerInbox("127.0.0.1:1", group="g") as inbox:
        assert inbox.poll(0) is None
