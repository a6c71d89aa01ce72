"""The parts of a policy."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.policy import Backoff, Budget, Budgets, Deadline, Spent
from tests.fakes import NOON


@given(st.integers(0, 60), st.floats(0, 0.999))
def test_a_backoff_is_never_negative_and_never_above_its_bound(failures: int, draw: float) -> None:
    assert 0 <= Backoff(30, 900).seconds(failures, draw) < 900


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 30), (1, 30), (2, 60), (3, 120), (5, 480), (6, 900), (21, 900), (50, 900)],
)
def test_a_backoff_doubles_with_each_failure_up_to_its_bound(failures: int, seconds: int) -> None:
    assert Backoff(30, 900).seconds(failures, 0.5) == seconds / 2
    assert Backoff(30, 900).seconds(failures, 0) == 0


def test_a_backoff_without_a_near_bound_doubles_twenty_times() -> None:
    assert [Backoff(1, 2**30).seconds(failures, 1) for failures in (20, 21, 22, 90)] == [2**19, 2**20, 2**20, 2**20]


@pytest.mark.parametrize(
    ("wanted", "instant"),
    [
        (Deadline(60, at=NOON - timedelta(days=1)), NOON - timedelta(days=1)),
        (Deadline(60, within_seconds=90), NOON + timedelta(seconds=90)),
        (Deadline(60, within_seconds=0), NOON),
    ],
)
def test_a_deadline_is_an_instant_or_counts_from_the_submission(wanted: Deadline, instant: datetime) -> None:
    assert wanted.instant(NOON) == instant


@pytest.mark.parametrize("budget", Budget)
def test_each_budget_has_its_own_limit(budget: Budget) -> None:
    none = Budgets(**dict.fromkeys(Budget, 0))
    assert {other: replace(none, **{budget: 7}).count(other) for other in Budget} == {
        other: 7 if other is budget else 0 for other in Budget
    }


@pytest.mark.parametrize("budget", Budget)
def test_a_relaunch_draws_on_its_own_budget(budget: Budget) -> None:
    spent = Spent(1, 2, 3, 4, 5)
    drawn = spent.draw(budget)
    assert {other: drawn.count(other) - spent.count(other) for other in Budget} == {
        other: int(other is budget) for other in Budget
    }
    assert spent == Spent(1, 2, 3, 4, 5)


def test_the_budgets_are_the_fields_of_a_spec_and_of_the_status_document() -> None:
    assert set(Budget) == asdict(Spent()).keys() == asdict(Budgets()).keys() - {"money_usd"}
