"""The life of an attempt, read from what is known of it: its transitions, what is left of them, or its times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.life import phases_of, without_transitions
from spot_relay.domain.sagemaker.job import Market, Placement, Transition
from spot_relay.domain.sagemaker.phase import Phase, Stage
from tests.fakes import NOON, at

PLANNED = Attempt(1, "churn-relay-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, Cause.SUBMITTED)


TRAINS = replace(
    PLANNED,
    status=AttemptStatus.IN_PROGRESS,
    created_at=at(2),
    phase="Training",
    heard_at=at(60),
    transitions=(Transition("Starting", at(2), at(60)), Transition("Training", at(60))),
)


def test_an_attempt_without_a_job_has_no_life() -> None:
    assert phases_of(PLANNED) == ()


def test_a_life_is_read_from_the_transitions() -> None:
    assert phases_of(TRAINS) == (Phase(Stage.WAITING, 2, 60), Phase(Stage.TRAINING, 60))


def test_an_event_may_know_of_a_phase_that_no_description_has_shown() -> None:
    interrupted = replace(TRAINS, phase="Interrupted", heard_at=at(90))
    assert phases_of(interrupted)[1:] == (Phase(Stage.TRAINING, 60, 90), Phase(Stage.INTERRUPTED, 90))


@pytest.mark.parametrize(
    "late",
    [
        replace(TRAINS, phase="Interrupted", heard_at=at(50)),
        replace(TRAINS, phase="Interrupted", heard_at=at(60)),
        replace(TRAINS, phase="Interrupted", heard_at=None),
        replace(TRAINS, phase=None, heard_at=at(90)),
        replace(TRAINS, phase="Training", heard_at=at(90)),
    ],
)
def test_an_event_that_knows_no_later_phase_adds_none(late: Attempt) -> None:
    assert phases_of(late) == phases_of(TRAINS)


def test_what_the_transitions_no_longer_show_is_one_phase_from_the_creation_on() -> None:
    newest = replace(TRAINS, transitions=TRAINS.transitions[1:], ended_at=at(600))
    assert phases_of(newest) == (Phase(Stage.EARLIER, 2, 60), Phase(Stage.TRAINING, 60, 600))


def test_on_demand_a_job_starts_and_does_not_wait() -> None:
    paid = replace(TRAINS, placement=replace(TRAINS.placement, market=Market.ON_DEMAND))
    times = replace(paid, transitions=(), training_started_at=at(60))
    assert phases_of(paid) == phases_of(times) == (Phase(Stage.STARTING, 2, 60), Phase(Stage.TRAINING, 60))


def test_phases_outlive_the_transitions() -> None:
    smaller = without_transitions(TRAINS, 40)
    assert (smaller.transitions, phases_of(smaller)) == ((), phases_of(TRAINS))
    assert without_transitions(smaller, 1).phases == (Phase(Stage.EARLIER, 2, None),)


@pytest.mark.parametrize(
    ("times", "phases"),
    [
        (
            {"created_at": at(5), "training_started_at": at(50), "ended_at": at(650)},
            (Phase(Stage.WAITING, 5, 50), Phase(Stage.TRAINING, 50, 650)),
        ),
        ({"launched_at": at(3), "training_started_at": at(2)}, (Phase(Stage.WAITING, 3),)),
        ({"launched_at": at(3), "created_at": at(5)}, (Phase(Stage.WAITING, 5),)),
        ({"created_at": at(5), "ended_at": at(9)}, (Phase(Stage.WAITING, 5, 9),)),
        # Training may have begun as the job was created; then nothing was waited for.
        (
            {"created_at": at(5), "training_started_at": at(5)},
            (Phase(Stage.WAITING, 5, 5), Phase(Stage.TRAINING, 5)),
        ),
        # An event that is newer than those times shows one phase more, unless the job has ended.
        (
            {"launched_at": at(3), "phase": "Interrupted", "heard_at": at(9)},
            (Phase(Stage.WAITING, 3, 9), Phase(Stage.INTERRUPTED, 9)),
        ),
        ({"launched_at": at(3), "phase": "Interrupted", "heard_at": at(3)}, (Phase(Stage.WAITING, 3),)),
        ({"launched_at": at(3), "phase": "Interrupted"}, (Phase(Stage.WAITING, 3),)),
        ({"launched_at": at(3), "heard_at": at(9)}, (Phase(Stage.WAITING, 3),)),
        (
            {"launched_at": at(3), "phase": "Interrupted", "heard_at": at(9), "ended_at": at(20)},
            (Phase(Stage.WAITING, 3, 20),),
        ),
        ({"training_started_at": at(5), "phase": "Training", "heard_at": at(9), "ended_at": at(20)}, ()),
    ],
)
def test_an_attempt_of_an_early_release_has_a_life_by_its_times(
    times: dict[str, Any], phases: tuple[Phase, ...]
) -> None:
    assert phases_of(replace(PLANNED, **times)) == phases
