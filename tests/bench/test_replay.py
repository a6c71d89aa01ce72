"""The arms that are runs of Spot Relay: what is promised on any market, and what never happens on the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bench.policy import visible
from bench.policy.arms import HOUR, Outcome, Task
from bench.policy.optimum import STEP_S, compute_least_hours
from bench.policy.replay import (
    ALONE_STRATEGY,
    FIXED_WAIT_STRATEGY,
    GREEDY_STRATEGY,
    OURS_BLIND_STRATEGY,
    OURS_STRATEGY,
    UNIFORM_PROGRESS_STRATEGY,
    Strategy,
    measure_outcome,
    submit,
)
from bench.policy.virtual import STOPPING_S, TICK_S
from simulator.life.job import Secondary
from spot_relay.domain.rules.pace import REACTION_SECONDS
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.bench.markets import small_tasks
from tests.thoroughness import examples

if TYPE_CHECKING:
    from bench.policy.virtual import TrackedJob, VirtualRun
    from spot_relay.domain.run.policy import Policy

RATIO: Final = 3.0
NETTED: Final = {
    "greedy": GREEDY_STRATEGY,
    "uniform-progress": UNIFORM_PROGRESS_STRATEGY,
    "ours-blind": OURS_BLIND_STRATEGY,
    "ours": OURS_STRATEGY,
}
EVERY_NETTED: Final = pytest.mark.parametrize("strategy", NETTED.values(), ids=NETTED.keys())
WITH_CANARY: Final = pytest.mark.parametrize(
    "strategy", [UNIFORM_PROGRESS_STRATEGY, OURS_STRATEGY], ids=["uniform-progress", "ours"]
)
EVERY_ONE: Final = pytest.mark.parametrize(
    "strategy",
    [*NETTED.values(), ALONE_STRATEGY, FIXED_WAIT_STRATEGY],
    ids=[*NETTED.keys(), "sagemaker", "relaunch"],
)
# Spot for ten seconds in every minute: no start survives on it.
FLICKER: Final = tuple((60.0 * minute, 60.0 * minute + 10.0) for minute in range(12 * 60))


def _replay_cached(strategy: Strategy, task: Task) -> tuple[VirtualRun, Outcome]:
    play = submit(strategy, task)
    return play, measure_outcome(play)


def _attempts(play: VirtualRun) -> list[TrackedJob]:
    return [play.jobs[attempt.job_name] for attempt in play.run.attempts]


def _cost(outcome: Outcome) -> float:
    return outcome.on_demand_hours + (outcome.spot_hours + outcome.canary_hours) / RATIO


@EVERY_NETTED
@examples(60)
@given(task=small_tasks())
@example(Task(FLICKER, 2 * HOUR, 2.2 * HOUR, 0.2 * HOUR))
@example(Task(FLICKER, 2 * HOUR, 2 * HOUR + 2 * 720 + REACTION_SECONDS + 1, 0.2 * HOUR))
@example(Task(FLICKER, 2 * HOUR, 5 * HOUR, 0.2 * HOUR))
@example(Task((), 1 * HOUR, 1 * HOUR, 0.0))
def test_a_deadline_that_on_demand_alone_can_meet_is_met_in_any_market(strategy: Strategy, task: Task) -> None:
    # Promised from R0 = C0 + d on, for changeovers of d at most. The reserve pays for one start lost to a market that
    # goes away (d), the one that replaces it (d), a tick and a stop (REACTION_SECONDS is both, and more).
    play, outcome = _replay_cached(strategy, task)
    assert play.run.status is RunStatus.COMPLETED
    assert not outcome.missed_deadline(task)
    assert outcome.useful_on_demand_hours + outcome.useful_spot_hours == pytest.approx(task.work_s / HOUR)


@EVERY_NETTED
@examples(30)
@given(task=small_tasks(), share=st.floats(0.0, 1.0))
def test_with_no_more_slack_than_the_reserve_a_run_starts_on_demand(
    strategy: Strategy, task: Task, share: float
) -> None:
    reserve = 2 * task.changeover_s + REACTION_SECONDS
    least = task.work_s + task.changeover_s
    tight = replace(task, horizon_s=least + int(share * (task.work_s + reserve - least)))
    _, outcome = _replay_cached(strategy, tight)
    assert (outcome.spot_hours, outcome.launches, outcome.switches) == (0.0, 1, 0)
    assert outcome.finished_after_s == pytest.approx(least)


@EVERY_NETTED
@examples(30)
@given(task=small_tasks())
def test_a_run_that_never_gets_spot_ends_a_changeover_before_its_deadline(strategy: Strategy, task: Task) -> None:
    task = replace(task, windows=(), horizon_s=max(task.horizon_s, task.work_s + 2 * task.changeover_s))
    _, outcome = _replay_cached(strategy, task)
    assert outcome.finished_after_s is not None
    assert outcome.finished_after_s <= task.horizon_s - task.changeover_s
    assert outcome.spot_hours == 0.0
    # Only who returns blindly gives up on-demand for what never comes.
    assert outcome.launches == 1 or strategy is OURS_BLIND_STRATEGY


@EVERY_NETTED
@examples(60)
@given(task=small_tasks(), share=st.floats(0.0, 0.9))
def test_a_run_with_longer_changeovers_than_expected_may_be_late_but_completes(
    strategy: Strategy, task: Task, share: float
) -> None:
    def hopeful(task: Task) -> Policy:
        return strategy.policy(replace(task, changeover_s=share * task.changeover_s))

    play, outcome = _replay_cached(replace(strategy, policy=hopeful), task)
    assert play.run.status is RunStatus.COMPLETED
    assert outcome.useful_on_demand_hours + outcome.useful_spot_hours == pytest.approx(task.work_s / HOUR)


@EVERY_ONE
@examples(40)
@given(task=small_tasks())
def test_a_run_ends_and_its_attempts_never_overlap(strategy: Strategy, task: Task) -> None:
    play, _ = _replay_cached(strategy, task)
    jobs = _attempts(play)
    assert play.run.has_ended
    assert all(job.life.ended for job in jobs)
    assert all(earlier.ended_at <= later.life.created_at for earlier, later in pairwise(jobs))
    assert len(jobs) + sum(job.is_canary for job in play.jobs.values()) == len(play.jobs)


@WITH_CANARY
@examples(100)
@given(task=small_tasks())
def test_canaries_wait_one_at_a_time_while_an_on_demand_attempt_runs(strategy: Strategy, task: Task) -> None:
    play, _ = _replay_cached(strategy, task)
    canaries = [job for job in play.jobs.values() if job.is_canary]
    for canary in canaries:
        attempt = play.run.attempts[canary.number - 1]
        job = play.jobs[attempt.job_name]
        assert attempt.placement.market is Market.ON_DEMAND
        assert job.life.created_at <= canary.life.created_at <= job.ended_at
        # Both are stopped when the attempt is left; a stop takes its time.
        assert min(canary.ended_at, play.now) <= job.ended_at + STOPPING_S
    for one, other in combinations(canaries, 2):
        assert one.ended_at <= other.life.created_at or other.ended_at <= one.life.created_at


@EVERY_ONE
@examples(15)
@given(task=small_tasks())
def test_a_replay_is_deterministic(strategy: Strategy, task: Task) -> None:
    (one, first), (other, second) = _replay_cached(strategy, task), _replay_cached(strategy, task)
    assert first == second
    assert one.run == other.run


@EVERY_NETTED
@examples(60)
@given(task=small_tasks())
def test_the_paid_time_is_the_work_plus_a_changeover_per_launch_plus_the_stops(strategy: Strategy, task: Task) -> None:
    play, outcome = _replay_cached(strategy, task)
    useful = outcome.useful_on_demand_hours + outcome.useful_spot_hours
    paid = outcome.on_demand_hours + outcome.spot_hours
    stops = sum(t.status is Secondary.STOPPING for job in _attempts(play) for t in job.life.transitions)
    seconds = outcome.launches * task.changeover_s + stops * STOPPING_S + len(play.jobs)
    # SageMaker counts whole seconds.
    assert useful - len(play.jobs) / HOUR <= paid <= useful + seconds / HOUR


@EVERY_NETTED
@examples(40)
@given(task=small_tasks())
def test_no_run_costs_less_than_the_omniscient_optimum(strategy: Strategy, task: Task) -> None:
    _, outcome = _replay_cached(strategy, task)
    # The optimum rounds every edge of a window, the work, the changeover and the horizon to a step.
    horizon_s = task.horizon_s + 3 * STEP_S
    least = float(compute_least_hours(task.windows, task.work_s, task.changeover_s, (horizon_s,), (RATIO,))[0, 0])
    rounding = (2 * len(task.windows) + 2 * outcome.launches + 6) * STEP_S / HOUR
    assert _cost(outcome) >= least - rounding


@examples(150)
@given(task=small_tasks())
def test_greedy_differs_only_by_minutes_from_greedy_with_visibility(task: Task) -> None:
    # Its net comes earlier by REACTION_SECONDS, and the job it launches later by a tick and a stop at most. Where the
    # market changes in these minutes both may do right, and differ.
    rest = task.horizon_s - REACTION_SECONDS
    seen = [
        visible.GREEDY.replay(replace(task, horizon_s=rest + late)) for late in (0.0, 30.0, TICK_S, TICK_S + STOPPING_S)
    ]
    assume(len({(outcome.launches, outcome.switches) for outcome in seen}) == 1)
    _, outcome = _replay_cached(GREEDY_STRATEGY, task)
    minutes = (TICK_S + STOPPING_S) / HOUR
    for field in ("on_demand_hours", "spot_hours"):
        hours = [getattr(other, field) for other in seen]
        assert min(hours) - minutes <= getattr(outcome, field) <= max(hours) + minutes


def test_a_canary_returns_the_run_to_spot_and_is_paid_for() -> None:
    task = Task(((3 * HOUR, 40 * HOUR),), 6 * HOUR, 8 * HOUR, 360.0)
    play, outcome = _replay_cached(OURS_STRATEGY, task)
    (canary,) = (job for job in play.jobs.values() if job.is_canary)
    assert canary.life.training_started_at == 3 * HOUR
    assert outcome.canary_hours * HOUR == pytest.approx(STOPPING_S * 2, abs=TICK_S)
    assert (outcome.launches, outcome.switches) == (2, 1)
    assert outcome.useful_spot_hours == pytest.approx(6 - outcome.useful_on_demand_hours)
    assert outcome.useful_spot_hours > 3


def test_a_blind_run_switches_back_and_forth_when_a_canary_would_wait() -> None:
    task = Task((), 6 * HOUR, 8 * HOUR, 360.0)
    assert _replay_cached(OURS_BLIND_STRATEGY, task)[1].launches > 1
    assert _replay_cached(OURS_STRATEGY, task)[1].launches == 1


def test_sagemaker_alone_has_a_single_job_that_max_wait_ends() -> None:
    task = Task(((0.0, HOUR), (2 * HOUR, 3 * HOUR)), 6 * HOUR, 8 * HOUR, 360.0)
    play, outcome = _replay_cached(ALONE_STRATEGY, task)
    assert [job.life.secondary for job in _attempts(play)] == [Secondary.MAX_WAIT_TIME_EXCEEDED]
    assert outcome.missed_deadline(task)
    assert outcome.compute_left_over_hours(task) == pytest.approx(6 + 0.1 - 1.8)


def test_a_fixed_max_wait_ends_waits_and_training_alike_and_the_run_resumes_from_the_checkpoint() -> None:
    task = Task(((5 * HOUR, 40 * HOUR),), 6 * HOUR, 8 * HOUR, 360.0)
    play, outcome = _replay_cached(FIXED_WAIT_STRATEGY, task)
    jobs = _attempts(play)
    assert [job.life.secondary for job in jobs] == [Secondary.MAX_WAIT_TIME_EXCEEDED, Secondary.COMPLETED]
    assert jobs[1].initial_work_s == 0.9 * HOUR
    assert outcome.finished_after_s == pytest.approx(6 * HOUR + STOPPING_S + 5.2 * HOUR)
