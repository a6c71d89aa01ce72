"""`observe`, handed each of its documents while the training job is what the document says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import attempt_name
from tests.integration.stack import ROOT, SPEC, body_of, document, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.stack import Stack

ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job"
INTERRUPTED = {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}


def fails(reason: str) -> dict[str, Any]:
    """A market that has capacity and a job that fails."""
    return {"fail": {"reason": reason, "phase": "Pending"}, "capacity": {"after": 60}}


def stopped_by_somebody(stack: Stack) -> None:
    stack.client("sagemaker").stop_training_job(TrainingJobName="churn-relay-01")
    stack.clock.passes(5)


@dataclass(frozen=True)
class Case:
    """What becomes of the job before the document comes, and of the run after it.

    ``news`` are only recorded: the status document shows them with the next change that writes one.
    """

    seconds: float
    status: RunStatus
    outcome: Outcome | None = None
    attempts: int = 1
    rule: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Stack], None] | None = None
    reason: str = ""
    news: bool = False


LONG = {"train_seconds": 90_000}
CASES = {
    "training-started": Case(60, RunStatus.IN_PROGRESS, rule=LONG, reason="churn-relay-01 is Training", news=True),
    "interrupted": Case(
        900,
        RunStatus.IN_PROGRESS,
        rule=LONG | {"capacity": INTERRUPTED},
        reason="churn-relay-01 was interrupted. SageMaker resumes it",
        news=True,
    ),
    "max-wait-expired": Case(
        7205,
        RunStatus.IN_PROGRESS,
        Outcome.MAX_WAIT_TIME_EXCEEDED,
        attempts=2,
        rule=LONG | {"capacity": INTERRUPTED},
        reason="Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds.",
    ),
    "max-runtime-exceeded": Case(
        3700,
        RunStatus.FAILED,
        Outcome.MAX_RUNTIME_EXCEEDED,
        rule=LONG,
        reason="churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.",
    ),
    "capacity-error": Case(
        100,
        RunStatus.PENDING,
        Outcome.CAPACITY_ERROR,
        rule=fails(body_of("observe/capacity-error")["detail"]["FailureReason"]),
        reason="churn-relay-01 failed because SageMaker had no capacity",
    ),
    "algorithm-error": Case(
        100,
        RunStatus.FAILED,
        Outcome.USER_ERROR,
        rule=fails(body_of("observe/algorithm-error")["detail"]["FailureReason"]),
        reason="churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError:",
    ),
    "service-error": Case(
        100,
        RunStatus.PENDING,
        Outcome.SERVICE_ERROR,
        rule=fails(body_of("observe/service-error")["detail"]["FailureReason"]),
        reason="churn-relay-01 failed because SageMaker had an internal error",
    ),
    "stopped-by-user": Case(
        60,
        RunStatus.STOPPED,
        Outcome.STOPPED,
        rule=LONG,
        before=stopped_by_somebody,
        reason="churn-relay-01 was stopped outside Spot Relay",
    ),
    "completed": Case(60, RunStatus.COMPLETED, Outcome.COMPLETED, reason="churn-relay-01 completed the training"),
    "unknown-status": Case(60, RunStatus.IN_PROGRESS, rule=LONG, reason="churn-relay-01 is Rebalancing", news=True),
    "foreign-job": Case(60, RunStatus.IN_PROGRESS, rule=LONG, reason="Created churn-relay-01 for the submitted spec."),
    "canary-training": Case(
        60, RunStatus.IN_PROGRESS, rule=LONG, reason="Created churn-relay-01 for the submitted spec."
    ),
    "room-freed": Case(60, RunStatus.IN_PROGRESS, rule=LONG, reason="Created churn-relay-01 for the submitted spec."),
    "predecessor-ended": Case(
        60, RunStatus.IN_PROGRESS, rule=LONG, reason="Created churn-relay-01 for the submitted spec."
    ),
    "endpoint-in-service": Case(
        60, RunStatus.IN_PROGRESS, rule=LONG, reason="Created churn-relay-01 for the submitted spec."
    ),
    "run-due": Case(400, RunStatus.IN_PROGRESS, rule=LONG, reason="churn-relay-01 is Training."),
}


def played(stack: Stack, case: Case) -> None:
    """Submit the run of the story, and let its job become what the case says."""
    stack.aws.simulator.play(rules=[{"name": "churn-relay-01", **case.rule}, {"name": "*", **LONG}])
    stack.submit()
    stack.checkpoint()
    stack.clock.passes(case.seconds)
    if case.before is not None:
        case.before(stack)


def test_every_document_for_observe_has_its_case() -> None:
    assert set(CASES) == {path.stem for path in (ROOT / "events" / "observe").glob("*.json")}


@pytest.mark.parametrize("name", CASES)
def test_a_document_has_its_effect_on_run_status_document_and_jobs(stack: Stack, name: str) -> None:
    case = CASES[name]
    played(stack, case)
    stack.observe(name)
    run = stack.run()
    assert (run.status, len(run.attempts), run.attempts[0].outcome) == (case.status, case.attempts, case.outcome)
    assert run.reason.startswith(case.reason)
    assert run.outbox == Outbox(status=run.has_ended)
    assert run.has_ended == (run.check_at is None)
    assert stack.aws.simulator.created() == [attempt.job_name for attempt in run.attempts]
    status = stack.status()
    assert status["status"] == run.status
    assert status["reason"] == ("Created churn-relay-01 for the submitted spec." if case.news else run.reason)
    assert [attempt["outcome"] for attempt in status["attempts"]] == [attempt.outcome for attempt in run.attempts]


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"foreign-job", "run-due"}])
def test_a_document_delivered_twice_changes_nothing_more(stack: Stack, name: str) -> None:
    played(stack, CASES[name])
    stack.observe(name)
    once, created = stack.run(), stack.aws.simulator.created()
    stack.observe(name)
    assert stack.run() == once
    assert stack.aws.simulator.created() == created


def test_a_relaunch_goes_on_from_the_newest_checkpoint_and_accounts_for_what_was_done(stack: Stack) -> None:
    played(stack, CASES["max-wait-expired"])
    stack.observe("max-wait-expired")
    first, second = stack.status()["attempts"]
    assert second["resumes_from"]["key"] == "checkpoints/churn/xgboost-checkpoint.7"
    assert (second["cause"], second["status"]) == ("MaxWaitTimeExceeded", AttemptStatus.IN_PROGRESS)
    assert first["training_seconds"] > first["billable_seconds"] > 0
    assert first["interruptions"] == 1
    relaunched = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-02")
    original = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    for same in ("HyperParameters", "CheckpointConfig", "StoppingCondition", "ResourceConfig", "RoleArn"):
        assert relaunched[same] == original[same]
    tags = stack.client("sagemaker").list_tags(ResourceArn=f"{ARN}/churn-relay-02")["Tags"]
    assert {"Key": "spot-relay:attempt", "Value": "2"} in tags
    assert {"Key": "spot-relay:run-id", "Value": "churn"} in tags


def test_a_completed_run_tells_what_it_saved(stack: Stack) -> None:
    played(stack, CASES["completed"])
    stack.observe("completed")
    status = stack.status()
    described = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    assert status["training_seconds"] == described["TrainingTimeInSeconds"]
    assert status["billable_seconds"] == described["BillableTimeInSeconds"]
    assert status["savings_percent"] == round(100 * (1 - status["billable_seconds"] / status["training_seconds"]), 1)
    assert status["ended_at"] == status["updated_at"]


@pytest.mark.parametrize("tagged", [True, False], ids=["with tags", "without tags"])
@pytest.mark.parametrize("in_arn", [True, False], ids=["as in the ARN", "as it was created"])
def test_a_run_with_the_longest_name_is_found_by_its_jobs_shortened_name(
    stack: Stack, tagged: bool, in_arn: bool
) -> None:
    stack.aws.simulator.play(default=LONG | {"capacity": INTERRUPTED})
    name = "Sagemaker-XGBoost-" + "x" * 25 + "-2024-01-01-00-00-00"
    assert len(name) == 63
    assert stack.invoke("submit", stack.upload(json.dumps(SPEC | {"name": name}))) == {"batchItemFailures": []}
    stack.clock.passes(7205)
    event, job_name = body_of("observe/max-wait-expired"), stack.run(name).current.job_name
    tags = {"spot-relay:run-id": name, "spot-relay:attempt": "1"} if tagged else {}
    event["detail"] |= {"TrainingJobName": job_name.lower() if in_arn else job_name, "Tags": tags}
    assert stack.invoke("observe", messages(json.dumps(event))) == {"batchItemFailures": []}
    assert stack.aws.simulator.created() == [attempt_name(name, 1), attempt_name(name, 2)]
    assert stack.status(name)["run_id"] == name


def test_an_event_that_claims_an_end_which_a_describe_does_not_show_relaunches_nothing(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(60)
    stack.observe("max-wait-expired")
    assert stack.run().status is RunStatus.IN_PROGRESS
    assert stack.run().current.phase == "Training"
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_a_job_that_cannot_be_described_is_looked_at_again_and_the_run_says_why(stack: Stack) -> None:
    played(stack, CASES["max-wait-expired"])
    before = stack.run()
    denied = {"operation": "DescribeTrainingJob", "code": "AccessDeniedException", "message": "no", "times": None}
    stack.aws.simulator.play(default={"errors": [denied]})
    event = document("observe/max-wait-expired")
    assert stack.invoke("observe", event) == {"batchItemFailures": []}
    run = stack.run()
    assert "AccessDeniedException" in run.reason
    assert (run.status, run.attempts) == (before.status, before.attempts)
    assert run.check_at is not None
    assert run.check_at <= stack.clock() + timedelta(minutes=1)


def test_an_event_about_a_run_that_is_not_in_the_table_is_let_go(stack: Stack) -> None:
    stack.observe("max-wait-expired")
    stack.observe("run-due")
    assert stack.find("churn") is None
    assert stack.aws.simulator.created() == []


def test_only_the_poison_of_a_batch_goes_back_to_the_queue(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(60)
    bodies = [
        json.dumps(body_of("observe/training-started")),
        "not JSON",
        json.dumps(body_of("observe/foreign-job")),
        json.dumps({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}}),
        json.dumps(body_of("observe/unknown-status")),
    ]
    answer = stack.invoke("observe", messages(*bodies))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}
    assert stack.run().current.phase == "Rebalancing"


def test_a_batch_of_nothing_but_poison_goes_back_message_by_message(stack: Stack) -> None:
    answer = stack.invoke("observe", messages("", "[]"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]}
