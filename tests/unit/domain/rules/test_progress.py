"""What training is worth: what checkpoints hold of it, what is lost with an interruption, what a start costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.progress import KEPT_CHANGEOVERS, KEPT_POINTS, count_progress, has_uncounted_end
from spot_relay.domain.run.run import ProgressPoint, RunStatus
from spot_relay.domain.sagemaker.job import Checkpoint, Job, Transition
from spot_relay.domain.sagemaker.request import placement_of
from tests.fakes import NOON, at
from tests.unit.worlds import TRAINING_JOB, World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Run

SERVICE = "InternalServerError: We encountered an internal error.  Please try again."
DAY = 86_400


@pytest.fixture
def world() -> World:
    """A service with one run that is being launched, with a deadline in ten days."""
    world = World()
    world.service.submit(submission(deadline(10 * DAY)))
    return world


def completed(moment: datetime) -> Job:
    """Return a description of a job that completed, seen once."""
    placement = placement_of(TRAINING_JOB)
    return Job("churn-relay-01", "arn", "Completed", "Completed", NOON, moment, placement, ended_at=moment)


def saves(world: World, key: str, after: float) -> Checkpoint:
    """Let a checkpoint be written after some seconds."""
    world.clock.passes(after)
    return world.checkpoint(key)


def interrupted(world: World) -> Run:
    """Let a job lose its instance, deliver the event of it, and let the tick come, which looks at what that cost."""
    world.tell(1, "InProgress", "Interrupted")
    return world.passes(60)


def wasted(run: Run) -> list[int]:
    return [attempt.wasted_seconds for attempt in run.attempts]


def test_the_training_up_to_the_newest_checkpoint_is_kept(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    saves(world, "b", 1000)
    run = world.passes(600)
    assert run.progress_seconds == 2000
    assert wasted(run) == [0]


def test_it_is_counted_once_however_often_the_job_is_looked_at(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    assert [world.passes(300).progress_seconds for _ in range(5)] == [1000] * 5


def test_a_checkpoint_from_before_the_training_is_worth_nothing(world: World) -> None:
    world.checkpoint("an earlier run's")
    world.trains(1, 0)
    assert world.passes(3000).progress_seconds == 0


def test_without_a_checkpoint_nothing_is_kept_and_all_is_wasted(world: World) -> None:
    world.trains(1, 900)
    run = interrupted(world)
    assert run.progress_seconds == 0
    assert wasted(run) == [900]


def test_what_was_trained_after_the_last_checkpoint_is_lost_with_an_interruption(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    world.clock.passes(250)
    run = interrupted(world)
    assert run.progress_seconds == 1000
    assert wasted(run) == [250]


def test_training_is_kept_over_interruptions_and_over_attempts(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    world.clock.passes(100)
    interrupted(world)
    world.trains(1, 0)
    saves(world, "b", 500)
    world.clock.passes(50)
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=1650)
    world.trains(2, 0)
    saves(world, "c", 300)
    world.clock.passes(7)
    run = world.tell(2, "Stopped", "MaxWaitTimeExceeded", training_seconds=307)
    assert run.progress_seconds == 1800
    assert wasted(run) == [150, 7, 0]


def test_the_time_that_a_job_waits_is_no_training(world: World) -> None:
    world.trains(1, 600)
    interrupted(world)
    world.clock.passes(5000)
    saves(world, "late", 0)  # uploaded by hand, say: it holds no more than was trained
    world.trains(1, 0)
    assert world.passes(600).progress_seconds == 0


def test_all_that_a_completed_job_has_trained_is_kept(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    world.clock.passes(500)
    run = world.tell(1, "Completed", "Completed", training_seconds=1500)
    assert run.status is RunStatus.COMPLETED
    assert run.progress_seconds == 1500
    assert wasted(run) == [0]


def test_of_a_completed_job_without_checkpoints_only_the_last_stretch_counts() -> None:
    world = World()
    world.service.submit(submission(CheckpointConfig=None))
    world.trains(1, 900)
    world.tell(1, "InProgress", "Interrupted")
    world.trains(1, 2000)
    run = world.tell(1, "Completed", "Completed", training_seconds=2900)
    assert run.progress_seconds == 2000
    assert wasted(run) == [900]


@pytest.mark.parametrize("told", [True, False], ids=["told", "lost"])
@pytest.mark.parametrize("policy", [deadline(10 * DAY), None], ids=["deadline", "none"])
def test_an_interruption_whose_event_was_lost_costs_no_more_than_one_that_was_told(
    policy: Policy | None, *, told: bool
) -> None:
    world = World()
    world.service.submit(submission(policy))
    world.trains(1, 0)
    saves(world, "a", 1000)
    world.clock.passes(250)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    if told:
        world.advance(world.event(1, "InProgress", "Interrupted"))
    run = world.passes(600)
    assert run.current.interruptions == 1
    assert run.progress_seconds == 1000
    assert wasted(run) == [250]


def test_of_stretches_that_nobody_has_seen_end_all_but_the_last_are_kept(world: World) -> None:
    world.trains(1, 0)
    for key in ("a", "b"):
        saves(world, key, 1000)
        world.clock.passes(100)
        world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
        world.clock.passes(60)
        world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    # Where "a" was is not to be seen any more; what was trained after "b" is lost.
    run = world.passes(300)
    assert run.progress_seconds == 1100 + 1000
    assert wasted(run) == [100]


def test_a_start_costs_what_comes_before_the_training_and_what_is_lost_after_its_last_checkpoint(
    world: World,
) -> None:
    world.clock.passes(700)  # the wait for capacity, which costs nothing
    world.tell(1, "InProgress", "Downloading")
    world.clock.passes(90)
    world.trains(1, 0)
    saves(world, "a", 1000)
    world.clock.passes(30)
    run = interrupted(world)
    assert run.changeovers == (150 + 30,)
    world.clock.passes(4000)
    world.tell(1, "InProgress", "Starting")
    world.clock.passes(4000)
    world.tell(1, "InProgress", "Downloading")
    world.trains(1, 10)
    run = interrupted(world)
    assert run.changeovers == (180, 60 + 10)


def test_the_whole_start_of_an_on_demand_job_is_its_price() -> None:
    world = World()
    world.service.submit(submission(EnableManagedSpotTraining=None))
    world.clock.passes(200)
    world.trains(1, 100)
    run = world.tell(1, "Failed", "Failed", failure_reason=SERVICE)
    assert run.changeovers == (200 + 60 + 100,)


def test_a_function_whose_clock_is_behind_takes_no_progress_away(world: World) -> None:
    world.trains(1, 0)
    saves(world, "a", 1000)
    run = world.passes(300)
    assert run.progress_seconds == 1000
    world.clock.passes(-600)
    run = world.advance(replace(world.event(1, "Stopped", "Stopped"), at=world.clock() + timedelta(seconds=600)))
    assert run.progress_seconds == 1000
    world.clock.passes(600)
    assert world.passes(300).progress_seconds == 1000


def test_all_is_kept_of_a_completed_job_that_a_function_with_its_clock_behind_describes(world: World) -> None:
    world.trains(1, 1500)
    world.jobs.becomes("churn-relay-01", "Completed", "Completed", training_seconds=1500)
    event = world.event(1, "Completed", "Completed")
    world.clock.passes(-600)
    run = world.advance(event)
    assert run.progress_seconds == 1500
    assert wasted(run) == [0]


@dataclass(frozen=True)
class Life:
    """A spot job's: seconds of each wait and training in turn, when checkpoints were written, and how it ended."""

    stretches: list[tuple[int, int]]
    saves: list[int]
    end: str

    @property
    def ends(self) -> list[int]:
        """The seconds at which its stretches of training end."""
        return [sum(wait + training for wait, training in self.stretches[: n + 1]) for n in range(len(self.stretches))]

    @property
    def trained(self) -> int:
        return sum(training for _, training in self.stretches)

    def transitions(self, second: float) -> list[Transition]:
        """What has become of it by some second."""
        found: list[Transition] = []
        began = 0
        for wait, training in self.stretches:
            waiting = "Interrupted" if found else "Starting"
            for status, length in ((waiting, wait), ("Training", training)):
                if began <= second:
                    over = began + length <= second
                    found.append(Transition(status, at(began), at(began + length) if over else None))
                began += length
        return found

    def job(self, second: float) -> Job:
        """What a description shows of it at some second."""
        ended = second >= self.ends[-1]
        status = self.end if ended else "InProgress"
        secondary = status if ended else self.transitions(second)[-1].status
        return Job(
            "churn-relay-01",
            "arn",
            status,
            secondary,
            NOON,
            at(second),
            placement_of(TRAINING_JOB),
            transitions=tuple(self.transitions(second)),
        )

    def newest(self, second: float) -> Checkpoint | None:
        written = [moment for moment in self.saves if moment <= second]
        return Checkpoint("a", at(max(written))) if written else None

    def watched(self, looks: set[int]) -> list[Run]:
        """The run after each look at it."""
        run = accept(submission(deadline(10 * DAY)), "one", NOON)
        runs = [run]
        for second in sorted(looks):
            run = count_progress(run, run.current, self.job(second), self.newest(second), at(second))
            runs.append(run)
        return runs


