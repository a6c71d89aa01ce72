"""What a run waits for, when it is looked at, and which attempts and canaries it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import EVERY_POOL, Pool
from tests.fakes import NOON
from tests.unit.paid_runs import a_run

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Run

SECOND, LATER = timedelta(seconds=1), NOON + timedelta(hours=1)
IDLE = replace(a_run(), outbox=Outbox())
POOL = IDLE.current.placement.pool
COPY = CheckpointCopy("s3://models/prep/", "*.pt")
CANARY = Canary(2, "churn-canary-02", IDLE.current.placement, NOON, 9000)


def waiting(start: Start | None = None, **changes: Any) -> Run:
    """A run that has not begun; by default it comes after two others."""
    return replace(IDLE, waits_to_begin=True, start=start or Start(after=("prep", "clean")), **changes)


def attempts(*names: str) -> tuple[Attempt, ...]:
    return tuple(replace(IDLE.current, number=index + 1, job_name=name) for index, name in enumerate(names))


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_has_ended_once_it_has_completed_failed_or_stopped(status: RunStatus) -> None:
    ended = {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED}
    assert replace(IDLE, status=status).has_ended is (status in ended)


@pytest.mark.parametrize(
    ("attempt", "changes", "pool"),
    [
        ({}, {}, None),
        ({"waits_for_room": True}, {}, POOL),
        ({"waits_for_any_room": True}, {}, EVERY_POOL),
        ({"waits_for_room": True, "waits_for_any_room": True}, {}, EVERY_POOL),
        ({"waits_for_room": True, "status": AttemptStatus.IN_PROGRESS}, {}, None),
        ({"waits_for_room": True}, {"status": RunStatus.STOPPED}, None),
        ({"waits_for_room": True}, {"stop_requested": True}, None),
    ],
)
def test_an_open_run_waits_for_room_if_its_planned_attempt_does(
    attempt: dict[str, Any], changes: dict[str, Any], pool: Pool | None
) -> None:
    run = replace(IDLE, attempts=(replace(IDLE.current, **attempt),), **changes)
    assert run.waits_for == pool


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (waiting(), "prep"),
        (waiting(completed=("prep",)), "clean"),
        (waiting(completed=("clean", "prep")), None),
        (waiting(Start(at=NOON)), None),
        (waiting(status=RunStatus.STOPPED), None),
        (replace(waiting(), waits_to_begin=False), None),
    ],
)
def test_a_run_waits_for_the_first_run_before_it_that_has_not_completed(run: Run, name: str | None) -> None:
    assert run.waits_for_run == name


@pytest.mark.parametrize(
    ("run", "copies"),
    [
        (waiting(), False),
        (waiting(outbox=Outbox(copy=True)), False),
        (waiting(copying=COPY), False),
        (waiting(copying=COPY, outbox=Outbox(copy=True)), True),
        (waiting(copying=replace(COPY, done=1)), True),
        (waiting(copying=replace(COPY, tries=1)), True),
        (replace(IDLE, copying=replace(COPY, done=1), outbox=Outbox(copy=True)), False),
    ],
)
def test_a_run_that_has_not_begun_is_copying_once_the_copy_is_owed_or_under_way(run: Run, *, copies: bool) -> None:
    assert run.is_copying is copies


@pytest.mark.parametrize(
    ("run", "waits"),
    [
        (waiting(Start(at_most=1)), True),
        (waiting(Start(at_most=0)), True),
        (waiting(Start(at=NOON)), False),
        (waiting(Start(at_most=1), status=RunStatus.FAILED), False),
        (replace(IDLE, start=Start(at_most=1)), False),
        (waiting(Start(at_most=1, after=("prep",))), False),
        (waiting(Start(at_most=1, after=("prep",)), completed=("prep",)), True),
        (waiting(Start(at_most=1), copying=COPY), True),
        (waiting(Start(at_most=1), copying=replace(COPY, done=1)), False),
        (waiting(Start(at_most=1, at=NOON - SECOND)), True),
        (waiting(Start(at_most=1, at=NOON)), True),
        (waiting(Start(at_most=1, at=NOON + SECOND)), False),
    ],
)
def test_a_run_waits_for_its_turn_once_there_is_nothing_else_that_it_waits_for(run: Run, *, waits: bool) -> None:
    assert run.updated_at == NOON
    assert run.waits_for_place is waits


def test_a_run_began_when_its_first_attempt_was_planned_unless_it_still_waits() -> None:
    first, second = attempts("a", "b")
    tried = (replace(first, planned_at=NOON), replace(second, planned_at=LATER))
    assert replace(IDLE, attempts=tried).began_at == NOON
    assert replace(waiting(), attempts=tried).began_at is None


def test_a_model_is_that_of_the_attempt_that_has_one_and_is_named_after_its_job() -> None:
    first, second, third = attempts("a", "b", "c")
    assert (IDLE.model_artifacts, IDLE.model_name) == (None, None)
    made = replace(IDLE, attempts=(first, replace(second, model_artifacts="s3://models/b.tar.gz"), third))
    assert (made.model_artifacts, made.model_name) == ("s3://models/b.tar.gz", "b")


def task(check_at: datetime | None) -> HostingTask:
    return HostingTask(
        HostingKind.DEPLOY, HostingStep.LOOK, HostingStatus.IN_PROGRESS, "Any.", NOON, NOON, check_at=check_at
    )


@pytest.mark.parametrize(
    ("changes", "due_at"),
    [
        ({"check_at": LATER}, LATER),
        ({"check_at": LATER, "outbox": Outbox(status=True)}, NOON + timedelta(seconds=90)),
        ({"check_at": None}, None),
        ({"check_at": None, "hosting": (task(None), task(LATER), task(LATER + SECOND))}, LATER),
        ({"check_at": LATER, "hosting": (task(LATER + SECOND), task(LATER - SECOND))}, LATER - SECOND),
    ],
)
def test_a_run_is_due_at_its_next_look_or_soon_if_it_owes_something(
    changes: dict[str, Any], due_at: datetime | None
) -> None:
    assert replace(IDLE, **changes).due_at == due_at


def test_an_attempt_is_found_by_its_number() -> None:
    run = replace(IDLE, attempts=attempts("a", "b", "c"))
    assert [run.attempt(number) for number in range(-1, 5)] == [None, None, *run.attempts, None]
    assert run.current == run.attempts[-1]


def test_an_attempt_takes_the_place_of_the_one_with_its_number_or_the_next_place() -> None:
    run, (_, changed, _, new) = replace(IDLE, attempts=attempts("a", "b", "c")), attempts("-", "x", "-", "d")
    assert run.with_attempt(changed) == replace(run, attempts=attempts("a", "x", "c"))
    assert run.with_attempt(new) == replace(run, attempts=attempts("a", "b", "c", "d"))


def test_the_newest_canary_is_the_one_beside_its_attempt() -> None:
    assert (IDLE.canary, IDLE.canary_beside(2), IDLE.canary_beside(None)) == (None, None, None)
    older, run = replace(CANARY, number=1), IDLE.with_canary(replace(CANARY, number=1)).with_canary(CANARY)
    assert run == replace(IDLE, canaries=(older, CANARY))
    assert (run.canary, run.canary_beside(2), run.canary_beside(1)) == (CANARY, CANARY, None)


def test_a_canary_takes_the_place_of_the_newest_one_if_that_waits_beside_the_same_attempt() -> None:
    older, changed = (replace(CANARY, number=1),) * 2, replace(CANARY, phase="Starting")
    run = replace(IDLE, canaries=(*older, CANARY))
    assert run.with_canary(changed) == replace(IDLE, canaries=(*older, changed))
