"""The life of an attempt, read from what is known of it: its transitions, what is left of them, or its times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.life import phases_of, without_transitions
from spot_relay.domain.sagemaker.job import Market, Placement, Transition
from spot_relay.domain.sagemaker.phase import Phase, Stage
from tests.fakes import NOON

PLANNED = Attempt(1, "churn-relay-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, Cause.SUBMITTED)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


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
    old_news = replace(TRAINS, phase="Starting", heard_at=at(50))
    assert phases_of(old_news) == phases_of(TRAINS)


def test_phases_outlive_the_transitions() -> None:
    smaller = without_transitions(TRAINS, 40)
    assert (smaller.transitions, phases_of(smaller)) == ((), phases_of(TRAINS))
    assert without_transitions(smaller, 1).phases == (Phase(Stage.EARLIER, 2, None),)


def test_an_attempt_of_an_early_release_has_a_life_by_its_times() -> None:
    ended = replace(PLANNED, created_at=at(5), training_started_at=at(50), ended_at=at(650))
    assert phases_of(ended) == (Phase(Stage.WAITING, 5, 50), Phase(Stage.TRAINING, 50, 650))
    launched = replace(PLANNED, launched_at=at(3), phase="Interrupted", heard_at=at(9))
    assert phases_of(launched) == (Phase(Stage.WAITING, 3, 9), Phase(Stage.INTERRUPTED, 9))
