"""The status document of a run that has ended is written once more, after all who may still write an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.hosting import HostingStatus, OnSuccess
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE
from tests.unit.hosted import DEPLOYMENT, Hosted
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

PATIENCE = OUTBOX_PATIENCE.total_seconds()


def completed(world: World) -> Run:
    world.service.submit(submission())
    world.trains(1)
    return world.tell(1, "Completed", "Completed")


def test_a_document_that_a_stalled_function_has_put_after_the_end_does_not_stay() -> None:
    world = World()
    older = world.service.submit(submission())
    world.trains(1)
    world.tell(1, "Completed", "Completed")
    # A function that had stalled since the launch writes what it had in mind, and is ended by Lambda.
    world.documents.write("churn", {"status": str(older.status)})
    world.passes(2 * PATIENCE)
    assert world.documents.written["churn"]["status"] == "Completed"


def test_nor_does_one_that_such_a_function_has_put_after_the_model_was_deployed_long_after_the_end() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.completes()
    older = dict(hosted.world.documents.written["churn"])
    hosted.world.clock.passes(10 * PATIENCE)
    hosted.world.hosting.deploys("churn-live")
    assert hosted.told().status is HostingStatus.SUCCEEDED
    hosted.world.documents.write("churn", older)
    hosted.world.passes(2 * PATIENCE)
    assert hosted.world.documents.written["churn"]["hosting"]["deploy"]["status"] == "Succeeded"
    assert not hosted.run().outbox


def test_the_document_is_written_once_more_and_then_no_one_looks_again() -> None:
    world = World()
    run = completed(world)
    assert run.outbox == Outbox(status=True)
    assert run.due_at == run.updated_at + OUTBOX_PATIENCE
    run = world.passes(2 * PATIENCE)
    assert not run.outbox
    assert run.due_at is None


def test_before_functions_of_the_time_of_the_end_are_gone_the_document_stays_owed() -> None:
    world = World()
    completed(world)
    world.clock.passes(PATIENCE - 1)
    assert world.tell(1, "Completed", "Completed").outbox == Outbox(status=True)
    world.clock.passes(1)
    assert not world.tell(1, "Completed", "Completed").outbox


def test_the_end_is_announced_and_measured_once() -> None:
    world = World()
    completed(world)
    world.passes(2 * PATIENCE)
    assert [detail["status"] for detail in world.announcements.details] == ["Pending", "InProgress", "Completed"]
    assert world.telemetry.total("RunsCompleted") == 1


def test_a_run_that_is_resumed_meanwhile_owes_what_it_owes_then() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1)
    world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1")
    resumed = world.service.resume("churn")
    assert not resumed.outbox
    assert world.passes(2 * PATIENCE).status == "InProgress"
