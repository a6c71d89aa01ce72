"""The launches of attempts and canaries: whose they are, and where they run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Canary
from spot_relay.domain.run.launch import check_canary, launch_of_attempt, launch_of_canary
from spot_relay.domain.run.policy import Policy, Rung
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.worlds import TRAINING_JOB, submission

M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
SPOT, ON_DEMAND = Placement(M5, 1, Market.SPOT), Placement(M5, 1, Market.ON_DEMAND)


def test_an_attempts_launch_is_the_users_job_with_the_tags_that_prove_whose_it_is() -> None:
    run = accept(submission(), "one", NOON)
    launch = launch_of_attempt(run, run.current)
    assert launch.job_name == launch.request["TrainingJobName"] == "churn-relay-01"
    assert launch.tags == {"spot-relay:run-id": "churn", "spot-relay:attempt": "1", "spot-relay:submission": "one"}
    assert {tag["Key"]: tag["Value"] for tag in launch.request["Tags"]} == launch.tags
    assert TRAINING_JOB.items() <= launch.request.items()


def test_a_canarys_launch_has_tags_of_its_own_so_that_it_is_not_taken_for_an_attempt() -> None:
    run = accept(submission(), "one", NOON)
    canary = Canary(2, "churn-canary-02", SPOT, NOON, 9000)
    launch = launch_of_canary(run, canary, "busybox:1")
    assert launch.job_name == "churn-canary-02"
    assert launch.tags == {"spot-relay:run-id": "churn", "spot-relay:canary": "2", "spot-relay:submission": "one"}
    assert {tag["Key"]: tag["Value"] for tag in launch.request["Tags"]} == launch.tags
    assert launch.request["AlgorithmSpecification"]["TrainingImage"] == "busybox:1"
    assert launch.request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 9000
    assert launch.request["ResourceConfig"]["InstanceType"] == M5


def test_a_canary_without_an_image_of_its_own_sleeps_in_that_of_the_job() -> None:
    launch = launch_of_canary(accept(submission(), "one", NOON), Canary(2, "churn-canary-02", SPOT, NOON, 9000))
    image = TRAINING_JOB["AlgorithmSpecification"]["TrainingImage"]
    assert launch.request["AlgorithmSpecification"]["TrainingImage"] == image


def test_the_first_attempt_of_a_run_with_a_ladder_is_on_its_first_rung() -> None:
    ladder = (Rung(Placement(G5, 2, Market.ON_DEMAND, 50)), Rung(SPOT))
    run = accept(submission(Policy(ladder=ladder)), "one", NOON)
    request = launch_of_attempt(run, run.current).request
    assert request["ResourceConfig"] == {"InstanceType": G5, "InstanceCount": 2, "VolumeSizeInGB": 50}
    assert "EnableManagedSpotTraining" not in request


def test_what_an_on_demand_attempt_lacks_is_there_again_when_the_run_returns_to_spot() -> None:
    run = accept(submission(), "one", NOON)
    away = run.with_attempt(replace(run.current, placement=ON_DEMAND))
    assert "MaxWaitTimeInSeconds" not in launch_of_attempt(away, away.current).request["StoppingCondition"]
    back = launch_of_attempt(away, replace(away.current, placement=SPOT, max_wait_seconds=9000)).request
    assert back["EnableManagedSpotTraining"] is True
    assert back["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 9000}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}},
            "A canary needs a TrainingImage, and the job has an AlgorithmName.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [{"InstanceType": "ml.m5.xlarge"}]}},
            "A canary has one instance type, and the job has InstanceGroups.",
        ),
    ],
)
def test_a_job_that_can_have_no_canary_has_a_reason(changes: dict[str, Any], why: str) -> None:
    assert check_canary(TRAINING_JOB) is None
    assert check_canary(TRAINING_JOB | changes) == No(why)
