"""The CreateTrainingJob request of an attempt: the user's job, in the placement that the attempt has."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.policy import Policy, Rung
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.fakes import NOON
from tests.unit.worlds import TRAINING_JOB, submission

M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
ON_DEMAND_JOB: dict[str, Any] = {
    "EnableManagedSpotTraining": None,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


def request_on(placement: Placement, max_wait_seconds: int | None = None, **changes: Any) -> dict[str, Any]:
    """The request of an attempt in a placement."""
    run = accept(submission(**changes), "one", NOON)
    return launch_of_attempt(run, replace(run.current, placement=placement, max_wait_seconds=max_wait_seconds)).request


def placed(kind: str = M5, count: int = 1, market: Market = Market.SPOT, volume: int | None = None) -> Placement:
    return Placement(kind, count, market, volume)


def test_a_spot_attempt_has_the_users_job_and_nothing_else_but_a_name_and_tags() -> None:
    request = request_on(placed())
    assert request.pop("TrainingJobName") == "churn-relay-01"
    assert [tag["Key"] for tag in request.pop("Tags")] == [
        "spot-relay:run-id",
        "spot-relay:attempt",
        "spot-relay:submission",
    ]
    assert request == TRAINING_JOB


def test_on_demand_takes_the_switch_and_the_wait_out_together_and_leaves_the_rest() -> None:
    request = request_on(placed(market=Market.ON_DEMAND))
    assert "EnableManagedSpotTraining" not in request
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert request["CheckpointConfig"] == TRAINING_JOB["CheckpointConfig"]
    assert request["ResourceConfig"] == TRAINING_JOB["ResourceConfig"]


def test_what_on_demand_left_out_is_there_again_on_the_way_back_to_spot() -> None:
    run = accept(submission(), "one", NOON)
    away = run.with_attempt(replace(run.current, placement=placed(market=Market.ON_DEMAND)))
    launch_of_attempt(away, away.current)
    back = launch_of_attempt(away, replace(away.current, placement=placed())).request
    assert back["EnableManagedSpotTraining"] is True
    assert back["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}


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


def test_the_first_attempt_of_a_run_with_a_ladder_is_on_its_first_rung() -> None:
    ladder = (Rung(placed(G5, 2, Market.ON_DEMAND, 50)), Rung(placed()))
    run = accept(submission(Policy(ladder=ladder)), "one", NOON)
    request = launch_of_attempt(run, run.current).request
    assert request["ResourceConfig"] == {"InstanceType": G5, "InstanceCount": 2, "VolumeSizeInGB": 50}
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
def test_whatever_the_job_a_request_has_the_switch_and_a_wait_that_is_long_enough_or_neither(
    placement: Placement, wait: int | None, stopping: dict[str, int] | None, switch: bool | None
) -> None:
    changes = {"StoppingCondition": stopping, "EnableManagedSpotTraining": switch}
    before = copy.deepcopy(TRAINING_JOB)
    request = request_on(placement, wait, **changes)
    told = request["StoppingCondition"]
    if placement.market is Market.SPOT:
        assert request["EnableManagedSpotTraining"] is True
        assert told["MaxWaitTimeInSeconds"] >= told.get("MaxRuntimeInSeconds", 86_400)
    else:
        assert "EnableManagedSpotTraining" not in request
        assert "MaxWaitTimeInSeconds" not in told
    kept = {key: value for key, value in (stopping or {}).items() if key != "MaxWaitTimeInSeconds"}
    assert kept.items() <= told.items()
    assert before == TRAINING_JOB, "the user's job is left as it is"
