"""Events are cut into records: one topic, one model, in order, within the limits."""

import json

from hypothesis import given
from hypothesis import strategies as st

from trueup.sdk.delivery import batches
from trueup.sdk.limits import EmitterLimits
from trueup.sdk.outbox import Event, size_bytes

LIMITS = EmitterLimits(max_batch_events=3, max_batch_bytes=40)


def event(number: int, *, topic: str = "predictions", model_id: str = "m", padding: int = 0) -> Event:
    return Event(topic, model_id, json.dumps({"n": number, "p": "x" * padding}).encode())


def test_one_event_is_a_bare_object_and_several_are_an_array() -> None:
    one, several = batches([event(1, model_id="a"), event(2), event(3)], LIMITS, 0.0)
    assert (one.key, json.loads(one.value)) == (b"a", {"n": 1, "p": ""})
    assert (several.key, json.loads(several.value)) == (b"m", [{"n": 2, "p": ""}, {"n": 3, "p": ""}])


def test_an_event_larger_than_a_batch_travels_alone() -> None:
    sizes = [batch.events for batch in batches([event(1), event(2, padding=50), event(3)], LIMITS, 0.0)]
    assert sizes == [1, 1, 1]


@given(
    st.lists(
        st.builds(
            event,
            st.integers(0, 9),
            topic=st.sampled_from(["predictions", "feedback"]),
            model_id=st.sampled_from(["a", "b", "ü"]),
            padding=st.integers(0, 30),
        )
    )
)
def test_batches_hold_every_event_once_in_the_order_of_its_topic_and_model(events: list[Event]) -> None:
    found: dict[tuple[str, str], list[object]] = {}
    for batch in batches(events, LIMITS, 0.0):
        value = json.loads(batch.value)
        members = value if isinstance(value, list) else [value]
        assert len(members) == batch.events <= LIMITS.max_batch_events
        assert batch.events == 1 or len(batch.value) <= LIMITS.max_batch_bytes + 2
        found.setdefault((batch.topic, batch.key.decode()), []).extend(members)
    offered: dict[tuple[str, str], list[object]] = {}
    for each in events:
        offered.setdefault((each.topic, each.model_id), []).append(json.loads(each.body))
    assert found == offered


@given(st.lists(st.builds(event, st.integers(0, 9), padding=st.integers(0, 30))))
def test_batches_weigh_what_their_events_weigh(events: list[Event]) -> None:
    assert sum(batch.size_bytes for batch in batches(events, LIMITS, 0.0)) == sum(map(size_bytes, events))
