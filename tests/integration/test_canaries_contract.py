"""Canaries are created in memory as through boto3, against the simulator, and can touch nothing of their run's."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.validate import ParamValidator

from spot_relay.domain.run.attempt import Canary
from spot_relay.domain.run.launch import Created, Launch, launch_of_attempt, launch_of_canary
from spot_relay.domain.sagemaker.job import Absent, Market, Placement
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from tests.fakes import NOON
from tests.integration.runs import a_run
from tests.integration.sagemakers import ANSWERS, DENIALS, OPEN, Answer, Simulated, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.run.run import Run

NAME = "churn-canary-01"
RUN = a_run("churn", NOON)
CANARY = Canary(1, NAME, Placement("ml.m5.xlarge", 2, Market.SPOT), NOON, max_wait_seconds=7200)
# A training job that has all that a canary may share with it, and all that it may not.
RICH = RUN.training_job | {
    "Environment": {"TOKEN": "sesame"},
    "HyperParameters": {"api_key": "sesame"},
    "VpcConfig": {"SecurityGroupIds": ["sg-0123"], "Subnets": ["subnet-0123"]},
    "EnableNetworkIsolation": True,
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "Tags": [{"Key": "team", "Value": "growth"}],
}


def launch(run: Run = RUN) -> Launch:
    return launch_of_canary(run, CANARY)


def create(world: World, run: Run = RUN) -> Created | NotCreated:
    return world.port.create(launch(run))


def created(answer: Created | NotCreated) -> str:
    """Return the ARN of a canary, which has to have been created."""
    assert isinstance(answer, Created), answer
    return answer.arn


@contextmanager
def overheard(client: Any) -> Iterator[list[dict[str, Any]]]:
    """Return the bodies of the CreateTrainingJob requests that a client sends."""
    bodies: list[dict[str, Any]] = []

    def note(request: Any, **_: Any) -> None:
        bodies.append(json.loads(request.body))

    client.meta.events.register("before-send.sagemaker.CreateTrainingJob", note)
    yield bodies
    client.meta.events.unregister("before-send.sagemaker.CreateTrainingJob", note)


def test_a_canary_is_created_with_the_tags_of_its_run_and_lives(world: World) -> None:
    arn = created(create(world))
    job = world.port.describe(NAME)
    assert not isinstance(job, Absent)
    assert (job.status, job.secondary_status, job.created_at) == ("InProgress", "Starting", NOON)
    assert (job.arn, job.placement) == (arn, CANARY.placement)
    tags = world.tags(NAME)
    assert tags == launch().tags
    assert tags == {"spot-relay:run-id": "churn", "spot-relay:canary": "1", "spot-relay:submission": "submission-1"}


def test_a_canary_that_was_created_before_is_not_created_again(world: World) -> None:
    assert created(create(world)) == created(create(world))
    assert world.created() == [NAME]


def test_the_canary_of_an_earlier_run_of_the_same_name_is_somebody_elses(world: World) -> None:
    create(world, replace(RUN, submission_id="submission-0"))
    refused = create(world)
    assert isinstance(refused, NotCreated)
    assert (refused.refusal, refused.refusal.passes) == (Refusal.NAME_TAKEN, False)
    assert f"training-job/{NAME}" in refused.because


def test_a_runs_own_canary_is_found_by_its_tags_and_nobody_elses(world: World) -> None:
    assert world.port.find(launch()) == Absent()
    create(world)
    assert world.port.find(launch()) == world.port.describe(NAME)
    assert world.port.find(launch(replace(RUN, submission_id="submission-2"))) == Absent()


def test_an_attempt_is_no_canary_whatever_its_name(world: World) -> None:
    world.port.create(launch_of_attempt(RUN, replace(RUN.current, job_name=NAME)))
    refused = create(world)
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.NAME_TAKEN


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refused_canary_tells_its_kind_and_text_and_is_created_when_it_is_tried_again(
    world: World, answer: Answer
) -> None:
    world.refuse(answer)
    assert create(world) == NotCreated(answer.message, answer.refusal)
    assert world.port.describe(NAME) == Absent()
    assert created(create(world))


def test_a_full_quota_refuses_a_canary_until_there_is_room(sagemaker: Simulated) -> None:
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 2}
    sagemaker.simulator.play(default={"train_seconds": 50}, quotas=[quota])
    assert sagemaker.port.create(launch_of_attempt(RUN, RUN.current))
    refused = create(sagemaker)
    assert isinstance(refused, NotCreated)
    assert (refused.refusal, refused.refusal.passes) == (Refusal.QUOTA_FULL, True)
    sagemaker.complete()
    assert created(create(sagemaker))


@pytest.mark.parametrize("answer", DENIALS, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refusal_that_says_that_there_is_no_canary_is_not_believed_of_one_that_exists(
    world: World, answer: Answer
) -> None:
    create(world)
    world.refuse(answer)
    assert created(create(world))


@pytest.mark.parametrize("answer", OPEN, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refusal_that_leaves_open_whether_there_is_a_canary_is_given_as_it_is(world: World, answer: Answer) -> None:
    create(world)
    world.refuse(answer)
    assert create(world) == NotCreated(answer.message, answer.refusal)
    assert created(create(world))


def test_the_request_that_reaches_sagemaker_is_valid_and_shares_nothing_with_the_run_but_role_and_network(
    sagemaker: Simulated,
) -> None:
    with overheard(sagemaker.client) as bodies:
        assert created(create(sagemaker, replace(RUN, training_job=RICH)))
    (body,) = bodies
    shape = sagemaker.client.meta.service_model.operation_model("CreateTrainingJob").input_shape
    assert not ParamValidator().validate(body, shape).has_errors()
    shared = {"RoleArn", "OutputDataConfig", "VpcConfig", "EnableNetworkIsolation"}
    own = {"AlgorithmSpecification", "ResourceConfig", "StoppingCondition", "TrainingJobName", "Tags"}
    # Neither CheckpointConfig nor InputDataConfig, HyperParameters or Environment.
    assert body.keys() == {*shared, *own, "EnableManagedSpotTraining"}
    assert {key: body[key] for key in shared} == {key: RICH[key] for key in shared}
    assert (body["EnableManagedSpotTraining"], body["ResourceConfig"]["InstanceCount"]) == (True, 2)
    assert "sesame" not in json.dumps(body)


OWN = RUN.training_job["AlgorithmSpecification"]["TrainingImage"]


@pytest.mark.parametrize(("image", "used"), [(None, OWN), ("example.com/busybox:1", "example.com/busybox:1")])
def test_a_canary_sleeps_in_the_image_of_the_operator_or_in_the_jobs_own(
    sagemaker: Simulated, image: str | None, used: str
) -> None:
    assert created(sagemaker.port.create(launch_of_canary(RUN, CANARY, image)))
    described = sagemaker.client.describe_training_job(TrainingJobName=NAME)["AlgorithmSpecification"]
    assert described["TrainingImage"] == used
    assert described["ContainerEntrypoint"] == ["/bin/sh", "-c"]
    assert "sleep" in described["ContainerArguments"][0]


def test_a_canary_is_stopped_as_any_job_is(world: World) -> None:
    create(world)
    world.port.stop(NAME)
    job = world.port.describe(NAME)
    assert not isinstance(job, Absent)
    assert job.status == "Stopping"
