"""The keys of a spec that say what its run waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.spec import parse_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, request, wrapped


def given(**keys: Any) -> dict[str, Any]:
    return {**wrapped(), "name": "train", **keys}


def start_of(**keys: Any) -> Start:
    return parse_submission(given(**keys), ALLOWLIST).start


@pytest.mark.parametrize(
    ("keys", "start"),
    [
        ({}, Start()),
        ({"after": "prep"}, Start(after=("prep",))),
        ({"after": ["prep", "labels", "prep"]}, Start(after=("prep", "labels"))),
        (
            {"after": {"runs": ["prep"], "on_failure": "wait", "known_within": "P1D"}},
            Start(after=("prep",), on_failure=OnFailure.WAIT, known_within_seconds=86_400),
        ),
        ({"after": ["prep", "Prep"]}, Start(after=("prep",))),
        ({"continue_from": "prep"}, Start(after=("prep",), continue_from="prep")),
        ({"after": "prep", "continue_from": "Prep"}, Start(after=("prep",), continue_from="Prep")),
        (
            {"after": ["prep", "labels"], "continue_from": {"run": "labels", "channel": "warm"}},
            Start(after=("prep", "labels"), continue_from="labels", channel="warm"),
        ),
        ({"start_at": "2026-12-01T06:00:00+02:00"}, Start(at=datetime(2026, 12, 1, 4, tzinfo=UTC))),
    ],
)
def test_each_form_of_the_keys_is_read(keys: dict[str, Any], start: Start) -> None:
    assert start_of(**keys) == start


@pytest.mark.parametrize(
    ("keys", "path", "message"),
    [
        ({"after": "train"}, "after", "the name of this run itself"),
        ({"after": ["prep", "Train"]}, "after[1]", "the name of this run itself"),
        ({"after": {"runs": ["a b"]}}, "after.runs[0]", "Use only letters, digits and hyphens"),
        ({"after": []}, "after.runs", "The list is empty"),
        ({"after": [f"run-{n}" for n in range(11)]}, "after.runs", "more than 10 entries"),
        ({"after": 7}, "after.runs", "Expected a list"),
        ({"after": [7]}, "after.runs[0]", "Expected a string"),
        ({"after": {"run": "prep"}}, "after.run", 'Did you mean "runs"?'),
        ({"after": {"runs": ["prep"], "on_failure": "ignore"}}, "after.on_failure", "Use 'fail' or 'wait'."),
        ({"after": {"runs": ["prep"], "known_within": "soon"}}, "after.known_within", "ISO 8601 duration"),
        ({"after": None}, "after", "Write a value, or remove the key."),
        ({"continue_from": "train"}, "continue_from", "the name of this run itself"),
        ({"continue_from": {"run": "prep", "channel": "a b"}}, "continue_from.channel", "Use letters, digits"),
        ({"continue_from": {"run": "prep", "channels": "a"}}, "continue_from.channels", 'Did you mean "channel"?'),
        ({"continue_from": ["prep"]}, "continue_from", "Expected a mapping"),
        ({"start_at": "tomorrow"}, "start_at", 'an instant such as "2026-12-01T06:00:00Z"'),
        ({"start_at": "2026-12-01T06:00:00"}, "start_at", "no time zone"),
        ({"start_at": 7}, "start_at", "an instant such as"),
        ({"strat_at": "2026-12-01T06:00:00Z"}, "strat_at", 'Did you mean "start_at"?'),
    ],
)
def test_each_mistake_is_reported_at_its_place(keys: dict[str, Any], path: str, message: str) -> None:
    assert message in find_problems(given(**keys))[path]


COPYING = replace(ALLOWLIST, allow_checkpoint_copies=True)


def test_a_run_may_start_from_a_copy_of_the_checkpoints_of_another_one() -> None:
    document = given(continue_from={"run": "prep", "checkpoint": True})
    assert parse_submission(document, COPYING).start == Start(after=("prep",), continue_from="prep", checkpoint=True)


def test_checkpoints_that_are_not_copied_leave_the_model() -> None:
    document = given(continue_from={"run": "prep", "checkpoint": False})
    assert parse_submission(document, ALLOWLIST).start == Start(after=("prep",), continue_from="prep")


@pytest.mark.parametrize(
    ("changes", "keys", "path", "message"),
    [
        ({}, {"run": "train"}, "continue_from.run", "the name of this run itself"),
        ({}, {"channel": "model"}, "continue_from.channel", "needs no channel"),
        ({}, {"checkpoint": "newest"}, "continue_from.checkpoint", "true or false"),
        ({"CheckpointConfig": None}, {}, "continue_from.checkpoint", "Add CheckpointConfig."),
    ],
)
def test_each_mistake_about_a_copy_is_reported_at_its_place(
    changes: dict[str, Any], keys: dict[str, Any], path: str, message: str
) -> None:
    document = wrapped(**changes) | {"name": "train", "continue_from": {"run": "prep", "checkpoint": True} | keys}
    assert message in find_problems(document, COPYING)[path]


def test_a_stack_that_may_not_copy_checkpoints_refuses_them() -> None:
    problems = find_problems(given(continue_from={"run": "prep", "checkpoint": True}))
    assert "AllowCheckpointCopies" in problems["continue_from.checkpoint"]


def test_a_channel_that_the_job_has_already_is_not_replaced() -> None:
    document = wrapped(InputDataConfig=[channel("model")]) | {"continue_from": "prep"}
    assert "has a channel model already" in find_problems(document)["continue_from"]


def test_a_job_whose_channels_leave_no_room_for_the_model_is_refused() -> None:
    document = wrapped(InputDataConfig=[channel(f"part-{number}") for number in range(20)]) | {"continue_from": "prep"}
    assert "has 20 channels, which is the most" in find_problems(document)["continue_from"]


def channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/files/", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def test_a_bare_request_has_no_such_keys() -> None:
    message = find_problems(request(after="prep"))["after"]
    assert message.endswith("move the request to training_job, and put name and after next to it.")


def test_what_a_run_waits_for_is_part_of_its_spec() -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"after": "a"},
        {"after": "b"},
        {"continue_from": "a"},
        {"continue_from": {"run": "a", "checkpoint": True}},
        {"start_at": "2026-12-01T06:00:00Z"},
    ]
    assert len({parse_submission(given(**keys), COPYING).fingerprint for keys in ways}) == len(ways)
