"""The ladder of a spec: its rungs, their bounds, and what the job below it may be."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.run.policy import Policy, Rung
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.spec import Rules, parse
from tests.unit.spec.documents import ROLE, RULES, problems_of, request, wrapped

WAIT = "training_job.StoppingCondition.MaxWaitTimeInSeconds"
RUNTIME = "training_job.StoppingCondition.MaxRuntimeInSeconds"
SPOT_RUNG = {"instance_type": "ml.p3.2xlarge"}
ON_DEMAND_RUNG = {"instance_type": "ml.p3.2xlarge", "market": "on-demand"}
ON_DEMAND_JOB: dict[str, Any] = {
    "EnableManagedSpotTraining": None,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


def ladder_of(*rungs: dict[str, Any], **changes: Any) -> tuple[Rung, ...]:
    """Give the ladder that a valid spec makes."""
    return parse(wrapped({"ladder": list(rungs)}, **changes), RULES).policy.ladder


def test_every_field_of_a_rung_reaches_the_domain_in_its_order() -> None:
    whole = {
        "instance_type": "ml.g5.12xlarge",
        "instance_count": 3,
        "volume_size_gb": 100,
        "market": "spot",
        "attempts": 2,
    }
    assert ladder_of(whole, ON_DEMAND_RUNG) == (
        Rung(Placement("ml.g5.12xlarge", 3, Market.SPOT, 100), 2),
        Rung(Placement("ml.p3.2xlarge", 1, Market.ON_DEMAND), 1),
    )


def test_what_a_rung_leaves_out_is_as_the_job_has_it_and_on_spot() -> None:
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4, "VolumeSizeInGB": 10}
    assert ladder_of(SPOT_RUNG, ResourceConfig=resources) == (Rung(Placement("ml.p3.2xlarge", 4, Market.SPOT), 1),)


def test_a_rung_that_names_the_jobs_own_volume_says_nothing_new() -> None:
    assert ladder_of({**SPOT_RUNG, "volume_size_gb": 10}) == ladder_of(SPOT_RUNG)
    assert ladder_of({**SPOT_RUNG, "volume_size_gb": 11})[0].placement.volume_size_gb == 11


def test_a_ladder_of_the_jobs_own_placement_alone_is_the_default() -> None:
    own = {"instance_type": "ml.m5.xlarge", "instance_count": 1, "attempts": 7}
    assert parse(wrapped({"ladder": [own]}), RULES).policy == Policy()
    assert ladder_of({**own, "market": "on-demand"}) != ()
    assert len(ladder_of(own, own)) == 2


@pytest.mark.parametrize("count", [1, 10])
def test_a_ladder_has_one_to_ten_rungs(count: int) -> None:
    assert len(ladder_of(*[SPOT_RUNG] * count)) == count


@pytest.mark.parametrize(
    ("ladder", "path", "said"),
    [
        ([], "policy.ladder", "needs at least 1"),
        ([SPOT_RUNG] * 11, "policy.ladder", "more than 10"),
        ({}, "policy.ladder", "where a list is needed"),
        ("ml.p3.2xlarge", "policy.ladder", "where a list is needed"),
        (None, "policy.ladder", "null (nothing)"),
        (["ml.p3.2xlarge"], "policy.ladder[0]", "where a mapping is needed"),
        ([{}], "policy.ladder[0].instance_type", "is missing"),
        ([{"instance_type": "ml.p3.2xlrge"}], "policy.ladder[0].instance_type", 'did you mean "ml.p3.2xlarge"?'),
        ([{"instance_type": "p9"}], "policy.ladder[0].instance_type", "does not know"),
        ([{"instance_type": 3}], "policy.ladder[0].instance_type", "where a string is needed"),
        ([{"instance_type": None}], "policy.ladder[0].instance_type", "null (nothing)"),
        ([{"InstanceType": "ml.p3.2xlarge"}], "policy.ladder[0].InstanceType", 'did you mean "instance_type"?'),
        ([SPOT_RUNG, {**SPOT_RUNG, "zzz": 1}], "policy.ladder[1].zzz", "known are instance_type"),
        ([{**SPOT_RUNG, "instance_count": 0}], "policy.ladder[0].instance_count", "at least 1"),
        ([{**SPOT_RUNG, "instance_count": 2**31}], "policy.ladder[0].instance_count", "at most 2147483647"),
        ([{**SPOT_RUNG, "instance_count": True}], "policy.ladder[0].instance_count", "whole number"),
        ([{**SPOT_RUNG, "instance_count": None}], "policy.ladder[0].instance_count", "null (nothing)"),
        ([{**SPOT_RUNG, "volume_size_gb": 0}], "policy.ladder[0].volume_size_gb", "at least 1"),
        ([{**SPOT_RUNG, "volume_size_gb": "50"}], "policy.ladder[0].volume_size_gb", "without quotes"),
        ([{**SPOT_RUNG, "market": "ondemand"}], "policy.ladder[0].market", "use 'spot' or 'on-demand'"),
        ([{**SPOT_RUNG, "attempts": 0}], "policy.ladder[0].attempts", "at least 1"),
        ([{**SPOT_RUNG, "attempts": 51}], "policy.ladder[0].attempts", "at most 50"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(ladder: Any, path: str, said: str) -> None:
    found = problems_of(wrapped({"ladder": ladder}))
    assert set(found) == {path}
    assert said in found[path]


def test_every_problem_of_every_rung_is_found_at_once() -> None:
    bad = {"instance_type": "x", "instance_count": 0, "volume_size_gb": 0, "market": "m", "attempts": 0}
    found = problems_of(wrapped({"ladder": [bad, bad]}))
    assert set(found) == {f"policy.ladder[{index}].{key}" for index in (0, 1) for key in bad}


@pytest.mark.parametrize(
    "resources",
    [
        {"InstanceGroups": [{"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}]},
        {"InstancePreferences": [{"InstanceType": "ml.m5.large"}]},
    ],
)
def test_a_job_that_names_several_instance_types_has_no_ladder(resources: dict[str, Any]) -> None:
    job = {**ON_DEMAND_JOB, "ResourceConfig": {"VolumeSizeInGB": 1, **resources}}
    assert problems_of(wrapped(**job)) == {}
    found = problems_of(wrapped({"ladder": [SPOT_RUNG]}, **job))
    assert set(found) == {"policy.ladder"}
    assert next(iter(resources)) in found["policy.ladder"]


def test_a_warm_pool_is_refused_if_any_rung_is_spot() -> None:
    job = {**ON_DEMAND_JOB, "ResourceConfig": {**request()["ResourceConfig"], "KeepAlivePeriodInSeconds": 60}}
    assert problems_of(wrapped({"ladder": [ON_DEMAND_RUNG]}, **job)) == {}
    found = problems_of(wrapped({"ladder": [ON_DEMAND_RUNG, SPOT_RUNG]}, **job))
    assert set(found) == {"training_job.ResourceConfig.KeepAlivePeriodInSeconds"}


@pytest.mark.parametrize("wait", [None, 3600, 7200])
def test_an_on_demand_job_with_a_spot_rung_may_have_a_wait_limit_or_none(wait: int | None) -> None:
    stopping = {"MaxRuntimeInSeconds": 3600} | ({} if wait is None else {"MaxWaitTimeInSeconds": wait})
    job = {**ON_DEMAND_JOB, "StoppingCondition": stopping}
    assert problems_of(wrapped({"ladder": [ON_DEMAND_RUNG, SPOT_RUNG]}, **job)) == {}


def test_a_wait_limit_for_a_spot_rung_is_not_less_than_the_runtime() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3599}}
    assert "raise it" in problems_of(wrapped({"ladder": [SPOT_RUNG]}, **job))[WAIT]


def test_an_on_demand_job_without_a_spot_rung_still_has_no_wait_limit() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}}
    assert set(problems_of(wrapped({"ladder": [ON_DEMAND_RUNG]}, **job))) == {WAIT}
    assert set(problems_of(wrapped(**job))) == {WAIT}


def test_a_fault_in_the_ladder_is_not_blamed_on_the_job() -> None:
    job = {**ON_DEMAND_JOB, "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}}
    found = problems_of(wrapped({"ladder": [{**SPOT_RUNG, "attempts": 0}]}, **job))
    assert set(found) == {"policy.ladder[0].attempts"}


def test_a_built_in_without_checkpoints_that_gets_a_spot_rung_may_run_an_hour_at_most() -> None:
    image = "444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1"
    rules = Rules((ROLE,), ("*",), RULES.allowed_checkpoint_buckets)
    job = {**ON_DEMAND_JOB, "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"}}
    assert problems_of(wrapped({"ladder": [SPOT_RUNG]}, **job), rules) == {}
    longer = {**job, "StoppingCondition": {"MaxRuntimeInSeconds": 3601}}
    assert set(problems_of(wrapped({"ladder": [SPOT_RUNG]}, **longer), rules)) == {RUNTIME}
    assert problems_of(wrapped({"ladder": [ON_DEMAND_RUNG]}, **longer), rules) == {}
