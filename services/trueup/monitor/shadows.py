"""Versions in shadow, held against the one that serves: both answer the same requests, users see one answer.

A test each, of exactly those requests that both answered, whichever answer or truth came last. It begins with the
first such request, and anew when the version that it is held against serves no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trueup.monitor.join import PREDICTED_AT, UNDER, VERSION, Answer, outcome_of
from trueup.monitor.versions_compared import VersionsCompared

if TYPE_CHECKING:
    from trueup.monitor.version import Version

#: Versions of one model in shadow at a time that are judged; those beyond wait until one of them leaves the shadow.
MOST_SHADOWS = 8
SHADOW = "shadow"


class Shadows:
    """The tests of one model's versions in shadow, by version."""

    def __init__(self, alpha: float, margin: float) -> None:
        self._alpha = alpha
        self._margin = margin
        self.tests: dict[str, VersionsCompared] = {}

    def take(
        self, answers: Sequence[Answer], versions: Mapping[str, Version], *, came: Answer | None = None
    ) -> list[VersionsCompared]:
        """Take the judged answers of several versions to one request; the tests that it brings a verdict.

        Args:
            came: the answer of these that is new; those of the others were taken before. None: all are.
        """
        decided = []
        for shadow, role in _with_roles(answers, versions):
            if role != SHADOW:
                continue
            test, old = self._held_against(shadow, answers, versions)
            if test is None or old is None or (came is not None and came is not shadow and came is not old):
                continue
            new_outcome, old_outcome = outcome_of(shadow), outcome_of(old)
            if new_outcome is not None and old_outcome is not None and test.add_pair(new_outcome, old_outcome):
                decided.append(test)
        return decided

    def role_changed(self, model_version: str) -> None:
        """What it proved in another role does not count in this one."""
        self.tests.pop(model_version, None)

    def _held_against(
        self, shadow: Answer, answers: Sequence[Answer], versions: Mapping[str, Version]
    ) -> tuple[VersionsCompared | None, Answer | None]:
        """The test of a shadow, and the answer that it is held against here."""
        name = shadow[VERSION]
        test = self.tests.get(name)
        if test is not None and versions[test.old].serves:
            return test, next((answer for answer in answers if answer[VERSION] == test.old), None)
        if test is None and len(self.tests) >= MOST_SHADOWS:
            return None, None
        serving = [
            (answer, role) for answer, role in _with_roles(answers, versions) if versions[answer[VERSION]].serves
        ]
        if not serving:
            return None, None
        champions = [answer for answer, role in serving if role == "champion"]
        old = champions[-1] if champions else serving[-1][0]
        since = min(shadow[PREDICTED_AT], old[PREDICTED_AT])
        self.tests[name] = VersionsCompared(name, old[VERSION], self._alpha, since=since, margin=self._margin)
        return self.tests[name], old

    def snapshot(self) -> list[dict[str, Any]]:
        """Plain values, for `restore`."""
        return [test.snapshot() for test in self.tests.values()]

    def restore(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Take back what `snapshot` gave."""
        self.tests = {test["new"]: VersionsCompared.restore(test) for test in data}


def _with_roles(answers: Sequence[Answer], versions: Mapping[str, Version]) -> Iterator[tuple[Answer, str | None]]:
    """The answers of versions that are looked at apart, with the role of each."""
    for answer in answers:
        if answer[UNDER] is None:
            yield answer, versions[answer[VERSION]].role
