"""Why an attempt was planned."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from spot_relay.domain.sagemaker.ending import Outcome


class Cause(StrEnum):
    """Why an attempt was planned. Part of the status document and of the metric names ``RelaunchesAfter<Cause>``.

    The first six are ours; the others name how the attempt before it ended.
    """

    SUBMITTED = "Submitted"
    RESUMED = "Resumed"
    SAFETY_NET = "SafetyNet"
    BEHIND_PACE = "BehindPace"
    AHEAD_OF_PACE = "AheadOfPace"
    MOVED = "Moved"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    MAX_PENDING_TIME_EXCEEDED = "MaxPendingTimeExceeded"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    STOPPED = "Stopped"
    CAPACITY_ERROR = "CapacityError"
    SERVICE_ERROR = "ServiceError"
    USER_ERROR = "UserError"
    UNKNOWN_FAILURE = "UnknownFailure"

    @classmethod
    def of_end(cls, outcome: Outcome | None) -> Cause:
        """Return the cause of the attempt that follows an end."""
        return _AFTER.get(outcome, Cause.UNKNOWN_FAILURE)


# Why a run with a deadline has to go on-demand.
Demand = Literal[Cause.SAFETY_NET, Cause.BEHIND_PACE]

# No attempt follows a completed one, and one that was never created is launched again under the same number.
_AFTER: dict[Outcome | None, Cause] = {
    Outcome.MAX_WAIT_TIME_EXCEEDED: Cause.MAX_WAIT_TIME_EXCEEDED,
    Outcome.MAX_PENDING_TIME_EXCEEDED: Cause.MAX_PENDING_TIME_EXCEEDED,
    Outcome.MAX_RUNTIME_EXCEEDED: Cause.MAX_RUNTIME_EXCEEDED,
    Outcome.STOPPED: Cause.STOPPED,
    Outcome.CAPACITY_ERROR: Cause.CAPACITY_ERROR,
    Outcome.SERVICE_ERROR: Cause.SERVICE_ERROR,
    Outcome.USER_ERROR: Cause.USER_ERROR,
}
