"""What the alerter expects of every action in its table."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from builders import Event, change, comparison
from trueup.alerter import actions
from trueup.alerter.actions import ACTIONS
from trueup.alerter.config import Policy
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Action

#: The signal that each action is a wish of.
SIGNALS: dict[Action, Event] = {
    "retrain": change(1),
    "rollback": comparison(1, "worse"),
    "promote": comparison(1, "better"),
}


def test_the_table_holds_what_the_folder_holds() -> None:
    files = {path.stem for path in Path(str(actions.__file__)).parent.glob("*.py")} - {"__init__", "request"}

    assert set(ACTIONS) == files


def test_the_table_holds_every_action_of_the_contract_and_policy_has_a_word_on_each() -> None:
    assert set(ACTIONS) == set(get_args(Action)) == set(SIGNALS)
    assert {action: Policy().mode(action) for action in ACTIONS} == {
        "retrain": "auto",
        "rollback": "auto",
        "promote": "off",
    }


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_asks_for_something_with_a_reason_of_the_closed_set(action: Action) -> None:
    signal = SIGNALS[action]
    request = ACTIONS[action](signal)

    assert request is not None
    assert request.model_version in (signal["model_version"], signal.get("previous_version"))
    assert Reason(request.reason["code"]) in Reason
    assert (request.dataset is not None) == (action == "retrain")
    assert (request.target_version is not None) == (action != "retrain")
