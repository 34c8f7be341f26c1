import doctest
import math
import random
from collections.abc import Iterable
from itertools import pairwise
from statistics import fmean, median, stdev, variance
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.base import DriftAndWarningDetector

from trueup.monitor.detectors import e_detector
from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig, Reference
from trueup.statistics.intervals import mean_upper_bound, rate_upper_bound

DAY = 86_400.0

# Learns from ten labels and spends freely: a stream of a few dozen values goes through every state.
HASTY = EDetectorConfig(min_labels=10, min_days=0.5, budget_per_event=0.02)

# What it learns from `errors(0.1, 2_000)` is followed.
FOLLOWING = EDetectorConfig(min_labels=2_000)


def errors(rate: float, n: int, *, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(n)]


def alarms(detector: EDetector, stream: Iterable[float], **update: Any) -> list[int]:
    found = []
    for i, x in enumerate(stream):
        detector.update(x, **update)
        if detector.drift_detected:
            found.append(i)
    return found


class TestLearning:
    def test_waits_for_enough_labels(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=300))
        alarms(detector, errors(0.1, 299))
        assert (detector.state, detector.labels_needed, detector.reference) == ("learning", 1, None)

        detector.update(0.0)

        assert (detector.state, detector.labels_needed) == ("watching", 0)

    def test_waits_for_enough_days_where_labels_have_times(self) -> None:
        #   day 0        1    ...   13           14
        #   ├─ 500 labels a day ────────────────┤ watching
        detector = EDetector(EDetectorConfig(min_labels=300))
        for day in range(14):
            alarms(detector, errors(0.1, 500, seed=day), at=day * DAY)
        assert (detector.labels_needed, detector.days_needed, detector.state) == (0, 1.0, "learning")

        detector.update(0.0, at=14 * DAY)

        assert (detector.days_needed, detector.state) == (0.0, "watching")

    def test_the_reference_says_what_it_stands_on(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=1_000))
        stream = [x for x in errors(0.2, 100) for _ in range(10)]
        for i, x in enumerate(stream):
            detector.update(x, at=1e9 + i * 1_500.0)

        reference = detector.reference
        assert reference is not None
        assert (reference.n, reference.mean) == (1_000, fmean(stream))
        assert (reference.from_at, reference.to_at) == (1e9, 1e9 + 999 * 1_500.0)
        assert reference.inflation == detector.inflation > 10.0
        assert reference.effective_labels == 1_000 / reference.inflation

    def test_a_reference_of_few_labels_in_bursts_leaves_room_for_its_uncertainty(self) -> None:
        small, large = EDetector(EDetectorConfig(min_labels=300)), EDetector(EDetectorConfig(min_labels=30_000))
        stream = [x for x in errors(0.1, 10_000) for _ in range(3)]
        for detector in (small, large):
            alarms(detector, stream, budget=0.0)

        assert small.reference is not None
        assert large.reference is not None
        assert small.reference.m - small.reference.mean > 0.06
        assert large.reference.m - large.reference.mean < 0.02

    def test_losses_between_zero_and_one_are_learned_too(self) -> None:
        rng = random.Random(4)
        detector = EDetector(EDetectorConfig(min_labels=5_000))
        losses = [rng.betavariate(2, 18) for _ in range(5_000)]
        alarms(detector, losses)

        assert detector.reference is not None
        assert detector.reference.m == pytest.approx(mean_upper_bound(fmean(losses), variance(losses), 5_000) + 0.01)

    def test_spends_no_budget(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=300))
        alarms(detector, errors(0.1, 300), budget=1.0)

        assert detector.evidence == 0.0

    def test_can_be_cut_short(self) -> None:
        detector = EDetector()
        with pytest.raises(ValueError, match="at least two labels"):
            detector.watch()
        alarms(detector, errors(0.1, 400))

        detector.watch()
        reference = detector.reference
        detector.watch()

        assert reference is not None
        assert reference.n == 400
        assert detector.reference is reference


