"""What an event claims, and which answers still hold once another function has saved the run."""

from __future__ import annotations

from itertools import chain

import pytest

from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Uncopied
from spot_relay.domain.run.hosting import Endpoint, HostingKind, HostingStep, Made, NoEndpoint, Unmade
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    CheckpointsCopied,
    FollowersTold,
    HostingAnswered,
    JobChanged,
    Launched,
    Observation,
    Overgrown,
    Overtaken,
    Refused,
    StopRefused,
    TaskGone,
    keep_what_exists,
)
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("status", "ended"),
    [("InProgress", False), ("Stopping", False), ("Completed", True), ("Failed", True), ("Stopped", True)],
)
def test_an_event_says_by_the_status_whether_the_job_has_ended(status: str, *, ended: bool) -> None:
    assert JobChanged(1, status, "Training", NOON).says_ended is ended


@pytest.mark.parametrize(
    ("secondary", "waits", "ended"),
    [
        ("Starting", True, False),
        ("Pending", True, False),
        ("LaunchingMLInstances", True, False),
        ("Interrupted", True, False),
        ("Training", False, False),
        ("Stopping", False, False),
        ("Stopped", False, True),
        ("MaxWaitTimeExceeded", False, True),
    ],
)
def test_an_event_says_by_the_secondary_status_whether_a_job_waits_and_a_canary_has_ended(
    secondary: str, *, waits: bool, ended: bool
) -> None:
    assert JobChanged(1, "InProgress", secondary, NOON).is_waiting is waits
    assert CanaryChanged(1, secondary).has_ended is ended


def test_what_exists_is_kept_and_refusals_and_what_was_only_seen_are_not() -> None:
    registers = HostingKind.REGISTER_MODEL, HostingStep.MODEL_PACKAGE
    deploys = HostingKind.DEPLOY, HostingStep.LOOK
    kept: tuple[Observation, ...] = (
        Launched(1, "arn"),
        CanaryCreated(1, "arn"),
        CheckpointsCopied(CheckpointCopy("s3://models/prep/"), Uncopied("No.", passes=True)),
        HostingAnswered(*registers, Made("arn")),
        TaskGone("TaskTimedOut"),
        Overgrown(),
    )
    dropped: tuple[Observation, ...] = (
        Refused(1, Refusal.THROTTLED, "Rate exceeded"),
        CanaryRefused(1, Refusal.THROTTLED, "Rate exceeded"),
        StopRefused("churn-relay-01", "Rate exceeded"),
        FollowersTold("churn"),
        HostingAnswered(*registers, Unmade("No.", passes=True)),
        HostingAnswered(*deploys, Endpoint("arn", "InService", "churn-relay-01", NOON)),
        HostingAnswered(*deploys, NoEndpoint()),
    )
    mixed = chain.from_iterable(zip(dropped, kept, strict=False))
    assert keep_what_exists((*mixed, dropped[-1])) == (*kept, Overtaken())
