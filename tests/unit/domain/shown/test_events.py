"""The events that are made of a run's news: every field of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.news import AttemptState, News, NewsKind, NoticeKind
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from spot_relay.domain.shown.events import Event, build_event
from spot_relay.domain.shown.report import Whereabouts
from spot_relay.domain.values import replace
from tests.event_schemas import find_flaw
from tests.fakes import NOON, REGION
from tests.unit.hosted import BOTH
from tests.unit.worlds import submission

M5 = "ml.m5.xlarge"
PRICES = PriceList("a list", NOON, {M5: Price(0.24, 0.08)})
LATER = NOON + timedelta(hours=2)
HERE = Whereabouts(REGION, "specs")
MODEL = "s3://models/churn/output/churn-relay-01/output/model.tar.gz"
ACCEPTED = accept(submission(), "one", NOON, PRICES)
FIRST = replace(
    ACCEPTED.current,
    status=AttemptStatus.ENDED,
    launched_at=NOON,
    outcome=Outcome.CAPACITY_ERROR,
    failure_reason="CapacityError: none",
    interruptions=2,
    training_seconds=3600,
    billable_seconds=1800,
    waited_seconds=60,
    wasted_seconds=900,
    resumes_from=Checkpoint("churn/checkpoints/a", NOON),
    checkpoint=Checkpoint("churn/checkpoints/b", NOON),
    model_artifacts=MODEL,
)
SECOND = replace(
    ACCEPTED.current,
    number=2,
    job_name="churn-relay-02",
    placement=Placement(M5, 2, Market.ON_DEMAND),
    cause=Cause.CAPACITY_ERROR,
    arn="arn:of:the:second",
)
TASKS = tuple(
    HostingTask(kind, HostingStep.FOLLOW, HostingStatus.SUCCEEDED, f"{kind} is done.", NOON, NOON, None)
    for kind in HostingKind
)
RUN = replace(
    ACCEPTED,
    status=RunStatus.FAILED,
    reason='It "failed".',
    attempts=(FIRST, SECOND),
    updated_at=LATER,
    on_success=BOTH,
    hosting=TASKS,
)


def build(news: News, run: Any = RUN) -> dict[str, Any]:
    """Return the detail of an event that is as its schema says."""
    event = build_event(run, news, HERE)
    assert find_flaw(event) is None
    return event.detail


def test_a_change_of_the_run_is_told_with_its_figures_and_with_the_attempt_of_that_time() -> None:
    news = News(7, NewsKind.RUN, "InProgress", NOON, "Pending", 1, "It began.")
    assert build_event(RUN, news, HERE) == Event(
        "Spot Relay Run State Change",
        "churn.one.7.run",
        {
            "version": "1",
            "id": "churn.one.7.run",
            "at": "2026-11-23T12:00:00.000Z",
            "sequence": 7,
            "run_id": "churn",
            "status": "InProgress",
            "previous_status": "Pending",
            "reason": "It began.",
            "summary": "Run churn is now InProgress: It began.",
            "attempts": 2,
            "training_seconds": 3600,
            "billable_seconds": 1800,
            "savings_percent": 50.0,
            "cost_usd": 0.12,
            "on_demand_cost_usd": 0.18,
            "interruptions": 2,
            "job_name": "churn-relay-01",
            "cause": "Submitted",
            "model_artifacts": MODEL,
        },
    )
    assert build(news)["sequence"] == 7


def test_the_reason_is_told_in_full_while_it_is_still_the_runs() -> None:
    news = News(7, NewsKind.RUN, "Failed", NOON, "Pending", 2, "It …")
    detail = build(news)
    assert (detail["reason"], detail["summary"]) == ('It "failed".', "Run churn is now Failed: It 'failed'.")
    assert (detail["job_name"], detail["cause"]) == ("churn-relay-02", "CapacityError")
    assert build(replace(news, attempt=3))["job_name"] == "churn-relay-02"


def test_the_end_of_an_attempt_is_told_with_all_that_is_known_of_it() -> None:
    here = Placement("ml.g5.xlarge", 1, Market.SPOT, 30)
    news = News(3, NewsKind.ATTEMPT, "Ended", NOON, "Training", 1, "It ended.", here, Cause.RESUMED)
    assert build_event(RUN, news, HERE) == Event(
        "Spot Relay Attempt State Change",
        "churn.one.3.attempt",
        {
            "version": "1",
            "id": "churn.one.3.attempt",
            "at": "2026-11-23T12:00:00.000Z",
            "sequence": 3,
            "run_id": "churn",
            "attempt": 1,
            "job_name": "churn-relay-01",
            "job_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-relay-01",
            "status": "Ended",
            "state": "Ended",
            "previous_state": "Training",
            "cause": "Resumed",
            "reason": "It ended.",
            "summary": "churn-relay-01 is now Ended: It ended.",
            "placement": {
                "instance_type": "ml.g5.xlarge",
                "instance_count": 1,
                "market": "spot",
                "volume_size_gb": 30,
            },
            "outcome": "CapacityError",
            "failure_reason": "CapacityError: none",
            "interruptions": 2,
            "training_seconds": 3600,
            "billable_seconds": 1800,
            "waited_seconds": 60,
            "wasted_seconds": 900,
            "cost_usd": 0.12,
            "on_demand_cost_usd": 0.18,
            "resumes_from": "churn/checkpoints/a",
            "checkpoint": "churn/checkpoints/b",
            "model_artifacts": MODEL,
        },
    )
    assert build(news)["attempt"] == 1


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (AttemptState.PLANNED, "Planned"),
        (AttemptState.QUEUED, "Planned"),
        (AttemptState.LAUNCHED, "InProgress"),
        (AttemptState.TRAINING, "InProgress"),
        (AttemptState.INTERRUPTED, "InProgress"),
        (AttemptState.ENDING, "InProgress"),
    ],
)
def test_what_was_not_known_before_an_attempt_ended_is_not_told_of_it_then(state: AttemptState, status: str) -> None:
    detail = build(News(3, NewsKind.ATTEMPT, state, NOON, None, 1, "So it was.", FIRST.placement, Cause.SUBMITTED))
    assert (detail["status"], detail["state"]) == (status, str(state))
    assert [detail[key] for key in ("outcome", "failure_reason", "model_artifacts")] == [None, None, None]


def test_the_costs_of_an_attempt_that_trains_are_those_of_the_time_at_which_its_run_was_last_changed() -> None:
    trains = replace(SECOND, status=AttemptStatus.IN_PROGRESS, training_started_at=LATER - timedelta(minutes=30))
    news = News(3, NewsKind.ATTEMPT, "Training", NOON, None, 2, placement=SECOND.placement, cause=SECOND.cause)
    detail = build(news, RUN.with_attempt(trains))
    assert (detail["cost_usd"], detail["on_demand_cost_usd"]) == (0.24, 0.24)


def test_of_an_attempt_without_a_job_and_a_checkpoint_there_is_none_to_tell() -> None:
    bare = replace(SECOND, arn=None)
    news = News(3, NewsKind.ATTEMPT, "Planned", NOON, None, 2, "It is planned.", cause=Cause.CAPACITY_ERROR)
    detail = build(news, RUN.with_attempt(bare))
    assert [detail[key] for key in ("job_arn", "resumes_from", "checkpoint")] == [None, None, None]
    assert detail["placement"] == {
        "instance_type": M5,
        "instance_count": 2,
        "market": "on-demand",
        "volume_size_gb": None,
    }
    known = build(news)
    assert (known["job_arn"], known["job_name"]) == ("arn:of:the:second", "churn-relay-02")
    assert build(replace(news, attempt=3))["attempt"] == 2


def test_what_has_become_of_the_model_is_told_with_the_reasons_of_all_that_was_done_with_it() -> None:
    news = News(9, NewsKind.HOSTING, "Succeeded", NOON, None, 2, "It is done.")
    done = {
        "status": "Succeeded",
        "arn": None,
        "began_at": "2026-11-23T12:00:00.000Z",
        "check_at": None,
        "settled_at": None,
    }
    assert build_event(RUN, news, HERE) == Event(
        "Spot Relay Hosting State Change",
        "churn.one.9.hosting",
        {
            "version": "1",
            "id": "churn.one.9.hosting",
            "at": "2026-11-23T12:00:00.000Z",
            "sequence": 9,
            "run_id": "churn",
            "status": "Succeeded",
            "reason": "register_model is done. deploy is done.",
            "summary": "The hosting of run churn has succeeded: register_model is done. deploy is done.",
            "model_artifacts": MODEL,
            "hosting": {
                "register_model": {"group": "churn-models", **done, "reason": "register_model is done."},
                "deploy": {
                    "endpoint": "churn-live",
                    **done,
                    "reason": "deploy is done.",
                    "model_name": "churn-relay-01",
                },
            },
        },
    )
    assert build(news)["sequence"] == 9


def test_only_the_reasons_of_what_has_failed_are_told_where_something_has() -> None:
    failed = replace(TASKS[1], status=HostingStatus.FAILED, reason="The image is missing.")
    detail = build(News(9, NewsKind.HOSTING, "Failed", NOON, None, 2), replace(RUN, hosting=(TASKS[0], failed)))
    assert detail["reason"] == "The image is missing."
    assert detail["summary"] == "The hosting of run churn has failed: The image is missing."


def test_a_notice_has_an_id_and_a_time_as_all_news_has() -> None:
    event = build_event(RUN, News(4, NewsKind.NOTICE, NoticeKind.ENDED, NOON, None, 2), HERE)
    assert (event.detail_type, event.id) == ("Spot Relay Notice", "churn.one.4.notice")
    assert [event.detail[key] for key in ("version", "id", "at", "kind")] == [
        "1",
        "churn.one.4.notice",
        "2026-11-23T12:00:00.000Z",
        "ended",
    ]
    assert event.detail["link"].endswith("#/jobs/churn-relay-02")
    assert find_flaw(event) is None
