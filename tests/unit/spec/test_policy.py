"""The policy of a spec: keys, types, bounds and defaults."""

from __future__ import annotations

import math
from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.run.policy import Backoff, Budgets, Policy
from spot_relay.spec import parse_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, wrapped


def test_every_field_of_the_policy_reaches_the_domain() -> None:
    given = {
        "budgets": {
            "expired_waits": 1,
            "capacity_failures": 2,
            "service_errors": 3,
            "user_errors": 4,
            "attempts_without_progress": 5,
            "refusals": 7,
            "money_usd": 6.5,
        },
        "backoff": {"base_seconds": 7, "max_seconds": 8},
        "restart_from_scratch": True,
        "relaunch_on_max_runtime": True,
    }
    budgets, backoff = Budgets(1, 2, 3, 4, 5, 7, 6.5), Backoff(7, 8)
    expected = Policy(budgets, backoff, restart_from_scratch=True, relaunch_on_max_runtime=True)
    assert parse_submission(wrapped(given), ALLOWLIST).policy == expected


@pytest.mark.parametrize("policy", [{}, {"budgets": {}}, {"backoff": {}}])
def test_keys_missing_from_a_policy_get_the_defaults_of_the_domain(policy: dict[str, Any]) -> None:
    assert parse_submission(wrapped(policy), ALLOWLIST).policy == Policy()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            {"budgets": {"expired_waits": -1}},
            snapshot({"policy.budgets.expired_waits": "Found -1, but it must be at least 0."}),
        ),
        (
            {"budgets": {"expired_waits": 51}},
            snapshot({"policy.budgets.expired_waits": "Found 51, but it must be at most 50."}),
        ),
        (
            {"budgets": {"expired_waits": "3"}},
            snapshot(
                {
                    "policy.budgets.expired_waits": 'Expected an integer, but found "3". Write a whole number without quotes.'
                }
            ),
        ),
        (
            {"budgets": {"expired_waits": 3.0}},
            snapshot(
                {
                    "policy.budgets.expired_waits": "Expected an integer, but found 3.0. Write a whole number without quotes."
                }
            ),
        ),
        (
            {"budgets": {"expired_waits": True}},
            snapshot(
                {
                    "policy.budgets.expired_waits": "Expected an integer, but found true. Write a whole number without quotes."
                }
            ),
        ),
        (
            {"budgets": {"expired_wait": 3}},
            snapshot({"policy.budgets.expired_wait": 'Unknown key. Did you mean "expired_waits"?'}),
        ),
        (
            {"budgets": {"zzz": 3}},
            snapshot(
                {
                    "policy.budgets.zzz": "Unknown key. Known keys are expired_waits, capacity_failures, service_errors, user_errors, attempts_without_progress, refusals, money_usd."
                }
            ),
        ),
        (
            {"budgets": []},
            snapshot(
                {
                    "policy.budgets": "Expected a mapping, but found a list of length 0. Write its keys, or remove it to use the defaults."
                }
            ),
        ),
        ({"budgets": {"money_usd": 0}}, snapshot({"policy.budgets.money_usd": "Found 0, but it must be more than 0."})),
        (
            {"budgets": {"money_usd": -0.01}},
            snapshot({"policy.budgets.money_usd": "Found -0.01, but it must be more than 0."}),
        ),
        (
            {"budgets": {"money_usd": 1e9 + 1}},
            snapshot({"policy.budgets.money_usd": "Found 1000000001.0, but it must be at most 1000000000."}),
        ),
        (
            {"budgets": {"money_usd": "120"}},
            snapshot({"policy.budgets.money_usd": 'Expected a number, but found "120". Write it without quotes.'}),
        ),
        (
            {"budgets": {"money_usd": True}},
            snapshot({"policy.budgets.money_usd": "Expected a number, but found true. Write it without quotes."}),
        ),
        (
            {"budgets": {"money_usd": None}},
            snapshot({"policy.budgets.money_usd": "Found null (no value). Write a value, or remove the key."}),
        ),
        (
            {"budgets": {"money_usd": math.inf}},
            snapshot(
                {"policy.budgets.money_usd": "Expected a finite number, but found inf. Write one, or remove the key."}
            ),
        ),
        (
            {"budgets": {"money_usd": math.nan}},
            snapshot(
                {"policy.budgets.money_usd": "Expected a finite number, but found nan. Write one, or remove the key."}
            ),
        ),
        (
            {"checkpoints": {}},
            snapshot({"policy.checkpoints.pattern": "This key is required. Add it."}),
        ),
        (
            {"checkpoints": "checkpoint-*"},
            snapshot(
                {
                    "policy.checkpoints": 'Expected a mapping, but found "checkpoint-*". Write its keys, or remove it to use the defaults.'
                }
            ),
        ),
        (
            {"checkpoints": {"pattern": ""}},
            snapshot({"policy.checkpoints.pattern": 'Found "". String should have at least 1 character.'}),
        ),
        (
            {"checkpoints": {"pattern": "a" * 257}},
            snapshot(
                {
                    "policy.checkpoints.pattern": 'Found "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…". String should have at most 256 characters.'
                }
            ),
        ),
        (
            {"checkpoints": {"pattern": "checkpoint-*/"}},
            snapshot(
                {
                    "policy.checkpoints.pattern": "It matches no object, because it ends in /. For all objects in the folder, write checkpoint-*/**."
                }
            ),
        ),
        (
            {"checkpoints": {"pattern": "**.pt"}},
            snapshot(
                {
                    "policy.checkpoints.pattern": "It contains ** next to other characters. Write ** between slashes, for any number of folders, or *."
                }
            ),
        ),
        (
            {"checkpoints": {"pattern": "a", "glob": "b"}},
            snapshot({"policy.checkpoints.glob": "Unknown key. Known keys are pattern."}),
        ),
        ({"backoff": None}, snapshot({"policy.backoff": "Found null (no value). Write a value, or remove the key."})),
        (
            {"backoff": {"base_seconds": 0}},
            snapshot({"policy.backoff.base_seconds": "Found 0, but it must be at least 1."}),
        ),
        (
            {"backoff": {"max_seconds": 86_401}},
            snapshot({"policy.backoff.max_seconds": "Found 86401, but it must be at most 86400."}),
        ),
        (
            {"backoff": {"base_seconds": 901}},
            snapshot(
                {
                    "policy.backoff": "max_seconds (900) is less than base_seconds (901). Make max_seconds at least as large."
                }
            ),
        ),
        (
            {"restart_from_scratch": "yes"},
            snapshot(
                {
                    "policy.restart_from_scratch": 'Expected a boolean, but found "yes". Write true or false without quotes.'
                }
            ),
        ),
        (
            {"relaunch_on_max_runtime": 1},
            snapshot(
                {
                    "policy.relaunch_on_max_runtime": "Expected a boolean, but found 1. Write true or false without quotes."
                }
            ),
        ),
        (
            {"restart_from_scrach": True},
            snapshot({"policy.restart_from_scrach": 'Unknown key. Did you mean "restart_from_scratch"?'}),
        ),
        ({"Budgets": {}}, snapshot({"policy.Budgets": 'Unknown key. Did you mean "budgets"?'})),
        (
            [],
            snapshot(
                {
                    "policy": "Expected a mapping, but found a list of length 0. Write its keys, or remove it to use the defaults."
                }
            ),
        ),
        (
            "default",
            snapshot(
                {"policy": 'Expected a mapping, but found "default". Write its keys, or remove it to use the defaults.'}
            ),
        ),
    ],
)
def test_an_invalid_policy_is_refused(policy: Any, expected: dict[str, str]) -> None:
    assert find_problems(wrapped(policy)) == expected


@pytest.mark.parametrize("money", [0.01, 1, 120, 120.0, 1_000_000_000])
def test_a_money_budget_is_any_number_above_zero_up_to_a_billion(money: float) -> None:
    found = parse_submission(wrapped({"budgets": {"money_usd": money}}), ALLOWLIST).policy.budgets.money_usd
    assert found == money
    assert isinstance(found, float)


def test_a_policy_left_blank_in_yaml_is_refused() -> None:
    assert set(find_problems({**wrapped(), "policy": None})) == {"policy"}
