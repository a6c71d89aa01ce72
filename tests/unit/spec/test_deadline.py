"""The deadline of a spec: how times are written, and what a run needs to have one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.spec import Allowlist, parse_submission
from tests.unit.spec.documents import ALLOWLIST, CALM, ROLE, find_problems, request, wrapped

POLICY: dict[str, Any] = {"deadline": "P3D", "expected_runtime": "PT30M"}
RUNTIME = "training_job.StoppingCondition.MaxRuntimeInSeconds"
CHECKPOINTS = "training_job.CheckpointConfig"
BY_NAME = {"AlgorithmSpecification": {"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}}
ON_DEMAND: dict[str, Any] = {"EnableManagedSpotTraining": None, "StoppingCondition": {"MaxRuntimeInSeconds": 3600}}
ON_DEMAND_RUNG = {"instance_type": "ml.p3.2xlarge", "market": "on-demand"}


def build_deadline(policy: dict[str, Any], **changes: Any) -> Deadline:
    """Return the deadline of a valid spec."""
    found = parse_submission(wrapped(policy, **changes), ALLOWLIST).policy.deadline
    assert found is not None
    return found


def with_max_runtime(days: int) -> dict[str, Any]:
    """Return the change that lets a job run for a number of days."""
    return {"StoppingCondition": {"MaxRuntimeInSeconds": days * 86_400, "MaxWaitTimeInSeconds": days * 86_400}}


def test_every_field_of_the_deadline_reaches_the_domain() -> None:
    whole = {"deadline": "P3D", "expected_runtime": "PT40M", "changeover": "PT5M", "return_to_spot": "blind"}
    assert build_deadline(whole) == Deadline(
        expected_runtime_seconds=2400,
        within_seconds=259_200,
        changeover_seconds=300,
        return_to_spot=ReturnToSpot.BLIND,
    )


def test_keys_missing_from_a_deadline_get_the_defaults_of_the_domain() -> None:
    assert build_deadline(POLICY) == Deadline(expected_runtime_seconds=1800, within_seconds=259_200)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P3D", 259_200),
        ("PT72H", 259_200),
        ("P2DT24H", 259_200),
        ("P1W", 604_800),
        ("P1W1DT1H1M1S", 694_861),
        ("PT3600S", 3600),
        ("P030D", 2_592_000),
        (2400, 2400),
    ],
)
def test_a_duration_is_iso_8601_or_whole_seconds(text: str | int, seconds: int) -> None:
    assert build_deadline({**POLICY, "deadline": text}).within_seconds == seconds


@CALM
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 90), st.integers(2400, 3000))
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    policy = {**POLICY, "deadline": f"P{days}DT{hours}H{minutes}M{seconds}S"}
    if total <= 30 * 86_400:
        assert build_deadline(policy).within_seconds == total
    else:
        assert set(find_problems(wrapped(policy))) == {"policy.deadline"}


@pytest.mark.parametrize(
    "text",
    ["2026-12-01T06:00:00Z", "2026-12-01T07:00:00+01:00", "2026-11-30T22:30:00-07:30", "2026-12-01 06:00:00+00:00"],
)
def test_an_instant_with_its_zone_is_kept_in_utc(text: str) -> None:
    found = build_deadline({**POLICY, "deadline": text})
    assert found.at == datetime(2026, 12, 1, 6, tzinfo=UTC)
    assert found.at.tzinfo is UTC
    assert found.within_seconds is None


@pytest.mark.parametrize(
    ("deadline", "expected"),
    [
        (
            "tomorrow",
            snapshot(
                'Found "tomorrow". Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z".'
            ),
        ),
        (
            True,
            snapshot(
                'Found true. Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z".'
            ),
        ),
        (None, snapshot("Found null (no value). Write a value, or remove the key.")),
        (
            "2026-12-01T06:00:00",
            snapshot('Found "2026-12-01T06:00:00", which has no time zone. Add one, such as "Z" for UTC or "+02:00".'),
        ),
        (
            "2026-12-01",
            snapshot('Found "2026-12-01", which has no time zone. Add one, such as "Z" for UTC or "+02:00".'),
        ),
        (
            "0001-01-01T00:00:00+14:00",
            snapshot(
                'Found "0001-01-01T00:00:00+14:00", which is out of range in UTC. Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z".'
            ),
        ),
        (0, snapshot("Found 0, but it must be at least 1 second.")),
        (-5, snapshot("Found -5, but it must be at least 1 second.")),
        ("P31D", snapshot('Found "P31D", but it must be at most 2592000 seconds (P30D).')),
        ("P30DT1S", snapshot('Found "P30DT1S", but it must be at most 2592000 seconds (P30D).')),
        ("P99999999W", snapshot('Found "P99999999W", but it must be at most 2592000 seconds (P30D).')),
    ],
)
def test_a_deadline_that_is_not_a_valid_time_is_refused(deadline: Any, expected: str) -> None:
    assert find_problems(wrapped({**POLICY, "deadline": deadline})) == {"policy.deadline": expected}


@pytest.mark.parametrize(
    "text",
    [
        *["", "P", "PT", "P1DT", "P1M", "P1Y", "PT0.5H", "-P1D", "p3d", "P3D ", "P٣D"],
        *["P" + "9" * 200 + "D", "259200", 1.5, []],
    ],
)
def test_anything_else_is_refused_with_examples_of_valid_times(text: Any) -> None:
    [(path, message)] = find_problems(wrapped({**POLICY, "deadline": text})).items()
    assert path == "policy.deadline"
    assert all(example in message for example in ('"P3D"', "whole seconds", '"2026-12-01T06:00:00Z"'))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("expected_runtime", 59, snapshot("Found 59, but it must be at least 60 seconds.")),
        ("expected_runtime", "P28DT1S", snapshot('Found "P28DT1S", but it must be at most 2419200 seconds (P28D).')),
        (
            "expected_runtime",
            "2026-12-01T06:00:00Z",
            snapshot(
                'Found "2026-12-01T06:00:00Z". Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), or whole seconds without quotes.'
            ),
        ),
        (
            "expected_runtime",
            "two days",
            snapshot(
                'Found "two days". Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), or whole seconds without quotes.'
            ),
        ),
        ("expected_runtime", None, snapshot("Found null (no value). Write a value, or remove the key.")),
        ("changeover", -1, snapshot("Found -1, but it must be at least 0 seconds.")),
        ("changeover", "P1DT1S", snapshot('Found "P1DT1S", but it must be at most 86400 seconds (P1D).')),
        (
            "changeover",
            1.5,
            snapshot(
                'Found 1.5. Use an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds), or whole seconds without quotes.'
            ),
        ),
        ("return_to_spot", "canry", snapshot("Found \"canry\". Use 'canary', 'blind' or 'never'.")),
        ("return_to_spot", False, snapshot("Found false. Use 'canary', 'blind' or 'never'.")),
        ("expected_runtim", 60, snapshot('Unknown key. Did you mean "expected_runtime"?')),
    ],
)
def test_an_invalid_value_of_a_deadline_key_is_refused(key: str, value: Any, expected: str) -> None:
    assert find_problems(wrapped({**POLICY, key: value})) == {f"policy.{key}": expected}


@pytest.mark.parametrize(("key", "value"), [("expected_runtime", 60), ("expected_runtime", "P28D"), ("changeover", 0)])
def test_the_bounds_themselves_are_accepted(key: str, value: Any) -> None:
    policy = {"deadline": "P30D", "expected_runtime": 60, "relaunch_on_max_runtime": True, key: value}
    assert find_problems(wrapped(policy)) == {}


def test_a_deadline_needs_the_expected_runtime() -> None:
    assert find_problems(wrapped({"deadline": "P3D"})) == snapshot(
        {
            "policy.expected_runtime": "This key is required with a deadline: it says how long the whole training takes. Add it."
        }
    )
    misspelt = {"deadline": "P3D", "expected_runtim": "PT30M"}
    assert set(find_problems(wrapped(misspelt))) == {"policy.expected_runtim"}


@pytest.mark.parametrize(("key", "value"), [("expected_runtime", 60), ("changeover", 0), ("return_to_spot", "never")])
def test_the_other_keys_are_refused_without_a_deadline(key: str, value: Any) -> None:
    message = snapshot("This key has no effect without a deadline. Add deadline, or remove the key.")
    assert find_problems(wrapped({key: value})) == {f"policy.{key}": message}


def test_a_duration_too_short_for_the_training_is_refused_but_an_instant_is_not_checked_yet() -> None:
    assert build_deadline({**POLICY, "deadline": "PT40M"}).within_seconds == 2400
    assert find_problems(wrapped({**POLICY, "deadline": 2399})) == snapshot(
        {
            "policy.deadline": "Found 2399 seconds, but the run takes 2400 seconds even if all of it is on-demand (expected_runtime plus changeover). Allow more time."
        }
    )
    assert find_problems(wrapped({**POLICY, "deadline": 1800, "changeover": 0})) == {}
    assert find_problems(wrapped({**POLICY, "deadline": "2001-01-01T00:00:00Z"})) == {}


def test_a_deadline_needs_checkpoints() -> None:
    assert find_problems(wrapped(POLICY, CheckpointConfig=None)) == snapshot(
        {
            "training_job.CheckpointConfig": "This key is required with a deadline, because without checkpoints an interruption loses all progress. Add it, or remove policy.deadline."
        }
    )
    scratch = {**POLICY, "restart_from_scratch": True}
    assert set(find_problems(wrapped(scratch, CheckpointConfig=None))) == {CHECKPOINTS}
    misplaced = wrapped(POLICY, CheckpointConfig=None, checkpoint_s3_uri="s3://checkpoints-team/a/")
    assert set(find_problems(misplaced)) == {"training_job.checkpoint_s3_uri"}


def test_a_built_in_algorithm_that_writes_no_checkpoints_cannot_have_a_deadline() -> None:
    image = "444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1"
    allowlist = Allowlist((ROLE,), ("*",), ALLOWLIST.allowed_checkpoint_buckets)
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    document = wrapped(POLICY, AlgorithmSpecification=algorithm, StoppingCondition=stopping)
    assert find_problems(document, allowlist) == snapshot(
        {
            "policy.deadline": "The built-in algorithm forecasting-deepar writes no checkpoints, so an interruption loses all progress and Spot Relay cannot keep a deadline. Remove the deadline."
        }
    )


def test_max_runtime_must_cover_training_and_changeover_unless_the_run_relaunches_on_max_runtime() -> None:
    two_days = {**POLICY, "expected_runtime": "PT48H"}
    assert find_problems(wrapped(two_days, **with_max_runtime(2))) == snapshot(
        {
            "training_job.StoppingCondition.MaxRuntimeInSeconds": "Found 172800 seconds, but the run takes 173400 seconds (policy.expected_runtime plus changeover). Set it to at least 173400, or set policy.relaunch_on_max_runtime to true."
        }
    )
    assert find_problems(wrapped(two_days, **with_max_runtime(3))) == {}
    assert find_problems(wrapped({**two_days, "relaunch_on_max_runtime": True}, **with_max_runtime(2))) == {}
    assert find_problems(wrapped({**two_days, "changeover": 0}, **with_max_runtime(2))) == {}


def test_the_default_max_runtime_of_one_day_is_checked_too() -> None:
    stopping = {"MaxWaitTimeInSeconds": 90_000}
    assert find_problems(wrapped({**POLICY, "expected_runtime": "P1D"}, StoppingCondition=stopping)) == snapshot(
        {
            "training_job.StoppingCondition.MaxRuntimeInSeconds": "The key is missing and its default is 86400 seconds, but the run takes 87000 seconds (policy.expected_runtime plus changeover). Set it to at least 87000, or set policy.relaunch_on_max_runtime to true."
        }
    )


def test_a_canary_needs_an_image_and_without_one_the_default_return_is_blind() -> None:
    assert build_deadline(POLICY, **BY_NAME).return_to_spot is ReturnToSpot.BLIND
    assert build_deadline({**POLICY, "return_to_spot": "never"}, **BY_NAME).return_to_spot is ReturnToSpot.NEVER
    assert find_problems(wrapped({**POLICY, "return_to_spot": "canary"}, **BY_NAME)) == snapshot(
        {
            "policy.return_to_spot": 'Found "canary", but a canary needs a TrainingImage and the job has an AlgorithmName. Use blind or never.'
        }
    )


def test_a_canary_needs_a_single_instance_type() -> None:
    group = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}
    cluster = {"ResourceConfig": {"VolumeSizeInGB": 1, "InstanceGroups": [group]}}
    assert build_deadline(POLICY, **cluster).return_to_spot is ReturnToSpot.BLIND
    assert find_problems(wrapped({**POLICY, "return_to_spot": "canary"}, **cluster)) == snapshot(
        {
            "policy.return_to_spot": 'Found "canary", but a canary needs a single instance type and the job has InstanceGroups. Use blind or never.'
        }
    )


@pytest.mark.parametrize("way", ["canary", "blind"])
def test_a_run_without_a_spot_placement_cannot_return_to_spot(way: str) -> None:
    assert build_deadline(POLICY, **ON_DEMAND).return_to_spot is ReturnToSpot.NEVER
    assert build_deadline({**POLICY, "ladder": [ON_DEMAND_RUNG]}).return_to_spot is ReturnToSpot.NEVER
    [message] = find_problems(wrapped({**POLICY, "return_to_spot": way}, **ON_DEMAND)).values()
    assert message.removeprefix(f'Found "{way}", ') == snapshot(
        "but the run has no spot placement to return to. Add a spot rung to the ladder, or remove the key."
    )
    ladder = [ON_DEMAND_RUNG, {**ON_DEMAND_RUNG, "market": "spot"}]
    policy = {**POLICY, "return_to_spot": way, "ladder": ladder}
    assert build_deadline(policy, **ON_DEMAND).return_to_spot == way


@pytest.mark.parametrize("way", ["canary", "blind", "never"])
def test_with_and_without_canaries_the_longest_name_of_a_run_is_accepted(way: str) -> None:
    assert find_problems(wrapped({**POLICY, "return_to_spot": way}, name="x" * 63)) == {}
    assert set(find_problems(wrapped({**POLICY, "return_to_spot": way}, name="x" * 64))) == {"name"}


def test_problems_of_the_deadline_and_of_the_job_are_reported_together() -> None:
    policy = {"deadline": "PT20M", "expected_runtime": "PT48H", "return_to_spot": "canary"}
    changes = {"CheckpointConfig": None, "RoleArn": "arn:aws:iam::111122223333:role/other", **BY_NAME}
    assert set(find_problems(wrapped(policy, **changes))) == {
        "policy.deadline",
        "policy.return_to_spot",
        "training_job.RoleArn",
        CHECKPOINTS,
        RUNTIME,
    }


@pytest.mark.parametrize("job", [None, [], {}, {"ResourceConfig": 5, "AlgorithmSpecification": 5}])
def test_a_missing_or_malformed_job_causes_no_complaints_about_the_deadline(job: Any) -> None:
    found = find_problems({"name": "a", "training_job": job, "policy": POLICY})
    assert found
    assert not any(path.startswith("policy") for path in found)


def test_a_bare_request_has_no_deadline() -> None:
    assert parse_submission(request(), ALLOWLIST).policy.deadline is None
