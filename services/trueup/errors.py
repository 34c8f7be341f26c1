"""The tree of errors, classified by what the caller does next.

TrueupError
├── InvalidEvent      the event is a dead letter; its neighbours go on
├── Unavailable       a service does not answer: wait, reload, try again
├── StaleWriter       someone else owns this partition now: drop the state, never write again with it
├── UnknownSnapshot   saved by a version this one cannot read: stop, and say which
└── InvalidSettings   a person has to mend the configuration: one sentence, exit code 2
"""

from __future__ import annotations


class TrueupError(Exception):
    """The root of all errors that Trueup raises on purpose."""


class InvalidEvent(TrueupError):
    """An event that cannot be used, whatever is tried."""


class Unavailable(TrueupError):
    """Kafka, Redis or a receiver does not answer. What was asked for may or may not have happened."""


class StaleWriter(TrueupError):
    """The partition was claimed by another worker since this one read its state."""


class UnknownSnapshot(TrueupError):
    """A snapshot of a version that this code does not read."""


class TopicWentBack(TrueupError):
    """A topic ends before where the saved state goes on: it was made anew, or cut."""


class InvalidSettings(TrueupError):
    """The configuration cannot be used; the message says where and how to mend it."""
