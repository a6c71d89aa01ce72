"""Hypothesis strategies of runs in any state, likely or not, and of all that can reach them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, CopyPaused, Uncopied
from spot_relay.domain.run.hosting import (
    Deployment,
    Endpoint,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    Made,
    NoEndpoint,
    OnSuccess,
    Unmade,
)
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    CheckpointsCopied,
    DataArrived,
    DeadlineChange,
    DeadlineRequested,
    Due,
    EndpointChanged,
    FollowersTold,
    HostingAnswered,
    JobChanged,
    Launched,
    MoveRequested,
    Overgrown,
    Overtaken,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRequested,
)
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, ReturnToSpot, Rung, Spent
from spot_relay.domain.run.run import ENDED_RUNS, ProgressPoint, Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition, attempt_name
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.worlds import TRAINING_JOB

PLACEMENTS = [Placement(kind, 1, market) for kind in ("ml.m5.xlarge", "ml.g5.xlarge") for market in Market]
placements = st.sampled_from(PLACEMENTS)
moments = st.integers(-100_000, 100_000).map(lambda seconds: NOON + timedelta(seconds=seconds))
maybe_moments = st.none() | moments
small = st.integers(0, 3)
RUNGS = 2
texts = st.sampled_from(["CapacityError: x", "InternalServerError: x", "AlgorithmError: x", "odd", ""])
statuses = st.sampled_from(["InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting", "Unheard"])
secondaries = st.sampled_from(
    ["Starting", "Training", "Interrupted", "Stopped", "MaxWaitTimeExceeded", "MaxRuntimeExceeded", "Unheard"]
)
checkpoints = st.none() | st.builds(Checkpoint, st.just("churn/checkpoints/a"), moments)
transitions = st.lists(st.builds(Transition, secondaries, moments, maybe_moments), max_size=3).map(tuple)
jobs = st.builds(
    Job,
    st.just("churn-relay-01"),
    st.just("arn"),
    statuses,
    secondaries,
    moments,
    moments,
    placements,
    st.none() | texts,
    maybe_moments,
    maybe_moments,
    st.none() | st.integers(0, 1000),
    st.none() | st.integers(0, 1000),
    transitions,
)
hosting_answers = st.one_of(
    st.just(Made("arn:made")),
    st.just(NoEndpoint()),
    st.builds(Unmade, texts, st.booleans(), st.booleans()),
    st.builds(
        Endpoint,
        st.just("arn:endpoint"),
        st.sampled_from(["Creating", "InService", "Updating", "RollingBack", "Failed", "OutOfService", "Unheard"]),
        st.sampled_from(["churn-relay-01", "another", "yet-another"]),
        moments,
        st.none() | st.sampled_from(["churn-relay-01", "another"]),
        st.none() | texts,
        st.booleans(),
    ),
)
hosting_tasks = st.builds(
    HostingTask,
    st.just(HostingKind.DEPLOY),
    st.sampled_from(HostingStep).filter(lambda step: step is not HostingStep.MODEL_PACKAGE),
    st.sampled_from(HostingStatus),
    st.just("any"),
    moments,
    moments,
    maybe_moments,
    st.integers(0, 25),
    replaces=st.none() | st.just("another"),
    replaces_since=maybe_moments,
    # One that is settled is never looked at again.
).map(lambda task: task if task.is_open else replace(task, check_at=None))
ON_SUCCESS = OnSuccess(deploy=Deployment("live", "an-image", "a-role", instance_type="ml.m5.large"))
starts = st.just(Start()) | st.builds(
    Start, maybe_moments, template=st.just("templates/churn.yaml"), at_most=st.none() | st.integers(1, 3)
)
COPY = CheckpointCopy("s3://models/prep/")
copy_answers = st.one_of(
    st.builds(Copied, st.builds(Checkpoint, texts, moments)),
    st.builds(CopyPaused, small, texts, st.none() | st.just("upload")),
    st.builds(Uncopied, texts, st.booleans()),
)
observations = st.one_of(
    st.builds(JobChanged, st.integers(0, 4), statuses, secondaries, moments),
    st.builds(Launched, st.integers(0, 4), st.just("arn")),
    st.builds(Refused, st.integers(0, 4), st.sampled_from(Refusal), texts),
    st.builds(CanaryChanged, st.integers(0, 4), secondaries),
    st.builds(CanaryCreated, st.integers(0, 4)),
    st.builds(CanaryRefused, st.integers(0, 4), st.sampled_from(Refusal), texts),
    st.just(RoomFreed()),
    st.builds(DataArrived, moments),
    st.builds(FollowersTold, st.sampled_from(["", "2026-11-23T12:00:00.000000Z#churn"])),
    st.builds(CheckpointsCopied, st.just(COPY), copy_answers),
    st.just(EndpointChanged()),
    st.builds(HostingAnswered, st.sampled_from(HostingKind), st.sampled_from(HostingStep), hosting_answers),
    st.just(Due()),
    st.just(StopRequested()),
    st.builds(
        ResumeRequested,
        st.sampled_from([{}, {"expired_waits": 3}]),
        st.none() | st.builds(DeadlineChange, maybe_moments, expected_runtime_seconds=st.none() | st.just(90)),
    ),
    st.builds(MoveRequested, st.sampled_from(Market)),
    st.builds(
        DeadlineRequested,
        st.none() | st.builds(DeadlineChange, maybe_moments, expected_runtime_seconds=st.none() | st.just(90)),
    ),
    st.just(Overtaken()),
    st.just(Overgrown()),
)


@st.composite
def attempts(draw: st.DrawFn, *, run_has_ended: bool) -> tuple[Attempt, ...]:
    """One to three attempts, of which only the last may be open, and that only in an open run."""
    amount = draw(st.integers(1, 3))
    open_ones = [AttemptStatus.ENDED] if run_has_ended else list(AttemptStatus)
    made = []
    for number in range(1, amount + 1):
        status = draw(st.sampled_from(open_ones)) if number == amount else AttemptStatus.ENDED
        made.append(
            Attempt(
                number,
                attempt_name("churn", number),
                draw(placements),
                draw(moments),
                draw(st.sampled_from(Cause)),
                status,
                draw(checkpoints),
                draw(small),
                draw(maybe_moments),
                heard_at=draw(maybe_moments),
                interruptions=draw(small),
                outcome=draw(st.sampled_from(Outcome)) if status is AttemptStatus.ENDED else None,
                ended_at=draw(maybe_moments),
                training_seconds=draw(st.none() | small),
                checkpoint=draw(checkpoints),
                rung=draw(st.integers(0, RUNGS - 1)),
                waits_for_room=draw(st.booleans()),
                switch_to=draw(st.none() | st.sampled_from(Market)),
                waiting_since=draw(maybe_moments),
                counted_until=draw(maybe_moments),
                transitions=draw(transitions),
            )
        )
    return tuple(made)


canaries = st.builds(
    Canary,
    st.integers(1, 3),
    st.just("churn-canary-01"),
    placements,
    moments,
    st.integers(0, 100_000),
    st.sampled_from(CanaryStatus),
    refusal=st.none() | st.sampled_from(Refusal),
)
deadlines = st.builds(
    Deadline,
    st.integers(60, 50_000),
    within_seconds=st.integers(1, 100_000),
    changeover_seconds=st.integers(0, 2000),
    return_to_spot=st.sampled_from(ReturnToSpot),
)

# Each has more training than the one before it.
_points = st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9000)), max_size=5).map(
    lambda pairs: tuple(map(ProgressPoint, sorted(one for one, _ in pairs), sorted({other for _, other in pairs})))
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run in any state, likely or not."""
    job: dict[str, Any] = dict(TRAINING_JOB)
    if draw(st.booleans()):
        del job["CheckpointConfig"]
    budgets = Budgets(*(draw(small) for _ in range(5)))
    spent = Spent(**{f.name: draw(st.integers(0, getattr(budgets, f.name))) for f in fields(Spent)})
    status = draw(st.sampled_from(RunStatus))
    ladder = tuple(Rung(draw(placements), draw(st.integers(1, 3))) for _ in range(RUNGS))
    deadline = draw(st.none() | deadlines)
    tried = draw(attempts(run_has_ended=status in ENDED_RUNS))
    start = draw(starts)
    is_new = len(tried) == 1 and tried[0].status is AttemptStatus.PLANNED
    return Run(
        id="churn",
        submission_id="one",
        fingerprint="f",
        training_job=job,
        policy=Policy(budgets, Backoff(), draw(st.booleans()), draw(st.booleans()), ladder, deadline),
        created_at=draw(moments),
        updated_at=draw(moments),
        status=status,
        reason="",
        attempts=tried,
        start=start,
        waits_to_begin=bool(start) and is_new and draw(st.booleans()),
        check_at=None if status in ENDED_RUNS else draw(moments),
        stop_requested=draw(st.booleans()),
        spent=spent,
        ended_at=draw(moments) if status in ENDED_RUNS else None,
        deadline_at=draw(moments) if deadline else None,
        progress_seconds=draw(st.floats(0, 60_000)),
        progress_points=draw(_points),
        changeovers=tuple(draw(st.lists(st.integers(0, 5000), max_size=3))),
        closed=tuple(draw(st.lists(placements, max_size=4))),
        canaries=tuple(draw(st.lists(canaries, max_size=1))),
        moved_to=draw(st.none() | st.sampled_from(Market)),
        on_success=draw(st.sampled_from([OnSuccess(), ON_SUCCESS])),
        hosting=tuple(draw(st.lists(hosting_tasks, max_size=1))) if status is RunStatus.COMPLETED else (),
    )


described = st.none() | st.just(Absent()) | jobs
facts = st.builds(Facts, observations, described, checkpoints, described, st.floats(0, 0.999), has_place=st.booleans())
