"""Runs for the tests of what keeps them and of what launches them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.hosting import (
    Deployment,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    OnSuccess,
    Registration,
    Serverless,
)
from spot_relay.domain.run.news import News, NewsKind, NoticeKind
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, ReturnToSpot, Rung, Spent
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import Explanation, ProgressPoint, Run, RunStatus
from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Pool, Transition
from spot_relay.domain.sagemaker.phase import Phase, Stage
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.integration.stack import SPEC

if TYPE_CHECKING:
    from collections.abc import Iterator


def a_run(run_id: str, now: datetime, submission_id: str = "submission-1", **changes: Any) -> Run:
    """Return a run with an empty outbox, accepted at a given time, with changes."""
    job = SPEC["training_job"] | {"CheckpointConfig": {"S3Uri": f"s3://models/{run_id}/checkpoints/"}}
    submission = Submission(run_id, job, Policy(), fingerprint=f"{run_id}-spec")
    settled = replace(accept(submission, submission_id, now), outbox=Outbox())
    return replace(settled, **changes)


def waiting(run: Run, **changes: Any) -> Run:
    """Return a run that waits for room in the pool of its first attempt, with changes to the attempt."""
    return run.with_attempt(replace(run.current, waits_for_room=True, **changes))


def _moments() -> Iterator[datetime]:
    """Return times with microseconds, in ascending order."""
    moment = datetime(2026, 11, 23, 11, 59, 59, 999_999, tzinfo=UTC)
    while True:
        moment += timedelta(minutes=1, microseconds=1)
        yield moment


SOME_NEWS = News(1, NewsKind.RUN, "Failed", datetime(2026, 11, 23, 12, tzinfo=UTC))


def _a_full_attempt(run_id: str, number: int, moments: Iterator[datetime]) -> Attempt:
    name = f"{run_id}-relay-{number:02d}"
    return Attempt(
        number=number,
        job_name=name,
        placement=Placement("ml.p3.2xlarge", 3, Market.SPOT, 100),
        planned_at=next(moments),
        cause=Cause.CAPACITY_ERROR,
        status=AttemptStatus.ENDED,
        resumes_from=Checkpoint("checkpoints/été 1/xgboost-checkpoint.7", next(moments), 7_000),
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
        checkpoint=Checkpoint("checkpoints/churn/xgboost-checkpoint.8", next(moments), 8_000),
        rung=1,
        max_wait_seconds=90_000,
        waits_for_room=True,
        switch_to=Market.ON_DEMAND,
        waiting_since=next(moments),
        counted_until=next(moments),
        wasted_seconds=59,
        ignored_objects=61,
        unrecognized_refusals=1,
        gives_up=True,
        waits_for_any_room=True,
        status_message="Starting the “job”",
        turn_at=next(moments),
        unsaved_since=next(moments),
        model_artifacts="s3://churn/output/churn-relay-01/output/model.tar.gz",
        phases=(Phase(Stage.WAITING, 1, 60), Phase(Stage.TRAINING, 60, 900)),
        transitions=(
            Transition("Starting", next(moments), next(moments), "Preparing the “instances”"),
            Transition("Training", next(moments), next(moments), "Training image downloaded"),
        ),
    )


def _a_full_policy(moments: Iterator[datetime]) -> Policy:
    return Policy(
        Budgets(1, 2, 3, 4, 5, 6, money_usd=0.1),
        Backoff(7, 8),
        restart_from_scratch=True,
        relaunch_on_max_runtime=True,
        ladder=(Rung(Placement("ml.g5.xlarge", 2, Market.SPOT, 50), attempts=3),),
        deadline=Deadline(36_000, next(moments), 86_400, 500, ReturnToSpot.BLIND, pace_floor=0.9, hysteresis=2.5),
        checkpoint_pattern="checkpoint-*/**",
    )


def sharing(run_id: str, like: Run) -> Run:
    """A run that wants the checkpoint prefix of another."""
    return a_run(run_id, like.created_at, training_job=like.training_job)


def a_full_run(run_id: str) -> Run:
    """Return a run in which no field has its default value."""
    moments = _moments()
    return Run(
        id=run_id,
        submission_id="submission-7",
        fingerprint="f" * 64,
        training_job=SPEC["training_job"] | {"Float": 0.1, "Large": 2**53 + 1, "Text": "null", "Nested": [{"a": [1]}]},
        policy=_a_full_policy(moments),
        created_at=next(moments),
        updated_at=next(moments),
        status=RunStatus.STOPPING,
        reason="a reason — with “marks” and 日本語",
        attempts=tuple(_a_full_attempt(run_id, number, moments) for number in (1, 2)),
        check_at=next(moments),
        stop_requested=True,
        waiting_tasks=("waiting", "also waiting"),
        start=Start(
            next(moments),
            ("prep", "labels"),
            OnFailure.WAIT,
            3600,
            "prep",
            "warm",
            checkpoint=True,
            template="templates/nightly.yaml",
            at_most=3,
        ),
        waits_to_begin=True,
        moved_to=Market.ON_DEMAND,
        news=7,
        notify=(NoticeKind.ENDED,),
        noticed=("first_interruption once",),
        completed=("labels",),
        copying=CheckpointCopy(
            "s3://models/prep/", "*.pt", 7, "a.pt", "upload-1", 3, Checkpoint("b.pt", next(moments), 1_300_000_000)
        ),
        spent=Spent(1, 2, 3, 4, 5, 6),
        outbox=Outbox(
            freed=(Room(Pool("ml.p3.2xlarge", Market.SPOT), f"{run_id}-relay-01"),),
            launch=2,
            canary=1,
            stop=f"{run_id}-relay-01",
            stop_canary=f"{run_id}-canary-01",
            measures=(Measure("SavingsPercent", 68.8, Market.ON_DEMAND, "ml.m5.xlarge"),),
            status=True,
            news=(
                News(
                    7,
                    NewsKind.ATTEMPT,
                    "Training",
                    next(moments),
                    "Launched",
                    2,
                    "because — «so»",
                    Placement("ml.p3.2xlarge", 3, Market.SPOT, 100),
                    "CapacityError",
                    "money_usd 12",
                ),
            ),
            tell_followers=True,
            told="2026-11-23T12:00:00.000000Z#churn",
            tasks=("answered",),
            copy=True,
            host=(HostingKind.DEPLOY,),
        ),
        ended_at=next(moments),
        version=41,
        deadline_at=next(moments),
        progress_seconds=1234.5,
        progress_points=(ProgressPoint(600, 540), ProgressPoint(1300, 1234)),
        changeovers=(300, 240),
        closed=(Placement("ml.g5.xlarge", 8, Market.SPOT, 20),),
        canaries=(
            Canary(
                1,
                f"{run_id}-canary-01",
                Placement("ml.p3.2xlarge", 3, Market.SPOT, 100),
                next(moments),
                max_wait_seconds=7200,
                status=CanaryStatus.IN_PROGRESS,
                phase="Starting",
                refusal=Refusal.QUOTA_TOO_SMALL,
                billable_seconds=90,
                arn=f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{run_id}-canary-01",
            ),
        ),
        prices=PriceList("price list of 1 June", next(moments), {"ml.p3.2xlarge": Price(3.825, 1.1475)}),
        decisions=(Explanation(next(moments), "Due", "because — «so»", 7, next(moments)),),
        holds_prefix=True,
        failing_because="It grew too large.",
        on_success=OnSuccess(
            Registration("models", "image:1", {"A": "1"}, ("text/csv",), ("text/plain",), "Approved", "who leaves"),
            Deployment("live", "image:2", "a-role", {"B": "2"}, "ml.m5.large", 2, Serverless(2048, 5)),
        ),
        hosting=(_a_full_task(moments),),
    )


def _a_full_task(moments: Iterator[datetime]) -> HostingTask:
    return HostingTask(
        HostingKind.DEPLOY,
        HostingStep.ENDPOINT_UPDATE,
        HostingStatus.IN_PROGRESS,
        "because",
        next(moments),
        next(moments),
        next(moments),
        3,
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/live",
        "an-earlier-one",
        next(moments),
        next(moments),
    )
