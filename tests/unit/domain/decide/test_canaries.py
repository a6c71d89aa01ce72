"""The canary beside an on-demand attempt: what its answers, its events and its descriptions change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.canaries import live_canary, note_description, room_of, shows_life
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, CanaryRefused, Observation
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import Explanation, Run, RunStatus
from spot_relay.domain.sagemaker.job import Absent, Job, Market, Placement, Pool
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.worlds import submission

HOUR = timedelta(hours=1)
LATER = NOON + HOUR
SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
NAME, ARN = "churn-canary-01", "arn:canary"
WAITS = Canary(1, NAME, SPOT, NOON, 3600, CanaryStatus.IN_PROGRESS, arn=ARN)
PLANNED = Canary(1, NAME, SPOT, NOON, 3600, refusal=Refusal.QUOTA_FULL)
GIVEN_UP = replace(WAITS, status=CanaryStatus.ENDED)
JOB = Job(NAME, ARN, "InProgress", "Training", NOON, NOON, SPOT, billable_seconds=7)
SEEN: dict[str, Any] = {"phase": "Training", "billable_seconds": 7}
ENDED = replace(JOB, status="Stopped", secondary_status="MaxWaitTimeExceeded")


def beside(canary: Canary | None = None, **changes: Any) -> Run:
    """A run whose attempt trains on-demand beside a canary, and is looked at after two hours."""
    run = replace(
        accept(submission(), "one", NOON), outbox=Outbox(), status=RunStatus.IN_PROGRESS, check_at=NOON + 2 * HOUR
    )
    attempt = replace(run.current, status=AttemptStatus.IN_PROGRESS, placement=replace(SPOT, market=Market.ON_DEMAND))
    run = run.with_attempt(attempt)
    return replace(run.with_canary(canary) if canary else run, **changes)


def told(run: Run, observation: Observation, job: Job | Absent | None = None) -> Decision:
    return decide(run, Facts(observation, canary=job), LATER)


def changed(run: Run, canary: Canary, observation: Observation, reason: str, **changes: Any) -> Run:
    """The run with this canary, and why."""
    decisions = (*run.decisions, Explanation(LATER, type(observation).__name__, reason))
    return replace(run.with_canary(canary), updated_at=LATER, reason=reason, decisions=decisions, **changes)


def ignored(run: Run, reason: str, owes: Outbox | None = None) -> Decision:
    return Decision(run, owes or Outbox(), reason)


def test_only_a_canary_that_an_open_run_has_not_given_up_is_live() -> None:
    assert live_canary(beside()) is None
    assert live_canary(beside(GIVEN_UP)) is None
    assert live_canary(beside(WAITS, status=RunStatus.COMPLETED)) is None
    assert [live_canary(beside(canary)) for canary in (PLANNED, WAITS)] == [PLANNED, WAITS]


def test_a_canary_that_was_created_waits_for_capacity() -> None:
    run, answer = beside(PLANNED), CanaryCreated(1, ARN)
    reason = f"Created {NAME}. It waits for spot capacity."
    assert told(run, answer) == Decision(changed(run, WAITS, answer, reason), Outbox(status=True), reason)
    assert told(beside(WAITS), answer) == ignored(beside(WAITS), f"{NAME} is already known to exist.")


def test_a_canary_that_has_no_room_now_is_tried_again_and_says_so_once() -> None:
    run = beside(replace(PLANNED, refusal=None))
    answer = CanaryRefused(1, Refusal.QUOTA_FULL, "The quota is full")
    reason = f"Could not create {NAME} yet: The quota is full. Trying again at the next check."
    assert told(run, answer) == Decision(changed(run, PLANNED, answer, reason), Outbox(), reason)
    assert told(beside(WAITS), answer) == ignored(beside(WAITS), reason)


def test_a_canary_that_was_throttled_leaves_the_run_as_it_is() -> None:
    run = beside(replace(PLANNED, refusal=None))
    reason = f"Could not create {NAME} yet: Rate exceeded. Trying again at the next check."
    assert told(run, CanaryRefused(1, Refusal.THROTTLED, "Rate exceeded")) == ignored(run, reason)


def test_a_canary_that_is_refused_for_good_is_given_up_and_its_reason_hides_secrets() -> None:
    run = beside(PLANNED)
    answer = CanaryRefused(1, Refusal.INVALID, "No such key: very-secret")
    reason = f"Could not create {NAME}, so the run stays on-demand: No such key: [hidden]."
    given_up = replace(PLANNED, status=CanaryStatus.ENDED, refusal=Refusal.INVALID)
    assert told(run, answer) == Decision(changed(run, given_up, answer, reason), Outbox(status=True), reason)


@pytest.mark.parametrize(
    ("run", "secondary"),
    [
        (beside(WAITS), "Pending"),
        (beside(PLANNED), "Training"),
        (beside(WAITS, check_at=LATER), "Training"),
        (beside(WAITS, check_at=None), "Training"),
        (beside(WAITS).with_attempt(replace(beside().current, status=AttemptStatus.ENDED)), "Training"),
        (beside(WAITS).with_attempt(replace(beside().current, status=AttemptStatus.PLANNED)), "Training"),
    ],
    ids=["waits", "not known to exist", "due", "due at once", "between attempts", "not launched"],
)
def test_an_event_of_a_canary_changes_nothing_if_it_tells_of_no_capacity_or_a_look_is_due(
    run: Run, secondary: str
) -> None:
    assert told(run, CanaryChanged(1, secondary)) == ignored(run, f"{NAME} is {secondary}, which changes nothing.")


def test_a_canary_that_may_have_capacity_has_the_run_looked_at_at_once() -> None:
    run, event = beside(WAITS), CanaryChanged(1, "Training")
    reason = f"{NAME} is Training. Checking it within a minute."
    assert told(run, event) == Decision(changed(run, WAITS, event, reason, check_at=LATER), Outbox(), reason)
    soon = beside(WAITS, check_at=LATER + timedelta(seconds=1))
    assert told(soon, event).run.check_at == LATER


@pytest.mark.parametrize(
    ("job", "status", "reason"),
    [
        (ENDED, CanaryStatus.ENDED, f"{NAME} has ended (MaxWaitTimeExceeded)."),
        (JOB, CanaryStatus.IN_PROGRESS, f"{NAME} is Training."),
    ],
)
def test_what_a_description_shows_of_a_canary_counts_and_not_what_its_event_claims(
    job: Job, status: CanaryStatus, reason: str
) -> None:
    run, event = beside(replace(WAITS, arn=None, refusal=Refusal.THROTTLED)), CanaryChanged(1, "Stopped")
    found = replace(WAITS, status=status, phase=job.secondary_status, billable_seconds=7)
    assert told(run, event, job) == Decision(changed(run, found, event, reason), Outbox(status=True), reason)
    again = beside(replace(found, status=CanaryStatus.IN_PROGRESS))
    if status is CanaryStatus.IN_PROGRESS:
        assert told(again, event, job) == ignored(again, f"SageMaker describes nothing new about {NAME}.")


@pytest.mark.parametrize("job", [None, Absent()])
def test_a_canary_that_is_not_described_stays_as_it_is(job: Absent | None) -> None:
    run = beside(WAITS)
    assert note_description(run, WAITS, job) is run
    decision = told(run, CanaryChanged(1, "Stopped"), job)
    assert decision == ignored(run, f"SageMaker describes nothing new about {NAME}.")


def test_a_canary_that_was_given_up_stays_so_while_its_job_lives() -> None:
    run = beside(GIVEN_UP)
    assert note_description(run, GIVEN_UP, JOB) == run.with_canary(replace(GIVEN_UP, **SEEN))
    known = replace(GIVEN_UP, **SEEN)
    again = beside(known)
    assert note_description(again, known, JOB) is again


def test_a_canary_that_was_given_up_and_lives_all_the_same_is_stopped() -> None:
    run = beside(GIVEN_UP)
    stops = ignored(run, f"The run no longer needs {NAME}. Stopping it.", Outbox(stop_canary=NAME))
    for news in (CanaryChanged(1, "Pending"), CanaryChanged(1, "Training"), CanaryCreated(1, ARN)):
        assert told(run, news) == stops
    for quiet in (CanaryChanged(1, "Downloading"), CanaryRefused(1, Refusal.THROTTLED, "Rate exceeded")):
        assert told(run, quiet) == ignored(run, "The run is not waiting for canary 1.")


def test_a_job_that_only_has_a_canarys_name_is_left_alone() -> None:
    taken = replace(GIVEN_UP, refusal=Refusal.NAME_TAKEN)
    assert not shows_life(taken, CanaryChanged(1, "Training"))
    assert shows_life(replace(GIVEN_UP, refusal=Refusal.THROTTLED), CanaryChanged(1, "Starting"))
    assert told(beside(taken), CanaryChanged(1, "Training")) == ignored(
        beside(taken), "The run is not waiting for canary 1."
    )


@pytest.mark.parametrize("run", [beside(), beside(WAITS), beside(GIVEN_UP)], ids=["none", "live", "given up"])
def test_news_of_a_canary_that_the_run_does_not_have_change_nothing(run: Run) -> None:
    for news in (CanaryChanged(2, "Stopped"), CanaryCreated(2, ARN), CanaryRefused(2, Refusal.THROTTLED, "No.")):
        assert told(run, news, JOB) == ignored(run, "The run is not waiting for canary 2.")


def test_the_end_of_a_canary_that_was_given_up_frees_its_room_and_shows_its_costs() -> None:
    run, event = beside(GIVEN_UP), CanaryChanged(1, "MaxWaitTimeExceeded")
    reason, freed = f"{NAME} has ended, so its instances are free.", (Room(SPOT.pool),)
    found = replace(GIVEN_UP, phase="MaxWaitTimeExceeded", billable_seconds=7)
    assert told(run, event, ENDED) == Decision(
        changed(run, found, event, reason), Outbox(freed=freed, status=True), reason
    )
    assert room_of(GIVEN_UP) == Outbox(freed=freed)
    for same, job in ((run, None), (beside(found), ENDED), (beside(GIVEN_UP, status=RunStatus.COMPLETED), ENDED)):
        assert told(same, event, job) == ignored(same, reason, Outbox(freed=freed))


@pytest.mark.parametrize("pool", [SPOT.pool, Pool("ml.g5.xlarge", Market.SPOT)], ids=str)
def test_a_run_that_waits_for_the_room_of_its_own_canary_takes_it(pool: Pool) -> None:
    run = beside(GIVEN_UP)
    placement = replace(SPOT, instance_type=pool.instance_type)
    waits = replace(run.current, status=AttemptStatus.PLANNED, placement=placement, waits_for_room=True)
    decision = told(run.with_attempt(waits), CanaryChanged(1, "Stopped"), ENDED)
    if pool == SPOT.pool:
        assert replace(decision.owes, news=()) == Outbox(launch=1)
        assert decision.reason == "There may be room on ml.m5.xlarge (spot) now. Trying to launch churn-relay-01 again."
    else:
        assert decision.owes == Outbox(freed=(Room(SPOT.pool),), status=True)
    assert decision.run.canary == replace(GIVEN_UP, phase="MaxWaitTimeExceeded", billable_seconds=7)
