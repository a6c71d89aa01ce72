"""Runs for the tests of what keeps them and of what launches them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spot_relay.domain.outbox import Outbox
from spot_relay.domain.policy import Policy
from spot_relay.domain.run import Run, accept
from spot_relay.domain.submission import Submission
from tests.integration.stack import SPEC

if TYPE_CHECKING:
    from datetime import datetime


def a_run(run_id: str, now: datetime, submission_id: str = "submission-1", **changes: Any) -> Run:
    """Give a run that owes nothing, as it was accepted at a moment, with changes."""
    submission = Submission(run_id, SPEC["training_job"], Policy(), fingerprint=f"{run_id}-spec")
    settled = replace(accept(submission, submission_id, now), outbox=Outbox())
    return replace(settled, **changes)
