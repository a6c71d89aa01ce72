"""The deadline of a spec: how times are written, and what a run needs to be promised one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.spec import Rules, parse
from tests.unit.spec.documents import CALM, ROLE, RULES, problems_of, request, wrapped

POLICY: dict[str, Any] = {"deadline": "P3D", "expected_runtime": "PT30M"}
RUNTIME = "training_job.StoppingCondition.MaxRuntimeInSeconds"
CHECKPOINTS = "training_job.CheckpointConfig"
BY_NAME = {"AlgorithmSpecification": {"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}}
ON_DEMAND: dict[str, Any] = {"EnableManagedSpotTraining": None, "StoppingCondition": {"MaxRuntimeInSeconds": 3600}}
ON_DEMAND_RUNG = {"instance_type": "ml.p3.2xlarge", "market": "on-demand"}


def deadline_of(policy: dict[str, Any], **changes: Any) -> Deadline:
    """Give the deadline that a valid spec makes."""
    found = parse(wrapped(policy, **changes), RULES).policy.deadline
    assert found is not None
    return found


def long_job(days: int) -> dict[str, Any]:
    """Give a job that may run for so many days."""
    return {"StoppingCondition": {"MaxRuntimeInSeconds": days * 86_400, "MaxWaitTimeInSeconds": days * 86_400}}


def test_every_field_of_the_deadline_reaches_the_domain() -> None:
    whole = {"deadline": "P3D", "expected_runtime": "PT40M", "changeover": "PT5M", "return_to_spot": "blind"}
    assert deadline_of(whole) == Deadline(
        expected_runtime_seconds=2400,
        within_seconds=259_200,
        changeover_seconds=300,
        return_to_spot=ReturnToSpot.BLIND,
    )


def test_what_a_deadline_leaves_out_has_the_domains_default() -> None:
    assert deadline_of(POLICY) == Deadline(expected_runtime_seconds=1800, within_seconds=259_200)


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
    assert deadline_of({**POLICY, "deadline": text}).within_seconds == seconds


@CALM
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 90), st.integers(2400, 3000))
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    policy = {**POLICY, "deadline": f"P{days}DT{hours}H{minutes}M{seconds}S"}
    if total <= 30 * 86_400:
        assert deadline_of(policy).within_seconds == total
    else:
        assert set(problems_of(wrapped(policy))) == {"policy.deadline"}


@pytest.mark.parametrize(
    "text",
    ["2026-12-01T06:00:00Z", "2026-12-01T07:00:00+01:00", "2026-11-30T22:30:00-07:30", "2026-12-01 06:00:00+00:00"],
)
def test_an_instant_with_its_zone_is_kept_in_utc(text: str) -> None:
    found = deadline_of({**POLICY, "deadline": text})
    assert found.at == datetime(2026, 12, 1, 6, tzinfo=UTC)
    assert found.at.tzinfo is UTC
    assert found.within_seconds is None


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        ("2026-12-01T06:00:00", "names no zone"),
        ("2026-12-01", "names no zone"),
        ("0001-01-01T00:00:00+14:00", "no calendar"),
        ("tomorrow", "such as"),
        ("", "such as"),
        ("P", "such as"),
        ("PT", "such as"),
        ("P1DT", "such as"),
        ("P1M", "such as"),
        ("P1Y", "such as"),
        ("PT0.5H", "such as"),
        ("-P1D", "such as"),
        ("p3d", "such as"),
        ("P3D ", "such as"),
        ("P٣D", "such as"),
        ("P" + "9" * 200 + "D", "such as"),
        ("259200", "such as"),
        (1.5, "such as"),
        (True, "such as"),
        ([], "such as"),
        (None, "null (nothing)"),
        (0, "at least 1 seconds"),
        (-5, "at least 1 seconds"),
        ("P31D", "at most 2592000 seconds (P30D)"),
        ("P30DT1S", "at most 2592000 seconds (P30D)"),
        ("P99999999W", "at most 2592000 seconds (P30D)"),
    ],
)
def test_a_deadline_that_is_no_time_is_refused(deadline: Any, said: str) -> None:
    found = problems_of(wrapped({**POLICY, "deadline": deadline}))
    assert "policy.deadline" in found
    assert said in found["policy.deadline"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("expected_runtime", 59, "at least 60 seconds"),
        ("expected_runtime", "P28DT1S", "at most 2419200 seconds (P28D)"),
        ("expected_runtime", "2026-12-01T06:00:00Z", "such as"),
        ("expected_runtime", "two days", "such as"),
        ("expected_runtime", None, "null (nothing)"),
        ("changeover", -1, "at least 0 seconds"),
        ("changeover", "P1DT1S", "at most 86400 seconds (P1D)"),
        ("changeover", 1.5, "such as"),
        ("return_to_spot", "canry", "use 'canary', 'blind' or 'never'"),
        ("return_to_spot", False, "use 'canary', 'blind' or 'never'"),
        ("expected_runtim", 60, 'did you mean "expected_runtime"?'),
    ],
)
def test_what_belongs_to_a_deadline_has_bounds(key: str, value: Any, said: str) -> None:
    found = problems_of(wrapped({**POLICY, key: value}))
    assert set(found) == {f"policy.{key}"}
    assert said in found[f"policy.{key}"]


@pytest.mark.parametrize(("key", "value"), [("expected_runtime", 60), ("expected_runtime", "P28D"), ("changeover", 0)])
def test_the_bounds_themselves_are_taken(key: str, value: Any) -> None:
    policy = {"deadline": "P30D", "expected_runtime": 60, "relaunch_on_max_runtime": True, key: value}
    assert problems_of(wrapped(policy)) == {}


def test_a_deadline_needs_the_expected_runtime() -> None:
    assert set(problems_of(wrapped({"deadline": "P3D"}))) == {"policy.expected_runtime"}
    misspelt = {"deadline": "P3D", "expected_runtim": "PT30M"}
    assert set(problems_of(wrapped(misspelt))) == {"policy.expected_runtim"}


@pytest.mark.parametrize(("key", "value"), [("expected_runtime", 60), ("changeover", 0), ("return_to_spot", "never")])
def test_without_a_deadline_what_belongs_to_one_is_refused(key: str, value: Any) -> None:
    found = problems_of(wrapped({key: value}))
    assert set(found) == {f"policy.{key}"}
    assert "add deadline" in found[f"policy.{key}"]


def test_a_duration_that_is_too_short_for_the_training_is_refused_and_an_instant_is_not_judged_here() -> None:
    assert deadline_of({**POLICY, "deadline": "PT40M"}).within_seconds == 2400
    found = problems_of(wrapped({**POLICY, "deadline": 2399}))
    assert set(found) == {"policy.deadline"}
    assert "2400 seconds" in found["policy.deadline"]
    assert problems_of(wrapped({**POLICY, "deadline": 1800, "changeover": 0})) == {}
    assert problems_of(wrapped({**POLICY, "deadline": "2001-01-01T00:00:00Z"})) == {}


def test_a_deadline_needs_checkpoints() -> None:
    assert set(problems_of(wrapped(POLICY, CheckpointConfig=None))) == {CHECKPOINTS}
    scratch = {**POLICY, "restart_from_scratch": True}
    assert set(problems_of(wrapped(scratch, CheckpointConfig=None))) == {CHECKPOINTS}
    misplaced = wrapped(POLICY, CheckpointConfig=None, checkpoint_s3_uri="s3://checkpoints-team/a/")
    assert set(problems_of(misplaced)) == {"training_job.checkpoint_s3_uri"}


def test_a_built_in_that_writes_no_checkpoints_has_no_deadline() -> None:
    image = "444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1"
    rules = Rules((ROLE,), ("*",), RULES.allowed_checkpoint_buckets)
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    document = wrapped(POLICY, AlgorithmSpecification=algorithm, StoppingCondition=stopping)
    assert "forecasting-deepar writes no checkpoints" in problems_of(document, rules)["policy.deadline"]


def test_the_job_may_run_long_enough_for_the_training_and_a_changeover_or_goes_on_in_another_attempt() -> None:
    two_days = {**POLICY, "expected_runtime": "PT48H"}
    found = problems_of(wrapped(two_days, **long_job(2)))
    assert set(found) == {RUNTIME}
    assert "173400 seconds" in found[RUNTIME]
    assert problems_of(wrapped(two_days, **long_job(3))) == {}
    assert problems_of(wrapped({**two_days, "relaunch_on_max_runtime": True}, **long_job(2))) == {}
    assert problems_of(wrapped({**two_days, "changeover": 0}, **long_job(2))) == {}


def test_the_day_that_sagemaker_gives_by_default_is_counted_too() -> None:
    stopping = {"MaxWaitTimeInSeconds": 90_000}
    found = problems_of(wrapped({**POLICY, "expected_runtime": "P1D"}, StoppingCondition=stopping))
    assert set(found) == {RUNTIME}
    assert "its default is 86400" in found[RUNTIME]


def test_a_canary_needs_an_image_and_by_default_the_way_back_is_blind_without_one() -> None:
    assert deadline_of(POLICY, **BY_NAME).return_to_spot is ReturnToSpot.BLIND
    assert deadline_of({**POLICY, "return_to_spot": "never"}, **BY_NAME).return_to_spot is ReturnToSpot.NEVER
    found = problems_of(wrapped({**POLICY, "return_to_spot": "canary"}, **BY_NAME))
    assert set(found) == {"policy.return_to_spot"}
    assert "use blind or never" in found["policy.return_to_spot"]


def test_a_canary_has_one_instance_type() -> None:
    group = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}
    cluster = {"ResourceConfig": {"VolumeSizeInGB": 1, "InstanceGroups": [group]}}
    assert deadline_of(POLICY, **cluster).return_to_spot is ReturnToSpot.BLIND
    found = problems_of(wrapped({**POLICY, "return_to_spot": "canary"}, **cluster))
    assert set(found) == {"policy.return_to_spot"}


@pytest.mark.parametrize("way", ["canary", "blind"])
def test_a_run_with_no_placement_on_spot_does_not_return_there(way: str) -> None:
    assert deadline_of(POLICY, **ON_DEMAND).return_to_spot is ReturnToSpot.NEVER
    assert deadline_of({**POLICY, "ladder": [ON_DEMAND_RUNG]}).return_to_spot is ReturnToSpot.NEVER
    found = problems_of(wrapped({**POLICY, "return_to_spot": way}, **ON_DEMAND))
    assert set(found) == {"policy.return_to_spot"}
    assert "add a spot rung" in found["policy.return_to_spot"]
    ladder = [ON_DEMAND_RUNG, {**ON_DEMAND_RUNG, "market": "spot"}]
    policy = {**POLICY, "return_to_spot": way, "ladder": ladder}
    assert deadline_of(policy, **ON_DEMAND).return_to_spot == way


def test_a_name_leaves_room_for_the_canarys() -> None:
    assert problems_of(wrapped(POLICY, name="x" * 53)) == {}
    found = problems_of(wrapped(POLICY, name="x" * 54))
    assert set(found) == {"name"}
    guess = found["name"].split('"')[1]
    assert problems_of(wrapped(POLICY, name=guess)) == {}
    assert len(problems_of(wrapped(POLICY, name="x" * 55))) == 1


@pytest.mark.parametrize("way", ["blind", "never"])
def test_without_a_canary_a_name_may_be_as_long_as_ever(way: str) -> None:
    assert problems_of(wrapped({**POLICY, "return_to_spot": way}, name="x" * 54)) == {}


def test_the_rules_of_a_deadline_and_of_the_job_are_reported_together() -> None:
    policy = {"deadline": "PT20M", "expected_runtime": "PT48H", "return_to_spot": "canary"}
    changes = {"CheckpointConfig": None, "RoleArn": "arn:aws:iam::111122223333:role/other", **BY_NAME}
    assert set(problems_of(wrapped(policy, **changes))) == {
        "policy.deadline",
        "policy.return_to_spot",
        "training_job.RoleArn",
        CHECKPOINTS,
        RUNTIME,
    }


@pytest.mark.parametrize("job", [None, [], {}, {"ResourceConfig": 5, "AlgorithmSpecification": 5}])
def test_a_job_that_is_none_leaves_nothing_to_judge_a_deadline_by(job: Any) -> None:
    found = problems_of({"name": "a", "training_job": job, "policy": POLICY})
    assert found
    assert not any(path.startswith("policy") for path in found)


def test_a_bare_request_has_no_deadline() -> None:
    assert parse(request(), RULES).policy.deadline is None
