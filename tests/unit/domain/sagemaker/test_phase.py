"""The phases of a job's life, read from its transitions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.job import Market, Transition
from spot_relay.domain.sagemaker.phase import KEPT_PHASES, Phase, Stage, merge_oldest, read_phases
from tests.fakes import NOON, at

if TYPE_CHECKING:
    from datetime import datetime


def told(*entries: tuple[str, float]) -> tuple[Transition, ...]:
    return tuple(Transition(status, at(seconds)) for status, seconds in entries)


def test_a_spot_job_waits_trains_is_interrupted_and_uploads_its_model() -> None:
    transitions = told(
        ("Starting", 5),
        ("Pending", 8),
        ("Downloading", 60),
        ("Training", 90),
        ("Interrupted", 700),
        ("Downloading", 900),
        ("Training", 930),
        ("Uploading", 1500),
        ("Completed", 1520),
    )
    assert read_phases(transitions, Market.SPOT, NOON) == (
        Phase(Stage.WAITING, 5, 60),
        Phase(Stage.DOWNLOADING, 60, 90),
        Phase(Stage.TRAINING, 90, 700),
        Phase(Stage.INTERRUPTED, 700, 900),
        Phase(Stage.DOWNLOADING, 900, 930),
        Phase(Stage.TRAINING, 930, 1500),
        Phase(Stage.UPLOADING, 1500, 1520),
    )


def test_an_on_demand_job_that_starts_does_not_wait_for_capacity_unless_it_is_pending() -> None:
    transitions = told(("Starting", 0), ("Pending", 10), ("PreparingTrainingStack", 20), ("Training", 30))
    assert read_phases(transitions, Market.ON_DEMAND, NOON) == (
        Phase(Stage.STARTING, 0, 10),
        Phase(Stage.WAITING, 10, 20),
        Phase(Stage.STARTING, 20, 30),
        Phase(Stage.TRAINING, 30),
    )


def test_a_status_that_nobody_knows_changes_nothing() -> None:
    transitions = told(("Training", 0), ("Meditating", 10), ("Stopping", 20))
    assert read_phases(transitions, Market.SPOT, NOON) == (Phase(Stage.TRAINING, 0, 20), Phase(Stage.STOPPING, 20))


def test_a_job_that_is_known_to_have_ended_ends_its_last_phase() -> None:
    ended = read_phases(told(("Training", 0)), Market.SPOT, NOON, until=at(40.4))
    assert ended == (Phase(Stage.TRAINING, 0, 40),)
    assert read_phases(told(("Training", 50)), Market.SPOT, NOON, until=at(40)) == (Phase(Stage.TRAINING, 50, 50),)


def test_each_status_belongs_to_a_stage() -> None:
    transitions = told(
        ("Starting", 1),
        ("Pending", 2),
        ("LaunchingMLInstances", 3),
        ("PreparingTrainingStack", 4),
        ("DownloadingTrainingImage", 5),
        ("Downloading", 6),
        ("Updating", 7),
        ("Training", 8),
        ("Restarting", 9),
        ("Stopping", 10),
        ("Stopped", 11),
        ("Training", 12),
    )
    assert [(phase.stage, phase.begins, phase.ends) for phase in read_phases(transitions, Market.SPOT, NOON)] == [
        (Stage.WAITING, 1, 4),
        (Stage.STARTING, 4, 6),
        (Stage.DOWNLOADING, 6, 7),
        (Stage.STARTING, 7, 8),
        (Stage.TRAINING, 8, 9),
        (Stage.STARTING, 9, 10),
        (Stage.STOPPING, 10, 11),
    ]
    assert read_phases(transitions[2:4], Market.ON_DEMAND, NOON) == (Phase(Stage.STARTING, 3),)


def test_a_job_that_only_ended_has_no_phases_or_one_that_nobody_saw() -> None:
    ended = told(("Failed", 30))
    assert read_phases(ended, Market.SPOT, NOON, until=at(40)) == ()
    assert read_phases(ended, Market.SPOT, NOON, since=at(10), until=at(40)) == (Phase(Stage.EARLIER, 10, 30),)
    assert read_phases(told(("Odd", 30)), Market.SPOT, NOON, since=at(10), until=at(40)) == (
        Phase(Stage.EARLIER, 10, 40),
    )


def test_a_job_whose_transitions_are_all_shown_has_no_earlier_phase() -> None:
    shown = (Phase(Stage.TRAINING, 10),)
    for created in (10, 10.4, 11):
        assert read_phases(told(("Training", 10)), Market.SPOT, NOON, since=at(created)) == shown


def test_what_the_transitions_no_longer_show_is_one_earlier_phase() -> None:
    assert read_phases(told(("Training", 500)), Market.SPOT, NOON, since=at(10)) == (
        Phase(Stage.EARLIER, 10, 500),
        Phase(Stage.TRAINING, 500),
    )


@pytest.mark.parametrize("count", [KEPT_PHASES, KEPT_PHASES + 1, 3 * KEPT_PHASES])
def test_at_most_forty_phases_are_kept_and_all_before_them_are_merged(count: int) -> None:
    names = ("Training", "Interrupted")
    phases = read_phases(told(*((names[n % 2], 10 * n) for n in range(count))), Market.SPOT, NOON)
    assert len(phases) == KEPT_PHASES
    assert (phases[0].begins, phases[-1].begins, phases[-1].ends) == (0, 10 * (count - 1), None)
    assert (phases[0].stage is Stage.EARLIER) == (count > KEPT_PHASES)
    assert all(one.ends == other.begins for one, other in pairwise(phases))


def test_all_phases_can_be_merged_into_one_that_lasts_as_long_as_the_last() -> None:
    phases = (Phase(Stage.WAITING, 0, 10), Phase(Stage.TRAINING, 10, 20), Phase(Stage.UPLOADING, 20, 30))
    assert merge_oldest(phases, 1) == (Phase(Stage.EARLIER, 0, 30),)
    assert merge_oldest(phases, 2) == (Phase(Stage.EARLIER, 0, 20), phases[2])
    assert merge_oldest(phases, 3) == phases
    assert merge_oldest((phases[0], Phase(Stage.TRAINING, 10)), 1) == (Phase(Stage.EARLIER, 0, None),)
    assert merge_oldest(phases[:1], 1) == phases[:1]
    assert merge_oldest(()) == ()


STATUSES = ["Starting", "Pending", "Downloading", "Training", "Interrupted", "Uploading", "Stopping", "Failed", "Odd"]


@given(
    entries=st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(-1000, 1000)), max_size=60),
    market=st.sampled_from(Market),
    until=st.none() | st.integers(-1000, 1000).map(at),
)
def test_no_phase_ends_before_it_begins_whatever_is_told(
    entries: list[tuple[str, int]], market: Market, until: datetime | None
) -> None:
    phases = read_phases(told(*entries), market, NOON, NOON, until)
    assert len(phases) <= KEPT_PHASES
    assert all(phase.ends is None or phase.ends >= phase.begins for phase in phases[:-1])