class TestWatching:
    @pytest.mark.parametrize("tolerance", [0.0, 0.01])
    def test_finds_a_rise_and_says_since_when(self, tolerance: float) -> None:
        detector = EDetector(EDetectorConfig(tolerance=tolerance))
        stream = errors(0.10, 30_000) + errors(0.20, 3_000, seed=1)
        for i, x in enumerate(stream):
            detector.update(x, at=float(i) * 600.0)
            if detector.drift_detected:
                break

        alarm = detector.alarm
        assert alarm is not None
        assert alarm.at == i * 600.0
        assert 30_000 < i < 31_000
        assert i - alarm.labels_since_change == pytest.approx(30_000, abs=200)
        assert alarm.changed_at == (i - alarm.labels_since_change) * 600.0
        assert alarm.mean_since_change == pytest.approx(fmean(stream[i - alarm.labels_since_change + 1 : i + 1]))
        assert alarm.reference.m < alarm.mean_since_change
        assert alarm.evidence >= 1.0

    def test_is_silent_on_improvement(self) -> None:
        detector = EDetector(EDetectorConfig(budget_per_event=1e-4))

        assert alarms(detector, errors(0.3, 10_000) + errors(0.01, 50_000)) == []

    def test_warns_on_the_way_to_an_alarm(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.1))
        warned = []
        for i, x in enumerate(errors(0.3, 1_000)):
            detector.update(x)
            if detector.warning_detected:
                warned.append(i)
                assert 0.1 <= detector.evidence < 1.0
            if detector.drift_detected:
                break

        assert warned
        assert warned[-1] < i

    def test_an_alarm_is_there_until_the_next_update(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.1))
        seen = []
        for x in errors(0.3, 1_000):
            detector.update(x)
            assert (detector.alarm is not None) == detector.drift_detected
            seen.append(detector.drift_detected)

        assert (True, False) in pairwise(seen)
        assert (True, True) not in pairwise(seen)

    def test_without_budget_there_is_no_alarm(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.1))

        assert alarms(detector, [1.0] * 5_000, budget=0.0) == []
        assert detector.evidence == 0.0

    def test_the_budget_of_a_long_silence_is_no_alarm(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.1))
        detector.update(1.0, at=0.0, budget=12.0)

        assert not detector.drift_detected
        assert detector.evidence < 0.5

    def test_time_that_goes_back_is_harmless(self) -> None:
        forward, back = EDetector(HASTY), EDetector(HASTY)
        for i, x in enumerate(errors(0.3, 500, seed=2)):
            at = i * 3_600.0
            forward.update(x, at=at)
            back.update(x, at=at - (7_200.0 if i % 5 == 4 else 0.0))
            assert back.drift_detected == forward.drift_detected

    def test_what_is_always_wrong_cannot_get_worse(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=300, budget_per_event=0.05))

        assert alarms(detector, [1.0] * 5_000) == []
        assert detector.state == "watching"

    def test_a_promise_of_no_error_is_broken_by_a_few(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.0, tolerance=0.0))
        assert alarms(detector, [0.0] * 5_000) == []

        assert alarms(detector, [1.0] * 5)


class TestFollowing:
    """Of independent errors m follows all labels, from the learned rate up to the bound of the reference."""

    def test_m_starts_at_the_learned_rate(self) -> None:
        assert self.learned().m == pytest.approx((self.learned().mean * 2_000 + 0.5) / 2_001 + 0.01)

    def test_m_is_the_rate_of_all_labels(self) -> None:
        stream = errors(0.115, 2_000, seed=4)
        detector = self.detector()
        m = [self.learned().m]
        for x in stream:
            detector.update(x, budget=0.0)
            assert detector.reference is not None
            m.append(detector.reference.m)

        moved = [n for n, (before, after) in enumerate(pairwise(m)) if before != after]
        # With 3 % more labels each time, about 32 ln 2 times until there are twice as many.
        assert 15 <= len(moved) <= 22
        for n in moved:
            rate = (sum(errors(0.1, 2_000)) + sum(stream[: n + 1]) + 0.5) / (2_001 + n + 1)
            assert m[n + 1] == pytest.approx(max(m[0], rate + 0.01))

    def test_m_does_not_pass_the_bound_of_the_reference(self) -> None:
        detector = self.detector()
        alarms(detector, errors(0.3, 5_000), budget=0.0)

        bound = rate_upper_bound(sum(errors(0.1, 2_000)), 2_000)
        assert detector.reference is not None
        assert detector.reference.m == pytest.approx(bound + 0.01)

    def test_m_does_not_follow_an_improvement(self) -> None:
        detector = self.detector()
        alarms(detector, errors(0.02, 20_000))

        assert detector.reference == self.learned()

    def test_m_stays_where_errors_come_in_bursts_where_they_are_no_errors_and_where_it_was_stated(self) -> None:
        bursts, losses, stated = EDetector(FOLLOWING), EDetector(FOLLOWING), EDetector(EDetectorConfig(objective=0.1))
        alarms(bursts, [x for x in errors(0.1, 500) for _ in range(4)])
        alarms(losses, [0.9 * x for x in errors(0.1, 2_000)])
        for detector in (bursts, losses, stated):
            assert detector.follows_in == math.inf
            before = detector.reference
            alarms(detector, errors(0.13, 4_000), budget=0.0)
            assert detector.reference == before

    def test_who_weighs_elsewhere_can_let_it_follow(self) -> None:
        by_itself, elsewhere = self.detector(), self.detector()
        stream = errors(0.11, 2_000, seed=4)
        alarms(by_itself, stream, budget=0.0)
        while stream:
            due = int(elsewhere.follows_in)
            elsewhere.follow(len(stream[:due]), sum(stream[:due]))
            stream = stream[due:]

        assert elsewhere.reference == by_itself.reference
        assert elsewhere.factors(1.0) == by_itself.factors(1.0)

    def test_the_mean_since_a_change_is_exact_though_m_has_moved_since(self) -> None:
        detector = self.detector()
        stream = errors(0.2, 2_000, seed=3)
        fired = next(i for i, x in enumerate(stream) if alarms(detector, [x]))

        alarm = detector.alarm
        assert alarm is not None
        assert alarm.labels_since_change > 150
        assert alarm.mean_since_change == pytest.approx(
            fmean(stream[fired + 1 - alarm.labels_since_change : fired + 1])
        )

    def test_what_was_saved_before_it_could_goes_on_with_its_m(self) -> None:
        bound = rate_upper_bound(sum(errors(0.1, 2_000)), 2_000)
        saved = self.detector().snapshot()
        del saved["follows"]
        saved["reference"]["m"] = bound + 0.01

        detector = EDetector.restore(saved)
        alarms(detector, errors(0.11, 4_000), budget=0.0)

        assert detector.reference is not None
        assert detector.reference.m == bound + 0.01

    @staticmethod
    def detector() -> EDetector:
        detector = EDetector(FOLLOWING)
        alarms(detector, errors(0.1, 2_000))
        return detector

    def learned(self) -> Reference:
        reference = self.detector().reference
        assert reference is not None
        assert reference.inflation == 1.0
        return reference


