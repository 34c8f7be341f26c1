"""A real Apache Kafka and a real Redis, for a laptop, the demo and the tests, with nothing installed beforehand.

`Stack` is the one way to get them: it downloads what is missing (once per user), starts both servers on free loopback
ports with their data in one folder, returns when both truly answer, and leaves no process behind, whatever becomes of
its parent. Nothing here knows what Trueup stores in them, and nothing here is meant for production.

Start reading in `stack.py`; `watchdog.py` holds the promise that no server outlives its parent.
"""

from trueup.embedded.errors import DownloadFailed, EmbeddedError, FolderInUse, ServerFailed
from trueup.embedded.kafka_server import KafkaAdditions
from trueup.embedded.stack import Additions, Addresses, Stack

__all__ = [
    "Additions",
    "Addresses",
    "DownloadFailed",
    "EmbeddedError",
    "FolderInUse",
    "KafkaAdditions",
    "ServerFailed",
    "Stack",
]
