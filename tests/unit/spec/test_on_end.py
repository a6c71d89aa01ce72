"""A spec may name the task of Step Functions that waits for its run, if the stack may answer it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.spec import parse_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, request, wrapped

TOKEN = "AQCEAAAAKgAAAAMAAAAA-very-secret"


def waiting(on_end: Any) -> dict[str, Any]:
    """Return a spec with an ``on_end``."""
    return {**wrapped(), "on_end": on_end}


def test_a_task_waits_for_the_run_and_does_not_make_another_run_of_it() -> None:
    submission = parse_submission(waiting({"task_token": TOKEN}), ALLOWLIST)
    assert submission.task_token == TOKEN
    assert submission.fingerprint == parse_submission(wrapped(), ALLOWLIST).fingerprint


@pytest.mark.parametrize(
    ("on_end", "problems"),
    [
        (
            TOKEN,
            snapshot(
                {"on_end": "Expected a mapping with task_token, but found a string. Write one, or remove the key."}
            ),
        ),
        (
            None,
            snapshot(
                {
                    "on_end": "Expected a mapping with task_token, but found null (no value). Write one, or remove the key."
                }
            ),
        ),
        ({}, snapshot({"on_end.task_token": "This key is required. Add it, or remove on_end."})),
        (
            {"task_token": ""},
            snapshot(
                {
                    "on_end.task_token": 'Expected the token of a task, but found an empty string. In a state machine, use "$$.Task.Token".'
                }
            ),
        ),
        (
            {"task_token": 7},
            snapshot(
                {
                    "on_end.task_token": 'Expected the token of a task, but found an integer. In a state machine, use "$$.Task.Token".'
                }
            ),
        ),
        (
            {"task_token": "x" * 2049},
            snapshot({"on_end.task_token": "Found 2049 characters, but a token has at most 2048."}),
        ),
        (
            {"task_token": TOKEN, "url": "https://example.com"},
            snapshot({"on_end.url": "Unknown key. The only known key is task_token."}),
        ),
    ],
)
def test_what_is_no_token_is_refused(on_end: Any, problems: dict[str, str]) -> None:
    assert find_problems(waiting(on_end)) == problems


def test_a_stack_that_may_not_answer_tasks_refuses_them() -> None:
    found = find_problems(waiting({"task_token": TOKEN}), replace(ALLOWLIST, task_token_state_machines=()))
    assert found == snapshot(
        {
            "on_end": "This stack may not answer tasks of Step Functions. Ask its operator to set the parameter TaskTokenStateMachineArns, or remove on_end."
        }
    )


def test_a_bare_request_has_no_place_for_a_token() -> None:
    found = find_problems(request(on_end={"task_token": TOKEN}))
    assert found == snapshot(
        {
            "on_end": "A CreateTrainingJob request has no on_end. To add one, move the request to training_job, and put name and on_end next to it."
        }
    )
    assert TOKEN not in str(found)
