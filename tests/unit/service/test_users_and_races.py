"""Stops, resumes, late events and writers that meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import Due, JobChanged, Launched, Refused
from spot_relay.domain.run.policy import Budgets, Policy, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.ports import ConflictError, PrefixTakenError
from spot_relay.service import NameConflictError, NoSuchRunError, RejectedError
from tests.fakes import MemoryRunStore
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.run import Run


@pytest.fixture
def world() -> World:
    return World()


def test_the_same_submission_twice_is_one_run_and_one_job(world: World) -> None:
    first = world.service.submit(submission())
    assert world.service.submit(submission()) == first
    assert len(world.jobs.requests) == 1


def test_another_spec_under_the_same_name_is_a_conflict(world: World) -> None:
    world.service.submit(submission())
    with pytest.raises(NameConflictError, match="another spec"):
        world.service.submit(submission(RetryStrategy={"MaximumRetryAttempts": 2}))


def test_a_stop_ends_the_run_when_its_job_is_described_as_stopped(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.service.stop("churn")
    assert run.status is RunStatus.STOPPING
    assert world.jobs.stopped == ["churn-relay-01"]
    run = world.tell(1, "Stopped", "Stopped", training_seconds=600)
    assert run.status is RunStatus.STOPPED
    assert "by request" in run.reason


def test_a_stop_is_final_even_if_the_wait_expires_meanwhile(world: World) -> None:
    world.service.submit(submission())
    world.service.stop("churn")
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert run.status is RunStatus.STOPPED
    assert len(world.jobs.requests) == 1


def test_a_job_that_completes_before_the_stop_reaches_it_completes_the_run(world: World) -> None:
    world.service.submit(submission())
    world.service.stop("churn")
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_stop_that_sagemaker_lost_is_sent_again_by_the_tick(world: World) -> None:
    world.service.submit(submission())
    world.service.stop("churn")
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.clock.passes(30)
    world.tick()
    assert world.jobs.stopped == ["churn-relay-01", "churn-relay-01"]


def test_a_stop_between_attempts_ends_the_run_at_once(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Failed", "Failed", failure_reason="CapacityError: none")
    assert world.service.stop("churn").status is RunStatus.STOPPED
    world.clock.passes(3600)
    world.tick()
    assert len(world.jobs.requests) == 1


@pytest.mark.parametrize("refusal", [Refusal.QUOTA_FULL, Refusal.THROTTLED, Refusal.UNAVAILABLE])
def test_a_stop_while_the_launch_is_put_off_waits_until_no_job_can_turn_up(world: World, refusal: Refusal) -> None:
    world.jobs.refusals = [(refusal, "Not now")]
    world.service.submit(submission())
    assert world.service.stop("churn").status is RunStatus.STOPPING
    world.clock.passes(299)
    world.tick()
    assert world.run().status is RunStatus.STOPPING
    world.clock.passes(1)
    world.tick()
    assert world.run().status is RunStatus.STOPPED
    assert world.jobs.requests == []


def test_a_stop_waits_for_a_launch_that_had_no_answer_although_the_run_was_put_in_a_queue_since(world: World) -> None:
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer."), (Refusal.QUEUED_BEHIND, "Others wait.")]
    world.service.submit(submission())
    world.passes(60)
    assert world.run().waits_for is not None
    run = world.service.stop("churn")
    assert run.check_at == world.clock() + timedelta(minutes=5)


def test_a_launch_that_has_no_answer_after_the_stop_is_waited_for_anew(world: World) -> None:
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "Not now")]
    world.service.submit(submission())
    world.service.stop("churn")
    world.clock.passes(30)
    run = world.advance(Refused(1, Refusal.UNAVAILABLE, "SageMaker did not answer."))
    assert run.check_at == world.clock() + timedelta(minutes=5)


def test_an_older_refusal_ends_no_run_that_another_writer_has_moved_on_meanwhile(world: World) -> None:
    too_small = "service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of "
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, f"{too_small}0 Instances and a request delta of 1 Instances")]
    elsewhere = Rung(Placement("ml.m5.xlarge", 1, Market.ON_DEMAND))
    ladder = (Rung(Placement("ml.m5.xlarge", 1, Market.SPOT)), elsewhere)
    save = world.store.save

    def save_and_lose_the_answer(run: Run) -> Run:
        # The SDK tries the write again, and meets the version that its first try has written.
        save(run)
        world.store.save = save  # type: ignore[method-assign]
        raise ConflictError(run.id)

    world.store.save = save_and_lose_the_answer  # type: ignore[method-assign]
    run = world.service.submit(submission(Policy(ladder=ladder)))
    assert run.status is RunStatus.IN_PROGRESS
    assert run.current.placement == elsewhere.placement
    assert world.live_jobs() == ["churn-relay-01"]


def test_a_launch_that_answers_after_the_stop_is_stopped_too(world: World) -> None:
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded")]
    stale = world.service.submit(submission())
    world.service.stop("churn")
    world.jobs.create(launch_of_attempt(stale, stale.current))
    run = world.advance(Launched(1, "arn"))
    assert run.status is RunStatus.STOPPING
    assert world.jobs.stopped == ["churn-relay-01"]


def test_a_job_that_turns_up_after_its_run_gave_it_up_is_stopped_and_the_run_stays_as_it_is(world: World) -> None:
    world.jobs.refusals = [(Refusal.INVALID, "no such role")]
    failed = world.service.submit(submission())
    world.jobs.create(launch_of_attempt(failed, failed.current))
    assert world.advance(world.event(1, "InProgress", "Starting")) == failed
    assert world.jobs.stopped == ["churn-relay-01"]


def test_stopping_twice_is_stopping_once(world: World) -> None:
    world.service.submit(submission())
    first = world.service.stop("churn")
    assert world.service.stop("churn") == first


def test_an_ended_run_can_be_stopped_only_if_it_is_stopped_already(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Completed", "Completed")
    with pytest.raises(RejectedError, match="Completed"):
        world.service.stop("churn")


def test_what_does_not_exist_can_be_neither_shown_nor_stopped_nor_resumed(world: World) -> None:
    calls: list[Callable[[str], Run]] = [world.service.show, world.service.stop, world.service.resume]
    for call in calls:
        with pytest.raises(NoSuchRunError, match="nobody"):
            call("nobody")
    assert world.service.advance("nobody", Due()) is None


def test_a_resumed_run_goes_on_from_its_checkpoint_with_fresh_budgets(world: World) -> None:
    world.service.submit(submission(Policy(budgets=Budgets(expired_waits=0))))
    world.trains(1)
    newest = world.checkpoint("a")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert world.run().status is RunStatus.FAILED
    run = world.service.resume("churn")
    assert run.status is RunStatus.IN_PROGRESS
    assert run.current.number == 2
    assert run.current.resumes_from == newest
    assert run.spent.expired_waits == 0
    assert run.ended_at is None
    assert [detail["status"] for detail in world.announcements.details] == [
        *("Pending", "InProgress", "Failed"),
        *("Pending", "InProgress"),
    ]


def test_a_run_whose_launch_was_refused_is_resumed_with_the_same_attempt(world: World) -> None:
    world.jobs.refusals = [(Refusal.INVALID, "the role can't be assumed")]
    world.service.submit(submission())
    run = world.service.resume("churn")
    assert run.status is RunStatus.IN_PROGRESS
    assert [attempt.job_name for attempt in run.attempts] == ["churn-relay-01"]


def test_a_stopped_run_can_be_resumed(world: World) -> None:
    world.service.submit(submission())
    world.service.stop("churn")
    world.tell(1, "Stopped", "Stopped")
    run = world.service.resume("churn")
    assert not run.stop_requested
    assert run.current.number == 2


@pytest.mark.parametrize(("status", "secondary"), [("Completed", "Completed"), ("InProgress", "Training")])
def test_a_run_that_is_open_or_completed_cannot_be_resumed(world: World, status: str, secondary: str) -> None:
    world.service.submit(submission())
    world.clock.passes(1)
    before = world.tell(1, status, secondary)
    with pytest.raises(RejectedError):
        world.service.resume("churn")
    assert world.run() == before


def test_a_run_without_checkpoints_cannot_be_resumed_and_is_told_why(world: World) -> None:
    world.service.submit(submission(CheckpointConfig=None))
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    with pytest.raises(RejectedError, match="restart_from_scratch"):
        world.service.resume("churn")


@pytest.mark.parametrize("delay", [0, -60])
def test_a_late_or_repeated_event_is_counted_and_changes_nothing(world: World, delay: int) -> None:
    world.service.submit(submission())
    run = world.trains(1, seconds=0)
    assert run.current.heard_at is not None
    world.clock.passes(delay)
    assert world.advance(JobChanged(1, "InProgress", "Interrupted", world.clock())) == run
    assert world.telemetry.total("LateOrDuplicateEvents") == 1


def test_an_event_of_an_earlier_attempt_changes_nothing_and_costs_no_describe(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    described = len(world.jobs.described)
    run = world.run()
    assert world.advance(world.event(1, "Stopped", "MaxWaitTimeExceeded")) == run
    assert world.advance(world.event(1, "InProgress", "Training")) == run
    assert len(world.jobs.described) == described


def test_nothing_but_a_resume_changes_a_run_that_has_ended(world: World) -> None:
    world.service.submit(submission())
    ended = world.tell(1, "Completed", "Completed")
    for observation in (
        Due(),
        Launched(1, "arn"),
        world.event(1, "Failed", "Failed"),
        world.event(1, "InProgress", "Training"),
        world.event(2, "InProgress", "Training"),
    ):
        assert world.advance(observation) == ended


def test_a_name_that_an_earlier_run_has_used_up_is_not_taken_for_this_runs_job(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Completed", "Completed")
    world.store.runs.clear()
    run = world.service.submit(submission())
    assert run.status is RunStatus.FAILED
    assert "another name" in run.reason


def test_a_checkpoint_prefix_belongs_to_one_open_run(world: World) -> None:
    world.service.submit(submission())
    with pytest.raises(PrefixTakenError, match="belongs to the run churn"):
        world.service.submit(submission(name="copycat"))
    assert len(world.jobs.requests) == 1


def test_a_run_that_has_ended_leaves_its_checkpoint_prefix_to_the_next_and_cannot_have_it_back(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Stopped", "Stopped")
    assert world.service.submit(submission(name="heir")).status is RunStatus.IN_PROGRESS
    with pytest.raises(PrefixTakenError, match="belongs to the run heir"):
        world.service.resume("churn")


@dataclass
class MeddledStore(MemoryRunStore):
    """A store in which another writer is faster, now and then."""

    meddlers: list[Callable[[], Any]] = field(default_factory=list)

    def save(self, run: Run) -> Run:
        if self.meddlers:
            self.meddlers.pop(0)()
        return super().save(run)


@pytest.mark.parametrize("saves_before", range(2))
def test_a_writer_that_was_overtaken_anywhere_publishes_the_newest_state_and_no_metric_twice(saves_before: int) -> None:
    store = MeddledStore()
    world = World(store=store)
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    done = world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    event = world.event(1, done.status, done.secondary_status)
    store.meddlers = [*[lambda: None] * saves_before, lambda: world.service.advance("churn", event)]
    run = world.advance(event)
    assert store.meddlers == []
    assert len(world.jobs.requests) == 2
    assert run.spent.expired_waits == 1
    assert world.documents.written["churn"]["attempts"][-1]["job_name"] == "churn-relay-02"
    for metric in ("WaitsExpired", "RelaunchesAfterMaxWaitTimeExceeded"):
        assert world.telemetry.total(metric) == 1
    assert world.documents.written["churn"]["status"] == "InProgress"


def test_a_launch_that_one_writer_saw_refused_and_another_saw_accepted_is_known_as_launched() -> None:
    store = MeddledStore()
    world = World(store=store)
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded")]
    store.meddlers = [lambda: world.service.advance("churn", Due())]
    run = world.service.submit(submission())
    assert run.status is RunStatus.IN_PROGRESS
    assert len(world.jobs.requests) == 1


def test_a_writer_that_is_always_overtaken_leaves_the_message_to_its_queue() -> None:
    store = MeddledStore()
    world = World(store=store)
    world.service.submit(submission())

    def overtake() -> None:
        MemoryRunStore.save(store, store.runs["churn"])

    store.meddlers = [overtake] * 100
    world.clock.passes(1)
    with pytest.raises(ConflictError):
        world.advance(world.event(1, "InProgress", "Training"))


@pytest.mark.parametrize("ends_by", ["a refusal", "a failure"])
def test_a_secret_that_sagemaker_quotes_is_hidden(world: World, ends_by: str) -> None:
    quoted = "the value very-secret of api_key is not allowed"
    if ends_by == "a refusal":
        world.jobs.refusals = [(Refusal.INVALID, quoted)]
    world.service.submit(submission())
    if ends_by == "a failure":
        world.tell(1, "Failed", "Failed", failure_reason=f"ClientError: {quoted}")
    assert "the value [hidden] of api_key is not allowed" in world.run().reason
    told = [world.documents.written, world.announcements.details, world.telemetry.reasons, world.run().attempts]
    assert "very-secret" not in repr(told)


def test_the_status_document_holds_no_hyperparameter_and_no_environment(world: World) -> None:
    world.service.submit(submission(Environment={"TOKEN": "very-secret"}))
    assert "very-secret" not in repr(world.documents.written)
    assert "very-secret" not in repr(world.announcements.details)
    assert "very-secret" not in repr(world.telemetry.reasons)
