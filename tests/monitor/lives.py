"""Some days of several models, for the laws over all of the monitor."""

from __future__ import annotations

import random

from builders import HOUR, T0, Input, Take, Tick, deployment, feedback, prediction
from trueup.monitor.config import ModelConfig, MonitorConfig

#: Small windows and horizons, an objective that is soon broken, one model that learns, one regression.
CONFIG = MonitorConfig(
    false_pages_per_month=100.0,
    last_outcomes=10,
    label_horizon_days=3.0,
    blind_after_hours=6.0,
    segment_values=2,
    comparison_alpha=0.2,
    defaults=ModelConfig(segments=("country",), objective=0.2, training_days=1.0),
    models={
        "learns": ModelConfig(task="binary", reference_labels=200, reference_days=0.0),
        "minutes": ModelConfig(task="regression", tolerance=0.1),
    },
)
MODELS = ("first", "minutes", "learns", "a/1:b")


def life(seed: int, n: int) -> list[Input]:
    """Some days of several models: split traffic, a shadow, a change in the middle, repeats, corrections, silences."""
    rng = random.Random(seed)
    inputs: list[Input] = []
    now = T0
    for i in range(n):
        now += rng.choice((30.0, 600.0, HOUR, 7 * HOUR if rng.random() < 0.1 else 60.0))
        wrong = 0.1 if i < n / 2 else 0.8
        made, told = [], []
        model = rng.choice(MODELS[: rng.randint(1, 4)])
        for k in range(rng.randint(1, 12)):
            key = f"p{i - rng.randint(0, 2)}-{k}"
            at = now - rng.choice((0.0, 0.0, 400.0, 30 * HOUR))
            version = rng.choice(("v1", "v1", "v2", "v3"))
            answer = 100.0 + rng.random() if model == "minutes" else 1
            score = rng.random() ** (1 if i < n / 2 else 3)
            more = {"probability": score, "segment": {"country": rng.choice("abcd")}, "features": {"amount": 9 * score}}
            made.append(prediction(key, answer, model=model, version=version, at=at, latency_ms=5.5, **more))
            truth = rng.random() >= (0.9 if version == "v2" else wrong)
            actual = (100.0 if truth else 150.0) if model == "minutes" else int(truth)
            if rng.random() < 0.9:
                told.append(feedback(key, actual, model=model, at=at + rng.choice((0.0, 900.0, 2 * HOUR))))
        takes: list[Input] = [Take("predictions", tuple(made), now), Take("feedback", tuple(told), now)]
        rng.shuffle(takes)
        inputs += takes
        if rng.random() < 0.05:
            role = rng.choice(("champion", "challenger", "shadow", "retired"))
            inputs.append(Take("deployments", (deployment(rng.choice(("v1", "v2", "v3")), role, model=model, at=now),)))
        if rng.random() < 0.5:
            inputs.append(Tick(now))
    return inputs
