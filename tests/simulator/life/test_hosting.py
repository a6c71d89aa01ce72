"""The life of an endpoint: statuses, failures, rollbacks, and what real processes report."""

from __future__ import annotations

import pytest

from simulator.life.endpoint import (
    DeleteRequested,
    DeploymentFailed,
    DeploymentFailure,
    DeploymentReady,
    Endpoint,
    EndpointInput,
    EndpointScript,
    EndpointStatus,
    ProcessesGone,
    UpdateRequested,
)
from simulator.life.hosting import advance, begin, next_due

SCRIPT = EndpointScript(creating=10, updating=20, rolling_back=5, deleting=3)
REAL = EndpointScript(
    creating=10,
    updating=20,
    rolling_back=5,
    deleting=3,
    held=frozenset({EndpointStatus.CREATING, EndpointStatus.UPDATING, EndpointStatus.DELETING}),
)


def failing(status: EndpointStatus, after: float = 4) -> EndpointScript:
    failure = DeploymentFailure("no capacity", status, after)
    return EndpointScript(creating=10, updating=20, rolling_back=5, deleting=3, failure=failure)


class Watched:
    """An endpoint, and the statuses it has entered with their times."""

    def __init__(self, script: EndpointScript = SCRIPT) -> None:
        self.endpoint, created = begin("churn", script, 0)
        self.seen: list[tuple[str, float]] = [(created.endpoint.status, created.at)]

    def at(self, now: float, happens: EndpointInput | None = None) -> Endpoint:
        """Let time pass, then apply an input."""
        self.endpoint, changes = advance(self.endpoint, now, happens)
        self.seen += [(change.endpoint.status, change.at) for change in changes]
        return self.endpoint


def test_an_endpoint_goes_in_service_when_its_time_in_creating_is_over() -> None:
    watched = Watched()

    assert watched.at(9.9).status is EndpointStatus.CREATING
    assert watched.at(30).serving == 1
    assert watched.seen == [("Creating", 0), ("InService", 10)]
    assert next_due(watched.endpoint) is None


def test_an_update_serves_the_old_deployment_until_the_new_one_is_in_service() -> None:
    watched = Watched()
    watched.at(10)

    updating = watched.at(100, UpdateRequested(SCRIPT))
    updated = watched.at(120)

    assert (updating.status, updating.serving, updating.deploying) == ("Updating", 1, 2)
    assert (updated.status, updated.serving, updated.deploying) == ("InService", 2, None)


def test_an_update_that_fails_is_rolled_back_to_the_old_deployment_and_leaves_no_reason() -> None:
    watched = Watched()
    watched.at(10)
    watched.at(100, UpdateRequested(failing(EndpointStatus.UPDATING)))

    rolling_back = watched.at(104)
    back = watched.at(109)

    assert (rolling_back.status, rolling_back.serving, rolling_back.failure_reason) == ("RollingBack", 1, "no capacity")
    assert (back.status, back.serving, back.deploying, back.failure_reason) == ("InService", 1, None, None)
    assert watched.seen[2:] == [("Updating", 100), ("RollingBack", 104), ("InService", 109)]
    assert watched.at(200, UpdateRequested(SCRIPT)).deploying == 3


def test_an_endpoint_whose_creation_fails_can_only_be_deleted() -> None:
    watched = Watched(failing(EndpointStatus.CREATING))

    failed = watched.at(50)
    assert (failed.status, failed.since, failed.failure_reason) == ("Failed", 4, "no capacity")
    assert watched.at(60, UpdateRequested(SCRIPT)) is failed
    watched.at(70, DeleteRequested())

    assert watched.at(73).gone
    assert watched.seen[2:] == [("Deleting", 70), ("Deleted", 73)]


def test_a_failure_at_the_end_of_creating_comes_first() -> None:
    assert Watched(failing(EndpointStatus.CREATING, after=10)).at(10).status is EndpointStatus.FAILED


def test_a_failure_of_updates_does_not_fail_the_creation() -> None:
    assert Watched(failing(EndpointStatus.UPDATING)).at(10).status is EndpointStatus.IN_SERVICE


@pytest.mark.parametrize("moment", [5, 25])
def test_with_a_real_process_creating_ends_when_the_process_is_ready_but_not_early(moment: float) -> None:
    watched = Watched(REAL)

    assert watched.at(moment, DeploymentReady(2)).status is EndpointStatus.CREATING  # another deployment's
    watched.at(moment, DeploymentReady(1))
    watched.at(100)

    assert watched.seen == [("Creating", 0), ("InService", max(10, moment))]


def test_a_real_process_that_cannot_start_fails_the_creation_at_once() -> None:
    failed = Watched(REAL).at(1, DeploymentFailed(1, "x" * 2000))

    assert (failed.status, len(failed.failure_reason or "")) == ("Failed", 1024)


def test_a_real_process_that_cannot_start_rolls_an_update_back() -> None:
    watched = Watched(REAL)
    watched.at(10, DeploymentReady(1))
    watched.at(20, UpdateRequested(REAL))

    assert watched.at(21, DeploymentFailed(2, "exit code 1")).status is EndpointStatus.ROLLING_BACK
    assert watched.at(22, DeploymentReady(2)).status is EndpointStatus.ROLLING_BACK
    assert watched.at(30).serving == 1


def test_deleting_lasts_until_the_processes_are_gone() -> None:
    watched = Watched(REAL)
    watched.at(10, DeploymentReady(1))
    assert watched.at(11, ProcessesGone()).status is EndpointStatus.IN_SERVICE
    watched.at(20, DeleteRequested())

    assert watched.at(50).status is EndpointStatus.DELETING
    assert watched.at(60, ProcessesGone()).gone
    assert watched.at(70, DeleteRequested()).gone
