"""The detectors on one version's errors, scores and features: River's inform, the e-detector pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trueup.monitor.bursts import Bursts
from trueup.monitor.config import ModelConfig
from trueup.monitor.detectors import ON_FEATURES, ON_LOSSES, ON_MISTAKES, ON_SCORES
from trueup.monitor.detectors.e_detector import Alarm, EDetector, EDetectorConfig
from trueup.monitor.stream_watch import Detectors, Fired, StreamWatch, directed
from trueup.monitor.trend import Direction, Trend

ERROR, SCORE = "error", "score"
PAGER = "e_detector"


class Change(NamedTuple):
    """A detector fired on the value at this place of a run. `alarm` is there where it was the one that pages."""

    at: int
    detector: str
    stream: str
    direction: Direction
    alarm: Alarm | None = None


class ErrorWatch:
    """All detectors of one version of one model."""

    def __init__(self, config: ModelConfig, *, inflation: float = 1.0) -> None:
        #: Of a stated objective; a learned reference brings its own inflation.
        self._bursts = None if config.objective is None else Bursts(config, known=inflation)
        self.pager = EDetector(
            EDetectorConfig(
                objective=config.objective,
                min_labels=config.reference_labels,
                min_days=config.reference_days,
                tolerance=config.worth_paging,
            ),
            inflation=inflation if self._bursts is None else self._bursts.inflation,
        )
        self.pages = config.pages
        self._losses = Detectors(ON_LOSSES, config.loss_detectors)
        self._mistakes = Detectors(ON_MISTAKES, config.mistake_detectors)
        self._trend = Trend()
        self._scores = StreamWatch(ON_SCORES, config.score_detectors)
        self.features = {name: StreamWatch(ON_FEATURES, config.feature_detectors) for name in config.watch_features}

    @property
    def inflation(self) -> float:
        """The variance inflation of the losses, as far as it was met: n of them are worth n / this."""
        return self.pager.inflation if self._bursts is None else self._bursts.known

    def on_losses(self, losses: Sequence[float], at: Sequence[float], budgets: Sequence[float]) -> list[Change]:
        """Take the losses of outcomes, their label times and the budgets they earned; what fired, in their order."""
        alarms = self._page(losses, at, budgets) if self.pages else {}
        fired = [(place, PAGER) for place in alarms]
        fired += self._losses.feed(losses)
        fired += self._on_mistakes(losses)
        return self._changes(losses, fired, alarms)

    def on_loss(self, loss: float, at: float, budget: float) -> Sequence[Change]:
        """`on_losses` of a single outcome."""
        fired = self._losses.feed_one(loss) if self._losses else []
        if self._mistakes and (loss == 0.0 or loss == 1.0):
            fired += self._mistakes.feed_one(loss == 1.0)
        alarm = None
        if self.pages:
            alarm = self._weigh(loss, at, budget)
        if alarm is not None:
            return self._changes((loss,), [(0, PAGER), *fired], {0: alarm})
        if fired:
            return self._changes((loss,), fired, {})
        self._trend.update(loss)
        return ()

    def _changes(
        self, losses: Sequence[float], fired: list[tuple[int, str]], alarms: Mapping[int, Alarm]
    ) -> list[Change]:
        return [
            Change(place, PAGER, ERROR, "rose", alarms[place])
            if detector == PAGER
            else Change(place, detector, ERROR, direction)
            for place, detector, direction in directed(self._trend, losses, fired)
        ]

    def _page(self, losses: Sequence[float], at: Sequence[float], budgets: Sequence[float]) -> dict[int, Alarm]:
        alarms = {}
        if self._bursts is not None:
            for place, (loss, moment, budget) in enumerate(zip(losses, at, budgets, strict=True)):
                if (alarm := self._weigh(loss, moment, budget)) is not None:
                    alarms[place] = alarm
            return alarms
        pager, update = self.pager, self.pager.update
        for place, (loss, moment, budget) in enumerate(zip(losses, at, budgets, strict=True)):
            update(loss, at=moment, budget=budget)
            if pager.alarm is not None:
                alarms[place] = pager.alarm
        return alarms

    def _weigh(self, loss: float, at: float, budget: float) -> Alarm | None:
        """Give a loss to the pager; its alarm. Evidence weighed with another inflation begins at nothing."""
        pager, bursts = self.pager, self._bursts
        pager.update(loss, at=at, budget=budget)
        alarm = pager.alarm
        if bursts is None:
            return alarm
        if alarm is not None:
            bursts.alarmed()
        if bursts.update(loss, at, rising=pager.warning_detected) or alarm is not None:
            self.pager = EDetector(pager.config, inflation=bursts.inflation)
        return alarm

    def _on_mistakes(self, losses: Sequence[float]) -> list[tuple[int, str]]:
        """Of the losses, those that are right or wrong."""
        if not self._mistakes:
            return []
        places = [place for place, loss in enumerate(losses) if loss == 0.0 or loss == 1.0]
        if not places:
            return []
        return [(places[at], name) for at, name in self._mistakes.feed([losses[place] == 1.0 for place in places])]

    def on_scores(self, scores: Sequence[float]) -> list[Change]:
        """Take the scores of predictions; what fired, in their order."""
        return _changes(SCORE, self._scores.feed(scores))

    def on_score(self, score: float) -> Sequence[Change]:
        """`on_scores` of a single prediction."""
        fired = self._scores.feed_one(score)
        return _changes(SCORE, fired) if fired else ()

    def on_feature(self, name: str, values: Sequence[float]) -> list[Change]:
        """Take the values of one watched feature; what fired, in their order."""
        return _changes(f"feature:{name}", self.features[name].feed(values))

    def on_feature_once(self, name: str, value: float) -> Sequence[Change]:
        """`on_feature` of a single prediction."""
        fired = self.features[name].feed_one(value)
        return _changes(f"feature:{name}", fired) if fired else ()

    def snapshot(self) -> dict[str, Any]:
        """Plain values and bytes, for `restore`."""
        scores, score_trend = self._scores.snapshot()
        return {
            "pager": self.pager.snapshot(),
            "bursts": None if self._bursts is None else self._bursts.snapshot(),
            "losses": self._losses.snapshot(),
            "mistakes": self._mistakes.snapshot(),
            "scores": scores,
            "loss_trend": self._trend.snapshot(),
            "score_trend": score_trend,
            "features": {name: watch.snapshot() for name, watch in self.features.items()},
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], config: ModelConfig) -> ErrorWatch:
        """The same again; a detector that joined the table since then starts new.

        So does the pager where it is configured otherwise now: evidence weighed by other rules proves nothing.
        """
        pager, bursts = EDetector.restore(data["pager"]), data.get("bursts")
        watch = cls(config, inflation=pager.inflation if bursts is None else bursts["known"])
        if pager.config == watch.pager.config:
            watch.pager = pager
            if watch._bursts is not None and bursts is not None:
                watch._bursts.restore(bursts)
        watch._losses.restore(data["losses"])
        watch._mistakes.restore(data["mistakes"])
        watch._scores.restore(data["scores"], data["score_trend"])
        n, fast, slow = data["loss_trend"]
        watch._trend = Trend(int(n), fast, slow)
        for name, (packed, trend) in data.get("features", {}).items():
            if name in watch.features:
                watch.features[name].restore(packed, trend)
        return watch


def _changes(stream: str, fired: Sequence[Fired]) -> list[Change]:
    return [Change(at, detector, stream, direction) for at, detector, direction in fired]
