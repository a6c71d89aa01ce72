"""The body of a resumption: what it can change, and that it changes nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.spec import InvalidSpecError, read_resumption

LAYER = Path(__file__).parents[3] / "layers" / "spot_relay"


def read(document: Any) -> ResumeRequested:
    """Read the body ``document`` as JSON."""
    return read_resumption(json.dumps(document).encode())


def find_problems(document: Any) -> dict[str, str]:
    """Return the messages of a body's problems by their paths."""
    with pytest.raises(InvalidSpecError) as caught:
        read(document)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("data", [b"", b" \r\n", b"{}", b'{"budgets": {}}'])
def test_an_empty_body_changes_nothing(data: bytes) -> None:
    assert read_resumption(data) == ResumeRequested()


def test_only_the_given_budgets_are_changed() -> None:
    assert read({"budgets": {"expired_waits": 30}}).budgets == {"expired_waits": 30}
    assert read({"budgets": {"expired_waits": 10, "money_usd": 5}}).budgets == {"expired_waits": 10, "money_usd": 5.0}
    assert read({"budgets": {"expired_waits": 30}}).deadline is None


def test_every_field_of_the_deadline_reaches_the_domain() -> None:
    whole = {"deadline": "P1D", "expected_runtime": "PT2H", "changeover": 0, "return_to_spot": "never"}
    assert read(whole).deadline == DeadlineChange(
        within_seconds=86_400,
        expected_runtime_seconds=7200,
        changeover_seconds=0,
        return_to_spot=ReturnToSpot.NEVER,
    )


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ({"deadline": 60}, DeadlineChange(within_seconds=60)),
        ({"deadline": "2026-12-01T07:00:00+01:00"}, DeadlineChange(at=datetime(2026, 12, 1, 6, tzinfo=UTC))),
        ({"expected_runtime": 60}, DeadlineChange(expected_runtime_seconds=60)),
        ({"changeover": 0}, DeadlineChange(changeover_seconds=0)),
        ({"return_to_spot": "canary"}, DeadlineChange(return_to_spot=ReturnToSpot.CANARY)),
    ],
)
def test_each_part_of_a_deadline_may_be_changed_on_its_own(body: dict[str, Any], change: DeadlineChange) -> None:
    assert read(body) == ResumeRequested(deadline=change)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            [],
            snapshot(
                {"": "The spec must be a mapping of keys to values at the top level, but it is a list of length 0."}
            ),
        ),
        (
            {"budgets": {"expired_waits": 51}},
            snapshot({"budgets.expired_waits": "Found 51, but it must be at most 50."}),
        ),
        ({"budgets": {"money_usd": 0}}, snapshot({"budgets.money_usd": "Found 0, but it must be more than 0."})),
        (
            {"budgets": {"money_usd": None}},
            snapshot({"budgets.money_usd": "Found null (no value). Write a value, or remove the key."}),
        ),
        (
            {"budgets": {"expired_wait": 1}},
            snapshot({"budgets.expired_wait": 'Unknown key. Did you mean "expired_waits"?'}),
        ),
        ({"budgets": None}, snapshot({"budgets": "Found null (no value). Write a value, or remove the key."})),
        ({"budget": {}}, snapshot({"budget": 'Unknown key. Did you mean "budgets"?'})),
        (
            {"deadline": "soon"},
            snapshot(
                {
                    "deadline": 'Found "soon". Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z".'
                }
            ),
        ),
        ({"deadline": "P31D"}, snapshot({"deadline": 'Found "P31D", but it must be at most 2592000 seconds (P30D).'})),
        ({"expected_runtime": 59}, snapshot({"expected_runtime": "Found 59, but it must be at least 60 seconds."})),
        ({"changeover": -1}, snapshot({"changeover": "Found -1, but it must be at least 0 seconds."})),
        (
            {"return_to_spot": "sometimes"},
            snapshot({"return_to_spot": "Found \"sometimes\". Use 'canary', 'blind' or 'never'."}),
        ),
        (
            {"ladder": [{"instance_type": "ml.p3.2xlarge"}]},
            snapshot(
                {"ladder": "A resumption cannot change this. Remove the key, or submit the spec under another name."}
            ),
        ),
        (
            {"relaunch_on_max_runtime": True},
            snapshot(
                {
                    "relaunch_on_max_runtime": "A resumption cannot change this. Remove the key, or submit the spec under another name."
                }
            ),
        ),
        (
            {"training_job": {}},
            snapshot(
                {
                    "training_job": "Unknown key. Known keys are deadline, expected_runtime, changeover, return_to_spot, budgets."
                }
            ),
        ),
    ],
)
def test_an_invalid_body_is_refused(document: Any, expected: dict[str, str]) -> None:
    assert find_problems(document) == expected


def test_all_problems_of_a_body_are_reported_at_once() -> None:
    body = {"backoff": {}, "budgets": {"user_errors": -1}, "deadline": True, "changeover": "x"}
    assert set(find_problems(body)) == {"backoff", "budgets.user_errors", "deadline", "changeover"}


@pytest.mark.parametrize("data", [b"x", b"\xff", b"[" * 100_000, b'{"deadline": NaN}', b'{"a": 1, "a": 2}', b"null"])
def test_a_body_that_is_not_a_json_mapping_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidSpecError):
        read_resumption(data)


def test_a_resumption_without_a_body_does_not_import_pydantic() -> None:
    program = (
        "import sys; from spot_relay.spec import read_resumption; "
        "read_resumption(b''); print('pydantic' in sys.modules); "
        "read_resumption(b'{}'); print('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(LAYER)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
