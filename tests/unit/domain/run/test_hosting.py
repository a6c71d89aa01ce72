"""What is done with a model: whether anything is wanted, and how far it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.run.hosting import (
    Deployment,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    OnSuccess,
    Registration,
)
from tests.fakes import NOON
from tests.unit.paid_runs import a_run

REGISTRATION, DEPLOYMENT = Registration("churn-models", "an-image"), Deployment("churn-live", "an-image", "a-role")
OPEN, DONE, FAILED = (
    HostingTask(HostingKind.DEPLOY, HostingStep.LOOK, status, "Any.", NOON, NOON, None) for status in HostingStatus
)


@pytest.mark.parametrize(
    ("wanted", "anything"),
    [
        (OnSuccess(), False),
        (OnSuccess(REGISTRATION), True),
        (OnSuccess(deploy=DEPLOYMENT), True),
        (OnSuccess(REGISTRATION, DEPLOYMENT), True),
    ],
)
def test_a_registration_or_a_deployment_is_something_to_do(wanted: OnSuccess, *, anything: bool) -> None:
    assert bool(wanted) is anything


@pytest.mark.parametrize(
    ("tasks", "status"),
    [
        ((), None),
        ((OPEN,), None),
        ((FAILED, OPEN), None),
        ((DONE,), HostingStatus.SUCCEEDED),
        ((DONE, DONE), HostingStatus.SUCCEEDED),
        ((DONE, FAILED), HostingStatus.FAILED),
        ((FAILED, DONE), HostingStatus.FAILED),
    ],
)
def test_all_that_was_to_be_done_has_failed_if_a_part_of_it_has_once_nothing_is_open(
    tasks: tuple[HostingTask, ...], status: HostingStatus | None
) -> None:
    assert [task.is_open for task in tasks] == [task is OPEN for task in tasks]
    assert replace(a_run(), hosting=tasks).hosting_status is status


def test_a_run_has_the_name_of_its_endpoint_only_if_it_deploys() -> None:
    assert a_run().endpoint_name == replace(a_run(), on_success=OnSuccess(REGISTRATION)).endpoint_name == ""
    assert replace(a_run(), on_success=OnSuccess(deploy=DEPLOYMENT)).endpoint_name == "churn-live"
