"""The life of a training job as pure functions of time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.life import advance, begin, billable_seconds, next_due, training_seconds, work_done
from simulator.life.capacity import AlwaysAvailable, Capacity
from simulator.life.job import (
    ENDED,
    CheckpointReached,
    CheckpointWritten,
    Failure,
    Happening,
    Input,
    Job,
    PhaseDone,
    Script,
    Secondary,
    Status,
    StopRequested,
    Terms,
    TrainingExited,
)
from simulator.world.capacity import Interruption, ScriptedCapacity, TracedCapacity

T0: Final = 1_000.0
REAL: Final = frozenset({Secondary.DOWNLOADING, Secondary.TRAINING, Secondary.UPLOADING, Secondary.STOPPING})
ENDS: Final = {Secondary.STOPPING, Secondary.FAILED}
EDGES: Final = {
    Secondary.STARTING: {Secondary.PENDING, Secondary.DOWNLOADING} | ENDS,
    Secondary.PENDING: {Secondary.DOWNLOADING} | ENDS,
    Secondary.DOWNLOADING: {Secondary.TRAINING, Secondary.INTERRUPTED} | ENDS,
    Secondary.TRAINING: {Secondary.UPLOADING, Secondary.INTERRUPTED} | ENDS,
    Secondary.INTERRUPTED: {Secondary.STARTING, Secondary.STOPPING},
    Secondary.UPLOADING: {Secondary.COMPLETED} | ENDS,
    Secondary.STOPPING: {
        Secondary.STOPPED,
        Secondary.MAX_RUNTIME_EXCEEDED,
        Secondary.MAX_WAIT_TIME_EXCEEDED,
    },
}


def script(
    *,
    train_seconds: float = 10.0,
    capacity: Capacity | None = None,
    checkpoint_every: float | None = None,
    failure: Failure | None = None,
    held: frozenset[Secondary] = frozenset(),
) -> Script:
    return Script(
        starting=1.0,
        downloading=1.0,
        uploading=1.0,
        stopping=1.0,
        train_seconds=train_seconds,
        capacity=capacity or AlwaysAvailable(),
        checkpoint_every=checkpoint_every,
        failure=failure,
        held=held,
    )


def spot(max_runtime: float = 100.0, max_wait: float = 200.0) -> Terms:
    return Terms(max_runtime=max_runtime, max_wait=max_wait, spot=True)


def job_with(script_: Script, terms: Terms | None = None) -> Job:
    return begin("j", terms or spot(), script_, T0)[0]


def seconds_after_start(job: Job) -> list[tuple[str, float]]:
    return [(step.status.value, step.started_at - T0) for step in job.transitions]


def names(job: Job) -> list[str]:
    return [step.status.value for step in job.transitions]


def interrupted_after(seconds: float, returns: float | None) -> ScriptedCapacity:
    return ScriptedCapacity(0.0, (Interruption(seconds, returns),))


def test_a_job_with_capacity_runs_through_all_phases() -> None:
    job, _ = advance(job_with(script()), T0 + 100)

    assert seconds_after_start(job) == [
        ("Starting", 0.0),
        ("Downloading", 1.0),
        ("Training", 2.0),
        ("Uploading", 12.0),
        ("Completed", 13.0),
    ]
    assert job.status is Status.COMPLETED
    assert (job.training_started_at, job.training_ended_at) == (T0 + 1, T0 + 13)
    assert training_seconds(job, T0 + 100) == 12


def test_a_job_is_pending_until_capacity_arrives() -> None:
    job, _ = advance(job_with(script(capacity=ScriptedCapacity(5.0))), T0 + 100)

    assert seconds_after_start(job)[:3] == [("Starting", 0.0), ("Pending", 1.0), ("Downloading", 5.0)]


def test_an_interrupted_job_starts_again_and_trains_to_its_end() -> None:
    job, _ = advance(job_with(script(capacity=interrupted_after(4.0, 3.0))), T0 + 100)

    assert seconds_after_start(job)[3:] == [
        ("Interrupted", 6.0),
        ("Starting", 9.0),
        ("Downloading", 10.0),
        ("Training", 11.0),
        ("Uploading", 21.0),
        ("Completed", 22.0),
    ]
    assert training_seconds(job, T0 + 100) == 5 + 12


def test_an_interrupted_job_is_in_progress() -> None:
    job, _ = advance(job_with(script(capacity=interrupted_after(4.0, None))), T0 + 7)

    assert (job.status, job.secondary) == (Status.IN_PROGRESS, Secondary.INTERRUPTED)


def test_a_job_whose_wait_expires_is_stopped_and_not_failed() -> None:
    job, _ = advance(job_with(script(capacity=interrupted_after(4.0, None)), spot(20, 50)), T0 + 100)

    assert seconds_after_start(job)[-2:] == [("Stopping", 50.0), ("MaxWaitTimeExceeded", 51.0)]
    assert job.status is Status.STOPPED
    assert job.failure_reason is None


def test_a_script_can_cut_the_wait_short_after_an_interruption_of_its_choice() -> None:
    twice = ScriptedCapacity(0.0, (Interruption(4.0, 3.0), Interruption(4.0, None)))
    cut_short = replace(script(capacity=twice), wait_expires_after=(None, 2.0))
    job, _ = advance(job_with(cut_short, spot(3600, 3600)), T0 + 100)

    assert seconds_after_start(job)[-3:] == [
        ("Interrupted", 15.0),
        ("Stopping", 17.0),
        ("MaxWaitTimeExceeded", 18.0),
    ]


def test_a_job_that_never_got_capacity_has_no_training_time() -> None:
    job, _ = advance(job_with(script(capacity=ScriptedCapacity(None)), spot(20, 50)), T0 + 100)

    assert names(job) == ["Starting", "Pending", "Stopping", "MaxWaitTimeExceeded"]
    assert job.training_started_at is None
    assert job.training_ended_at is None
    assert training_seconds(job, T0 + 100) is None
    assert billable_seconds(job, T0 + 100) is None


def test_max_wait_includes_both_waiting_and_running() -> None:
    job, _ = advance(job_with(script(train_seconds=80, capacity=ScriptedCapacity(30.0)), spot(50, 50)), T0 + 99)

    assert seconds_after_start(job)[-2] == ("Stopping", 50.0)
    assert names(job)[-1] == "MaxWaitTimeExceeded"


def test_max_runtime_counts_the_time_on_instances_without_the_waits() -> None:
    job, _ = advance(
        job_with(script(train_seconds=80, capacity=interrupted_after(10.0, 40.0)), spot(20, 500)), T0 + 400
    )

    # 11 s before the interruption at 12 s; capacity at 52 s, instances at 53 s: 9 s are left.
    assert seconds_after_start(job)[-2:] == [("Stopping", 62.0), ("MaxRuntimeExceeded", 63.0)]
    assert job.status is Status.STOPPED


def test_a_job_that_is_stopped_ends_as_stopped() -> None:
    job, _ = advance(job_with(script()), T0 + 5, StopRequested())
    assert (job.status, job.secondary) == (Status.STOPPING, Secondary.STOPPING)

    job, _ = advance(job, T0 + 50)
    assert names(job) == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]


def test_a_planned_failure_has_its_failure_reason() -> None:
    failure = Failure("CapacityError: Unable to provision requested ML compute capacity.", Secondary.STARTING, 0.5)
    job, _ = advance(job_with(script(failure=failure)), T0 + 100)

    assert seconds_after_start(job) == [("Starting", 0.0), ("Failed", 0.5)]
    assert job.failure_reason == failure.reason
    assert job.transitions[-1].message == failure.reason
    assert job.training_ended_at is None


def test_without_checkpoints_an_interruption_loses_all_work() -> None:
    job, _ = advance(job_with(script(capacity=interrupted_after(4.0, 3.0))), T0 + 7)

    assert work_done(job, T0 + 7) == 0.0


def test_with_checkpoints_an_interruption_loses_only_the_work_since_the_last_one() -> None:
    job, happenings = advance(job_with(script(capacity=interrupted_after(4.0, 3.0), checkpoint_every=1.5)), T0 + 100)

    written = [(h.number, h.at - T0) for h in happenings if isinstance(h, CheckpointWritten)]
    assert written == [(1, 3.5), (2, 5.0), (3, 12.5), (4, 14.0), (5, 15.5), (6, 17.0)]
    assert dict(seconds_after_start(job))["Completed"] == 19.0  # 7 s of work were left at 11 s


def test_an_interruption_can_be_planned_after_a_number_of_checkpoints() -> None:
    capacity = ScriptedCapacity(0.0, (Interruption(None, None, after_checkpoints=3),))
    job, _ = advance(job_with(script(capacity=capacity, checkpoint_every=2.0)), T0 + 60)

    assert seconds_after_start(job)[-1] == ("Interrupted", 8.0)


def test_on_demand_jobs_are_never_interrupted_and_are_billed_for_all_their_time() -> None:
    terms = Terms(max_runtime=100, spot=False)
    job, _ = advance(job_with(script(capacity=interrupted_after(4.0, None)), terms), T0 + 100)

    assert job.status is Status.COMPLETED
    assert training_seconds(job, T0 + 100) == billable_seconds(job, T0 + 100) == 12


def test_spot_jobs_are_billed_for_the_scripted_share() -> None:
    job, _ = advance(job_with(script()), T0 + 100)

    assert billable_seconds(job, T0 + 100) == round(12 * 0.3)


def test_a_held_phase_ends_when_an_input_says_so() -> None:
    job, _ = advance(job_with(script(held=REAL)), T0 + 50)
    assert job.secondary is Secondary.DOWNLOADING
    job, _ = advance(job, T0 + 50, PhaseDone())
    assert job.secondary is Secondary.TRAINING
    job, _ = advance(job, T0 + 80)
    assert job.secondary is Secondary.TRAINING
    job, _ = advance(job, T0 + 80, TrainingExited())
    assert job.secondary is Secondary.UPLOADING
    job, _ = advance(job, T0 + 90, PhaseDone())
    assert job.secondary is Secondary.COMPLETED


def test_a_held_phase_lasts_at_least_for_its_duration() -> None:
    job, _ = advance(job_with(script(held=REAL)), T0 + 1.25, PhaseDone())
    assert job.secondary is Secondary.DOWNLOADING
    assert next_due(job) == T0 + 2.0


def test_a_job_whose_process_fails_is_failed() -> None:
    job, _ = advance(job_with(script(held=REAL)), T0 + 3, PhaseDone())
    job, _ = advance(job, T0 + 9, TrainingExited("AlgorithmError: exit code: 1"))

    assert (job.status, job.failure_reason) == (Status.FAILED, "AlgorithmError: exit code: 1")


def test_an_interruption_can_follow_the_checkpoints_of_a_real_process() -> None:
    capacity = ScriptedCapacity(0.0, (Interruption(None, 5.0, after_checkpoints=2),))
    job, _ = advance(job_with(script(held=REAL, capacity=capacity)), T0 + 3, PhaseDone())
    job, _ = advance(job, T0 + 4, CheckpointReached())
    assert job.secondary is Secondary.TRAINING
    job, _ = advance(job, T0 + 5, CheckpointReached())
    assert job.secondary is Secondary.INTERRUPTED


def test_a_trace_grants_capacity_and_takes_it_away() -> None:
    capacity = TracedCapacity(((T0 + 10, T0 + 15), (T0 + 30, T0 + 90)))
    job, _ = advance(job_with(script(capacity=capacity)), T0 + 100)

    assert seconds_after_start(job) == [
        ("Starting", 0.0),
        ("Pending", 1.0),
        ("Downloading", 10.0),
        ("Training", 11.0),
        ("Interrupted", 15.0),
        ("Starting", 30.0),
        ("Downloading", 31.0),
        ("Training", 32.0),
        ("Uploading", 42.0),
        ("Completed", 43.0),
    ]


def test_after_the_end_of_a_trace_there_is_no_capacity() -> None:
    capacity = TracedCapacity(((T0, T0 + 5),))
    job, _ = advance(job_with(script(capacity=capacity)), T0 + 20)

    assert job.secondary is Secondary.INTERRUPTED
    assert next_due(job) == T0 + 200  # only MaxWait is left


@pytest.mark.parametrize("happens", [StopRequested(), PhaseDone(), TrainingExited("x"), CheckpointReached()])
def test_nothing_happens_to_a_job_that_has_ended(happens: Input) -> None:
    job, _ = advance(job_with(script()), T0 + 100)

    assert advance(job, T0 + 200, happens) == (job, ())
    assert next_due(job) is None


durations = st.floats(0, 20, allow_nan=False).map(lambda value: round(value, 2))
interruptions = st.builds(
    Interruption,
    after_training_seconds=durations,
    capacity_returns_after=st.none() | durations,
    after_checkpoints=st.none() | st.integers(1, 4),
)
windows = st.lists(durations.filter(bool), min_size=2, max_size=8, unique=True).map(
    lambda moments: tuple(
        (T0 + begins, T0 + ends) for begins, ends in zip(sorted(moments)[::2], sorted(moments)[1::2], strict=False)
    )
)
scripts = st.builds(
    Script,
    starting=durations,
    downloading=durations,
    uploading=durations,
    stopping=durations,
    train_seconds=durations,
    checkpoint_every=st.none() | st.floats(0.5, 5).map(lambda value: round(value, 2)),
    failure=st.none()
    | st.builds(
        Failure, reason=st.just("AlgorithmError: x"), phase=st.sampled_from(Secondary), after_seconds=durations
    ),
    billable_share=st.floats(0.01, 1),
    capacity=st.builds(
        ScriptedCapacity,
        first_after=st.none() | durations,
        interruptions=st.lists(interruptions, max_size=4).map(tuple),
    )
    | st.builds(TracedCapacity, windows=windows),
    held=st.sampled_from([frozenset(), REAL, frozenset({Secondary.DOWNLOADING})]),
)
spot_terms = st.tuples(durations, durations).map(lambda pair: spot(1 + pair[0], 1 + sum(pair)))
terms = spot_terms | durations.map(lambda seconds: Terms(max_runtime=1 + seconds, spot=False))
inputs = (
    st.none()
    | st.just(StopRequested())
    | st.builds(PhaseDone, work=st.none() | durations)
    | st.builds(TrainingExited, failure=st.sampled_from([None, "AlgorithmError: y"]))
    | st.just(CheckpointReached())
)
steps = st.lists(st.tuples(durations, inputs), max_size=25)


@given(script_=scripts, terms_=terms, steps_=steps)
def test_statuses_follow_only_the_documented_transitions(
    script_: Script, terms_: Terms, steps_: list[tuple[float, Input | None]]
) -> None:
    job, now = job_with(script_, terms_), T0
    for passed, happens in steps_:
        now += passed
        job, _ = advance(job, now, happens)
        due = next_due(job)
        assert due is None or due > now

    for before, after in zip(job.transitions, job.transitions[1:], strict=False):
        assert after.status in EDGES[before.status]
        assert before.ended_at == after.started_at >= before.started_at
    assert all(step.status not in EDGES for step in job.transitions[-1:]) == (job.status in ENDED)
    assert job.terms.spot or Secondary.INTERRUPTED not in {step.status for step in job.transitions}


@given(script_=scripts, terms_=terms, steps_=steps)
def test_billable_time_is_at_most_training_time_and_training_time_at_most_the_time_that_passed(
    script_: Script, terms_: Terms, steps_: list[tuple[float, Input | None]]
) -> None:
    job, now = job_with(script_, terms_), T0
    for passed, happens in steps_:
        now += passed
        job, _ = advance(job, now, happens)
        trained, billed = training_seconds(job, now), billable_seconds(job, now)
        if trained is None or billed is None:
            assert trained is billed
            continue
        assert 1 <= billed <= trained <= max(1.0, now - T0 + 0.5)


@given(script_=scripts, terms_=spot_terms, stop_after=st.none() | durations)
def test_a_spot_job_never_outlives_its_max_wait(script_: Script, terms_: Terms, stop_after: float | None) -> None:
    job = job_with(script_, terms_)
    if stop_after is not None:
        job, _ = advance(job, T0 + stop_after, StopRequested())
    assert terms_.max_wait is not None
    expired = T0 + terms_.max_wait
    job, _ = advance(job, expired)
    # A job that is uploading or stopping is not cut off; no other job is left.
    assert job.ended or job.secondary in (Secondary.UPLOADING, Secondary.STOPPING)
    job, _ = advance(job, expired + 100, PhaseDone())
    assert job.ended


@given(script_=scripts, terms_=terms, moments=st.lists(durations, max_size=12))
def test_advancing_in_many_steps_has_the_same_result_as_advancing_at_once(
    script_: Script, terms_: Terms, moments: list[float]
) -> None:
    at_once, happened = advance(job_with(script_, terms_), T0 + 20)
    job = job_with(script_, terms_)
    seen: list[Happening] = []
    for moment in [*sorted(moments), 20.0]:
        job, happenings = advance(job, T0 + moment)
        seen += happenings

    assert job == at_once
    assert tuple(seen) == happened
