"""A run whose record outgrows the store is stopped and fails with a reason, instead of being tried again for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spot_relay.domain.decide.user_requests import TOO_LARGE
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.ports import RunTooLargeError
from spot_relay.service import RejectedError
from tests.unit.worlds import StrictRunStore, World, submission


@dataclass
class SmallRunStore(StrictRunStore):
    """A store with room for so many attempts, and for jobs that are known to exist."""

    attempts: int = 50
    existing: int = 50

    def save(self, run: Run) -> Run:
        known = sum(attempt.arn is not None for attempt in run.attempts)
        if run.failing_because is None and (len(run.attempts) > self.attempts or known > self.existing):
            raise RunTooLargeError(run.id)
        return super().save(run)


def begun(attempts: int = 50, existing: int = 50) -> World:
    world = World(store=SmallRunStore(attempts=attempts, existing=existing))
    world.service.submit(submission())
    return world


def test_a_run_that_could_not_plan_its_next_attempt_fails_once_its_job_is_known_to_have_ended() -> None:
    world = begun(attempts=1)
    world.trains(1)
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert (run.status, run.failing_because) == (RunStatus.STOPPING, TOO_LARGE)
    run = world.passes(120)
    assert (run.status, run.reason, len(run.attempts)) == (RunStatus.FAILED, TOO_LARGE, 1)
    assert not run.outbox.acts
    assert world.documents.written["churn"]["status"] == "Failed"
    assert [detail["status"] for detail in world.announcements.details] == [
        "Pending",
        "InProgress",
        "Stopping",
        "Failed",
    ]


def test_a_job_whose_creation_could_not_be_saved_is_stopped_and_its_run_fails() -> None:
    world = begun(existing=0)
    assert world.run().failing_because == TOO_LARGE
    assert world.jobs.stopped == ["churn-relay-01"]
    assert len(world.jobs.requests) == 1
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.status, run.reason) == (RunStatus.FAILED, TOO_LARGE)


def test_a_user_may_still_ask_such_a_run_to_stop_and_it_fails_all_the_same() -> None:
    world = begun(existing=0)
    world.service.stop("churn")
    assert world.tell(1, "Stopped", "Stopped").status is RunStatus.FAILED


def test_a_run_that_its_user_has_stopped_and_that_grows_too_large_then_fails() -> None:
    world = begun()
    world.service.stop("churn")
    world.store.existing = 0  # type: ignore[attr-defined]
    run = world.tell(1, "Stopped", "Stopped")
    assert run.failing_because == TOO_LARGE
    assert world.passes(120).status is RunStatus.FAILED


def test_an_error_of_the_store_that_even_the_end_meets_is_raised() -> None:
    class NoRoom(StrictRunStore):
        full = False

        def save(self, run: Run) -> Run:
            if self.full:
                raise RunTooLargeError(run.id)
            return super().save(run)

    world = World(store=NoRoom())
    world.service.submit(submission())
    NoRoom.full = True
    with pytest.raises(RunTooLargeError):
        world.trains(1)


def test_a_resumption_that_has_no_room_is_rejected_with_the_reason() -> None:
    world = begun()
    world.service.stop("churn")
    world.tell(1, "Stopped", "Stopped")
    world.store.attempts = 1  # type: ignore[attr-defined]
    with pytest.raises(RejectedError, match="400 KB"):
        world.service.resume("churn")
    assert world.run().status is RunStatus.STOPPED
