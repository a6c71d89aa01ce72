"""The ladder of a spec: its rungs, their bounds, and the jobs it can be used with."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.run.policy import Policy, Rung
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.spec import Allowlist, parse_submission
from tests.unit.spec.documents import ALLOWLIST, ROLE, find_problems, request, wrapped

WAIT = "training_job.StoppingCondition.MaxWaitTimeInSeconds"
RUNTIME = "training_job.StoppingCondition.MaxRuntimeInSeconds"
SPOT_RUNG = {"instance_type": "ml.p3.2xlarge"}
ON_DEMAND_RUNG = {"instance_type": "ml.p3.2xlarge", "market": "on-demand"}
ON_DEMAND_JOB: dict[str, Any] = {
    "EnableManagedSpotTraining": None,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


def build_ladder(*rungs: dict[str, Any], **changes: Any) -> tuple[Rung, ...]:
    """Return the ladder of a valid spec."""
    return parse_submission(wrapped({"ladder": list(rungs)}, **changes), ALLOWLIST).policy.ladder


def test_every_field_of_a_rung_reaches_the_domain_in_its_order() -> None:
    whole = {
        "instance_type": "ml.g5.12xlarge",
        "instance_count": 3,
        "volume_size_gb": 100,
        "market": "spot",
        "attempts": 2,
    }
    assert build_ladder(whole, ON_DEMAND_RUNG) == (
        Rung(Placement("ml.g5.12xlarge", 3, Market.SPOT, 100), 2),
        Rung(Placement("ml.p3.2xlarge", 1, Market.ON_DEMAND), 1),
    )


def test_a_rung_is_on_spot_by_default_and_takes_its_other_defaults_from_the_job() -> None:
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4, "VolumeSizeInGB": 10}
    assert build_ladder(SPOT_RUNG, ResourceConfig=resources) == (Rung(Placement("ml.p3.2xlarge", 4, Market.SPOT), 1),)


def test_repeating_the_volume_size_of_the_job_in_a_rung_changes_nothing() -> None:
    assert build_ladder({**SPOT_RUNG, "volume_size_gb": 10}) == build_ladder(SPOT_RUNG)
    assert build_ladder({**SPOT_RUNG, "volume_size_gb": 11})[0].placement.volume_size_gb == 11


def test_a_ladder_with_only_the_placement_of_the_job_equals_the_default() -> None:
    own = {"instance_type": "ml.m5.xlarge", "instance_count": 1, "attempts": 7}
    assert parse_submission(wrapped({"ladder": [own]}), ALLOWLIST).policy == Policy()
    assert build_ladder({**own, "market": "on-demand"}) != ()
    assert len(build_ladder(own, own)) == 2


@pytest.mark.parametrize("count", [1, 10])
def test_a_ladder_has_one_to_ten_rungs(count: int) -> None:
    assert len(build_ladder(*[SPOT_RUNG] * count)) == count


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ([], snapshot({"policy.ladder": "The list is empty. Add at least 1 entry, or remove the key."})),
        ([SPOT_RUNG] * 11, snapshot({"policy.ladder": "The list has more than 10 entries. Shorten it."})),
        ({}, snapshot({"policy.ladder": "Expected a list, but found a mapping. Write a list, or remove the key."})),
        (
            "ml.p3.2xlarge",
            snapshot({"policy.ladder": 'Expected a list, but found "ml.p3.2xlarge". Write a list, or remove the key.'}),
        ),
        (None, snapshot({"policy.ladder": "Found null (no value). Write a value, or remove the key."})),
        (
            ["ml.p3.2xlarge"],
            snapshot(
                {
                    "policy.ladder[0]": 'Expected a mapping, but found "ml.p3.2xlarge". Write its keys, or remove it to use the defaults.'
                }
            ),
        ),
        ([{}], snapshot({"policy.ladder[0].instance_type": "This key is required. Add it."})),
        (
            [{"instance_type": "ml.p3.2xlrge"}],
            snapshot(
                {
                    "policy.ladder[0].instance_type": 'SageMaker does not accept "ml.p3.2xlrge" here. Did you mean "ml.p3.2xlarge"?'
                }
            ),
        ),
        (
            [{"instance_type": "p9"}],
            snapshot(
                {
                    "policy.ladder[0].instance_type": 'SageMaker does not accept "p9" here. Use one of its 225 values, such as ml.m4.xlarge.'
                }
            ),
        ),
        (
            [{"instance_type": 3}],
            snapshot(
                {
                    "policy.ladder[0].instance_type": 'Expected a string, but found 3. Put the value in quotes, such as "5" for 5.'
                }
            ),
        ),
        (
            [{"instance_type": None}],
            snapshot({"policy.ladder[0].instance_type": "Found null (no value). Write a value, or remove the key."}),
        ),
        (
            [{"InstanceType": "ml.p3.2xlarge"}],
            snapshot({"policy.ladder[0].InstanceType": 'Unknown key. Did you mean "instance_type"?'}),
        ),
        (
            [SPOT_RUNG, {**SPOT_RUNG, "zzz": 1}],
            snapshot(
                {
                    "policy.ladder[1].zzz": "Unknown key. Known keys are instance_type, instance_count, volume_size_gb, market, attempts."
                }
            ),
        ),
        (
            [{**SPOT_RUNG, "instance_count": 0}],
            snapshot({"policy.ladder[0].instance_count": "Found 0, but it must be at least 1."}),
        ),
        (
            [{**SPOT_RUNG, "instance_count": 2**31}],
            snapshot({"policy.ladder[0].instance_count": "Found 2147483648, but it must be at most 2147483647."}),
        ),
        (
            [{**SPOT_RUNG, "instance_count": True}],
            snapshot(
                {
                    "policy.ladder[0].instance_count": "Expected an integer, but found true. Write a whole number without quotes."
                }
            ),
        ),
        (
            [{**SPOT_RUNG, "instance_count": None}],
            snapshot({"policy.ladder[0].instance_count": "Found null (no value). Write a value, or remove the key."}),
        ),
        (
            [{**SPOT_RUNG, "volume_size_gb": 0}],
            snapshot({"policy.ladder[0].volume_size_gb": "Found 0, but it must be at least 1."}),
        ),
        (
            [{**SPOT_RUNG, "volume_size_gb": "50"}],
            snapshot(
                {
                    "policy.ladder[0].volume_size_gb": 'Expected an integer, but found "50". Write a whole number without quotes.'
                }
            ),
        ),
        (
            [{**SPOT_RUNG, "market": "ondemand"}],
            snapshot({"policy.ladder[0].market": "Found \"ondemand\". Use 'spot' or 'on-demand'."}),
        ),
        (
            [{**SPOT_RUNG, "attempts": 0}],
            snapshot({"policy.ladder[0].attempts": "Found 0, but it must be at least 1."}),
        ),
        (
            [{**SPOT_RUNG, "attempts": 51}],
            snapshot({"policy.ladder[0].attempts": "Found 51, but it must be at most 50."}),
        ),
    ],
)
def test_an_invalid_ladder_is_refused(ladder: Any, expected: dict[str, str]) -> None:
    assert find_problems(wrapped({"ladder": ladder})) == expected


def test_all_problems_of_all_rungs_are_reported_at_once() -> None:
    bad = {"instance_type": "x", "instance_count": 0, "volume_size_gb": 0, "market": "m", "attempts": 0}
    found = find_problems(wrapped({"ladder": [bad, bad]}))
    assert set(found) == {f"policy.ladder[{index}].{key}" for index in (0, 1) for key in bad}


@pytest.mark.parametrize(
    "resources",
    [
        {"InstanceGroups": [{"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}]},
        {"InstancePreferences": [{"InstanceType": "ml.m5.large"}]},
    ],
)
def test_a_job_with_several_instance_types_cannot_have_a_ladder(resources: dict[str, Any]) -> None:
    job = {**ON_DEMAND_JOB, "ResourceConfig": {"VolumeSizeInGB": 1, **resources}}
    assert find_problems(wrapped(**job)) == {}
    found = find_problems(wrapped({"ladder": [SPOT_RUNG]}, **job))
    assert set(found) == {"policy.ladder"}
    assert f"the job's {next(iter(resources))}" in found["policy.ladder"]


def test_a_warm_pool_is_refused_if_any_rung_is_spot() -> None:
    job = {**ON_DEMAND_JOB, "ResourceConfig": {**request()["ResourceConfig"], "KeepAlivePeriodInSeconds": 60}}
    assert find_problems(wrapped({"ladder": [ON_DEMAND_RUNG]}, **job)) == {}
    found = find_problems(wrapped({"ladder": [ON_DEMAND_RUNG, SPOT_RUNG]}, **job))
    assert set(found) == {"training_job.ResourceConfig.KeepAlivePeriodInSeconds"}


@pytest.mark.parametrize("wait", [None, 3600, 7200])
def test_a_wait_limit_is_optional_for_an_on_demand_job_with_a_spot_rung(wait: int | None) -> None:
    stopping = {"MaxRuntimeInSeconds": 3600} | ({} if wait is None else {"MaxWaitTimeInSeconds": wait})
    job = {**ON_DEMAND_JOB, "StoppingCondition": stopping}
    assert find_problems(wrapped({"ladder": [ON_DEMAND_RUNG, SPOT_RUNG]}, **job)) == {}


def test_the_wait_limit_for_a_spot_rung_must_be_at_least_the_runtime() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3599}}
    assert find_problems(wrapped({"ladder": [SPOT_RUNG]}, **job)) == snapshot(
        {
            "training_job.StoppingCondition.MaxWaitTimeInSeconds": "Found 3599, but it must be at least MaxRuntimeInSeconds (3600)."
        }
    )


def test_an_on_demand_job_without_a_spot_rung_cannot_have_a_wait_limit() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}}
    assert set(find_problems(wrapped({"ladder": [ON_DEMAND_RUNG]}, **job))) == {WAIT}
    assert set(find_problems(wrapped(**job))) == {WAIT}


def test_a_mistake_in_the_ladder_causes_no_complaint_about_the_job() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}}
    found = find_problems(wrapped({"ladder": [{**SPOT_RUNG, "attempts": 0}]}, **job))
    assert set(found) == {"policy.ladder[0].attempts"}


def test_a_built_in_algorithm_without_checkpoints_may_run_at_most_an_hour_if_a_rung_is_spot() -> None:
    image = "444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1"
    allowlist = Allowlist((ROLE,), ("*",), ALLOWLIST.allowed_checkpoint_buckets)
    job = {**ON_DEMAND_JOB, "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"}}
    assert find_problems(wrapped({"ladder": [SPOT_RUNG]}, **job), allowlist) == {}
    longer = {**job, "StoppingCondition": {"MaxRuntimeInSeconds": 3601}}
    assert set(find_problems(wrapped({"ladder": [SPOT_RUNG]}, **longer), allowlist)) == {RUNTIME}
    assert find_problems(wrapped({"ladder": [ON_DEMAND_RUNG]}, **longer), allowlist) == {}
