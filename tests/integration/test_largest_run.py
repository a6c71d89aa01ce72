"""The largest run that can be submitted fits an item of the table, whatever becomes of it, so that none gets stuck."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.decide.steps import KEPT_DECISIONS, LONGEST_EXPLANATION
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Deadline, Policy, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import MAX_ATTEMPTS, Explanation, Run
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, attempt_name, canary_name
from spot_relay.domain.sagemaker.redaction import MAX_TEXT_BYTES
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.spec.run_name import MAX_NAME, MAX_NAME_WITH_CANARY
from spot_relay.spec.submission import MAX_STORED_BYTES
from tests.fakes import NOON
from tests.integration.runs import a_run
from tests.integration.stack import TABLE

if TYPE_CHECKING:
    from tests.integration.stack import Stack

NAME = "x" * MAX_NAME
TYPE = "ml.trn1n.32xlarge"
MONTH = 30 * 86_400
PLACEMENT = Placement(TYPE, 2**31 - 1, Market.ON_DEMAND, 2**31 - 1)
# A key of S3's has 1024 bytes at most, and a moment is longest with microseconds.
MOMENT = NOON + timedelta(microseconds=123_456)
CHECKPOINT = Checkpoint("k" * 1024, MOMENT)
# Four bytes a character, the most that UTF-8 has.
EXPLANATION = "\N{GRINNING FACE}" * LONGEST_EXPLANATION


def attempt(number: int) -> Attempt:
    """An attempt with everything that can be known of one."""
    return Attempt(
        number=number,
        job_name=attempt_name(NAME, number),
        placement=PLACEMENT,
        planned_at=MOMENT,
        cause=Cause.MAX_RUNTIME_EXCEEDED,
        status=AttemptStatus.IN_PROGRESS,
        resumes_from=CHECKPOINT,
        refusals=MONTH,
        launched_at=MOMENT,
        arn=arn(attempt_name(NAME, number)),
        phase="PreparingTrainingStack",
        heard_at=MOMENT,
        interruptions=MONTH,
        outcome=Outcome.MAX_RUNTIME_EXCEEDED,
        failure_reason="r" * MAX_TEXT_BYTES,
        created_at=MOMENT,
        training_started_at=MOMENT,
        ended_at=MOMENT,
        training_seconds=MONTH,
        billable_seconds=MONTH,
        waited_seconds=MONTH,
        checkpoint=CHECKPOINT,
        rung=9,
        max_wait_seconds=MONTH,
        waits_for_room=False,
        switch_to=Market.ON_DEMAND,
        waiting_since=MOMENT,
        counted_until=MOMENT,
        wasted_seconds=MONTH,
        ignored_objects=250_000,
    )


def canary(number: int) -> Canary:
    """A canary with everything that can be known of one."""
    name = canary_name("x" * MAX_NAME_WITH_CANARY, number)
    lives = CanaryStatus.IN_PROGRESS
    return Canary(
        number,
        name,
        PLACEMENT,
        MOMENT,
        MONTH,
        lives,
        "PreparingTrainingStack",
        MONTH,
        arn(name),
        Refusal.QUOTA_TOO_SMALL,
    )


def arn(job_name: str) -> str:
    """An ARN of the longest partition and region."""
    return f"arn:aws-us-gov:sagemaker:ap-southeast-1:111122223333:training-job/{job_name}"


def largest(training_job: dict[str, Any]) -> Run:
    """A run with as much of everything as a run can have."""
    rungs = tuple(Rung(PLACEMENT, MAX_ATTEMPTS) for _ in range(10))
    prices = {f"{TYPE}{number}": Price(1 / 3, 1 / 7) for number in range(10)}
    measures = (Measure("RelaunchesAfterMaxRuntimeExceeded", 1 / 3, Market.ON_DEMAND, TYPE),) * 20
    freed = (Room(PLACEMENT.pool, NAME),) * 3
    return replace(
        a_run(NAME, MOMENT),
        submission_id="s" * 32,
        fingerprint="f" * 64,
        training_job=training_job,
        policy=Policy(ladder=rungs, deadline=Deadline(MONTH, at=MOMENT)),
        reason="r" * (MAX_TEXT_BYTES + 1024),
        attempts=tuple(attempt(number) for number in range(1, MAX_ATTEMPTS + 1)),
        outbox=Outbox(freed, 1, 1, NAME, NAME, status=True, announce=True, measures=measures),
        ended_at=MOMENT,
        deadline_at=MOMENT,
        progress_seconds=MONTH + 1 / 3,
        changeovers=(86_400,) * MAX_ATTEMPTS,
        closed=(PLACEMENT,) * 10,
        canaries=tuple(canary(number) for number in range(1, MAX_ATTEMPTS)),
        prices=PriceList(f"s3://{'b' * 63}/{'k' * 1024}", MOMENT, prices),
        decisions=(Explanation(MOMENT, "ResumeRequested", EXPLANATION, MONTH, MOMENT),) * KEPT_DECISIONS,
    )


@pytest.mark.parametrize("letter", ["x", '"', "é", "\N{GRINNING FACE}", "\x7f"])
def test_the_largest_run_can_be_stored_and_read(stack: Stack, letter: str) -> None:
    stored = len(letter.encode()) * (2 if letter == '"' else 1)
    job = {"Environment": {"A": letter * ((MAX_STORED_BYTES - len('{"Environment":{"A":""}}')) // stored)}}
    store = DynamoDBRunStore(stack.client("dynamodb"), TABLE)
    saved = store.save(store.create(largest(job)))
    assert store.load(NAME) == saved == replace(largest(job), version=2)


def test_nothing_is_left_out_of_the_largest_run() -> None:
    run = largest({"Environment": {}})
    for part in (run, run.attempts[0], run.canaries[0], run.decisions[0], run.outbox):
        empty = {field.name for field in fields(part) if getattr(part, field.name) in (None, (), {})}
        assert not empty, type(part)
