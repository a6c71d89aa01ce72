"""The bodies of requests that change an open run: its move, and its deadline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested, MoveRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.sagemaker.job import Market
from spot_relay.spec import InvalidSpecError, read_deadline_change, read_move

if TYPE_CHECKING:
    from collections.abc import Callable


def find_problems(read: Callable[[bytes], object], body: Any) -> dict[str, str]:
    """Return the messages of a body's problems by their paths."""
    with pytest.raises(InvalidSpecError) as caught:
        read(body if isinstance(body, bytes) else json.dumps(body).encode())
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("market", Market)
def test_a_move_names_a_market(market: Market) -> None:
    assert read_move(json.dumps({"market": market}).encode()) == MoveRequested(market)


def test_a_move_to_nowhere_is_refused() -> None:
    found = {
        "nothing": find_problems(read_move, b""),
        "no_market": find_problems(read_move, {}),
        "unknown_market": find_problems(read_move, {"market": "reserved"}),
        "null": find_problems(read_move, {"market": None}),
        "unknown_key": find_problems(read_move, {"markt": "spot"}),
        "instances": find_problems(read_move, {"market": "spot", "instance_type": "ml.g5.xlarge"}),
    }
    assert found == snapshot(
        {
            "nothing": {"market": "This key is required. Add it."},
            "no_market": {"market": "This key is required. Add it."},
            "unknown_market": {"market": "Found \"reserved\". Use 'on-demand' or 'spot'."},
            "null": {"market": "Found null (no value). Write a value, or remove the key."},
            "unknown_key": {"markt": 'Unknown key. Did you mean "market"?'},
            "instances": {"instance_type": "Unknown key. Known keys are market."},
        }
    )


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ({"deadline": "P2D"}, DeadlineChange(within_seconds=172_800)),
        ({"deadline": 60}, DeadlineChange(within_seconds=60)),
        ({"deadline": "2026-12-01T07:00:00+01:00"}, DeadlineChange(at=datetime(2026, 12, 1, 6, tzinfo=UTC))),
        ({"expected_runtime": "PT2H"}, DeadlineChange(expected_runtime_seconds=7200)),
        ({"changeover": 0}, DeadlineChange(changeover_seconds=0)),
        ({"return_to_spot": "never"}, DeadlineChange(return_to_spot=ReturnToSpot.NEVER)),
    ],
)
def test_a_deadline_is_changed_in_what_is_given(body: dict[str, Any], change: DeadlineChange) -> None:
    assert read_deadline_change(json.dumps(body).encode()) == DeadlineRequested(change)


def test_a_deadline_of_null_is_removed() -> None:
    assert read_deadline_change(b'{"deadline": null}') == DeadlineRequested(None)


def test_a_change_that_cannot_be_made_is_refused() -> None:
    found = {
        "nothing": find_problems(read_deadline_change, b" "),
        "no_key": find_problems(read_deadline_change, {}),
        "too_long": find_problems(read_deadline_change, {"deadline": "P31D"}),
        "no_time": find_problems(read_deadline_change, {"deadline": "tomorrow"}),
        "null_beside_others": find_problems(read_deadline_change, {"deadline": None, "changeover": 5}),
        "another_null": find_problems(read_deadline_change, {"changeover": None}),
        "unknown_key": find_problems(read_deadline_change, {"deadlines": "P2D"}),
        "budgets": find_problems(read_deadline_change, {"deadline": "P2D", "budgets": {}}),
    }
    assert found == snapshot(
        {
            "nothing": {"deadline": "This key is required. Write a new deadline, or null to remove it."},
            "no_key": {"deadline": "This key is required. Write a new deadline, or null to remove it."},
            "too_long": {"deadline": 'Found "P31D", but it must be at most 2592000 seconds (P30D).'},
            "no_time": {
                "deadline": 'Found "tomorrow". Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z".'
            },
            "null_beside_others": {
                "changeover": "This key has no effect when the deadline is removed. Remove the key."
            },
            "another_null": {"changeover": "Found null (no value). Write a value, or remove the key."},
            "unknown_key": {"deadlines": 'Unknown key. Did you mean "deadline"?'},
            "budgets": {
                "budgets": "Unknown key. Known keys are deadline, expected_runtime, changeover, return_to_spot."
            },
        }
    )


def test_a_body_that_is_no_json_is_refused() -> None:
    for read in (read_move, read_deadline_change):
        assert find_problems(read, b"[]")
        assert find_problems(read, b"{")
