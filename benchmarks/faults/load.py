"""The load: predictions and their truths of some models, in every disorder that the contract allows, and poison.

    order      a truth before its prediction, at once, or long after it; never, for some
    repeats    predictions and truths that come twice; truths that are corrected; truths of nothing
    drift      models whose errors jump for a day of event time, and a model that gets bad versions on trial
    poison     records and events that cannot be used: each has to become one dead letter

What is sent follows from the seed alone; how much of it is sent, from the time the run takes.
"""

from __future__ import annotations

import heapq
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count

from trueup.errors import Unavailable
from trueup.sdk import Counts, Emitter
from trueup.sdk.kafka_port import KafkaPythonProducer, NotNow
from trueup.sdk.limits import EmitterLimits

START = 1_760_000_000.0
#: Event time from one prediction id to the next: a day passes in 10,800 of them.
STEP_SECONDS = 8.0
DAY = 86_400.0

STEADY = ("spam", "fraud", "churn", "prices", "photos", "clicks")
JUMPY = ("search", "routes", "scores", "stock", "parts")
CANARY = "canary"
MODELS = (*STEADY, *JUMPY, CANARY)

#: An objective is stated, so that no days are spent on learning what is normal, and no more than 200 labels on how
#: bursty errors are; and no trigger waits for another.
CONFIG = """
[monitor]
false_pages_per_month = 100000
[monitor.defaults]
objective = 0.1
reference_labels = 200
reference_days = 0
[alerter]
resolve_after_hours = 6
[alerter.policy]
cooldown_hours = 0
"""

CALM, JUMPED, BAD_VERSION = 0.04, 0.5, 0.35
#: A model that jumps does so for one day in so many, and a bad version is tried once in so many.
CYCLE_DAYS = 3.0
POISON_EVERY = 97

_PAUSE_SECONDS = 0.02
#: What could not be sent while the machine was busy is not made up for beyond this.
_MOST_AT_ONCE = 200


