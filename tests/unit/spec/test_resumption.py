"""The body of a resumption: what it may change, and that it changes nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.spec import InvalidSpecError, read_resumption

LAYER = Path(__file__).parents[3] / "layers" / "spot_relay"


def read(document: Any) -> ResumeRequested:
    """Read a body."""
    return read_resumption(json.dumps(document).encode())


def problems_of(document: Any) -> dict[str, str]:
    """Give what is wrong with a body, by path."""
    with pytest.raises(InvalidSpecError) as caught:
        read(document)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("data", [b"", b" \r\n", b"{}", b'{"budgets": {}}'])
def test_a_body_with_nothing_in_it_changes_nothing(data: bytes) -> None:
    assert read_resumption(data) == ResumeRequested()


def test_only_the_budgets_that_were_given_are_carried() -> None:
    assert read({"budgets": {"expired_waits": 30}}).budgets == {"expired_waits": 30}
    assert read({"budgets": {"expired_waits": 10, "money_usd": 5}}).budgets == {"expired_waits": 10, "money_usd": 5.0}
    assert read({"budgets": {"expired_waits": 30}}).deadline is None


def test_all_of_a_deadline_reaches_the_domain() -> None:
    whole = {"deadline": "P1D", "expected_runtime": "PT2H", "changeover": 0, "return_to_spot": "never"}
    assert read(whole).deadline == DeadlineChange(
        within_seconds=86_400,
        expected_runtime_seconds=7200,
        changeover_seconds=0,
        return_to_spot=ReturnToSpot.NEVER,
    )


@pytest.mark.parametrize(
    ("given_alone", "change"),
    [
        ({"deadline": 60}, DeadlineChange(within_seconds=60)),
        ({"deadline": "2026-12-01T07:00:00+01:00"}, DeadlineChange(at=datetime(2026, 12, 1, 6, tzinfo=UTC))),
        ({"expected_runtime": 60}, DeadlineChange(expected_runtime_seconds=60)),
        ({"changeover": 0}, DeadlineChange(changeover_seconds=0)),
        ({"return_to_spot": "canary"}, DeadlineChange(return_to_spot=ReturnToSpot.CANARY)),
    ],
)
def test_each_part_of_a_deadline_may_be_given_alone(given_alone: dict[str, Any], change: DeadlineChange) -> None:
    assert read(given_alone) == ResumeRequested(deadline=change)


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ([], "", "must be a mapping"),
        ({"budgets": {"expired_waits": 51}}, "budgets.expired_waits", "at most 50"),
        ({"budgets": {"money_usd": 0}}, "budgets.money_usd", "more than 0"),
        ({"budgets": {"money_usd": None}}, "budgets.money_usd", "null (nothing)"),
        ({"budgets": {"expired_wait": 1}}, "budgets.expired_wait", 'did you mean "expired_waits"?'),
        ({"budgets": None}, "budgets", "null (nothing)"),
        ({"budget": {}}, "budget", 'did you mean "budgets"?'),
        ({"deadline": "soon"}, "deadline", "ISO 8601"),
        ({"deadline": "P31D"}, "deadline", "at most 2592000"),
        ({"expected_runtime": 59}, "expected_runtime", "at least 60"),
        ({"changeover": -1}, "changeover", "at least 0"),
        ({"return_to_spot": "sometimes"}, "return_to_spot", "use 'canary', 'blind' or 'never'"),
        ({"ladder": [{"instance_type": "ml.p3.2xlarge"}]}, "ladder", "under another name"),
        ({"relaunch_on_max_runtime": True}, "relaunch_on_max_runtime", "under another name"),
        ({"training_job": {}}, "training_job", "known are deadline"),
    ],
)
def test_a_body_that_cannot_be_followed_is_refused(document: Any, path: str, said: str) -> None:
    found = problems_of(document)
    assert set(found) == {path}
    assert said in found[path]


def test_every_problem_of_a_body_is_found_at_once() -> None:
    body = {"backoff": {}, "budgets": {"user_errors": -1}, "deadline": True, "changeover": "x"}
    assert set(problems_of(body)) == {"backoff", "budgets.user_errors", "deadline", "changeover"}


@pytest.mark.parametrize("data", [b"x", b"\xff", b"[" * 100_000, b'{"deadline": NaN}', b'{"a": 1, "a": 2}', b"null"])
def test_a_body_that_is_no_json_mapping_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidSpecError):
        read_resumption(data)


def test_a_resumption_without_a_body_costs_no_pydantic() -> None:
    program = (
        "import sys; from spot_relay.spec import read_resumption; "
        "read_resumption(b''); print('pydantic' in sys.modules); "
        "read_resumption(b'{}'); print('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(LAYER)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
