"""The parts of a registration and of a deployment: each request in full."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.hosting import Deployment, HostingStep, OnSuccess, Part, Registration, Serverless
from spot_relay.domain.run.hosting_part import part_of
from tests.unit.paid_runs import a_run

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

JOB, MODEL = "churn-relay-01", "s3://models/churn/output/churn-relay-01/output/model.tar.gz"
REGISTRATION = Registration("churn-models", "an-image")
DEPLOYMENT = Deployment("churn-live", "an-image", "a-role", instance_type="ml.m5.large")
OWN_TAG = {"Key": "team", "Value": "churn"}
TAGS = {"spot-relay:run-id": "churn", "spot-relay:submission": "one"}
TAG_LIST = [OWN_TAG, *({"Key": key, "Value": value} for key, value in TAGS.items())]
CONTAINER = {"Image": "an-image", "ModelDataUrl": MODEL}


def part(step: HostingStep, *, register: Registration | None = None, deploy: Deployment | None = None) -> Part | None:
    """The part of a run that has left a model."""
    return part_of(with_model(OnSuccess(register, deploy)), step)


def with_model(wanted: OnSuccess) -> Run:
    run = a_run(Tags=[OWN_TAG])
    return replace(run, attempts=(replace(run.current, model_artifacts=MODEL),), on_success=wanted)


def test_a_model_is_named_after_the_job_that_made_it_and_has_the_tags_of_the_job() -> None:
    request = {"ModelName": JOB, "ExecutionRoleArn": "a-role", "Tags": TAG_LIST, "PrimaryContainer": CONTAINER}
    assert part(HostingStep.MODEL, deploy=DEPLOYMENT) == Part(HostingStep.MODEL, JOB, request, TAGS)


def test_the_container_of_a_model_has_the_environment_that_the_spec_gives() -> None:
    found = part(HostingStep.MODEL, deploy=replace(DEPLOYMENT, environment={"THREADS": "4"}))
    assert found is not None
    assert found.request["PrimaryContainer"] == {**CONTAINER, "Environment": {"THREADS": "4"}}


@pytest.mark.parametrize(
    ("changes", "capacity"),
    [
        ({}, {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}),
        ({"instance_count": 3}, {"InstanceType": "ml.m5.large", "InitialInstanceCount": 3}),
        (
            {"instance_type": None, "serverless": Serverless(2048, 5)},
            {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}},
        ),
    ],
)
def test_an_endpoint_configuration_has_one_variant_on_instances_or_serverless(
    changes: dict[str, Any], capacity: dict[str, Any]
) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": JOB, **capacity}
    request = {"EndpointConfigName": JOB, "ProductionVariants": [variant], "Tags": TAG_LIST}
    expected = Part(HostingStep.ENDPOINT_CONFIG, JOB, request, TAGS)
    assert part(HostingStep.ENDPOINT_CONFIG, deploy=replace(DEPLOYMENT, **changes)) == expected


def test_an_endpoint_is_created_with_tags_and_updated_without() -> None:
    request = {"EndpointName": "churn-live", "EndpointConfigName": JOB}
    created = Part(HostingStep.ENDPOINT, "churn-live", {**request, "Tags": TAG_LIST}, TAGS)
    assert part(HostingStep.ENDPOINT, deploy=DEPLOYMENT) == created
    updated = Part(HostingStep.ENDPOINT_UPDATE, "churn-live", request, {})
    assert part(HostingStep.ENDPOINT_UPDATE, deploy=DEPLOYMENT) == updated


def test_a_model_package_belongs_to_its_group_and_its_token_to_the_submission() -> None:
    request = {
        "ModelPackageGroupName": "churn-models",
        "ModelPackageDescription": "The model of the run churn, trained by churn-relay-01.",
        "InferenceSpecification": {"Containers": [CONTAINER]},
        "ModelApprovalStatus": "PendingManualApproval",
        # The first 32 digits of sha256("churn/one").
        "ClientToken": "d5e46af88ae29a354128c3c8db13343d",
    }
    expected = Part(HostingStep.MODEL_PACKAGE, "churn-models", request, {})
    assert part(HostingStep.MODEL_PACKAGE, register=REGISTRATION) == expected


def test_a_model_package_says_what_the_spec_says_of_it() -> None:
    wanted = Registration("churn-models", "an-image", {"A": "b"}, ("text/csv",), ("text/plain",), "Approved", "Churn.")
    found = part(HostingStep.MODEL_PACKAGE, register=wanted)
    assert found is not None
    assert found.request["InferenceSpecification"] == {
        "Containers": [{**CONTAINER, "Environment": {"A": "b"}}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/plain"],
    }
    assert (found.request["ModelPackageDescription"], found.request["ModelApprovalStatus"]) == ("Churn.", "Approved")


@pytest.mark.parametrize("step", HostingStep)
def test_nothing_is_made_that_is_not_wanted_or_without_a_model(step: HostingStep) -> None:
    other = {"deploy": DEPLOYMENT} if step is HostingStep.MODEL_PACKAGE else {"register": REGISTRATION}
    assert part(step, **other) is None
    assert part_of(replace(a_run(), on_success=OnSuccess(REGISTRATION, DEPLOYMENT)), step) is None


@pytest.mark.parametrize("step", [HostingStep.LOOK, HostingStep.FOLLOW])
def test_a_look_at_the_endpoint_makes_nothing(step: HostingStep) -> None:
    assert part(step, register=REGISTRATION, deploy=DEPLOYMENT) is None
