"""The policy of a spec: keys, types, bounds and defaults."""

from __future__ import annotations

import math
from typing import Any

import pytest

from spot_relay.domain.run.policy import Backoff, Budgets, Policy
from spot_relay.spec import parse
from tests.unit.spec.documents import RULES, problems_of, wrapped


def test_every_field_of_the_policy_reaches_the_domain() -> None:
    given = {
        "budgets": {
            "expired_waits": 1,
            "capacity_failures": 2,
            "service_errors": 3,
            "user_errors": 4,
            "attempts_without_progress": 5,
            "money_usd": 6.5,
        },
        "backoff": {"base_seconds": 7, "max_seconds": 8},
        "restart_from_scratch": True,
        "relaunch_on_max_runtime": True,
    }
    budgets, backoff = Budgets(1, 2, 3, 4, 5, 6.5), Backoff(7, 8)
    expected = Policy(budgets, backoff, restart_from_scratch=True, relaunch_on_max_runtime=True)
    assert parse(wrapped(given), RULES).policy == expected


@pytest.mark.parametrize("policy", [{}, {"budgets": {}}, {"backoff": {}}])
def test_what_a_policy_leaves_out_has_the_domains_default(policy: dict[str, Any]) -> None:
    assert parse(wrapped(policy), RULES).policy == Policy()


@pytest.mark.parametrize(
    ("policy", "path", "said"),
    [
        ({"budgets": {"expired_waits": -1}}, "policy.budgets.expired_waits", "at least 0"),
        ({"budgets": {"expired_waits": 51}}, "policy.budgets.expired_waits", "at most 50"),
        ({"budgets": {"expired_waits": "3"}}, "policy.budgets.expired_waits", "without quotes"),
        ({"budgets": {"expired_waits": 3.0}}, "policy.budgets.expired_waits", "whole number"),
        ({"budgets": {"expired_waits": True}}, "policy.budgets.expired_waits", "whole number"),
        ({"budgets": {"expired_wait": 3}}, "policy.budgets.expired_wait", 'did you mean "expired_waits"?'),
        ({"budgets": {"zzz": 3}}, "policy.budgets.zzz", "known are expired_waits"),
        ({"budgets": []}, "policy.budgets", "mapping"),
        ({"budgets": {"money_usd": 0}}, "policy.budgets.money_usd", "more than 0"),
        ({"budgets": {"money_usd": -0.01}}, "policy.budgets.money_usd", "more than 0"),
        ({"budgets": {"money_usd": 1e9 + 1}}, "policy.budgets.money_usd", "at most 1000000000"),
        ({"budgets": {"money_usd": "120"}}, "policy.budgets.money_usd", "without quotes"),
        ({"budgets": {"money_usd": True}}, "policy.budgets.money_usd", "without quotes"),
        ({"budgets": {"money_usd": None}}, "policy.budgets.money_usd", "null (nothing)"),
        ({"budgets": {"money_usd": math.inf}}, "policy.budgets.money_usd", "finite"),
        ({"budgets": {"money_usd": math.nan}}, "policy.budgets.money_usd", "finite"),
        ({"backoff": None}, "policy.backoff", "null (nothing)"),
        ({"backoff": {"base_seconds": 0}}, "policy.backoff.base_seconds", "at least 1"),
        ({"backoff": {"max_seconds": 86_401}}, "policy.backoff.max_seconds", "at most 86400"),
        ({"backoff": {"base_seconds": 901}}, "policy.backoff", "at least as large"),
        ({"restart_from_scratch": "yes"}, "policy.restart_from_scratch", "true or false"),
        ({"relaunch_on_max_runtime": 1}, "policy.relaunch_on_max_runtime", "true or false"),
        ({"restart_from_scrach": True}, "policy.restart_from_scrach", 'did you mean "restart_from_scratch"?'),
        ({"Budgets": {}}, "policy.Budgets", 'did you mean "budgets"?'),
        ([], "policy", "mapping"),
        ("default", "policy", "mapping"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(policy: Any, path: str, said: str) -> None:
    found = problems_of(wrapped(policy))
    assert set(found) == {path}
    assert said in found[path]


@pytest.mark.parametrize("money", [0.01, 1, 120, 120.0, 1_000_000_000])
def test_money_is_any_number_above_nothing_up_to_a_billion(money: float) -> None:
    found = parse(wrapped({"budgets": {"money_usd": money}}), RULES).policy.budgets.money_usd
    assert found == money
    assert isinstance(found, float)


def test_a_policy_left_blank_in_yaml_is_refused() -> None:
    assert set(problems_of({**wrapped(), "policy": None})) == {"policy"}
