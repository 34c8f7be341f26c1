"""What a trigger can ask a pipeline for, one file each. To add one: a file, a test, and a line in this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trueup.alerter.actions import promote, retrain, rollback
from trueup.alerter.actions.request import Request, SignalData
from trueup_schemas.trigger import Action

#: Action -> what to ask for, given the signal; None where the signal does not hold what it takes.
ACTIONS: Mapping[Action, Callable[[SignalData], Request | None]] = {
    "retrain": retrain.request,
    "rollback": rollback.request,
    "promote": promote.request,
}
