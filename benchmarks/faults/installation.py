"""One installation of Trueup: its own topics and keys on a given Kafka and Redis, its own workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from trueup.console.progress import Progress
from trueup.embedded import Stack
from trueup.settings import Settings, read
from trueup.up import create_topics
from trueup.worker_process import WorkerProcess
from trueup.workers.setups import WorkerName


class Installation:
    """Named `name`: prefix of its topics, groups and keys. `config` is the text of its settings file."""

    def __init__(self, stack: Stack, folder: Path, name: str, config: str = "") -> None:
        self.prefix = f"{name}."
        self.bootstrap = stack.addresses.kafka
        self.folder = folder
        file = folder / "trueup.toml"
        file.write_text(config, encoding="utf-8")
        self.environment = {
            "TRUEUP_CONFIG": str(file),
            "TRUEUP_KAFKA__BOOTSTRAP": stack.addresses.kafka,
            "TRUEUP_KAFKA__TOPIC_PREFIX": self.prefix,
            "TRUEUP_KAFKA__GROUP_PREFIX": name,
            "TRUEUP_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
            "TRUEUP_KAFKA__HEARTBEAT_SECONDS": "1",
            "TRUEUP_REDIS__URL": stack.addresses.redis,
            "TRUEUP_REDIS__KEY_PREFIX": name,
        }
        given = read(file)
        kafka = given.kafka.model_copy(update={"bootstrap": stack.addresses.kafka, "topic_prefix": self.prefix})
        redis = given.redis.model_copy(update={"url": stack.addresses.redis, "key_prefix": name})
        self.settings: Settings = given.model_copy(update={"kafka": kafka, "redis": redis})
        create_topics(self.settings)
        self.progress = Progress(self.settings)
        self.workers: list[WorkerProcess] = []

    def start(self, worker: WorkerName, *, name: str = "", **environment: str) -> WorkerProcess:
        """Start one worker; it is stopped with the installation."""
        process = WorkerProcess(worker, {**self.environment, **environment}, self.folder, name)
        process.start()
        self.workers.append(process)
        return process

    def close(self) -> None:
        """Stop everything."""
        for worker in self.workers:
            worker.close()
        self.progress.__exit__(None, None, None)


def wait(what: str, done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until `done`, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        pause.wait(0.05)
