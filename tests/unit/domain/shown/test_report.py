"""What users see of a run: every field of the status document, and the event of its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask, OnSuccess
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, ReturnToSpot, Spent
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import Explanation, ProgressPoint, Run, RunStatus
from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Transition
from spot_relay.domain.sagemaker.phase import Phase, Stage
from spot_relay.domain.shown.report import (
    hosting_document,
    iso,
    notice_of_end,
    start_document,
    status_document,
    summarise,
    task_error,
)
from tests.fakes import NOON, REGION
from tests.unit.hosted import BOTH, DEPLOYMENT, REGISTRATION
from tests.unit.worlds import TRAINING_JOB, submission

M5 = "ml.m5.xlarge"
PRICES = PriceList("s3://prices/list.json", NOON - timedelta(days=1), {M5: Price(0.24, 0.08)})


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


FIRST = Attempt(
    number=1,
    job_name="churn-relay-01",
    placement=Placement(M5, 2, Market.SPOT),
    planned_at=at(0),
    cause=Cause.SUBMITTED,
    status=AttemptStatus.ENDED,
    launched_at=at(1),
    phase="MaxWaitTimeExceeded",
    interruptions=3,
    outcome=Outcome.MAX_WAIT_TIME_EXCEEDED,
    failure_reason="a reason",
    status_message="a message",
    created_at=at(2),
    training_started_at=at(3),
    ended_at=at(63),
    training_seconds=3600,
    billable_seconds=1800,
    waited_seconds=60,
    wasted_seconds=360,
    checkpoint=Checkpoint("churn/checkpoints/a", at(60), 5_000),
    ignored_objects=7,
    transitions=(
        Transition("Starting", at(2), at(3), "Preparing the instances"),
        Transition("MaxWaitTimeExceeded", at(63)),
    ),
)
SECOND = Attempt(
    number=2,
    job_name="churn-relay-02",
    placement=Placement(M5, 1, Market.ON_DEMAND, 30),
    planned_at=at(64),
    cause=Cause.BEHIND_PACE,
    status=AttemptStatus.IN_PROGRESS,
    launched_at=at(65),
    training_started_at=at(68),
    resumes_from=Checkpoint("churn/checkpoints/a", at(60), 5_000),
)
CANARY = Canary(2, "churn-canary-02", Placement(M5, 1, Market.SPOT), at(70), 3600, CanaryStatus.ENDED, "Stopped", 90)
EXPLAINED = Explanation(at(64), "JobChanged", "because", 2, at(65))


# The second attempt has trained for 12 minutes by the time that the run was last changed.
def a_run() -> Run:
    policy = Policy(
        Budgets(money_usd=9.5),
        deadline=Deadline(7200, within_seconds=86_400, return_to_spot=ReturnToSpot.BLIND),
    )
    return replace(
        accept(submission(policy), "one", NOON, PRICES),
        status=RunStatus.STOPPING,
        reason="a stop was requested",
        attempts=(FIRST, SECOND),
        updated_at=at(80),
        check_at=at(81),
        ended_at=at(82),
        stop_requested=True,
        moved_to=Market.ON_DEMAND,
        spent=Spent(1, 2, 3, 4, 5, 6),
        progress_seconds=3240.4,
        progress_points=(ProgressPoint(3600, 3240),),
        canaries=(CANARY,),
        decisions=(EXPLAINED,),
    )


def test_the_status_document_tells_all_of_a_run() -> None:
    document = status_document(a_run(), REGION)
    attempts, canaries, decisions = (document.pop(key) for key in ("attempts", "canaries", "decisions"))
    assert document == {
        "run_id": "churn",
        "training_job_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn",
        "start": None,
        "hosting": None,
        "log_group": "/aws/sagemaker/TrainingJobs",
        "model_artifacts": None,
        "tags": [],
        "training_job": TRAINING_JOB | {"HyperParameters": {"api_key": "[hidden]"}},
        "status": "Stopping",
        "reason": "a stop was requested",
        "created_at": "2026-11-23T12:00:00.000Z",
        "updated_at": "2026-11-23T13:20:00.000Z",
        "ended_at": "2026-11-23T13:22:00.000Z",
        "check_at": "2026-11-23T13:21:00.000Z",
        "stop_requested": True,
        "moved_to": "on-demand",
        "training_seconds": 3600,
        "billable_seconds": 1800,
        "waited_seconds": 60,
        "interruptions": 3,
        "savings_percent": 50.0,
        "wasted_seconds": 360,
        "cost_usd": 0.294,
        "on_demand_cost_usd": 0.48,
        "wasted_usd": 0.024,
        "most_usd": 0.486,
        "prices": {"source": "s3://prices/list.json", "as_of": "2026-11-22T12:00:00.000Z"},
        "deadline": {
            "at": "2026-11-24T12:00:00.000Z",
            "expected_runtime_seconds": 7200,
            "progress_seconds": 3240,
            "return_to_spot": "blind",
            "pace": 0.8,
            "reserve_seconds": 1500,
            "on_demand_from": None,
        },
        "next": {
            "action": "stop",
            "at": None,
            "reason": "The run ends once SageMaker has stopped churn-relay-02.",
        },
        "finish": None,
        "queue": None,
        "progress": [{"at": "2026-11-23T13:00:00.000Z", "seconds": 3240}],
        "checkpoints": {"usual_interval_seconds": None, "overdue_since": None},
        "spent": {
            "expired_waits": 1,
            "capacity_failures": 2,
            "service_errors": 3,
            "user_errors": 4,
            "attempts_without_progress": 5,
            "refusals": 6,
        },
        "budgets": {
            "expired_waits": 10,
            "capacity_failures": 20,
            "service_errors": 5,
            "user_errors": 0,
            "attempts_without_progress": 2,
            "refusals": 500,
            "money_usd": 9.5,
        },
    }
    assert [attempt["number"] for attempt in attempts] == [1, 2]
    assert canaries == [
        {
            "job_name": "churn-canary-02",
            "status": "Ended",
            "phase": "Stopped",
            "refusal": None,
            "placement": {"instance_type": M5, "instance_count": 1, "market": "spot", "volume_size_gb": None},
            "planned_at": "2026-11-23T13:10:00.000Z",
            "billable_seconds": 90,
            "cost_usd": 0.006,
        }
    ]
    assert decisions == [
        {
            "at": "2026-11-23T13:04:00.000Z",
            "observation": "JobChanged",
            "reason": "because",
            "times": 2,
            "until": "2026-11-23T13:05:00.000Z",
        }
    ]


def test_what_names_a_run_for_sagemaker_is_as_sagemaker_would_have_it() -> None:
    role = "arn:aws-us-gov:iam::444455556666:role/team/training"
    tags = [{"Key": "team", "Value": "growth"}]
    job = a_run().training_job | {"RoleArn": role, "Tags": tags}
    document = status_document(replace(a_run(), id="Churn-2", training_job=job), "us-gov-west-1")
    assert document["training_job_arn"] == "arn:aws-us-gov:sagemaker:us-gov-west-1:444455556666:training-job/churn-2"
    assert document["tags"] == document["training_job"]["Tags"] == tags


def test_the_model_is_that_of_the_attempt_that_completed() -> None:
    model = "s3://models/churn/output/churn-relay-02/output/model.tar.gz"
    completed = replace(a_run(), attempts=(FIRST, replace(SECOND, model_artifacts=model)))
    assert status_document(completed, REGION)["model_artifacts"] == model


def test_an_arn_that_was_dropped_is_put_together_again() -> None:
    kept = replace(FIRST, arn="arn:as:it:was")
    dropped = replace(a_run(), attempts=(kept, replace(SECOND, created_at=at(66))))
    shown = [attempt["job_arn"] for attempt in status_document(dropped, REGION)["attempts"]]
    assert shown == ["arn:as:it:was", "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-relay-02"]


def test_the_status_document_tells_all_of_each_attempt() -> None:
    ended, lives = status_document(a_run(), REGION)["attempts"]
    assert ended == {
        "number": 1,
        "job_name": "churn-relay-01",
        "status": "Ended",
        "cause": "Submitted",
        "phase": "MaxWaitTimeExceeded",
        "outcome": "MaxWaitTimeExceeded",
        "failure_reason": "a reason",
        "status_message": "a message",
        "resumes_from": None,
        "checkpoint": {"key": "churn/checkpoints/a", "last_modified": "2026-11-23T13:00:00.000Z", "size_bytes": 5_000},
        "ignored_objects": 7,
        "placement": {"instance_type": M5, "instance_count": 2, "market": "spot", "volume_size_gb": None},
        "planned_at": "2026-11-23T12:00:00.000Z",
        "created_at": "2026-11-23T12:02:00.000Z",
        "training_started_at": "2026-11-23T12:03:00.000Z",
        "ended_at": "2026-11-23T13:03:00.000Z",
        "training_seconds": 3600,
        "billable_seconds": 1800,
        "waited_seconds": 60,
        "interruptions": 3,
        "wasted_seconds": 360,
        # 1,800 s of two instances at 0.24 USD an hour, and 3,600 - 360 s of them.
        "cost_usd": 0.24,
        "on_demand_cost_usd": 0.432,
        "job_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-relay-01",
        "log_stream_prefix": "churn-relay-01/",
        "phases": [
            {
                "stage": "waiting",
                "started_at": "2026-11-23T12:02:00.000Z",
                "ended_at": "2026-11-23T13:03:00.000Z",
            }
        ],
        "transitions": [
            {
                "status": "Starting",
                "started_at": "2026-11-23T12:02:00.000Z",
                "ended_at": "2026-11-23T12:03:00.000Z",
                "message": "Preparing the instances",
            },
            {
                "status": "MaxWaitTimeExceeded",
                "started_at": "2026-11-23T13:03:00.000Z",
                "ended_at": None,
                "message": None,
            },
        ],
    }
    assert (lives["job_arn"], lives["transitions"]) == (None, [])
    assert lives["placement"] == {"instance_type": M5, "instance_count": 1, "market": "on-demand", "volume_size_gb": 30}
    assert lives["resumes_from"] == {
        "key": "churn/checkpoints/a",
        "last_modified": "2026-11-23T13:00:00.000Z",
        "size_bytes": 5_000,
    }
    # Until SageMaker has said when it created the job, the launch is as good.
    assert lives["created_at"] == "2026-11-23T13:05:00.000Z"
    assert [lives[key] for key in ("outcome", "ended_at", "training_seconds")] == [None, None, None]


def test_without_a_deadline_and_without_prices_there_is_none_to_show() -> None:
    document = status_document(replace(a_run(), policy=Policy(), deadline_at=None, prices=None), REGION)
    assert (document["deadline"], document["prices"], document["cost_usd"]) == (None, None, None)
    assert (document["on_demand_cost_usd"], document["wasted_usd"]) == (None, None)


def test_the_event_of_an_end_tells_its_figures() -> None:
    assert summarise(replace(a_run(), status=RunStatus.STOPPED, reason='by "request"\n\\now')) == {
        "run_id": "churn",
        "status": "Stopped",
        "reason": 'by "request"\n\\now',
        "summary": "Run churn is now Stopped: by 'request' /now",
        "attempts": 2,
        "training_seconds": 3600,
        "billable_seconds": 1800,
        "savings_percent": 50.0,
        "cost_usd": 0.294,
        "on_demand_cost_usd": 0.48,
        "interruptions": 3,
    }


def test_a_spec_submitted_after_the_end_of_its_run_is_noticed_with_the_status_and_its_time() -> None:
    stopped = replace(a_run(), status=RunStatus.STOPPED, ended_at=at(5))
    assert notice_of_end(stopped, at(6)) == (
        f"This spec was submitted before, and its run {stopped.id} has been Stopped since {iso(at(5))}. Nothing was "
        "launched. To train again, submit it under another name, or resume the run."
    )
    completed = notice_of_end(replace(stopped, status=RunStatus.COMPLETED), at(6))
    assert completed is not None
    assert completed.endswith("submit it under another name.")


def test_a_run_that_is_open_or_ended_only_after_its_submission_is_not_noticed() -> None:
    assert notice_of_end(replace(a_run(), status=RunStatus.IN_PROGRESS, ended_at=None), at(6)) is None
    failed = replace(a_run(), status=RunStatus.FAILED, ended_at=at(6))
    assert notice_of_end(failed, at(6)) is None
    assert notice_of_end(failed, at(5)) is None


DONE = HostingTask(
    HostingKind.DEPLOY,
    HostingStep.FOLLOW,
    HostingStatus.FAILED,
    "It has failed.",
    at(90),
    at(91),
    at(92),
    arn="arn:of:the:endpoint",
    settled_at=at(93),
)
WAITING = {
    "status": "Waiting",
    "reason": "It begins once the run has completed.",
    "arn": None,
    "began_at": None,
    "check_at": None,
    "settled_at": None,
}


def test_what_is_to_be_done_with_a_model_waits_for_the_end_of_the_run() -> None:
    assert hosting_document(replace(a_run(), on_success=BOTH)) == {
        "register_model": {"group": "churn-models", **WAITING},
        "deploy": {"endpoint": "churn-live", **WAITING, "model_name": None},
    }


def test_what_is_done_with_a_model_is_shown_with_all_its_times() -> None:
    completed = replace(SECOND, model_artifacts="s3://models/model.tar.gz")
    run = replace(a_run(), attempts=(FIRST, completed), on_success=OnSuccess(deploy=DEPLOYMENT), hosting=(DONE,))
    assert hosting_document(run) == {
        "register_model": None,
        "deploy": {
            "endpoint": "churn-live",
            "status": "Failed",
            "reason": "It has failed.",
            "arn": "arn:of:the:endpoint",
            "began_at": "2026-11-23T13:30:00.000Z",
            "check_at": "2026-11-23T13:32:00.000Z",
            "settled_at": "2026-11-23T13:33:00.000Z",
            "model_name": "churn-relay-02",
        },
    }
    registered = replace(DONE, kind=HostingKind.REGISTER_MODEL, status=HostingStatus.SUCCEEDED)
    registers = replace(run, on_success=OnSuccess(REGISTRATION), hosting=(registered,))
    shown = status_document(registers, REGION)["hosting"]
    assert (shown["register_model"]["group"], shown["register_model"]["status"]) == ("churn-models", "Succeeded")
    assert shown["deploy"] is None


def test_a_run_shows_what_it_waits_for_and_which_of_that_has_come() -> None:
    start = Start(
        at(5), ("prep", "clean"), OnFailure.WAIT, continue_from="prep", channel="base", template="t.yaml", at_most=2
    )
    run = replace(a_run(), start=start, completed=("clean",), waits_to_begin=True)
    shown = {
        "waits": True,
        "template": "t.yaml",
        "at_most": 2,
        "at": "2026-11-23T12:05:00.000Z",
        "after": [{"run_id": "prep", "has_completed": False}, {"run_id": "clean", "has_completed": True}],
        "on_failure": "wait",
        "continue_from": "prep",
        "channel": "base",
        "checkpoint": False,
        "copied_objects": None,
    }
    assert status_document(run, REGION)["start"] == shown
    assert status_document(replace(run, waits_to_begin=False), REGION)["start"] == shown | {"waits": False}
    stopped = replace(run, status=RunStatus.STOPPED)
    assert status_document(stopped, REGION)["start"] == shown | {"waits": False}


def test_a_run_that_copies_checkpoints_shows_how_many_objects_it_has_copied_until_it_begins() -> None:
    start = Start(after=("prep",), continue_from="prep", checkpoint=True)
    copying = CheckpointCopy("s3://models/prep/", done=3)
    run = replace(a_run(), start=start, waits_to_begin=True, copying=copying)
    shown = status_document(run, REGION)["start"]
    assert (shown["channel"], shown["checkpoint"], shown["copied_objects"]) == (None, True, 3)
    others = (
        replace(run, status=RunStatus.FAILED),
        replace(run, waits_to_begin=False),
        replace(run, copying=copying.anew()),
        replace(run, copying=None),
    )
    assert [status_document(one, REGION)["start"]["copied_objects"] for one in others] == [None] * 4


def test_a_run_from_a_template_shows_it_even_if_it_waits_for_nothing() -> None:
    assert start_document(Start(), (), waits=False) is None
    assert start_document(Start(template="t.yaml"), (), waits=False) == {
        "waits": False,
        "template": "t.yaml",
        "at_most": None,
        "at": None,
        "after": [],
        "on_failure": "fail",
        "continue_from": None,
        "channel": None,
        "checkpoint": False,
        "copied_objects": None,
    }


def test_an_open_run_shows_what_comes_next_when_it_finishes_and_until_when_it_stays_on_spot() -> None:
    run = accept(submission(Policy(deadline=Deadline(70_000, within_seconds=86_400))), "one", NOON)
    waits = replace(run.current, status=AttemptStatus.IN_PROGRESS, launched_at=at(1), waiting_since=at(1))
    points = (ProgressPoint(0, 0), ProgressPoint(700, 600), ProgressPoint(1400, 1200))
    run = replace(run, updated_at=at(2), status=RunStatus.IN_PROGRESS, progress_points=points)
    overdue = replace(waits, unsaved_since=at(1))
    document = status_document(run.with_attempt(overdue), REGION)
    assert [document[key] for key in ("next", "finish", "queue", "checkpoints")] == [
        {
            "action": "go_on_demand",
            "at": "2026-11-23T12:06:00.000Z",
            "reason": "Continues on-demand unless spot capacity comes before then.",
        },
        {"earliest": "2026-11-24T07:28:40.000Z", "likely": None, "latest": "2026-11-24T12:00:00.000Z"},
        None,
        {"usual_interval_seconds": 600, "overdue_since": "2026-11-23T12:01:00.000Z"},
    ]
    assert document["deadline"] == {
        "at": "2026-11-24T12:00:00.000Z",
        "expected_runtime_seconds": 70_000,
        "progress_seconds": 0,
        "return_to_spot": "canary",
        "pace": 0.8102,
        "reserve_seconds": 1500,
        "on_demand_from": "2026-11-23T12:06:00.000Z",
    }
    trains = replace(waits, waiting_since=None, phases=(Phase(Stage.TRAINING, 60),))
    assert status_document(run.with_attempt(trains), REGION)["finish"] == {
        "earliest": "2026-11-24T07:27:40.000Z",
        "likely": "2026-11-24T07:27:40.000Z",
        "latest": "2026-11-24T12:00:00.000Z",
    }


def test_a_run_that_waits_for_room_shows_in_which_queue_and_since_when() -> None:
    planned = replace(SECOND, status=AttemptStatus.PLANNED, launched_at=None)
    run = replace(a_run(), stop_requested=False, ended_at=None).with_attempt(replace(planned, waits_for_room=True))
    queue = {"pool": "ml.m5.xlarge (on-demand)", "since": "2026-11-23T13:04:00.000Z", "ahead": None}
    assert status_document(run, REGION)["queue"] == queue
    since = run.with_attempt(replace(run.current, waiting_since=at(70)))
    assert status_document(since, REGION)["queue"] == queue | {"since": "2026-11-23T13:10:00.000Z"}


def test_the_phases_of_a_job_that_lives_end_with_the_one_that_it_is_in() -> None:
    lives = replace(SECOND, transitions=(Transition("Starting", at(65), at(68)), Transition("Training", at(68))))
    assert status_document(a_run().with_attempt(lives), REGION)["attempts"][1]["phases"] == [
        {
            "stage": "starting",
            "started_at": "2026-11-23T13:05:00.000Z",
            "ended_at": "2026-11-23T13:08:00.000Z",
        },
        {"stage": "training", "started_at": "2026-11-23T13:08:00.000Z", "ended_at": None},
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (RunStatus.COMPLETED, None),
        (RunStatus.FAILED, "SpotRelay.RunFailed"),
        (RunStatus.STOPPED, "SpotRelay.RunStopped"),
    ],
)
def test_a_task_of_step_functions_succeeds_with_its_run_or_fails_by_the_name_of_its_end(
    status: RunStatus, error: str | None
) -> None:
    assert task_error(replace(a_run(), status=status)) == error


def test_moments_are_written_in_milliseconds_and_in_utc() -> None:
    assert iso(datetime(2026, 11, 23, 12, 0, 0, 123_999, tzinfo=UTC)) == "2026-11-23T12:00:00.123Z"
    assert iso(None) is None


def test_a_mail_has_no_character_that_its_reader_cannot_see() -> None:
    told = summarise(replace(a_run(), status=RunStatus.FAILED, reason="exit\x1b[31m\0 code\u202e 1\u2028at a\ufeff"))
    assert told["summary"] == "Run churn is now Failed: exit code 1 at a"
