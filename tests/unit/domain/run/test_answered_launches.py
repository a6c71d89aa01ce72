"""Launches and copies that are answered already are not repeated, and everything else stays owed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Uncopied
from spot_relay.domain.run.observation import (
    CanaryCreated,
    CheckpointsCopied,
    Launched,
    Observation,
    Overtaken,
    Refused,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.sagemaker.refusal import Refusal

OWED = Outbox(launch=2, canary=1, stop="churn-relay-01", status=True, copy=True)
COPIED = CheckpointsCopied(CheckpointCopy("s3://models/prep/"), Uncopied("It is denied.", passes=False))


@pytest.mark.parametrize(
    ("answers", "owed"),
    [
        ((), OWED),
        ((Launched(2, "arn"),), replace(OWED, launch=None)),
        ((CanaryCreated(1, "arn"),), replace(OWED, canary=None)),
        ((COPIED,), replace(OWED, copy=False)),
        (
            (Launched(2, "arn"), Overtaken(), CanaryCreated(1, "arn"), COPIED),
            Outbox(stop="churn-relay-01", status=True),
        ),
        ((Launched(1, "arn"), CanaryCreated(2, "arn")), OWED),
        ((Refused(2, Refusal.THROTTLED, "Rate exceeded"),), OWED),
    ],
)
def test_only_the_launches_of_jobs_that_exist_and_an_answered_copy_are_no_longer_owed(
    answers: tuple[Observation, ...], owed: Outbox
) -> None:
    assert OWED.without(answers) == owed