lives = st.builds(
    Life,
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 2000)), min_size=1, max_size=4),
    st.lists(st.integers(0, 8000), max_size=8),
    st.sampled_from(["Completed", "Stopped", "Failed"]),
)
moments = st.sets(st.integers(1, 10_000), max_size=12)


@given(life=lives, looks=moments)
def test_progress_never_falls_and_never_exceeds_what_was_trained(life: Life, looks: set[int]) -> None:
    runs = life.watched(looks | {life.ends[-1]})
    assert all(earlier.progress_seconds <= later.progress_seconds for earlier, later in pairwise(runs))
    assert 0 <= runs[-1].progress_seconds <= life.trained


@given(life=lives, looks=moments)
def test_what_is_kept_and_what_is_wasted_are_all_that_was_trained(life: Life, looks: set[int]) -> None:
    run = life.watched(looks | {life.ends[-1]})[-1]
    assert run.progress_seconds + run.current.wasted_seconds == life.trained
    for run in life.watched(looks):
        assert run.progress_seconds + run.current.wasted_seconds <= life.trained


@given(life=lives, looks=moments)
def test_looking_more_often_than_at_each_interruption_changes_nothing_in_the_end(life: Life, looks: set[int]) -> None:
    told = life.watched(set(life.ends))[-1]
    watched = life.watched(looks | set(life.ends))[-1]
    assert watched.progress_seconds == told.progress_seconds
    assert watched.current.wasted_seconds == told.current.wasted_seconds
    assert watched.changeovers == told.changeovers


