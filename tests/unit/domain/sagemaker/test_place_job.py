"""The user's CreateTrainingJob request, in another placement."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import place_job
from tests.unit.worlds import TRAINING_JOB, submission

M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
ON_DEMAND_JOB: dict[str, Any] = {
    "EnableManagedSpotTraining": None,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


def request_on(placement: Placement, max_wait_seconds: int | None = None, **changes: Any) -> dict[str, Any]:
    """The request in a placement; a change to None removes the key."""
    return place_job(submission(**changes).training_job, "churn-relay-01", placement, max_wait_seconds, {"ours": "1"})


def placed(kind: str = M5, count: int = 1, market: Market = Market.SPOT, volume: int | None = None) -> Placement:
    return Placement(kind, count, market, volume)


def test_on_spot_the_request_gains_a_name_and_tags_and_nothing_else() -> None:
    own = {"Key": "team", "Value": "growth"}
    request = request_on(placed(), Tags=[own])
    assert request.pop("TrainingJobName") == "churn-relay-01"
    assert request.pop("Tags") == [own, {"Key": "ours", "Value": "1"}]
    assert request == TRAINING_JOB


def test_on_demand_removes_the_switch_and_the_wait_together_and_leaves_the_rest() -> None:
    request = request_on(placed(market=Market.ON_DEMAND))
    assert "EnableManagedSpotTraining" not in request
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert request["CheckpointConfig"] == TRAINING_JOB["CheckpointConfig"]
    assert request["ResourceConfig"] == TRAINING_JOB["ResourceConfig"]


@pytest.mark.parametrize("switch", [None, False], ids=["no switch", "a switch that is off"])
def test_a_spot_rung_makes_a_spot_job_of_an_on_demand_one_that_waits_as_long_as_it_may_run(switch: bool | None) -> None:
    request = request_on(placed(), **(ON_DEMAND_JOB | {"EnableManagedSpotTraining": switch}))
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}


@pytest.mark.parametrize("switch", [None, False], ids=["no switch", "a switch that is off"])
def test_an_on_demand_job_stays_one_on_demand(switch: bool | None) -> None:
    request = request_on(placed(market=Market.ON_DEMAND), **(ON_DEMAND_JOB | {"EnableManagedSpotTraining": switch}))
    assert "EnableManagedSpotTraining" not in request
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_a_spot_rung_of_a_job_that_names_no_limits_waits_as_long_as_sagemaker_lets_it_run() -> None:
    request = request_on(placed(), EnableManagedSpotTraining=None, StoppingCondition=None)
    assert request["StoppingCondition"] == {"MaxWaitTimeInSeconds": 86_400}


def test_the_wait_that_a_deadline_asks_for_replaces_the_jobs_own() -> None:
    assert request_on(placed(), 5400)["StoppingCondition"]["MaxWaitTimeInSeconds"] == 5400
    assert request_on(placed(), 9000)["StoppingCondition"]["MaxWaitTimeInSeconds"] == 9000


def test_a_wait_is_never_shorter_than_the_training_may_be() -> None:
    # SageMaker refuses a MaxWaitTimeInSeconds below MaxRuntimeInSeconds.
    assert request_on(placed(), 60)["StoppingCondition"]["MaxWaitTimeInSeconds"] == 3600


def test_a_deadlines_wait_is_nothing_to_an_on_demand_attempt() -> None:
    assert request_on(placed(market=Market.ON_DEMAND), 9000)["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_a_placement_brings_its_instance_type_and_count_and_leaves_the_rest_of_the_resources() -> None:
    other = {"VolumeSizeInGB": 10, "VolumeKmsKeyId": "key", "KeepAlivePeriodInSeconds": 60}
    request = request_on(placed(G5, 4), ResourceConfig={"InstanceType": M5, "InstanceCount": 1} | other)
    assert request["ResourceConfig"] == {"InstanceType": G5, "InstanceCount": 4} | other


def test_a_request_without_resources_has_those_of_the_placement() -> None:
    assert request_on(placed(G5, 4), ResourceConfig=None)["ResourceConfig"] == {"InstanceType": G5, "InstanceCount": 4}


def test_a_placement_with_a_volume_of_its_own_brings_it() -> None:
    assert request_on(placed(G5, volume=200))["ResourceConfig"]["VolumeSizeInGB"] == 200


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize(
    "own",
    [
        {"InstanceGroups": [{"InstanceGroupName": "a", "InstanceType": M5, "InstanceCount": 2}], "VolumeSizeInGB": 10},
        {"InstancePreferences": [{"InstanceType": M5, "InstanceCount": 2}], "VolumeSizeInGB": 10},
    ],
    ids=lambda own: next(iter(own)),
)
def test_a_job_that_names_several_instance_types_keeps_them_as_they_are(own: dict[str, Any], market: Market) -> None:
    assert request_on(placed(G5, 8, market, volume=99), ResourceConfig=own)["ResourceConfig"] == own


def test_a_cluster_of_several_types_goes_on_demand_as_it_is() -> None:
    groups = [{"InstanceGroupName": "a", "InstanceType": M5, "InstanceCount": 2}]
    own = {"InstanceGroups": groups, "VolumeSizeInGB": 10}
    request = request_on(placed(M5, 2, Market.ON_DEMAND), ResourceConfig=own)
    assert request["ResourceConfig"] == own
    assert "EnableManagedSpotTraining" not in request


placements = st.builds(
    Placement,
    st.sampled_from([M5, G5]),
    st.integers(1, 20),
    st.sampled_from(Market),
    st.none() | st.integers(1, 1000),
)
stoppings = st.fixed_dictionaries(
    {},
    optional={
        "MaxRuntimeInSeconds": st.integers(1, 2_419_200),
        "MaxWaitTimeInSeconds": st.integers(1, 2_592_000),
        "MaxPendingTimeInSeconds": st.integers(7200, 2_419_200),
    },
)


@given(
    placement=placements,
    wait=st.none() | st.integers(0, 2_592_000),
    stopping=st.none() | stoppings,
    switch=st.none() | st.booleans(),
)
def test_any_request_has_the_switch_and_a_wait_that_is_long_enough_or_neither(
    placement: Placement, wait: int | None, stopping: dict[str, int] | None, switch: bool | None
) -> None:
    changes = {"StoppingCondition": stopping, "EnableManagedSpotTraining": switch}
    before = copy.deepcopy(TRAINING_JOB)
    request = request_on(placement, wait, **changes)
    condition = request["StoppingCondition"]
    if placement.market is Market.SPOT:
        assert request["EnableManagedSpotTraining"] is True
        assert condition["MaxWaitTimeInSeconds"] >= condition.get("MaxRuntimeInSeconds", 86_400)
    else:
        assert "EnableManagedSpotTraining" not in request
        assert "MaxWaitTimeInSeconds" not in condition
    changed = {"MaxWaitTimeInSeconds", *(["MaxPendingTimeInSeconds"] if placement.market is Market.SPOT else [])}
    assert condition.keys().isdisjoint(changed - {"MaxWaitTimeInSeconds"})
    kept = {key: value for key, value in (stopping or {}).items() if key not in changed}
    assert kept.items() <= condition.items()
    assert before == TRAINING_JOB, "the user's job is left as it is"
