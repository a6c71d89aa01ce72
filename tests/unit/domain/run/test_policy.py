"""The parts of a policy."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.policy import Backoff, Budget, Budgets, Spent


@given(st.integers(0, 60), st.floats(0, 0.999))
def test_a_backoff_is_never_negative_and_never_above_its_bound(failures: int, draw: float) -> None:
    assert 0 <= Backoff(30, 900).seconds(failures, draw) < 900


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
