"""What SageMaker tells of jobs: their names, where they run, and how long they waited."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.job import (
    EVERY_POOL,
    MAX_JOB_NAME,
    Job,
    Market,
    Placement,
    Pool,
    Transition,
    attempt_name,
    canary_name,
    is_short_id,
    parse_attempt_name,
    parse_canary_name,
    short_id_of,
    stands_for,
    training_job_arn,
)
from tests.fakes import NOON

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, Placement("ml.m5.xlarge", 1, Market.SPOT))


RUNS = st.from_regex(re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII), fullmatch=True).map(
    lambda text: text[:MAX_JOB_NAME].rstrip("-")
)
# Most runs of Hypothesis's own have short names.
LONG_RUNS = st.builds(lambda beginning, end: f"{beginning[:40]:x<40}{end}"[:MAX_JOB_NAME].rstrip("-"), RUNS, RUNS)
ANY_RUNS = RUNS | LONG_RUNS
NUMBERS = st.integers(1, 50)
TRAINING_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", re.ASCII)
NAMED = {"relay": (attempt_name, parse_attempt_name), "canary": (canary_name, parse_canary_name)}


@pytest.mark.parametrize("kind", NAMED)
@given(run_id=ANY_RUNS, number=NUMBERS)
def test_a_jobs_name_tells_its_run_its_number_and_its_kind(kind: str, run_id: str, number: int) -> None:
    name_job, parse = NAMED[kind]
    name = name_job(run_id, number)
    assert TRAINING_JOB_NAME.fullmatch(name)
    assert f"-{kind}-" in name, "the template's patterns have to match it"
    for spelt in (name, name.lower()):
        named = parse(spelt)
        assert named is not None
        assert named[1] == number
        assert stands_for(named[0], run_id)
        assert [other for other, (_, reads) in NAMED.items() if reads(spelt)] == [kind]


@pytest.mark.parametrize("kind", NAMED)
@given(run_id=ANY_RUNS, number=NUMBERS)
def test_a_name_is_whole_as_long_as_it_fits_and_else_has_a_short_id(kind: str, run_id: str, number: int) -> None:
    name_job, parse = NAMED[kind]
    named = parse(name_job(run_id, number))
    assert named is not None
    if len(f"{run_id}-{kind}-{number:02d}") <= MAX_JOB_NAME:
        assert named == (run_id, number)
        assert not is_short_id(named[0])
    else:
        assert named == (short_id_of(run_id), number)
        assert is_short_id(named[0])
        assert not TRAINING_JOB_NAME.fullmatch(named[0]), "no run can have this name"


@given(first=ANY_RUNS, second=ANY_RUNS, number=NUMBERS)
def test_two_runs_share_a_jobs_name_only_if_they_differ_only_in_case(first: str, second: str, number: int) -> None:
    for name_job, _ in NAMED.values():
        assert (name_job(first, number).lower() == name_job(second, number).lower()) is (
            first.lower() == second.lower()
        )


@given(run_id=LONG_RUNS, number=NUMBERS)
def test_a_shortened_name_is_never_that_of_a_run_named_like_a_part_of_it(run_id: str, number: int) -> None:
    for name_job, parse in NAMED.values():
        name = name_job(run_id, number)
        for end in range(1, len(name) + 1):
            if name[:end] != run_id and TRAINING_JOB_NAME.fullmatch(name[:end]):
                assert name not in {name_job(name[:end], other) for other in range(1, 51)}
                named = parse(name)
                assert named is not None
                assert not stands_for(named[0], name[:end])


def test_long_names_with_the_same_beginning_have_different_short_names() -> None:
    names = {attempt_name("x" * 58 + f"{number:05d}", 1) for number in range(2000)}
    assert len(names) == 2000
    assert attempt_name("x" * 54, 1) == "x" * 54 + "-relay-01"
    assert attempt_name("x" * 55, 1) == "x" * 40 + "-relay-d5e285683cd4-01"
    assert attempt_name("X" * 55, 1) == "X" * 40 + "-relay-d5e285683cd4-01"
    assert canary_name("x" * 53, 1) == "x" * 53 + "-canary-01"
    assert canary_name("x" * 54, 1).startswith("x" * 40 + "-canary-")
    assert attempt_name("x" * 39 + "-" + "y" * 20, 1) == "x" * 39 + "-relay-c47ede578a03-01", "no two hyphens in a row"


@pytest.mark.parametrize(
    "name",
    ["churn", "churn-relay-1", "churn-relay-001", "-relay-01", "churn-relay-01-hpo", "", "a-relay-80a371e90f3-01"],
)
def test_a_name_of_another_form_is_no_attempts_name(name: str) -> None:
    assert parse_attempt_name(name) is None


@pytest.mark.parametrize("name", ["churn", "churn-canary-1", "churn-canary-001", "-canary-01", "churn-relay-01", ""])
def test_a_name_of_another_form_is_no_canarys_name(name: str) -> None:
    assert parse_canary_name(name) is None


def test_a_run_may_itself_be_named_like_an_attempt() -> None:
    assert parse_attempt_name("a-relay-01-relay-02") == ("a-relay-01", 2)


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


WAITED_TWICE = replace(
    JOB,
    transitions=(
        Transition("Starting", NOON, minute(5)),
        Transition("Downloading", minute(5), minute(6)),
        Transition("Training", minute(6), minute(16)),
        Transition("Interrupted", minute(16), minute(36)),
        Transition("Training", minute(36)),
    ),
)


def test_the_wait_for_capacity_is_the_time_before_training_and_after_each_interruption() -> None:
    assert WAITED_TWICE.seconds_waited(minute(60)) == 25 * 60
    assert WAITED_TWICE.interruptions == 1


def starting(job: Job, *statuses: str) -> Job:
    """A job that went to another status each minute, and is in the last of them."""
    last = len(statuses) - 1
    transitions = (
        Transition(status, minute(n), minute(n + 1) if n < last else None) for n, status in enumerate(statuses)
    )
    return replace(job, secondary_status=statuses[-1], transitions=tuple(transitions))


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        (starting(JOB, "Pending"), 600),
        (starting(JOB, "Starting", "Training", "Interrupted"), 60 + 480),
        (starting(JOB, "Starting", "LaunchingMLInstances", "Training"), 120),
        (replace(starting(JOB, "Pending"), status="Stopped", ended_at=minute(3)), 180),
        (replace(starting(JOB, "Pending"), status="Failed", modified_at=minute(4)), 240),
        # Its clock, and the one of the service, may differ.
        (replace(JOB, transitions=(Transition("Pending", minute(11)),)), 0),
        (replace(JOB, transitions=(Transition("Pending", minute(9.99)),)), 1),
    ],
    ids=["waits", "waits again", "trains", "ended", "ended at its last change", "tomorrow", "rounded"],
)
def test_a_wait_that_lasts_counts_until_now_or_until_the_job_ended(job: Job, seconds: int) -> None:
    assert job.seconds_waited(minute(10)) == seconds


@pytest.mark.parametrize(
    ("job", "since"),
    [
        (JOB, None),
        (replace(JOB, secondary_status="Pending"), NOON),
        (starting(JOB, "Starting", "Pending", "LaunchingMLInstances"), NOON),
        (starting(JOB, "Starting", "Training", "Interrupted", "Pending"), minute(2)),
        (starting(JOB, "Starting", "Training"), None),
        (replace(starting(JOB, "Starting", "Pending"), status="Stopped"), None),
        (replace(starting(JOB, "Starting", "Training"), secondary_status="Pending"), NOON),
    ],
    ids=["trains", "only created", "first", "again", "no longer", "ended", "no transition yet"],
)
def test_a_wait_began_with_the_first_of_the_transitions_that_are_all_waits(job: Job, since: datetime | None) -> None:
    assert job.waiting_since == since


@pytest.mark.parametrize(
    ("job", "never"),
    [
        (starting(JOB, "Starting", "Pending", "LaunchingMLInstances", "Interrupted", "Stopping", "Stopped"), True),
        (starting(JOB, "Pending", "CapacityGone"), True),
        (starting(JOB, "Pending", "Downloading", "CapacityGone"), False),
        (replace(starting(JOB, "Pending", "Stopped"), training_started_at=NOON), False),
        (replace(starting(JOB, "Pending", "Stopped"), training_seconds=1), False),
        (replace(starting(JOB, "Pending", "Stopped"), billable_seconds=1), False),
        (replace(starting(JOB, "Pending", "Stopped"), training_seconds=0, billable_seconds=0), True),
    ],
)
def test_a_job_that_only_waited_and_was_stopped_never_had_instances(job: Job, never: bool) -> None:
    assert job.never_had_instances is never


@pytest.mark.parametrize(
    ("status", "ended"),
    [("Completed", True), ("Failed", True), ("Stopped", True), ("InProgress", False), ("Stopping", False)],
)
def test_a_job_has_ended_once_nothing_more_happens_to_it(status: str, ended: bool) -> None:
    assert replace(JOB, status=status).has_ended is ended


def test_a_placement_and_its_pool_are_told_as_users_read_them() -> None:
    placement = Placement("ml.g5.xlarge", 2, Market.ON_DEMAND, 100)
    assert placement.pool == Pool("ml.g5.xlarge", Market.ON_DEMAND)
    assert (str(placement), str(placement.pool)) == ("2 x ml.g5.xlarge (on-demand)", "ml.g5.xlarge (on-demand)")
    assert str(EVERY_POOL) == "any instance type"


def test_runs_that_wait_for_any_pool_wait_under_a_name_of_its_own() -> None:
    assert (Pool("ml.g5.xlarge", Market.SPOT).key, EVERY_POOL.key) == ("ml.g5.xlarge/spot", "*")


def test_a_job_has_its_arn_in_the_account_and_partition_of_its_role() -> None:
    role = "arn:aws-cn:iam::111122223333:role/service-role/a:b"
    arn = training_job_arn("Churn-relay-01", role, "cn-north-1")
    assert arn == "arn:aws-cn:sagemaker:cn-north-1:111122223333:training-job/churn-relay-01"


LONG = "Churn-" * 10 + "again"


def test_a_jobs_name_may_say_its_run_in_lower_case() -> None:
    whole, short = "Churn", short_id_of(LONG)
    assert short == "Churn-Churn-Churn-Churn-Churn-Churn-Chur~e952fef1f352"
    assert short_id_of(whole) is short_id_of("x" * 53) is None
    assert short_id_of("x" * 54) is not None, "the name of its canary is too long"
    for named, run_id in [(whole, whole), ("churn", whole), (short, LONG), (short.lower(), LONG), (LONG.lower(), LONG)]:
        assert stands_for(named, run_id)
    for named, run_id in [("churn-2", whole), (short[:-1], LONG), (short, LONG + "2"), ("none", whole)]:
        assert not stands_for(named, run_id)