class TestAfterAnAlarm:
    def test_learns_anew_and_is_calm_about_the_new_level(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=2_000))
        stream = errors(0.1, 5_000) + errors(0.3, 40_000)

        assert len(alarms(detector, stream)) == 1
        assert detector.reference is not None
        assert detector.reference.mean == pytest.approx(0.3, abs=0.03)

    def test_the_evidence_starts_at_nothing(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=2_000))
        alarms(detector, errors(0.1, 2_000))
        while not detector.drift_detected:
            detector.update(1.0)

        assert (detector.state, detector.labels_needed, detector.evidence) == ("learning", 2_000, 0.0)

    def test_nothing_else_is_left_of_what_was(self) -> None:
        detector = EDetector(HASTY)
        for hour, x in enumerate([*errors(0.1, 20), 1.0]):
            detector.update(x, at=1e9 + hour * 3_600.0)
        assert detector.evidence > 0.0

        detector.relearn()
        detector.update(0.0, at=2e9)

        fresh = EDetector(HASTY, inflation=detector.inflation)
        fresh.update(0.0, at=2e9)
        assert detector.snapshot() == fresh.snapshot()

    def test_storms_once_met_are_remembered(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=1_000))
        alarms(detector, [x for x in errors(0.2, 50) for _ in range(20)])
        stormy = detector.inflation
        assert stormy > 10.0

        detector.relearn()
        alarms(detector, errors(0.2, 1_000))

        assert detector.inflation == stormy
        assert detector.reference is not None
        assert detector.reference.inflation == stormy

    def test_the_next_version_inherits_them(self) -> None:
        detector = EDetector(EDetectorConfig(min_labels=1_000), inflation=40.0)
        alarms(detector, errors(0.2, 1_000))

        assert detector.reference is not None
        assert detector.reference.effective_labels == 25.0


class TestStatedObjective:
    def test_watches_from_the_first_label(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.05))

        assert detector.state == "watching"
        assert detector.reference == Reference(mean=0.05, n=0, inflation=1.0, m=0.05 + 0.01)

    def test_is_watched_again_after_an_alarm(self) -> None:
        detector = EDetector(EDetectorConfig(objective=0.05))

        assert len(alarms(detector, errors(0.3, 1_000))) > 5
        assert detector.state == "watching"

    def test_is_not_relearned(self) -> None:
        with pytest.raises(ValueError, match="a stated objective is not learned"):
            EDetector(EDetectorConfig(objective=0.05)).relearn()

    def test_false_alarms_keep_within_the_budget_and_use_it(self) -> None:
        """The error is exactly what was promised: the hardest case in which every alarm is false."""
        config = EDetectorConfig(objective=0.1, tolerance=0.0, budget_per_event=1e-3)
        counts = [len(alarms(EDetector(config), errors(0.1, 5_000, seed=seed))) for seed in range(60)]
        standard_error = stdev(counts) / math.sqrt(len(counts))

        assert fmean(counts) + 2.0 * standard_error <= 5.0
        assert fmean(counts) >= 1.0


