"""The closed set of reasons for which Trueup decides anything: log field, metric label and word on the page alike."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a decision was taken, or not taken."""

    # an alert
    ERROR_ROSE = "error_rose"
    VERSION_WORSE = "version_worse"
    VERSION_BETTER = "version_better"
    DATA_FAULTY = "data_faulty"
    CANNOT_TELL = "cannot_tell"
    RECOVERED = "recovered"
    SUPERSEDED = "superseded"
    NO_TRAFFIC = "no_traffic"
    SIGHT_RESTORED = "sight_restored"
    ALREADY_FIRING = "already_firing"
    ACKNOWLEDGED = "acknowledged"
    # a trigger
    REQUESTED = "requested"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    NOTHING_LABELLED = "nothing_labelled"
    NOT_APPROVED_IN_TIME = "not_approved_in_time"
    NOT_ACCEPTED_IN_TIME = "not_accepted_in_time"
    NOT_FINISHED_IN_TIME = "not_finished_in_time"
    ALERT_RESOLVED = "alert_resolved"
    POLICY_OFF = "policy_off"
    COOLING_DOWN = "cooling_down"
    TRIGGER_OPEN = "trigger_open"
    RETRAINING_WILL_NOT_HELP = "retraining_will_not_help"
    NOTHING_TO_ROLL_BACK_TO = "nothing_to_roll_back_to"
    # what a pipeline reported, and what became of a trigger
    PIPELINE_ACCEPTED = "pipeline_accepted"
    PIPELINE_RUNNING = "pipeline_running"
    PIPELINE_SUCCEEDED = "pipeline_succeeded"
    PIPELINE_FAILED = "pipeline_failed"
    PIPELINE_REJECTED = "pipeline_rejected"
    UNKNOWN_SUBJECT = "unknown_subject"
    UNKNOWN_TRIGGER = "unknown_trigger"
    TRIGGER_FINISHED = "trigger_finished"
    UPDATE_OUT_OF_ORDER = "update_out_of_order"
    # what was seen
    VERSION_DEPLOYED = "version_deployed"
    COMMAND_RECEIVED = "command_received"
    SIGNALS_BEGAN_ANEW = "signals_began_anew"