@given(life=lives)
def test_what_each_stretch_keeps_is_its_training_up_to_its_last_checkpoint(life: Life) -> None:
    kept, began = 0, 0
    for (wait, _), end in zip(life.stretches, life.ends, strict=True):
        written = [moment for moment in life.saves if began <= moment <= end]
        kept += max(0, max(written, default=0) - began - wait)
        began = end
    if life.end != "Completed":
        assert life.watched(set(life.ends))[-1].progress_seconds == kept


@given(life=lives, looks=moments)
def test_each_stretch_costs_one_start(life: Life, looks: set[int]) -> None:
    run = life.watched(looks | {life.ends[-1]})[-1]
    assert len(run.changeovers) == len(life.stretches)
    assert sum(run.changeovers) == run.current.wasted_seconds


@given(life=lives, looks=st.lists(st.integers(1, 10_000), max_size=12))
def test_looks_by_clocks_that_disagree_take_no_progress_away(life: Life, looks: list[int]) -> None:
    run = accept(submission(deadline(10 * DAY)), "one", NOON)
    for second in looks:
        clock = at(second - 300)
        later = count_progress(run, run.current, life.job(second), life.newest(second), clock)
        assert later.progress_seconds >= run.progress_seconds
        assert later.current.wasted_seconds >= run.current.wasted_seconds
        run = later


def test_of_a_job_without_checkpoints_that_completes_only_the_last_stretch_is_kept() -> None:
    world = World()
    world.service.submit(submission(CheckpointConfig=None))
    world.trains(1, 500)
    for _ in range(2):
        world.tell(1, "InProgress", "Interrupted")
        world.clock.passes(60)
        world.tell(1, "InProgress", "Training")
        world.clock.passes(300.25)
    run = world.tell(1, "Completed", "Completed")
    assert run.progress_seconds == 300.25


def test_training_that_was_under_way_at_an_end_lasted_until_then() -> None:
    run = accept(submission(), "one", NOON)
    trains = Transition("Training", at(60))
    job = replace(completed(at(700)), ended_at=at(660), transitions=(trains,))
    assert count_progress(run, run.current, job, None, at(900)).progress_seconds == 600
    assert count_progress(run, run.current, replace(job, ended_at=None), None, at(900)).progress_seconds == 640


def test_on_demand_a_start_without_a_wait_costs_the_time_since_the_training_before_it() -> None:
    run = accept(submission(EnableManagedSpotTraining=None), "one", NOON)
    moments = [("Starting", 0, 60), ("Training", 60, 660), ("Downloading", 660, 700), ("Training", 700, 900)]
    transitions = tuple(Transition(status, at(start), at(end)) for status, start, end in moments)
    job = replace(completed(at(900)), transitions=transitions)
    after = count_progress(run, run.current, job, None, at(900))
    assert after.changeovers == (60, 40)