class TestSnapshots:
    @given(
        st.lists(
            st.tuples(
                st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)),
                st.one_of(st.none(), st.floats(-3_600.0, 2 * DAY)),
                st.one_of(st.none(), st.floats(0.0, 0.2)),
            ),
            max_size=120,
        ),
        st.integers(0, 120),
        st.sampled_from([None, 0.2]),
    )
    def test_a_restored_detector_continues_identically(
        self, stream: list[tuple[float, float | None, float | None]], cut: int, objective: float | None
    ) -> None:
        config = EDetectorConfig(objective=objective, min_labels=10, min_days=0.5, budget_per_event=0.02)
        whole, parts = EDetector(config), EDetector(config)
        at = 1e9
        for i, (x, step, budget) in enumerate(stream):
            if i == cut:
                parts = EDetector.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
                assert parts.alarm == whole.alarm
                assert parts.warning_detected == whole.warning_detected
            at += step or 0.0
            for detector in (whole, parts):
                detector.update(x, at=None if step is None else at, budget=budget)
            assert parts.drift_detected == whole.drift_detected
            assert parts.evidence == whole.evidence

        assert parts.snapshot() == whole.snapshot()

    def test_at_every_point_of_a_stream_that_goes_through_every_state(self) -> None:
        whole = parts = EDetector(HASTY)
        seen = set()
        for i, x in enumerate(errors(0.1, 60) + errors(0.6, 60) + errors(0.1, 60)):
            parts = EDetector.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
            whole.update(x, at=i * 3_600.0)
            parts.update(x, at=i * 3_600.0)
            assert parts.snapshot() == whole.snapshot()
            seen.add((whole.state, whole.drift_detected, whole.warning_detected))

        assert {("learning", False, False), ("watching", False, False), ("learning", True, False)} <= seen
        assert ("watching", False, True) in seen

    def test_are_small(self) -> None:
        detector = EDetector()
        for i, x in enumerate(errors(0.1, 20_000)):
            detector.update(x, at=1e9 + 120.0 * i)

        assert detector.state == "watching"
        assert len(msgpack.packb(detector.snapshot())) < 600


class TestGuards:
    @pytest.mark.parametrize("x", [-0.1, 1.1, math.nan, math.inf])
    def test_what_is_no_loss_is_refused_and_changes_nothing(self, x: float) -> None:
        detector = EDetector()
        with pytest.raises(ValueError, match="a loss lies in"):
            detector.update(x)
        assert detector.snapshot() == EDetector().snapshot()

    @pytest.mark.parametrize("budget", [-1e-9, math.nan])
    def test_what_is_no_budget_is_refused(self, budget: float) -> None:
        with pytest.raises(ValueError, match="a budget is"):
            EDetector().update(0.0, budget=budget)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("objective", 1.5),
            ("min_labels", 1),
            ("min_days", -1.0),
            ("tolerance", 1.0),
            ("reference_confidence", 1.0),
            ("bets", 0),
            ("smallest_rise", 0.6),
            ("largest_rise", 1.0),
            ("warning_evidence", 0.0),
            ("budget_per_event", math.nan),
            ("largest_budget", 0.0),
        ],
    )
    def test_a_configuration_out_of_range_is_refused(self, field: str, value: float) -> None:
        with pytest.raises(ValueError, match=f"EDetectorConfig.{field}"):
            EDetectorConfig(**{field: value})  # type: ignore[arg-type]

    def test_an_inflation_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="inflation"):
            EDetector(inflation=0.5)


def test_serves_wherever_river_takes_a_detector() -> None:
    detector = EDetector(EDetectorConfig(min_labels=300))
    alarms(detector, errors(0.1, 500))

    assert isinstance(detector, DriftAndWarningDetector)
    assert detector.clone().snapshot() == EDetector(detector.config).snapshot()


@pytest.mark.parametrize(
    ("tolerance", "low", "high"),
    [pytest.param(0.0, 650.0, 900.0, id="no tolerance"), pytest.param(0.01, 1_150.0, 1_700.0, id="default")],
)
def test_a_rise_from_10_to_15_percent_is_found_in_the_stated_time(tolerance: float, low: float, high: float) -> None:
    """One false alarm in a million events costs a median delay of about 830 labels, or 1,400 with the default."""
    delays = []
    for seed in range(100):
        detector = EDetector(EDetectorConfig(tolerance=tolerance))
        alarms(detector, errors(0.1, 10_000, seed=seed))
        after = errors(0.15, 20_000, seed=seed + 1_000)
        delays.append(next((i + 1 for i, x in enumerate(after) if alarms(detector, [x])), math.inf))

    assert low <= median(delays) <= high


def test_the_examples_in_the_docstrings_are_exact() -> None:
    outcome = doctest.testmod(e_detector)

    assert outcome.attempted > 0
    assert outcome.failed == 0
