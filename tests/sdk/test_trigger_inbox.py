"""The inbox on a log and a producer in memory: what is handed out, reported, committed."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trueup.sdk import AlreadyFinished, ReceivedTrigger, TriggerInbox, UpdateNotDelivered
from trueup.sdk.kafka_port import Done, NotNow
from trueup.sdk.trigger_log import News, TriggerLogUnavailable, TriggerRecord

Eventually = Callable[..., None]


class FakeKafka:
    """The two topics, the committed offsets, and whether Kafka is there. It outlives the inboxes that use it."""

    def __init__(self) -> None:
        self.triggers: list[bytes | None] = []
        self.published_at = datetime.now(UTC)
        self.updates: list[bytes] = []
        self.committed = 0
        self.away = False
        self.logs_open = 0

    def ask(self, trigger_id: str, **changes: Any) -> None:
        usual = {"trigger_id": trigger_id, "action": "retrain", "model_id": "m", "model_version": "1"}
        self.triggers.append(json.dumps({**usual, **changes}).encode())

    def statuses(self, trigger_id: str) -> list[str]:
        updates = [json.loads(update) for update in self.updates]
        return [update["status"] for update in updates if update["trigger_id"] == trigger_id]

    def open_log(self) -> "FakeLog":
        return FakeLog(self)

    def connect(self) -> "FakeProducer":
        return FakeProducer(self)

    def inbox(self, **changes: Any) -> TriggerInbox:
        return TriggerInbox(
            "unused",
            group="g",
            report_timeout=timedelta(milliseconds=20),
            open_log=self.open_log,
            connect=self.connect,
            **changes,
        )


class FakeLog:
    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka
        self._next_trigger = kafka.committed
        self._next_update = 0
        kafka.logs_open += 1

    def read(self, timeout_s: float) -> News:  # noqa: ARG002
        self._check()
        triggers = [
            TriggerRecord(0, offset, value, self._kafka.published_at)
            for offset, value in enumerate(self._kafka.triggers)
            if offset >= self._next_trigger
        ]
        updates = self._kafka.updates[self._next_update :]
        self._next_trigger, self._next_update = len(self._kafka.triggers), len(self._kafka.updates)
        return News(updates, triggers)

    def commit(self, offsets: Mapping[int, int]) -> None:
        self._check()
        self._kafka.committed = offsets[0]

    def close(self) -> None:
        self._kafka.logs_open -= 1

    def _check(self) -> None:
        if self._kafka.away:
            raise TriggerLogUnavailable("Kafka is away")


class FakeProducer:
    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        if self._kafka.away:
            raise NotNow("Kafka is away")
        assert (topic, key) == ("trueup.trigger-updates", b"m")
        self._kafka.updates.append(value)
        done(None)

    def close(self, timeout_s: float) -> None: ...

    def abandon(self) -> None: ...


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


def taken(inbox: TriggerInbox) -> list[ReceivedTrigger]:
    """Everything there is to be had at once."""
    return [trigger for trigger in iter(lambda: inbox.poll(0), None) if trigger is not None]


def ids(inbox: TriggerInbox) -> list[str]:
    return [trigger.id for trigger in taken(inbox)]


def test_a_trigger_is_read_leniently_and_in_full(kafka: FakeKafka) -> None:
    kafka.ask(
        "a",
        action="explode",
        target_version="2",
        reason={"code": "x"},
        dataset={"topics": {}},
        traffic="much",
        requested_at="2024-05-01T12:00:00Z",
        deadline_at=0,
        future_field=[1],
    )
    with kafka.inbox() as inbox:
        (trigger,) = taken(inbox)
    assert (trigger.action, trigger.model_version, trigger.target_version) == ("explode", "1", "2")
    assert (trigger.reason, trigger.dataset, trigger.traffic) == ({"code": "x"}, {"topics": {}}, None)
    assert trigger.requested_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert trigger.deadline_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert trigger.raw["future_field"] == [1]


def test_reports_are_published_as_updates(kafka: FakeKafka) -> None:
    kafka.ask("a")
    with kafka.inbox() as inbox:
        (trigger,) = taken(inbox)
        trigger.accept()
        trigger.running("epoch 1")
        trigger.succeeded(model_version="2", detail="fine")
    updates = [json.loads(update) for update in kafka.updates]
    assert all(datetime.fromisoformat(update.pop("updated_at")).tzinfo for update in updates)
    assert updates == [
        {"trigger_id": "a", "model_id": "m", "status": "accepted"},
        {"trigger_id": "a", "model_id": "m", "status": "running", "detail": "epoch 1"},
        {"trigger_id": "a", "model_id": "m", "status": "succeeded", "model_version": "2", "detail": "fine"},
    ]


def test_only_what_was_asked_for_is_handed_out(kafka: FakeKafka) -> None:
    kafka.ask("a", action="rollback")
    kafka.ask("b", model_id="other")
    kafka.ask("c")
    with kafka.inbox(action="retrain", model_id="m") as inbox:
        assert ids(inbox) == ["c"]
        assert kafka.committed == 2


def test_a_trigger_that_is_published_twice_is_handed_out_once(kafka: FakeKafka) -> None:
    kafka.ask("a")
    with kafka.inbox() as inbox:
        assert ids(inbox) == ["a"]
        kafka.ask("a")
        assert ids(inbox) == []


FINISH: list[Any] = [
    pytest.param(lambda trigger: trigger.succeeded(), id="succeeded"),
    pytest.param(lambda trigger: trigger.failed("no data"), id="failed"),
    pytest.param(lambda trigger: trigger.reject("not now"), id="rejected"),
]


@pytest.mark.parametrize("finish", FINISH)
def test_a_finished_trigger_is_committed_and_takes_no_further_report(
    kafka: FakeKafka, finish: Callable[[ReceivedTrigger], None]
) -> None:
    kafka.ask("a")
    with kafka.inbox() as inbox:
        (trigger,) = taken(inbox)
        trigger.accept()
        assert kafka.committed == 0
        finish(trigger)
        assert kafka.committed == 1
        with pytest.raises(AlreadyFinished, match="trigger a is finished"):
            trigger.running()


def test_after_a_kill_the_unfinished_triggers_come_again_and_the_finished_ones_do_not(kafka: FakeKafka) -> None:
    """a: finished, b: running, c: finished out of order   -> kill -> b, and d, which is new"""
    for trigger_id in "abc":
        kafka.ask(trigger_id)
    killed = kafka.inbox()
    a, b, c = taken(killed)
    a.succeeded()
    b.running()
    c.succeeded()
    assert kafka.committed == 1
    kafka.ask("d")
    with kafka.inbox() as inbox:
        assert ids(inbox) == ["b", "d"]


def test_a_final_update_without_its_commit_is_enough(kafka: FakeKafka) -> None:
    kafka.ask("a")
    killed = kafka.inbox()
    taken(killed)[0].succeeded()
    kafka.committed = 0
    with kafka.inbox() as inbox:
        assert ids(inbox) == []
        assert kafka.committed == 1


def test_a_trigger_that_somebody_else_finished_meanwhile_is_not_handed_out(kafka: FakeKafka) -> None:
    kafka.ask("a")
    kafka.ask("b")
    with kafka.inbox() as inbox:
        first = inbox.poll(0)
        assert first is not None
        assert first.id == "a"
        kafka.updates.append(b'[{"trigger_id": "b", "model_id": "m", "status": "rejected"}, 5]')
        assert inbox.poll(0) is None


LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("published_at", "deadline_at", "said", "handed_out"),
    [
        pytest.param(LONG_AGO, "2024-05-02T00:00:00Z", None, [], id="its time is up"),
        pytest.param(LONG_AGO, "9000-05-02T00:00:00Z", None, ["a"], id="in time"),
        pytest.param(LONG_AGO, "2013-03-03T00:00:00Z", None, ["a"], id="a replay: a deadline in the time of its data"),
        pytest.param(LONG_AGO, None, None, ["a"], id="no deadline"),
        pytest.param(LONG_AGO, "2024-05-02T00:00:00Z", "accepted", ["a"], id="accepted before a kill"),
        pytest.param(LONG_AGO, "2024-05-02T00:00:00Z", "running", ["a"], id="running before a kill"),
        pytest.param(LONG_AGO, "2024-05-02T00:00:00Z", "cheered", [], id="an unknown word is no acceptance"),
    ],
)
def test_a_trigger_that_nobody_accepted_in_time_is_not_handed_out(
    kafka: FakeKafka, published_at: datetime, deadline_at: str | None, said: str | None, handed_out: list[str]
) -> None:
    kafka.published_at = published_at
    kafka.ask("a", deadline_at=deadline_at)
    if said is not None:
        kafka.updates.append(json.dumps({"trigger_id": "a", "model_id": "m", "status": said}).encode())
    with kafka.inbox() as inbox:
        assert ids(inbox) == handed_out
        assert inbox.poll(0) is None
        assert kafka.committed == (0 if handed_out else 1)


def test_a_trigger_that_waits_for_its_turn_for_too_long_is_not_handed_out(
    kafka: FakeKafka, eventually: Eventually
) -> None:
    """a: trained for long    b: read together with a, and late when its turn comes"""
    deadline = datetime.now(UTC) + timedelta(milliseconds=300)
    kafka.ask("a")
    kafka.ask("b", deadline_at=deadline.isoformat())
    with kafka.inbox() as inbox:
        first = inbox.poll(0)
        eventually(lambda: datetime.now(UTC) > deadline)
        assert first is not None
        assert (first.id, ids(inbox)) == ("a", [])


NO_TRIGGERS = [b"{", b"[]", b"{}", b'{"trigger_id": 5}', None, b"[" * 100_000, b"\xff"]


def test_what_is_no_trigger_is_skipped_and_said(kafka: FakeKafka, caplog: pytest.LogCaptureFixture) -> None:
    kafka.triggers.extend(NO_TRIGGERS)
    kafka.updates.extend([b"{", b"[" * 100_000, b"5", b'{"status": "succeeded"}'])
    kafka.updates.append(b'[{"trigger_id": "a", "status": {}}, {"trigger_id": [], "status": "failed"}]')
    kafka.ask("a")
    with caplog.at_level(logging.WARNING, logger="trueup"), kafka.inbox() as inbox:
        assert ids(inbox) == ["a"]
    assert len(caplog.records) == len(NO_TRIGGERS)
    assert kafka.committed == len(NO_TRIGGERS)


def test_an_update_that_is_not_delivered_raises_and_leaves_the_trigger_open(kafka: FakeKafka) -> None:
    kafka.ask("a")
    with kafka.inbox() as inbox:
        (trigger,) = taken(inbox)
        kafka.away = True
        with pytest.raises(UpdateNotDelivered, match=r"'succeeded' of trigger a did not reach topic .*Kafka is away"):
            trigger.succeeded()
        kafka.away = False
        assert kafka.committed == 0
        trigger.succeeded()
        assert (kafka.statuses("a"), kafka.committed) == (["succeeded"], 1)


def test_after_closing_reports_raise(kafka: FakeKafka) -> None:
    kafka.ask("a")
    with kafka.inbox() as inbox:
        (trigger,) = taken(inbox)
    with pytest.raises(UpdateNotDelivered, match="the inbox is closed"):
        trigger.succeeded()


def test_while_kafka_is_away_the_inbox_waits_and_says_so_once(
    kafka: FakeKafka, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.ask("a")
    with caplog.at_level(logging.WARNING, logger="trueup"), kafka.inbox() as inbox:
        kafka.away = True
        assert inbox.poll(0) is None
        assert inbox.poll(0) is None
        kafka.away = False
        assert ids(inbox) == ["a"]
        kafka.away = True
        assert inbox.poll(0) is None
        kafka.away = False
        assert ids(inbox) == [], "the new connection begins at the committed offset, before a"
    assert [record.getMessage() for record in caplog.records] == [
        "No triggers can be read at present: Kafka is away",
    ]


def test_stop_ends_the_iteration_and_close_lets_go_of_everything(kafka: FakeKafka, eventually: Eventually) -> None:
    kafka.ask("a")
    inbox = kafka.inbox()
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(trigger.id for trigger in inbox))
    reader.start()
    eventually(lambda: got == ["a"])
    inbox.stop()
    reader.join(5)
    assert not reader.is_alive()
    assert inbox.poll(0) is None
    inbox.close()
    inbox.close()
    assert kafka.logs_open == 0


def test_an_inbox_needs_a_group() -> None:
    with pytest.raises(ValueError, match="needs a group"):
        TriggerInbox("unused", group="")
