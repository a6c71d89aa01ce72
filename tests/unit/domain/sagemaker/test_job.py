"""What SageMaker tells of jobs: their names, where they run, and how long they waited."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.job import (
    MAX_JOB_NAME,
    Job,
    Market,
    Placement,
    Transition,
    attempt_name,
    canary_name,
    is_short_id,
    parse_attempt_name,
    parse_canary_name,
    short_id_of,
    stands_for,
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


def test_the_wait_for_capacity_is_the_time_before_training_and_after_each_interruption() -> None:
    def after(minutes: int) -> timedelta:
        return timedelta(minutes=minutes)

    phases = (
        Transition("Starting", NOON, NOON + after(5)),
        Transition("Downloading", NOON + after(5), NOON + after(6)),
        Transition("Training", NOON + after(6), NOON + after(16)),
        Transition("Interrupted", NOON + after(16), NOON + after(36)),
        Transition("Training", NOON + after(36)),
    )
    job = replace(JOB, transitions=phases)
    assert job.seconds_waited(NOON + after(60)) == 25 * 60
    assert job.interruptions == 1
