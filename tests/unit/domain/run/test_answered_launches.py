"""Launches that are answered already are not repeated, and everything else stays owed."""

from __future__ import annotations

import pytest

from spot_relay.domain.run.observation import CanaryCreated, Launched, Observation, Overtaken, Refused
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.sagemaker.refusal import Refusal

OWED = Outbox(launch=2, canary=1, stop="churn-relay-01", status=True)


@pytest.mark.parametrize(
    ("answers", "owed"),
    [
        ((), OWED),
        ((Launched(2, "arn"),), Outbox(canary=1, stop="churn-relay-01", status=True)),
        ((CanaryCreated(1, "arn"),), Outbox(launch=2, stop="churn-relay-01", status=True)),
        ((Launched(2, "arn"), Overtaken(), CanaryCreated(1, "arn")), Outbox(stop="churn-relay-01", status=True)),
        ((Launched(1, "arn"), CanaryCreated(2, "arn")), OWED),
        ((Refused(2, Refusal.THROTTLED, "Rate exceeded"),), OWED),
    ],
)
def test_only_the_launches_of_jobs_that_exist_are_no_longer_owed(
    answers: tuple[Observation, ...], owed: Outbox
) -> None:
    assert OWED.without(answers) == owed