class Load:
    """A thread that emits until it is closed. `ids_per_second`: new prediction ids; each makes about two events."""

    def __init__(self, bootstrap: str, prefix: str, *, seed: int = 1, ids_per_second: float = 500.0) -> None:
        self._rng = random.Random(seed)
        self._prefix = prefix
        self._rate = ids_per_second
        limits = EmitterLimits(max_pending_events=200_000, max_pending_bytes=256 * 1024 * 1024, max_batch_events=50)
        self._emitter = Emitter(bootstrap, topic_prefix=prefix, limits=limits)
        self._poison = KafkaPythonProducer(
            bootstrap, security={}, request_timeout=limits.request_timeout, delivery_timeout=limits.delivery_timeout
        )
        #: (the number at which it is due, its place among those, what to do).
        self._late: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._trial = -1
        self._number = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        return self._emitter.counts

    def start(self) -> None:
        """Begin to emit."""
        self._thread.start()

    def close(self) -> Counts:
        """Emit no more; returns when all that was emitted is in Kafka.

        Raises:
            Unavailable: Kafka did not take the rest of it.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)
        flushed = self._emitter.flush(60.0)
        counts = self._emitter.close()
        self._poison.close(10.0)
        if not flushed:
            raise Unavailable(f"Kafka did not take the end of the load: {counts}")
        return counts

    def abandon(self) -> None:
        """End the thread, whatever it still had to say; nothing where it was closed."""
        self._stop.set()
        self._emitter.close(0.0)

    def _run(self) -> None:
        began, skipped = time.monotonic(), 0
        while not self._stop.wait(_PAUSE_SECONDS):
            due = int((time.monotonic() - began) * self._rate) - skipped
            if due - self._number > _MOST_AT_ONCE:
                skipped += due - self._number - _MOST_AT_ONCE
                due = self._number + _MOST_AT_ONCE
            while self._number < due:
                self._one(self._number)
                self._number += 1

    # -- one prediction id and all that is said about it --------------------------------------------------------------

    def _one(self, number: int) -> None:
        while self._late and self._late[0][0] <= number:
            heapq.heappop(self._late)[2]()
        rng, at = self._rng, START + number * STEP_SECONDS
        model_id = MODELS[number % len(MODELS)]
        version = self._version(model_id, at)
        truth = rng.randrange(3)
        answer = truth if rng.random() > _error_rate(model_id, version, at) else truth + 1
        prediction = partial(
            self._emitter.emit_prediction,
            prediction_id=f"p{number}",
            model_id=model_id,
            model_version=version,
            prediction=answer,
            predicted_at=at,
            probability=rng.random(),
        )
        told = self._truths(model_id, number, truth, at)
        if rng.random() < 0.2:
            for tell in told:
                tell()
            told = []
        prediction()
        if rng.random() < 0.03:
            self._later(number + rng.randrange(1, 500), prediction)
        delay = rng.randrange(200, 6_000) if rng.random() < 0.25 else 0
        for tell in told:
            if delay:
                self._later(number + delay, tell)
            else:
                tell()
        if number % POISON_EVERY == 0:
            self._poisoned(model_id, number)

    def _truths(self, model_id: str, number: int, truth: int, at: float) -> list[Callable[[], None]]:
        rng = self._rng
        tell = partial(self._emitter.emit_feedback, model_id=model_id, observed_at=at + 60.0)
        told: list[Callable[[], None]] = []
        if rng.random() < 0.93:
            told.append(partial(tell, prediction_id=f"p{number}", actual=truth))
        if rng.random() < 0.03:
            told.append(partial(tell, prediction_id=f"p{number}", actual=truth))
        if rng.random() < 0.03:
            self._later(
                number + rng.randrange(1, 3_000), partial(tell, prediction_id=f"p{number}", actual=(truth + 1) % 3)
            )
        if rng.random() < 0.02:
            told.append(partial(tell, prediction_id=f"nobody{number}", actual=truth))
        return told

    def _later(self, due: int, send: Callable[[], None]) -> None:
        heapq.heappush(self._late, (due, next(self._order), send))

    def _version(self, model_id: str, at: float) -> str:
        """`v1`; of the model that gets new versions, half of the answers are the newest one's while it is on trial."""
        if model_id != CANARY:
            return "v1"
        trial = int((at - START) / DAY // CYCLE_DAYS)
        deploy = partial(self._emitter.emit_deployment, model_id=model_id, deployed_at=at)
        if trial != self._trial:
            if self._trial < 0:
                deploy(model_version="v1", role="champion")
            else:
                deploy(model_version=f"t{self._trial}", role="retired")
            deploy(model_version=f"t{trial}", role="challenger", traffic=0.5)
            self._trial = trial
        return f"t{trial}" if self._rng.random() < 0.5 else "v1"

    # -- poison -------------------------------------------------------------------------------------------------------

    def _poisoned(self, model_id: str, number: int) -> None:
        at = START + number * STEP_SECONDS
        about = {"prediction_id": f"g{number}", "model_id": model_id}
        good = {**about, "model_version": "v1", "prediction": 1, "predicted_at": at}
        said = {**about, "actual": 1, "observed_at": at}
        kinds = (
            ("predictions", b"{nope"),
            ("predictions", json.dumps({**good, "prediction_id": 7}).encode()),
            ("predictions", json.dumps([good, {**about, "model_version": 7}, good]).encode()),
            ("feedback", b""),
            ("feedback", b"[1, 2"),
            ("feedback", json.dumps([said, about]).encode()),
        )
        topic, value = kinds[number // POISON_EVERY % len(kinds)]
        with suppress(NotNow):  # Kafka is away: one poison less
            self._poison.send(self._prefix + topic, key=model_id.encode(), value=value, done=lambda _: None)


def _error_rate(model_id: str, version: str, at: float) -> float:
    if version.startswith("t"):
        return BAD_VERSION
    if model_id not in JUMPY:
        return CALM
    day = (at - START) / DAY + JUMPY.index(model_id) * 0.2 - 0.2
    return JUMPED if day >= 0 and day % CYCLE_DAYS < 1.0 else CALM
