"""The stack's own limits: reading the list of instance types, and looking one up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.rules.limits import (
    MAX_LIMIT,
    InvalidLimitsError,
    Limits,
    needs_no_place,
    needs_no_slot,
    refuse_slot,
)
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.values import No
from tests.unit.worlds import World, submission


@pytest.mark.parametrize(
    ("text", "by_type"),
    [
        ("", {}),
        (" , ", {}),
        ("*=1", {"*": 1}),
        ("ml.p3.2xlarge=4,*=20", {"ml.p3.2xlarge": 4, "*": 20}),
        (" ml.p6-b200.48xlarge=999 , ml.trn1n.32xlarge=007,", {"ml.p6-b200.48xlarge": 999, "ml.trn1n.32xlarge": 7}),
    ],
)
def test_a_list_of_limits_is_read(text: str, by_type: dict[str, int]) -> None:
    assert Limits.parse(text) == Limits(by_type)


def test_the_limit_of_an_instance_type_takes_precedence_over_the_limit_of_all_others() -> None:
    limits = Limits.parse("*=20,ml.p3.2xlarge=4")
    assert limits.of("ml.p3.2xlarge") == 4
    assert limits.of("ml.p3.8xlarge") == 20


def test_an_instance_type_that_is_not_listed_has_no_limit() -> None:
    assert Limits.parse("ml.p3.2xlarge=4").of("ml.p3.8xlarge") is None
    assert Limits().of("ml.p3.2xlarge") is None


@pytest.mark.parametrize(
    "part",
    [
        *("ml.p3.2xlarge", "ml.p3.2xlarge=", "=4", "p3.2xlarge=4", "ml.p3=4", "ml.*=4", "ml.P3.2xlarge=4"),
        *("*=-1", "*=1.5", "*=1e3", "* = 4", "*=\N{ARABIC-INDIC DIGIT FIVE}", "ml.p3.2xlarge=4;*=20", "x" * 1000),
    ],
)
def test_an_invalid_part_is_quoted_with_an_example_of_a_valid_one(part: str) -> None:
    with pytest.raises(InvalidLimitsError) as raised:
        Limits.parse(f"ml.m5.xlarge=3,{part}")
    assert str(raised.value) == (
        f"{part[:60]!r} is not a limit. Write an instance type, = and a number, such as ml.p3.2xlarge=4, or *=20 for "
        "all other types."
    )


@pytest.mark.parametrize("number", ["0", "000", "1000", "9" * 5000])
def test_a_number_out_of_bounds_is_refused_with_the_bounds(number: str) -> None:
    with pytest.raises(InvalidLimitsError) as raised:
        Limits.parse(f"*={number}")
    assert str(raised.value) == f"The limit of * is {number[:60]}, but it must be a whole number from 1 to {MAX_LIMIT}."


def test_an_instance_type_that_is_limited_twice_is_refused() -> None:
    with pytest.raises(InvalidLimitsError) as raised:
        Limits.parse("ml.p3.2xlarge=4,*=20,ml.p3.2xlarge=5")
    assert str(raised.value) == "ml.p3.2xlarge is limited twice, to 4 and to 5. Remove one of the two."


@given(text=st.text() | st.lists(st.sampled_from(["*=1", "ml.m5.large=2", "=", "*", ","])).map(",".join))
def test_any_text_yields_limits_or_an_invalid_limits_error(text: str) -> None:
    try:
        limits = Limits.parse(text)
    except InvalidLimitsError:
        return
    assert all(1 <= number <= MAX_LIMIT for number in limits.by_type.values())


def test_a_job_needs_its_slot_until_it_is_known_to_have_ended() -> None:
    world = World()
    world.service.submit(submission())

    def over(job_name: str) -> bool:
        return needs_no_slot(job_name, world.store.load)

    assert not over("churn-relay-01")
    assert over("churn-relay-02"), "an attempt that never existed"
    assert over("nobody-relay-01"), "an attempt of a run that has expired"
    assert over("churn-canary-01"), "not an attempt"
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert over("churn-relay-01"), "an attempt that has ended"
    assert not over("churn-relay-02")
    world.tell(2, "Completed", "Completed")
    assert over("churn-relay-02"), "an attempt of a run that has ended"


def test_a_job_of_a_run_that_has_ended_needs_no_slot_even_if_its_launch_was_never_confirmed() -> None:
    world = World()
    run = world.service.submit(submission())
    lost = replace(run, status=RunStatus.STOPPED)
    assert needs_no_slot("churn-relay-01", lambda _: lost)


def test_a_run_needs_its_place_among_those_of_its_template_until_it_has_ended_or_expired() -> None:
    world = World()
    world.service.submit(submission())
    assert not needs_no_place("churn", world.store.load)
    assert needs_no_place("nobody", world.store.load)
    world.tell(1, "Completed", "Completed")
    assert needs_no_place("churn", world.store.load)


def test_an_attempt_that_gets_no_slot_is_told_the_limit() -> None:
    assert refuse_slot("ml.p3.2xlarge", 4) == No(
        "This stack allows no more concurrent attempts on ml.p3.2xlarge (limit: 4)."
    )
