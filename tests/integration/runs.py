"""Runs for the tests of what keeps them and of what launches them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.ending import Outcome
from spot_relay.domain.job import Checkpoint, Market, Placement
from spot_relay.domain.outbox import Measure, Outbox
from spot_relay.domain.policy import Backoff, Budgets, Policy
from spot_relay.domain.run import Attempt, AttemptStatus, Run, RunStatus, Spent, accept
from spot_relay.domain.submission import Submission
from tests.integration.stack import SPEC

if TYPE_CHECKING:
    from collections.abc import Iterator


def a_run(run_id: str, now: datetime, submission_id: str = "submission-1", **changes: Any) -> Run:
    """Give a run that owes nothing, as it was accepted at a moment, with changes."""
    job = SPEC["training_job"] | {"CheckpointConfig": {"S3Uri": f"s3://models/{run_id}/checkpoints/"}}
    submission = Submission(run_id, job, Policy(), fingerprint=f"{run_id}-spec")
    settled = replace(accept(submission, submission_id, now), outbox=Outbox())
    return replace(settled, **changes)


def _moments() -> Iterator[datetime]:
    """Give moments with microseconds, each later than the one before."""
    moment = datetime(2026, 11, 23, 11, 59, 59, 999_999, tzinfo=UTC)
    while True:
        moment += timedelta(minutes=1, microseconds=1)
        yield moment


def _a_full_attempt(run_id: str, number: int, moments: Iterator[datetime]) -> Attempt:
    name = f"{run_id}-relay-{number:02d}"
    return Attempt(
        number=number,
        job_name=name,
        placement=Placement("ml.p3.2xlarge", 3, Market.SPOT),
        planned_at=next(moments),
        cause=Outcome.CAPACITY_ERROR,
        status=AttemptStatus.ENDED,
        resumes_from=Checkpoint("checkpoints/été 1/xgboost-checkpoint.7", next(moments)),
        refusals=2,
        launched_at=next(moments),
        arn=f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        phase="Failed",
        heard_at=next(moments),
        interruptions=3,
        outcome=Outcome.SERVICE_ERROR,
        failure_reason="InternalServerError: “quoted”\n\tand 日本語",
        created_at=next(moments),
        training_started_at=next(moments),
        ended_at=next(moments),
        training_seconds=86_400,
        billable_seconds=12_345,
        waited_seconds=678,
        checkpoint=Checkpoint("checkpoints/churn/xgboost-checkpoint.8", next(moments)),
    )


def a_full_run(run_id: str) -> Run:
    """Give a run in which no field is what it is by default."""
    moments = _moments()
    return Run(
        id=run_id,
        submission_id="submission-7",
        fingerprint="f" * 64,
        training_job=SPEC["training_job"] | {"Float": 0.1, "Large": 2**53 + 1, "Text": "null", "Nested": [{"a": [1]}]},
        policy=Policy(Budgets(1, 2, 3, 4, 5), Backoff(7, 8), restart_from_scratch=True, relaunch_on_max_runtime=True),
        created_at=next(moments),
        updated_at=next(moments),
        status=RunStatus.STOPPING,
        reason="a reason — with “marks” and 日本語",
        attempts=tuple(_a_full_attempt(run_id, number, moments) for number in (1, 2)),
        check_at=next(moments),
        stop_requested=True,
        spent=Spent(1, 2, 3, 4, 5),
        outbox=Outbox(
            launch=2,
            stop=f"{run_id}-relay-01",
            measures=(Measure("SavingsPercent", 68.8, Market.ON_DEMAND, "ml.m5.xlarge"),),
            status=True,
            announce=True,
        ),
        ended_at=next(moments),
        version=41,
    )
