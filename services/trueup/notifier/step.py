"""The notifier's step: alerts in, deliveries out, each revision once for each channel.

A delivery is an output whose topic is `deliver:<channel>`, its key the delivery's id, its value the alert's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trueup import snapshots
from trueup.step import Arrival, Effects, Found, HoldsAllItsState, Output
from trueup_schemas.alert import Alert
from trueup_schemas.identity import stable_id

#: Version of the form in which state is saved.
FORM = 1
DELIVER = "deliver:"
ALERT = "alert/"


class NotifierStep(HoldsAllItsState):
    """The fold of one partition of `alerts`. See `trueup.step.Step` for what it promises."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        self._revisions: dict[str, int] = {}
        self._changed: set[str] = set()
        self._outputs: list[Output] = []

    @property
    def event_time(self) -> float | None:
        return None

    @property
    def urgent(self) -> bool:
        return bool(self._outputs)

    def take(
        self,
        topic: str,  # noqa: ARG002
        arrivals: Sequence[Arrival],
        positions: Mapping[str, int],  # noqa: ARG002
        found: Found,  # noqa: ARG002
    ) -> None:
        for arrival in arrivals:
            alert = arrival.event
            alert_id, revision = alert["alert_id"], alert["revision"]
            if revision <= self._revisions.get(alert_id, 0):
                continue  # a repeat, or older than what was delivered
            self._revisions[alert_id] = revision
            self._changed.add(alert_id)
            body = Alert.model_validate(alert).model_dump_json().encode()
            for channel in self._channels:
                delivery_id = stable_id("delivery", channel, alert_id, revision)
                self._outputs.append(Output(DELIVER + channel, delivery_id.encode(), body))

    def tick(self, now: float, found: Found) -> None:
        """Nothing depends on the time yet."""

    def effects(self) -> Effects:
        effects = Effects(outputs=self._outputs, urgent=bool(self._outputs))
        for alert_id in sorted(self._changed):
            effects.sections[ALERT + alert_id] = snapshots.pack(FORM, self._revisions[alert_id])
        self._outputs, self._changed = [], set()
        return effects


def restore(saved: Mapping[str, bytes], *, channels: Sequence[str]) -> NotifierStep:
    """The step from its saved sections, or a new one from none.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    step = NotifierStep(channels)
    for name, raw in saved.items():
        _, step._revisions[name.removeprefix(ALERT)] = snapshots.unpack(raw, known=[FORM], what=name)
    return step
