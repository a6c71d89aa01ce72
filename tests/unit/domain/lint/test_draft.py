"""A draft is what rules read of a spec; a value of another type than expected counts as absent."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.lint.draft import Draft, Place, read_draft
from spot_relay.domain.sagemaker.job import Market

OWN = "training_job.ResourceConfig.InstanceCount"


def wrapped(policy: Any = None, **job: Any) -> Draft:
    return read_draft({"name": "churn", "training_job": job, "policy": policy})


def test_a_spec_is_a_request_or_one_with_a_name_and_a_policy() -> None:
    job, policy = {"RoleArn": "role", "TrainingJobName": "mine"}, {"deadline": "P1D"}
    assert read_draft({"name": "churn", "training_job": job, "policy": policy}) == Draft(
        "churn", job, policy, root="training_job", name_path="name"
    )
    assert read_draft({"training_job": "none", "policy": "none", "name": 5}) == Draft(
        None, {}, {}, root="training_job", name_path="name"
    )
    request = job | {"policy": policy, "name": "churn"}
    assert read_draft(request) == Draft("mine", request, {}, root="", name_path="TrainingJobName")


@pytest.mark.parametrize(
    ("draft", "places"),
    [
        (wrapped(), [Place(OWN, Market.ON_DEMAND, 1)]),
        (wrapped(EnableManagedSpotTraining=True), [Place(OWN, Market.SPOT, 1)]),
        (wrapped(EnableManagedSpotTraining="true"), [Place(OWN, Market.ON_DEMAND, 1)]),
        (wrapped(ResourceConfig={"InstanceCount": 3}), [Place(OWN, Market.ON_DEMAND, 3)]),
        (wrapped(ResourceConfig={"InstanceCount": "3"}), [Place(OWN, Market.ON_DEMAND, 1)]),
        (wrapped(ResourceConfig={"InstanceCount": True}), [Place(OWN, Market.ON_DEMAND, 1)]),
        (
            wrapped(
                ResourceConfig={
                    "InstanceGroups": [{"InstanceCount": 2}, "none", {"InstanceCount": 3}, {"InstanceCount": "4"}]
                }
            ),
            [Place(OWN, Market.ON_DEMAND, 5)],
        ),
        (wrapped(ResourceConfig={"InstanceGroups": {"InstanceCount": 2}}), [Place(OWN, Market.ON_DEMAND, 1)]),
        (wrapped({"ladder": {"market": "spot"}}), [Place(OWN, Market.ON_DEMAND, 1)]),
        (wrapped({"ladder": ["spot"]}), [Place(OWN, Market.ON_DEMAND, 1)]),
        (
            wrapped(
                {"ladder": ["none", {}, {"market": "on-demand", "instance_count": 4}, {"market": "spot"}]},
                ResourceConfig={"InstanceCount": 2},
            ),
            [
                Place("policy.ladder[1]", Market.SPOT, 2),
                Place("policy.ladder[2]", Market.ON_DEMAND, 4),
                Place("policy.ladder[3]", Market.SPOT, 2),
            ],
        ),
    ],
)
def test_the_places_of_a_run_are_its_ladder_or_the_jobs_own(draft: Draft, places: list[Place]) -> None:
    assert draft.places == tuple(places)


def test_the_first_of_the_places_with_the_most_instances_is_named() -> None:
    ladder = [{"instance_count": count} for count in (1, 3, 3, 2)]
    assert wrapped({"ladder": ladder}).most_instances.path == "policy.ladder[1]"


@pytest.mark.parametrize(
    ("image", "region"),
    [
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/churn:1", "eu-west-1"),
        ("111122223333.dkr-ecr-fips.us-gov-west-1.on.aws/churn:1", "us-gov-west-1"),
        ("docker.io/churn:1", None),
        (5, None),
    ],
)
def test_an_image_in_ecr_tells_the_region_of_the_job(image: Any, region: str | None) -> None:
    assert wrapped(AlgorithmSpecification={"TrainingImage": image}).image_region == region


@pytest.mark.parametrize(("given", "seconds"), [(60, 60), (0, 0), ("60", 86_400), (None, 86_400)])
def test_a_job_without_a_number_for_its_longest_run_time_has_sagemakers_default(given: Any, seconds: int) -> None:
    assert wrapped(StoppingCondition={"MaxRuntimeInSeconds": given}).max_runtime == seconds
