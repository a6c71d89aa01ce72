"""What follows each end of an attempt: the decision table, row by row, through the service's one door."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.observation import Due, Launched
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.worlds import PREFIX, World, submission

CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
SERVICE = "InternalServerError: We encountered an internal error.  Please try again."
QUOTA = (
    "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is {limit} Instances, "
    "with current utilization of {used} Instances and a request delta of 1 Instances."
)


@pytest.fixture
def world() -> World:
    return World()


def test_an_accepted_run_launches_its_first_attempt_under_a_name_made_of_run_and_number(world: World) -> None:
    run = world.service.submit(submission())
    assert run.status is RunStatus.IN_PROGRESS
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01"]
    assert world.documents.written["churn"]["status"] == "InProgress"


def test_the_training_job_carries_the_users_tags_and_ours(world: World) -> None:
    world.service.submit(submission(Tags=[{"Key": "team", "Value": "growth"}]))
    tags = {tag["Key"]: tag["Value"] for tag in world.jobs.requests[0]["Tags"]}
    assert tags == {
        "team": "growth",
        "spot-relay:run-id": "churn",
        "spot-relay:attempt": "1",
        "spot-relay:submission": "submission-1",
    }


def test_a_completed_job_completes_the_run_with_its_savings(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.tell(1, "Completed", "Completed", training_seconds=80, billable_seconds=25)
    assert run.status is RunStatus.COMPLETED
    assert run.check_at is None
    assert run.outbox == Outbox(status=True)
    document = world.documents.written["churn"]
    assert document["savings_percent"] == 68.8
    assert world.announcements.details[-1]["status"] == "Completed"
    assert world.telemetry.total("RunsCompleted") == 1
    assert world.telemetry.total("SavingsPercent") == 68.8


def test_an_interruption_is_counted_and_left_to_sagemaker(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.tell(1, "InProgress", "Interrupted")
    assert run.status is RunStatus.IN_PROGRESS
    assert run.current.interruptions == 1
    assert len(world.jobs.jobs) == 1
    assert world.telemetry.total("Interruptions") == 1


def test_an_expired_wait_is_followed_at_once_by_an_attempt_from_the_newest_checkpoint(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    newest = world.checkpoint("xgboost-checkpoint.7")
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600, billable_seconds=200)
    assert run.status is RunStatus.IN_PROGRESS
    assert run.current.job_name == "churn-relay-02"
    assert run.current.resumes_from == newest
    assert run.spent.expired_waits == 1
    assert world.telemetry.total("RelaunchesAfterMaxWaitTimeExceeded") == 1
    assert world.telemetry.total("WaitsExpired") == 1
    assert [request["CheckpointConfig"]["S3Uri"] for request in world.jobs.requests] == [PREFIX, PREFIX]


def test_a_wait_that_expires_before_any_training_spends_no_progress_budget(world: World) -> None:
    world.service.submit(submission())
    world.clock.passes(7200)
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert run.spent.attempts_without_progress == 0
    assert run.current.number == 2
    assert run.current.resumes_from is None


def test_max_runtime_is_final_unless_the_policy_says_otherwise(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    run = world.tell(1, "Stopped", "MaxRuntimeExceeded", training_seconds=3600)
    assert run.status is RunStatus.FAILED
    assert "relaunch_on_max_runtime" in run.reason


def test_max_runtime_is_followed_by_an_attempt_where_the_policy_says_so_and_a_checkpoint_shows_progress(
    world: World,
) -> None:
    world.service.submit(submission(Policy(relaunch_on_max_runtime=True)))
    world.trains(1)
    world.checkpoint("a")
    run = world.tell(1, "Stopped", "MaxRuntimeExceeded", training_seconds=3600)
    assert run.current.number == 2
    world.trains(2)
    run = world.tell(2, "Stopped", "MaxRuntimeExceeded", training_seconds=3600)
    assert run.status is RunStatus.FAILED
    assert "no checkpoint" in run.reason


def test_a_job_that_was_stopped_outside_spot_relay_stops_the_run(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.tell(1, "Stopped", "Stopped")
    assert run.status is RunStatus.STOPPED
    assert not run.stop_requested


@pytest.mark.parametrize(
    ("reason", "budget"), [(CAPACITY, "capacity_failures"), (SERVICE, "service_errors")], ids=["capacity", "service"]
)
def test_a_capacity_or_service_failure_is_relaunched_after_a_backoff(world: World, reason: str, budget: str) -> None:
    world.service.submit(submission())
    world.clock.passes(60)
    run = world.tell(1, "Failed", "Failed", failure_reason=reason)
    assert run.status is RunStatus.PENDING
    assert getattr(run.spent, budget) == 1
    assert run.check_at is not None
    # After a capacity failure the jitter can't bring the run back to the same pool at once.
    backoff = 30 if reason == CAPACITY else 15
    assert (run.check_at - world.clock()).total_seconds() == backoff
    world.tick()
    assert len(world.run().attempts) == 1, "the tick does not cut the backoff short"
    looked_up = len(world.checkpoints.asked)
    world.advance(Due())
    assert len(world.checkpoints.asked) == looked_up, "a check that is not due costs no look-up"
    world.clock.passes(backoff)
    world.tick()
    assert world.run().status is RunStatus.IN_PROGRESS
    assert world.run().current.number == 2


def test_the_backoff_doubles_with_each_failure_in_a_row_up_to_its_bound(world: World) -> None:
    world.draw = 0.999
    world.service.submit(submission())
    waits = []
    for number in range(1, 9):
        run = world.tell(number, "Failed", "Failed", failure_reason=CAPACITY)
        assert run.check_at is not None
        waits.append(round((run.check_at - world.clock()).total_seconds()))
        world.clock.passes(1000)
        world.tick()
    assert waits == [30, 60, 120, 240, 480, 899, 899, 899]


def test_a_failure_of_the_users_code_is_final_and_tells_its_reason(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: ExecuteUserScriptError: exit code 1")
    assert run.status is RunStatus.FAILED
    assert "ExecuteUserScriptError" in run.reason
    assert run.check_at is None


def test_a_failure_of_the_users_code_is_relaunched_as_often_as_the_policy_allows(world: World) -> None:
    world.service.submit(submission(Policy(budgets=Budgets(user_errors=1))))
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason="ClientError: data is missing")
    world.clock.passes(60)
    world.tick()
    world.trains(2)
    world.checkpoint("b")
    run = world.tell(2, "Failed", "Failed", failure_reason="ClientError: data is missing")
    assert run.status is RunStatus.FAILED
    assert "policy.budgets.user_errors" in run.reason


def test_an_unknown_failure_is_final_and_says_so(world: World) -> None:
    world.service.submit(submission())
    run = world.tell(1, "Failed", "Failed", failure_reason="GremlinError: moon phase")
    assert run.status is RunStatus.FAILED
    assert "GremlinError" in run.reason


@pytest.mark.parametrize(
    ("refusal", "message", "seconds"),
    [
        (Refusal.THROTTLED, "Rate exceeded", (65, 65)),
        (Refusal.UNAVAILABLE, "SageMaker did not answer", (15, 30)),
    ],
)
def test_a_refusal_that_passes_is_waited_out_with_the_same_attempt(
    world: World, refusal: Refusal, message: str, seconds: tuple[float, float]
) -> None:
    world.jobs.refusals = [(refusal, message), (refusal, message)]
    run = world.service.submit(submission())
    assert run.status is RunStatus.PENDING
    assert run.current.status is AttemptStatus.PLANNED
    world.clock.passes(seconds[0])
    world.tick()
    assert world.run().current.refusals == 2
    world.clock.passes(seconds[1])
    world.tick()
    assert world.run().status is RunStatus.IN_PROGRESS
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01"]


@pytest.mark.parametrize(
    ("refusal", "message", "told"),
    [
        (Refusal.QUOTA_TOO_SMALL, QUOTA.format(limit=0, used=0), "ml.g5.2xlarge for spot training job usage"),
        (Refusal.INVALID, "Could not access the role.", "Correct what the message names"),
        (Refusal.NAME_TAKEN, "there is a training job x already.", "under another name"),
    ],
)
def test_a_refusal_that_does_not_pass_fails_the_run_and_tells_what_to_change(
    world: World, refusal: Refusal, message: str, told: str
) -> None:
    world.jobs.refusals = [(refusal, message)]
    run = world.service.submit(submission())
    assert run.status is RunStatus.FAILED
    assert message in run.reason
    assert told in run.reason
    assert run.check_at is None


def test_a_job_without_checkpoints_is_not_relaunched(world: World) -> None:
    world.service.submit(submission(CheckpointConfig=None))
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert run.status is RunStatus.FAILED
    assert "restart_from_scratch" in run.reason
    assert run.spent.expired_waits == 0


def test_a_job_without_checkpoints_is_relaunched_where_the_spec_says_so(world: World) -> None:
    world.service.submit(submission(Policy(restart_from_scratch=True), CheckpointConfig=None))
    world.trains(1)
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert run.current.number == 2
    assert run.spent.attempts_without_progress == 0
    assert world.checkpoints.asked == []


@pytest.mark.parametrize(
    ("budget", "ending"),
    [
        ("expired_waits", {"status": "Stopped", "secondary_status": "MaxWaitTimeExceeded"}),
        ("capacity_failures", {"status": "Failed", "secondary_status": "Failed", "failure_reason": CAPACITY}),
        ("service_errors", {"status": "Failed", "secondary_status": "Failed", "failure_reason": SERVICE}),
    ],
)
def test_a_run_that_gives_up_says_which_budget_ended_it(world: World, budget: str, ending: dict[str, str]) -> None:
    world.service.submit(submission(Policy(budgets=replace(Budgets(), **{budget: 2}))))
    for number in (1, 2, 3):
        world.tell(number, **ending)
        world.clock.passes(1000)
        world.tick()
    assert world.run().status is RunStatus.FAILED
    assert f"policy.budgets.{budget}" in world.run().reason
    assert getattr(world.run().spent, budget) == 2
    assert len(world.jobs.requests) == 3


def test_attempts_that_train_and_leave_no_checkpoint_spend_their_budget(world: World) -> None:
    world.service.submit(submission())
    for number in (1, 2, 3):
        world.trains(number)
        run = world.tell(number, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert run.status is RunStatus.FAILED
    assert "policy.budgets.attempts_without_progress" in run.reason


def test_a_checkpoint_older_than_the_attempt_is_no_progress(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    world.clock.passes(10)
    world.trains(2)
    run = world.tell(2, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert run.spent.attempts_without_progress == 1
    assert run.current.number == 3


def test_a_run_has_at_most_fifty_attempts(world: World) -> None:
    world.service.submit(submission(Policy(budgets=Budgets(expired_waits=1000))))
    for number in range(1, 51):
        run = world.tell(number, "Stopped", "MaxWaitTimeExceeded")
    assert run.status is RunStatus.FAILED
    assert "50 attempts" in run.reason


def test_an_unknown_status_is_recorded_and_changes_nothing_else(world: World) -> None:
    before = world.service.submit(submission())
    world.clock.passes(5)
    run = world.advance(world.event(1, "InProgress", "Levitating"))
    assert run.current.phase == "Levitating"
    assert (run.status, run.spent, len(run.attempts)) == (before.status, before.spent, 1)


def test_an_event_that_claims_an_end_which_the_describe_does_not_show_relaunches_nothing(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    run = world.advance(world.event(1, "Stopped", "MaxWaitTimeExceeded"))
    assert run.status is RunStatus.IN_PROGRESS
    assert len(world.jobs.jobs) == 1
    assert run.check_at is not None
    assert (run.check_at - world.clock()).total_seconds() == 30


def test_a_lost_event_is_repaired_by_the_tick(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    world.clock.passes(300)
    world.tick()
    assert world.run().current.number == 2


def test_the_tick_repairs_lost_interruptions_too(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.clock.passes(300)
    world.tick()
    assert world.run().current.interruptions == 1
    assert world.telemetry.total("Interruptions") == 1


def test_an_interruption_that_a_describe_has_counted_is_not_counted_again_when_its_event_comes_late(
    world: World,
) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    late = world.event(1, "InProgress", "Interrupted")
    world.clock.passes(10)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.clock.passes(300)
    world.tick()
    run = world.advance(late)
    assert run.current.interruptions == 1
    assert run.current.phase == "Training"
    assert world.telemetry.total("Interruptions") == 1


def test_a_job_that_is_not_found_soon_after_its_launch_is_looked_for_again(world: World) -> None:
    world.service.submit(submission())
    job = world.jobs.jobs.pop("churn-relay-01")
    run = world.advance(world.event(1, "Completed", "Completed"))
    assert run.status is RunStatus.IN_PROGRESS
    assert len(world.jobs.requests) == 1
    world.jobs.jobs["churn-relay-01"] = job
    world.clock.passes(30)
    world.tick()
    assert len(world.jobs.requests) == 1


def test_a_job_that_is_still_not_found_long_after_its_launch_is_created_again_under_the_same_name(world: World) -> None:
    world.service.submit(submission())
    world.jobs.jobs.clear()
    world.clock.passes(301)
    world.tick()
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01"] * 2
    assert len(world.run().attempts) == 1


def test_a_launch_answer_that_comes_twice_changes_nothing(world: World) -> None:
    run = world.service.submit(submission())
    assert world.advance(Launched(1, "arn")) == run


def test_a_tick_that_comes_too_early_asks_nothing_of_sagemaker(world: World) -> None:
    run = world.service.submit(submission())
    assert world.advance(Due()) == run
    assert world.jobs.described == []
