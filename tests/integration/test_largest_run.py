"""The largest run that can be submitted fits an item of the table, whatever becomes of it, so that none gets stuck."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.item_size import measure_item
from spot_relay.adapters.run_items import build_item, format_sortable
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.decide.descriptions import MOST_TRANSITIONS
from spot_relay.domain.decide.steps import KEPT_DECISIONS, LONGEST_EXPLANATION
from spot_relay.domain.decide.user_requests import TOO_LARGE
from spot_relay.domain.rules.progress import KEPT_POINTS
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.history import HALF_BYTES
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
from spot_relay.domain.run.news import MOST_NEWS, News, NewsKind, NoticeKind
from spot_relay.domain.run.observation import Due, JobChanged
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import MAX_ATTEMPTS, MAX_WAITING_TASKS, Explanation, ProgressPoint, Run, RunStatus
from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Transition, attempt_name, canary_name
from spot_relay.domain.sagemaker.phase import KEPT_PHASES, Phase, Stage, merge_oldest
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.notices import KEPT_FACTS
from spot_relay.domain.text import (
    MAX_MESSAGE_BYTES,
    MAX_REASON_BYTES,
    MAX_STATUS_BYTES,
    MAX_TEXT_BYTES,
    encoded_size,
    shorten,
)
from spot_relay.ports import RunTooLargeError
from spot_relay.spec.on_end import MAX_TOKEN_CHARACTERS
from spot_relay.spec.run_name import MAX_NAME
from spot_relay.spec.start_model import MAX_PREDECESSORS
from spot_relay.spec.submission import MAX_STORED_BYTES
from tests.event_schemas import find_flaw
from tests.fakes import NOON
from tests.integration.runs import a_run
from tests.integration.stack import TABLE
from tests.thoroughness import share
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from tests.integration.stack import Stack

NAME = "x" * MAX_NAME
NAMES = tuple(NAME[:-1] + str(number) for number in range(MAX_PREDECESSORS))
TYPE = "ml.trn1n.32xlarge"
MONTH = 30 * 86_400
# The notices whose facts are remembered.
FACTS = (
    NoticeKind.DEADLINE_AT_RISK,
    NoticeKind.CHECKPOINT_OVERDUE,
    NoticeKind.BUDGET_NEARLY_SPENT,
    NoticeKind.WAITING_FOR_QUOTA,
)
PLACEMENT = Placement(TYPE, 2**31 - 1, Market.ON_DEMAND, 2**31 - 1)
# A moment is longest with microseconds.
MOMENT = NOON + timedelta(microseconds=123_456)


def filled(most_bytes: int) -> str:
    """A text of so many bytes once it is encoded, in which each character takes two."""
    return '"' * (most_bytes // 2)


CHECKPOINT = Checkpoint(filled(MAX_TEXT_BYTES), MOMENT)
EXPLANATION = Explanation(MOMENT, "ResumeRequested", filled(LONGEST_EXPLANATION), MONTH, MOMENT)


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
        phase=filled(MAX_STATUS_BYTES),
        heard_at=MOMENT,
        interruptions=MONTH,
        outcome=Outcome.MAX_RUNTIME_EXCEEDED,
        failure_reason=filled(MAX_TEXT_BYTES),
        status_message=filled(MAX_MESSAGE_BYTES),
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
        model_artifacts=filled(MAX_TEXT_BYTES) if number == MAX_ATTEMPTS else None,  # only the newest attempt completes
        transitions=(Transition(filled(MAX_STATUS_BYTES), MOMENT, MOMENT, filled(MAX_MESSAGE_BYTES)),)
        * MOST_TRANSITIONS,
        phases=(Phase(Stage.DOWNLOADING, MONTH, MONTH), Phase(Stage.INTERRUPTED, MONTH, MONTH)) * (KEPT_PHASES // 2),
        turn_at=MOMENT if number == 1 else None,  # only the newest attempt can await its turn
        unsaved_since=MOMENT,
    )


def canary(number: int) -> Canary:
    """A canary with everything that can be known of one."""
    name = canary_name(NAME, number)
    lives = CanaryStatus.IN_PROGRESS
    return Canary(
        number,
        name,
        PLACEMENT,
        MOMENT,
        MONTH,
        lives,
        filled(MAX_STATUS_BYTES),
        MONTH,
        arn(name),
        Refusal.QUOTA_TOO_SMALL,
    )


# Their environments and content types share the bytes of the training job.
REGISTRATION = Registration(NAME, "i" * 255)
DEPLOYMENT = Deployment(NAME, "i" * 255, f"arn:aws:iam::111122223333:role/{'r' * 64}", {}, TYPE, 100, Serverless(1, 1))


def task(kind: HostingKind) -> HostingTask:
    """Something done with the model, with everything that can be known of it."""
    return HostingTask(
        kind,
        HostingStep.ENDPOINT_CONFIG,
        HostingStatus.IN_PROGRESS,
        filled(MAX_TEXT_BYTES + 512),
        MOMENT,
        MOMENT,
        MOMENT,
        MONTH,
        filled(MAX_TEXT_BYTES),
        NAME,
        MOMENT,
        MOMENT,
    )


def news(number: int) -> News:
    """News with everything that it can have."""
    cause = max(Cause, key=len)
    return News(
        MONTH + number, NewsKind.ATTEMPT, "x" * 24, MOMENT, "x" * 24, 50, filled(MAX_MESSAGE_BYTES), PLACEMENT, cause
    )


def arn(job_name: str) -> str:
    """An ARN of the longest partition and region."""
    return f"arn:aws-us-gov:sagemaker:ap-southeast-1:111122223333:training-job/{job_name}"


def tokens(letter: str) -> tuple[str, ...]:
    """As many of the longest tokens as there can be."""
    return tuple(letter * (MAX_TOKEN_CHARACTERS - 1) + str(number) for number in range(MAX_WAITING_TASKS))


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
        reason=filled(MAX_REASON_BYTES),
        attempts=tuple(attempt(number) for number in range(1, MAX_ATTEMPTS + 1)),
        outbox=Outbox(
            freed,
            1,
            1,
            NAME,
            NAME,
            status=True,
            news=tuple(news(number) for number in range(MOST_NEWS)),
            tell_followers=True,
            told=f"{format_sortable(MOMENT)}#{NAME}",
            copy=True,
            host=tuple(HostingKind),
            tasks=tokens("a"),
            measures=measures,
        ),
        waiting_tasks=tokens("b"),
        start=Start(MOMENT, NAMES, OnFailure.WAIT, MONTH, NAME, "c" * 64, True, "t" * 1024, 1000),
        waits_to_begin=True,
        moved_to=Market.ON_DEMAND,
        news=MONTH,
        notify=tuple(NoticeKind),
        noticed=tuple(f"{kind} {MOMENT.isoformat()} {number}" for kind in FACTS for number in range(KEPT_FACTS)),
        completed=NAMES,
        # Everything is copied before an attempt is launched.
        copying=CheckpointCopy("u" * 1024, "p" * 1024, MONTH, newest=Checkpoint("k" * 1024, MOMENT)),
        ended_at=MOMENT,
        deadline_at=MOMENT,
        progress_seconds=MONTH + 1 / 3,
        progress_points=(ProgressPoint(MONTH, MONTH),) * KEPT_POINTS,
        changeovers=(86_400,) * MAX_ATTEMPTS,
        closed=(PLACEMENT,) * 10,
        canaries=tuple(canary(number) for number in range(1, MAX_ATTEMPTS)),
        prices=PriceList(f"s3://{'b' * 63}/{'k' * 1024}", MOMENT, prices),
        failing_because=TOO_LARGE,
        on_success=OnSuccess(REGISTRATION, DEPLOYMENT),
        hosting=tuple(task(kind) for kind in HostingKind),
        decisions=(Explanation(MOMENT, "ResumeRequested", filled(LONGEST_EXPLANATION), MONTH, MOMENT),)
        * KEPT_DECISIONS,
    )


@pytest.mark.parametrize("letter", ["x", '"', "é", "\N{GRINNING FACE}", "\x7f"])
def test_the_largest_run_can_be_stored_and_read(stack: Stack, letter: str) -> None:
    stored = len(letter.encode()) * (2 if letter == '"' else 1)
    job = {"Environment": {"A": letter * ((MAX_STORED_BYTES - len('{"Environment":{"A":""}}')) // stored)}}
    store = DynamoDBRunStore(stack.client("dynamodb"), TABLE)
    saved = store.save(store.create(largest(job)))
    assert store.load(NAME) == saved
    run = largest(job)
    whole, merged = run.attempts[-2:], [merge_oldest(one.phases, 1) for one in run.attempts[:-2]]
    why = shorten(run.current.failure_reason or "", HALF_BYTES)
    kept = (
        *(
            replace(one, transitions=(), phases=phases, failure_reason=why)
            for one, phases in zip(run.attempts, merged, strict=False)
        ),
        *(replace(one, transitions=()) for one in whole),
    )
    news = tuple(replace(one, reason="") for one in run.outbox.news)
    outbox = replace(run.outbox, news=news)
    assert replace(saved, decisions=()) == replace(run, version=2, decisions=(), attempts=kept, outbox=outbox)
    dropped = "only transitions, old phases, old explanations and a half of old texts were dropped"
    assert len(saved.decisions) >= KEPT_DECISIONS // 8, dropped


# Quotes take the most bytes of what is left once a text is clean.
WORST = {
    "quotes": '"',
    "everything": '\x01\0"\\\x1b[31m\N{GRINNING FACE}\ud800\u2028\u202e',
}


@dataclass
class Worst:
    """A run on the table whose every text from outside is as bad as it can be; 77 KB of its item are its spec."""

    store: DynamoDBRunStore
    letters: str
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.world.service = replace(self.world.service, store=self.store)
        # What follows each of them keeps the texts from being taken for a part of the spec, and hidden.
        spec = self.letters.encode("utf-8", "replace").decode() + "-"
        many = 77_000 // encoded_size(spec)
        policy = Policy(Budgets(user_errors=50, attempts_without_progress=50))
        self.world.service.submit(submission(policy, Environment={"A": spec * many}))

    @property
    def run(self) -> Run:
        run = self.store.load("churn")
        assert run is not None
        return run

    def passes(self, seconds: int) -> Run:
        """Let time pass, and look at the run if it is due."""
        self.world.clock.passes(seconds)
        for due in list(self.store.list_due(self.world.clock())):
            self.world.service.advance(due.run_id, Due())
        return self.run

    def fails(self) -> Run:
        """Let the newest attempt's job train, write a checkpoint, and fail."""
        number, text = self.run.current.number, self.letters * (1024 // len(self.letters))
        self.world.trains(number)
        self.world.checkpoint(f"{text[:900]}{number}")
        reason = "AlgorithmError: " + text[:1008]
        secondary = self.letters * 100
        self.world.advance(JobChanged(number, "InProgress", secondary, self.world.clock()))
        told = self.world.tell(number, "Failed", secondary, failure_reason=reason, training_seconds=600)
        return told if told.has_ended else self.passes(900)


@pytest.mark.parametrize("kind", share(list(WORST)))
def test_a_run_reaches_its_last_attempt_whatever_it_is_told(stack: Stack, kind: str) -> None:
    worst = Worst(DynamoDBRunStore(stack.client("dynamodb"), TABLE), WORST[kind])
    for _ in range(MAX_ATTEMPTS):
        worst.fails()
    assert (worst.run.status, len(worst.run.attempts)) == (RunStatus.FAILED, MAX_ATTEMPTS)
    assert "the most a run can have" in worst.run.reason
    assert len(worst.run.decisions) == KEPT_DECISIONS, "nothing had to be dropped"
    for document in worst.world.documents.written.values():
        del document["training_job"]  # it is shown as it was submitted
    events = worst.world.announcements.events
    told = json.dumps([worst.world.documents.written, [event.detail for event in events]], ensure_ascii=False)
    assert all(character.isprintable() for character in told)
    assert [find_flaw(event) for event in events if find_flaw(event)] == []


def test_a_run_that_outgrows_its_item_drops_its_oldest_history_and_goes_on(stack: Stack) -> None:
    worst = Worst(DynamoDBRunStore(stack.client("dynamodb"), TABLE, max_item_bytes=110_000), '"')
    attempts = 15
    while len(worst.run.attempts) < attempts:
        worst.fails()
    run = worst.run
    assert not run.has_ended
    assert len(run.decisions) < KEPT_DECISIONS
    oldest, newest = (encoded_size(run.attempts[index].failure_reason or "") for index in (0, -2))
    assert oldest <= 100 < newest
    assert measure_item(build_item(run, worst.store.retention)) <= 110_000


def test_a_run_that_can_not_be_saved_even_so_is_stopped_and_fails(stack: Stack) -> None:
    worst = Worst(DynamoDBRunStore(stack.client("dynamodb"), TABLE, max_item_bytes=82_000), '"')
    for _ in range(MAX_ATTEMPTS):
        if worst.run.stop_requested or worst.run.has_ended:
            break
        worst.fails()
    run = worst.run
    assert run.failing_because == TOO_LARGE
    for name in worst.world.live_jobs():
        worst.world.jobs.becomes(name, "Stopped", "Stopped")
    for _ in range(3):
        run = worst.passes(600)
    assert (run.status, worst.world.live_jobs(), bool(run.outbox)) == (RunStatus.FAILED, [], False)
    assert run.failing_because == TOO_LARGE
    assert run.version < 1000


def test_nothing_is_left_out_of_the_largest_run() -> None:
    run = largest({"Environment": {}})
    for part in (
        run,
        replace(run.attempts[0], model_artifacts=run.current.model_artifacts),
        run.canaries[0],
        run.decisions[0],
        run.outbox,
        run.hosting[0],
    ):
        empty = {field.name for field in fields(part) if getattr(part, field.name) in (None, (), {})}
        assert not empty, type(part)


def test_an_item_that_the_table_finds_too_large_is_told_apart_from_other_errors(stack: Stack) -> None:
    careless = DynamoDBRunStore(stack.client("dynamodb"), TABLE, max_item_bytes=10**9)
    huge = "r" * 300_000
    with pytest.raises(RunTooLargeError):
        careless.create(a_run("created", NOON, reason=huge))
    with pytest.raises(RunTooLargeError):
        careless.save(replace(careless.create(a_run("saved", NOON)), reason=huge))
