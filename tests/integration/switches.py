"""Runs on their way from one market to the other, each with the event that reaches it next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.attempt import Canary, CanaryStatus
from spot_relay.domain.run.launch import launch_of_canary
from spot_relay.domain.run.policy import Deadline, Policy, Rung
from spot_relay.domain.sagemaker.job import Market, Placement, canary_name
from tests.integration.scenes import stored
from tests.integration.stack import TABLE, document

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run
    from tests.integration.stack import Stack

SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
NEVER = {"capacity": {"after": None}}
LONG = {"train_seconds": 90_000}


def with_deadline(stack: Stack, within: int, first: Placement, then: Placement) -> dict[str, Any]:
    """Return the fields of a run that needs half an hour of training within a number of seconds."""
    policy = Policy(ladder=(Rung(first), Rung(then)), deadline=Deadline(1800, within_seconds=within))
    deadline_at = stack.clock() + timedelta(seconds=within)
    return {"policy": policy, "deadline_at": deadline_at, "attempt": {"placement": first}}


def save(stack: Stack, run: Run) -> None:
    DynamoDBRunStore(stack.client("dynamodb"), TABLE).save(run)


def stop(stack: Stack, job_name: str) -> None:
    stack.client("sagemaker").stop_training_job(TrainingJobName=job_name)


def a_wait_too_long(stack: Stack) -> dict[str, Any]:
    """An hour is enough for half an hour of training, until it was waited for: then the safety net is due."""
    waiting = {"attempt": {"placement": SPOT, "waiting_since": stack.clock()}}
    stored(stack, NEVER, **with_deadline(stack, 3600, SPOT, ON_DEMAND) | waiting)
    stack.clock.passes(600)
    return document("observe/run-due")


def a_waiting_job_that_was_stopped(stack: Stack) -> dict[str, Any]:
    leaving = {"attempt": {"placement": SPOT, "switch_to": Market.ON_DEMAND}}
    stored(stack, NEVER, **with_deadline(stack, 3600, SPOT, ON_DEMAND) | leaving)
    stack.clock.passes(600)
    stop(stack, "churn-relay-01")
    stack.clock.passes(1)
    return document("observe/stopped-by-user")


def on_demand(stack: Stack, rule: dict[str, Any] = LONG, **attempt: Any) -> Run:
    """A run that trains on demand, a day before its deadline."""
    placed = {"attempt": {"placement": ON_DEMAND, **attempt}}
    run = stored(stack, rule, **with_deadline(stack, 86_400, ON_DEMAND, SPOT) | placed)
    stack.checkpoint()
    return run


def on_demand_with_canary(stack: Stack, phase: str, **attempt: Any) -> None:
    """The same beside a canary that has found capacity, and was last seen in a phase."""
    run = on_demand(stack, **attempt)
    name, lives = canary_name("churn", 1), CanaryStatus.IN_PROGRESS
    canary = Canary(1, name, SPOT, stack.clock(), max_wait_seconds=7200, status=lives, phase=phase)
    arn = stack.client("sagemaker").create_training_job(**launch_of_canary(run, canary).request)["TrainingJobArn"]
    save(stack, replace(run, canaries=(replace(canary, arn=arn),)))


def a_run_ahead_of_its_pace(stack: Stack) -> dict[str, Any]:
    on_demand(stack)
    stack.aws.simulator.play(rules=[{"name": "churn-canary-*", **NEVER}])
    stack.clock.passes(120)
    return document("observe/run-due")


def a_canary_that_tells_of_capacity(stack: Stack) -> dict[str, Any]:
    """The run is not due yet: it is the news that has it looked at."""
    on_demand_with_canary(stack, "Starting")
    stack.clock.passes(60)
    return document("observe/canary-training")


def a_canary_that_has_found_capacity(stack: Stack) -> dict[str, Any]:
    on_demand_with_canary(stack, "Starting")
    stack.clock.passes(120)
    return document("observe/run-due")


def an_on_demand_job_that_was_stopped(stack: Stack) -> dict[str, Any]:
    on_demand_with_canary(stack, "Training", switch_to=Market.SPOT)
    stack.clock.passes(120)
    stop(stack, "churn-relay-01")
    stack.clock.passes(1)
    return document("observe/stopped-by-user")


def an_on_demand_job_that_was_stopped_where_the_quota_holds_one(stack: Stack) -> dict[str, Any]:
    """The canary has the one place that the attempt needs, and gives it up too late for the first try."""
    event = an_on_demand_job_that_was_stopped(stack)
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 1}
    stack.aws.simulator.play(default=LONG, quotas=[quota])
    return event


def an_on_demand_job_that_completed(stack: Stack) -> dict[str, Any]:
    on_demand_with_canary(stack, "Training", rule={"train_seconds": 100})
    stack.clock.passes(120)
    return document("observe/completed")


def a_request_to_move(stack: Stack) -> dict[str, Any]:
    """A user wants a run on-demand that trains on spot."""
    stored(stack, LONG, attempt={"placement": SPOT})
    stack.checkpoint()
    stack.clock.passes(120)
    return document("api/resume-run") | {"path": "/runs/churn/move", "body": '{"market": "on-demand"}'}
