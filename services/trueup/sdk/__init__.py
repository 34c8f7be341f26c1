"""What an app or a pipeline imports: `Emitter` sends predictions and feedback, `TriggerInbox` brings what to do.

Nothing heavier than the standard library is imported here; kafka-python comes in with the thread or the inbox that
uses it. No module of Trueup's services may be imported from this folder.
"""

from trueup.sdk.emitter import Emitter
from trueup.sdk.limits import EmitterLimits
from trueup.sdk.outbox import Counts
from trueup.sdk.received_trigger import AlreadyFinished, ReceivedTrigger, UpdateNotDelivered
from trueup.sdk.security import InvalidSecurity, KafkaSecurity
from trueup.sdk.trigger_inbox import TriggerInbox

__all__ = [
    "AlreadyFinished",
    "Counts",
    "Emitter",
    "EmitterLimits",
    "InvalidSecurity",
    "KafkaSecurity",
    "ReceivedTrigger",
    "TriggerInbox",
    "UpdateNotDelivered",
]