def test_training_that_goes_on_is_counted_up_to_its_newest_checkpoint_in_milliseconds() -> None:
    run = accept(submission(), "one", NOON)
    job = going(600)
    idle = count_progress(run, run.current, job, None, at(600))
    assert (idle.current, idle.progress_seconds, idle.progress_points) == (run.current, 0, ())
    saved = count_progress(run, run.current, job, Checkpoint("a", at(160.0004)), at(600))
    assert saved.current == replace(run.current, counted_until=at(160.0004))
    assert (saved.progress_seconds, saved.progress_points) == (100.0, (ProgressPoint(160, 100),))
    barely = count_progress(run, run.current, job, Checkpoint("a", at(61)), at(600))
    assert barely.progress_points == (ProgressPoint(61, 1),)


def test_a_point_of_the_progress_is_where_the_checkpoint_was_written_even_if_training_has_begun_again_since() -> None:
    run = accept(submission(), "one", NOON)
    moments = [("Training", 60, 160), ("Interrupted", 160, 200), ("Training", 200, None)]
    transitions = tuple(Transition(status, at(start), at(end) if end else None) for status, start, end in moments)
    job = replace(completed(at(600)), status="InProgress", ended_at=None, transitions=transitions)
    after = count_progress(run, run.current, job, Checkpoint("a", at(150)), at(600))
    assert after.progress_points == (ProgressPoint(150, 90),)


def test_of_a_completed_job_without_checkpoints_that_is_seen_once_only_the_last_stretch_is_kept() -> None:
    run = accept(submission(CheckpointConfig=None), "one", NOON)
    moments = [(60, 160), (200, 400), (500, 800)]
    transitions = tuple(Transition("Training", at(start), at(end)) for start, end in moments)
    job = replace(completed(at(800)), transitions=transitions)
    after = count_progress(run, run.current, job, None, at(900))
    assert (after.progress_seconds, after.current.wasted_seconds) == (300, 300)
    assert after.changeovers == (60 + 100, 40 + 200, 100)


def test_an_end_of_training_is_uncounted_until_it_has_been_looked_at() -> None:
    run = accept(submission(), "one", NOON)
    ended = replace(
        going(600), transitions=(Transition("Training", at(60), at(600)), Transition("Interrupted", at(600)))
    )
    assert not has_uncounted_end(run.current, going(600))
    assert has_uncounted_end(run.current, ended)
    assert not has_uncounted_end(count_progress(run, run.current, ended, None, at(600)).current, ended)


def test_each_checkpoint_that_is_seen_is_a_point_of_the_progress(world: World) -> None:
    world.trains(1)
    saves(world, "model.1", after=0)
    world.passes(300)
    saves(world, "model.2", after=20)
    run = world.passes(300)
    assert run.progress_points == (ProgressPoint(660, 600), ProgressPoint(980, 920))
    assert run.progress_points[-1].seconds == round(run.progress_seconds)
    assert world.passes(600).progress_points == run.progress_points


def going(now: float) -> Job:
    """Return a job that has trained since a minute after noon."""
    trains = (Transition("Training", at(60)),)
    return replace(completed(at(now)), status="InProgress", ended_at=None, transitions=trains)


def saved_at(run: Run, *seconds: float) -> Run:
    """Let the run be looked at whenever a checkpoint has been written."""
    for second in seconds:
        run = count_progress(run, run.current, going(second), Checkpoint(f"{second}", at(second)), at(second))
    return run


def test_points_of_a_long_run_are_thinned_evenly_and_the_first_and_the_newest_stay() -> None:
    run = saved_at(accept(submission(), "one", NOON), *(120 + 300 * number for number in range(3 * KEPT_POINTS)))
    points = run.progress_points
    assert len(points) == KEPT_POINTS
    assert points[0] == ProgressPoint(120, 60)
    assert points[-1].seconds == round(run.progress_seconds)
    gaps = [later.after - earlier.after for earlier, later in pairwise(points)]
    assert max(gaps) <= 2 * min(gaps[:-1])


@pytest.mark.parametrize("place", [1, KEPT_POINTS // 2, KEPT_POINTS - 1])
def test_the_point_whose_neighbours_are_closest_to_each_other_makes_room(place: int) -> None:
    moments = [120 + 300 * number for number in range(KEPT_POINTS + 1)]
    moments[place] = moments[place - 1] + 1
    moments[place + 1] = moments[place] + 1
    run = saved_at(accept(submission(), "one", NOON), *moments)
    assert [point.after for point in run.progress_points] == [*moments[:place], *moments[place + 1 :]]


def test_a_run_keeps_its_newest_changeovers_only() -> None:
    life = Life([(60, seconds) for seconds in range(1, KEPT_CHANGEOVERS + 6)], [], "Stopped")
    assert life.watched({life.ends[-1]})[-1].changeovers == tuple(range(6, KEPT_CHANGEOVERS + 6))
