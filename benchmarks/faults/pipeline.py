"""A pipeline that takes every trigger and reports on it: so that the next one may come, and updates flow back."""

from __future__ import annotations

import threading
from contextlib import suppress

from trueup.sdk import AlreadyFinished, TriggerInbox, UpdateNotDelivered


class Pipeline:
    """A thread that accepts triggers and finishes them, in vain every third time, until it is closed."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._inbox = TriggerInbox(bootstrap, group=f"{prefix}pipeline", topic_prefix=prefix)
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        """Begin to take triggers."""
        self._thread.start()

    def close(self) -> None:
        """Take no more, and return when what was taken is reported on."""
        self._inbox.stop()
        if self._thread.is_alive():
            self._thread.join(40.0)
        self._inbox.close()

    def _run(self) -> None:
        for number, trigger in enumerate(self._inbox):
            with suppress(AlreadyFinished, UpdateNotDelivered):  # Kafka is away: it is handed out again
                trigger.accept()
                if number % 3 == 2:
                    trigger.failed("every third one")
                else:
                    trigger.succeeded()
