"""What SageMaker does not answer for now is asked again later: no message fails, and nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.decide.steps import close_uncreated
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from tests.integration.scenes import stored
from tests.integration.stack import TABLE, body_of, messages

if TYPE_CHECKING:
    from tests.integration.stack import Stack

LONG = {"train_seconds": 90_000}
PASSING = [
    ("ThrottlingException", "Rate exceeded", 400),
    ("InternalFailure", "The request processing has failed", 500),
    ("ServiceUnavailable", "Try again", 503),
]

UNKNOWN = [
    ("AccessDeniedException", "not authorized to perform this", 400),
    ("ConflictException", "Something is in conflict", 409),
]


def error(operation: str, code: str, message: str, status: int, times: int | None = 1) -> dict[str, Any]:
    return {"operation": operation, "code": code, "message": message, "http_status": status, "times": times}


@pytest.mark.parametrize("answer", PASSING)
@pytest.mark.parametrize("event", ["max-wait-expired", "run-due"])
def test_a_run_whose_job_is_not_described_is_looked_at_again_within_a_minute(
    stack: Stack, event: str, answer: tuple[str, str, int]
) -> None:
    stored(stack, LONG | {"capacity": {"after": None}, "errors": [error("DescribeTrainingJob", *answer)]})
    stack.clock.passes(7205)
    stack.make_queue()
    stack.observe(event)
    run = stack.run()
    assert run.check_at is not None
    assert 30 <= (run.check_at - stack.clock()).total_seconds() <= 60
    assert run.reason == "SageMaker could not describe churn-relay-01 just now. Checking again within a minute."
    assert stack.queued() == []
    stack.checkpoint()
    stack.clock.passes(60)
    stack.tick()
    assert [attempt.outcome for attempt in stack.run().attempts] == [Outcome.MAX_WAIT_TIME_EXCEEDED, None]


@pytest.mark.parametrize("answer", UNKNOWN)
@pytest.mark.parametrize("event", ["max-wait-expired", "run-due"])
def test_an_error_that_may_stay_is_shown_until_the_job_is_described(
    stack: Stack, event: str, answer: tuple[str, str, int]
) -> None:
    stored(stack, LONG | {"capacity": {"after": None}, "errors": [error("DescribeTrainingJob", *answer)]})
    stack.clock.passes(7205)
    stack.observe(event)
    assert f"({answer[0]})" in stack.run().reason
    assert "could not describe churn-relay-01 just now" in stack.status()["reason"]
    stack.checkpoint()
    stack.clock.passes(60)
    stack.tick()
    assert [attempt.outcome for attempt in stack.run().attempts] == [Outcome.MAX_WAIT_TIME_EXCEEDED, None]


@pytest.mark.parametrize("answer", UNKNOWN)
def test_a_stop_that_sagemaker_refuses_is_accepted_shown_and_repeated(
    stack: Stack, answer: tuple[str, str, int]
) -> None:
    stack.aws.simulator.play(default=LONG | {"errors": [error("StopTrainingJob", *answer, times=2)]})
    stack.submit()
    status, body = stack.call("stop-run")
    assert (status, body["status"]) == (202, RunStatus.STOPPING)
    assert body["reason"].startswith("SageMaker could not stop churn-relay-01: ")
    assert answer[0] in stack.status()["reason"]
    for _ in range(6):
        stack.clock.passes(60)
        stack.tick()
    assert stack.run().status is RunStatus.STOPPED


def test_a_job_that_ends_by_itself_ends_a_run_whose_stop_is_always_refused(stack: Stack) -> None:
    refused = error("StopTrainingJob", *UNKNOWN[0], times=None)
    stack.aws.simulator.play(default={"train_seconds": 300, "errors": [refused]})
    stack.submit()
    assert stack.call("stop-run")[0] == 202
    for _ in range(20):
        stack.clock.passes(60)
        stack.tick()
    assert stack.run().has_ended


def test_a_run_whose_lost_job_cannot_be_looked_up_shows_it_and_can_be_stopped(stack: Stack) -> None:
    lost = error("CreateTrainingJob", "InternalFailure", "down", 500) | {"takes_effect": True}
    odd = error("DescribeTrainingJob", *UNKNOWN[0], times=None)
    stack.aws.simulator.play(default=LONG | {"errors": [lost, odd]})
    stack.submit()
    stack.clock.passes(120)
    stack.tick()
    assert f"({UNKNOWN[0][0]}) when calling the DescribeTrainingJob operation" in stack.run().reason
    status, body = stack.call("stop-run")
    assert (status, body["status"]) == (202, RunStatus.STOPPING)
    stack.clock.passes(660)
    stack.tick()
    assert f"({UNKNOWN[0][0]}) when calling the DescribeTrainingJob operation" in stack.run().reason
    assert stack.run().status is RunStatus.STOPPING


def test_a_launch_whose_job_cannot_be_looked_up_is_tried_again_within_two_minutes(stack: Stack) -> None:
    """The name is taken, because the answer of the first launch was lost; whose the job is stays unknown at first."""
    lost = error("CreateTrainingJob", "InternalFailure", "down", 500) | {"takes_effect": True}
    throttled = error("DescribeTrainingJob", "ThrottlingException", "Rate exceeded", 400)
    stack.aws.simulator.play(default=LONG | {"errors": [lost, throttled]})
    assert stack.submit().current.refusals == 1
    stack.clock.passes(60)
    assert stack.tick() == 1
    run = stack.run()
    assert (run.current.status, run.current.refusals) == (AttemptStatus.PLANNED, 2)
    assert "ThrottlingException" in run.reason
    assert run.check_at is not None
    assert 20 <= (run.check_at - stack.clock()).total_seconds() <= 110
    stack.clock.passes(120)
    stack.tick()
    assert stack.run().current.status is AttemptStatus.IN_PROGRESS
    assert stack.aws.simulator.created() == []


@pytest.mark.parametrize("answer", PASSING)
def test_a_stop_that_sagemaker_does_not_answer_is_accepted_and_repeated(
    stack: Stack, answer: tuple[str, str, int]
) -> None:
    stack.aws.simulator.play(default=LONG | {"errors": [error("StopTrainingJob", *answer)]})
    stack.submit()
    status, body = stack.call("stop-run")
    assert (status, body["status"]) == (202, RunStatus.STOPPING)
    assert stack.aws.simulator.calls("StopTrainingJob") == [("churn-relay-01", answer[0])]
    for _ in range(2):
        stack.clock.passes(60)
        stack.tick()
    assert stack.aws.simulator.calls("StopTrainingJob")[-1] == ("churn-relay-01", "ok")
    assert stack.run().stop_requested


def test_an_event_that_no_look_would_repeat_comes_again_later(stack: Stack) -> None:
    """A job that was given up and lives after all is known from its events alone."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    run = stack.run()
    given_up = run.with_attempt(close_uncreated(run.current, stack.clock()))
    DynamoDBRunStore(stack.client("dynamodb"), TABLE).save(given_up)
    stack.aws.simulator.play(default=LONG, rates={"DescribeTrainingJob": {"per_second": 0.01}})
    stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    stack.make_queue()
    body = json.dumps(body_of("observe/training-started"))
    assert stack.invoke("observe", messages(body)) == {"batchItemFailures": []}
    assert stack.queued() == [body]
    assert 30 <= stack.delays[-1] <= 60
    stack.clock.passes(120)
    assert stack.invoke("observe", messages(body)) == {"batchItemFailures": []}
    assert stack.aws.simulator.calls("StopTrainingJob") == [("churn-relay-01", "ok")]
    assert stack.run().current.status is AttemptStatus.ENDED
