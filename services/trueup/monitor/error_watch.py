"""The detectors on one version's errors and scores: River's inform, the e-detector pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trueup.monitor.config import ModelConfig
from trueup.monitor.detectors import ON_LOSSES, ON_MISTAKES, ON_SCORES
from trueup.monitor.detectors.e_detector import Alarm, EDetector, EDetectorConfig
from trueup.snapshots import pack_river, unpack_river

Direction = Literal["rose", "fell"]
Stream = Literal["error", "score"]
PAGER = "e_detector"


@dataclass(frozen=True, slots=True)
class Change:
    """A detector fired. `alarm` is there where it was the one that pages."""

    detector: str
    stream: Stream
    direction: Direction
    alarm: Alarm | None = None


class _Trend:
    """Whether a stream lately lies above or below where it mostly was: two exponential means, one fast, one slow.

    A change that was noticed is where the slow one starts anew: a fall back from it is a fall, however quickly it is
    noticed.
    """

    __slots__ = ("_fast", "_n", "_slow")

    def __init__(self, n: int = 0, fast: float = 0.0, slow: float = 0.0) -> None:
        self._n, self._fast, self._slow = n, fast, slow

    def update(self, x: float) -> None:
        self._n += 1
        self._fast += (x - self._fast) / min(self._n, 100)
        self._slow += (x - self._slow) / min(self._n, 5_000)

    def start_anew(self) -> None:
        """A change was noticed: where the stream is now is where it is from now on."""
        self._n, self._slow = min(self._n, 100), self._fast

    @property
    def direction(self) -> Direction:
        return "rose" if self._fast >= self._slow else "fell"

    def snapshot(self) -> list[float]:
        return [self._n, self._fast, self._slow]

    @classmethod
    def restore(cls, data: list[float]) -> _Trend:
        return cls(int(data[0]), data[1], data[2])


class ErrorWatch:
    """All detectors of one version of one model."""

    def __init__(self, config: ModelConfig, *, inflation: float = 1.0) -> None:
        self.pager = EDetector(
            EDetectorConfig(
                objective=config.objective,
                min_labels=config.reference_labels,
                min_days=config.reference_days,
                tolerance=config.worth_paging,
            ),
            inflation=inflation,
        )
        self._losses = {name: make() for name, make in ON_LOSSES.items()}
        self._mistakes = {name: make() for name, make in ON_MISTAKES.items()}
        self._scores = {name: make() for name, make in ON_SCORES.items()}
        self._loss_trend = _Trend()
        self._score_trend = _Trend()

    def on_loss(self, loss: float, *, at: float, budget: float) -> list[Change]:
        """Take the loss of one outcome and the budget it earned; what fired on it."""
        changes: list[Change] = []
        pager = self.pager
        pager.update(loss, at=at, budget=budget)
        if pager.drift_detected:
            changes.append(Change(PAGER, "error", "rose", pager.alarm))
        self._loss_trend.update(loss)
        for name, detector in self._losses.items():
            detector.update(loss)
            if detector.drift_detected:
                changes.append(Change(name, "error", self._loss_trend.direction))
        if loss in (0.0, 1.0):
            mistake = loss == 1.0
            for name, detector in self._mistakes.items():
                detector.update(mistake)
                if detector.drift_detected:
                    changes.append(Change(name, "error", self._loss_trend.direction))
        if changes:
            self._loss_trend.start_anew()
        return changes

    def on_score(self, score: float) -> list[Change]:
        """Take the score of one prediction; what fired on it."""
        changes: list[Change] = []
        self._score_trend.update(score)
        for name, detector in self._scores.items():
            detector.update(score)
            if detector.drift_detected:
                changes.append(Change(name, "score", self._score_trend.direction))
        if changes:
            self._score_trend.start_anew()
        return changes

    def snapshot(self) -> dict[str, Any]:
        """Plain values and bytes, for `restore`."""
        return {
            "pager": self.pager.snapshot(),
            "losses": _packed(self._losses),
            "mistakes": _packed(self._mistakes),
            "scores": _packed(self._scores),
            "loss_trend": self._loss_trend.snapshot(),
            "score_trend": self._score_trend.snapshot(),
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], config: ModelConfig) -> ErrorWatch:
        """The same again; a detector that joined the table since then starts new.

        So does the pager where it is configured otherwise now: evidence weighed by other rules proves nothing.
        """
        pager = EDetector.restore(data["pager"])
        watch = cls(config, inflation=pager.inflation)
        if pager.config == watch.pager.config:
            watch.pager = pager
        _unpack(watch._losses, data["losses"])
        _unpack(watch._mistakes, data["mistakes"])
        _unpack(watch._scores, data["scores"])
        watch._loss_trend = _Trend.restore(data["loss_trend"])
        watch._score_trend = _Trend.restore(data["score_trend"])
        return watch


def _packed(detectors: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: pack_river(detector) for name, detector in detectors.items()}


def _unpack(detectors: dict[str, Any], packed: Mapping[str, bytes]) -> None:
    for name in detectors:
        if name in packed:
            detectors[name] = unpack_river(packed[name], type(detectors[name]))
