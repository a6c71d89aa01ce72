"""Tasks of Step Functions that wait for a run are told of its end, once it is saved, until they have heard it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.observation import Due, TaskWaiting
from spot_relay.domain.run.run import MAX_WAITING_TASKS, Run, RunStatus
from spot_relay.domain.shown.report import status_document, summarise
from spot_relay.ports import ConflictError
from spot_relay.service import NotPublishedError
from tests.fakes import REGION, MemoryTasks
from tests.unit.worlds import StrictRunStore, World, submission

if TYPE_CHECKING:
    from spot_relay.domain.values import No

TOKEN = "AQCEAAAAKgAAAAMAAAAA-very-secret"


def waited_for(*tokens: str, world: World | None = None, **answers: Any) -> World:
    """Return a world in which tasks wait for a run that trains."""
    world = world or World(tasks=MemoryTasks(dict.fromkeys(tokens)), **answers)
    for token in tokens:
        world.service.submit(replace(submission(), task_token=token))
    world.trains(1)
    return world


def completes(world: World) -> Run:
    """Let the job of a run complete."""
    return world.tell(1, "Completed", "Completed")


def test_a_task_is_told_that_its_run_completed_with_the_summary_of_the_event() -> None:
    world = waited_for(TOKEN)
    run = completes(world)
    assert world.tasks.waiting == {TOKEN: (None, summarise(run))}
    assert world.announcements.details[-1].items() >= summarise(run).items()
    assert (run.waiting_tasks, run.outbox.tasks) == ((), ())


@pytest.mark.parametrize(("status", "secondary"), [("Failed", "Failed"), ("Stopped", "Stopped")])
def test_a_task_is_told_that_its_run_did_not_complete_as_a_failure(status: str, secondary: str) -> None:
    world = waited_for(TOKEN)
    run = world.tell(1, status, secondary, failure_reason="AlgorithmError: no")
    assert world.tasks.waiting == {TOKEN: (f"SpotRelay.Run{status}", summarise(run))}


def test_every_task_that_waits_is_told() -> None:
    world = waited_for("one", "two")
    assert len(world.store.runs) == 1
    run = completes(world)
    assert world.tasks.waiting == dict.fromkeys(("one", "two"), (None, summarise(run)))


def test_the_same_task_again_waits_once() -> None:
    assert waited_for(TOKEN, TOKEN).run().waiting_tasks == (TOKEN,)


def test_the_oldest_task_makes_way_if_there_are_too_many() -> None:
    tokens = [str(number) for number in range(MAX_WAITING_TASKS + 1)]
    assert waited_for(*tokens).run().waiting_tasks == tuple(tokens[1:])


def test_a_task_that_comes_after_the_end_is_told_at_once_and_nothing_else_changes() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1)
    before = completes(world)
    world.tasks.waiting[TOKEN] = None
    after = world.service.submit(replace(submission(), task_token=TOKEN))
    assert world.tasks.waiting[TOKEN] == (None, summarise(after))
    assert (after.status, after.reason, after.ended_at) == (before.status, before.reason, before.ended_at)
    assert after.decisions[-1].observation == "TaskWaiting"


def test_a_task_that_no_longer_waits_counts_as_told_and_the_run_says_so() -> None:
    world = waited_for(TOKEN)
    world.tasks.waiting.clear()
    run = completes(world)
    assert run.outbox.tasks == ()
    assert run.reason.startswith("churn-relay-01 completed")
    said = run.decisions[-1]
    assert said.observation == "TaskGone"
    assert said.reason == (
        "A task of Step Functions no longer waits for the end of the run: its token was refused (TaskDoesNotExist)."
    )
    assert world.documents.written["churn"]["decisions"][-1]["reason"] == said.reason
    assert any("its token was refused" in line for line in world.telemetry.reasons)


@dataclass
class ThrottledTasks(MemoryTasks):
    """Tasks that cannot be told for a while."""

    tries: int = 1

    def answer(self, token: str, error: str | None, summary: dict[str, Any]) -> No | None:
        if self.tries:
            self.tries -= 1
            message = "ThrottlingException"
            raise RuntimeError(message)
        return super().answer(token, error, summary)


def test_a_task_that_cannot_be_told_is_told_later_and_keeps_nobody_else_from_hearing() -> None:
    world = waited_for(TOKEN, world=World(tasks=ThrottledTasks({TOKEN: None})))
    with pytest.raises(NotPublishedError):
        completes(world)
    run = world.run()
    assert (run.status, run.outbox.tasks) == (RunStatus.COMPLETED, (TOKEN,))
    assert world.documents.written["churn"]["status"] == "Completed"
    assert world.announcements.details[-1]["status"] == "Completed"
    assert run.due_at is not None
    world.advance(Due())
    assert world.tasks.waiting == {TOKEN: (None, summarise(run))}
    assert not world.run().outbox.tasks
    assert [detail["status"] for detail in world.announcements.details] == ["Pending", "InProgress", "Completed"]


def test_a_run_that_is_resumed_before_a_task_was_told_tells_its_last_end() -> None:
    tasks = ThrottledTasks({TOKEN: None}, tries=3)
    world = waited_for(TOKEN, world=World(tasks=tasks))
    with pytest.raises(NotPublishedError):
        world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: no")
    assert not world.service.resume("churn").has_ended
    assert world.tasks.waiting == {TOKEN: None}
    world.trains(2)
    tasks.tries = 0
    run = world.tell(2, "Completed", "Completed")
    assert world.tasks.waiting == {TOKEN: (None, summarise(run))}


def test_an_ended_run_keeps_no_more_tasks_than_an_open_one_if_none_can_be_told() -> None:
    world = waited_for(TOKEN, world=World(tasks=ThrottledTasks(tries=1000)))
    with pytest.raises(NotPublishedError):
        completes(world)
    for number in range(MAX_WAITING_TASKS - 1):
        with pytest.raises(NotPublishedError):
            world.service.submit(replace(submission(), task_token=str(number)))
    with pytest.raises(NotPublishedError):
        world.service.submit(replace(submission(), task_token="one too many"))
    assert len(world.run().outbox.tasks) == MAX_WAITING_TASKS


@dataclass
class OvertakenRunStore(StrictRunStore):
    """A store to which another writer is faster when an end is to be saved."""

    conflicts: int = 1

    def save(self, run: Run) -> Run:
        if run.has_ended and self.conflicts:
            self.conflicts -= 1
            raise ConflictError(run.id)
        return super().save(run)


def test_a_task_is_told_only_of_an_end_that_is_saved() -> None:
    world = World(tasks=MemoryTasks({TOKEN: None}))
    world.jobs.refusals = []
    store = OvertakenRunStore(conflicts=50)
    service = replace(world.service, store=store)
    service.submit(replace(submission(), task_token=TOKEN))
    world.jobs.becomes("churn-relay-01", "Completed", "Completed")
    world.clock.passes(60)
    with pytest.raises(ConflictError):
        service.advance("churn", world.event(1, "Completed", "Completed"))
    assert world.tasks.waiting == {TOKEN: None}


def test_a_task_that_submits_a_spec_again_is_the_same_run() -> None:
    world = waited_for("one")
    first = world.run().submission_id
    world.tasks.waiting["two"] = None
    assert world.service.submit(replace(submission(), task_token="two")).submission_id == first


def test_nobody_sees_a_token() -> None:
    world = waited_for(TOKEN)
    shown = [world.run(), world.run().outbox, TaskWaiting(TOKEN), replace(submission(), task_token=TOKEN)]
    run = completes(world)
    told = json.dumps([status_document(run, REGION), world.documents.written, world.announcements.details])
    assert TOKEN not in "".join([*map(repr, shown), told, *world.telemetry.reasons])
