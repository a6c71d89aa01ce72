"""Model package groups and the versions of models in them, through real clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator import SageMaker, VirtualClock
from tests.simulator.api.answers import check_against_model, refused
from tests.simulator.api.hosting_requests import ACCOUNT, DATA, IMAGE, model, package
from tests.simulator.processes import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sagemaker import SageMakerClient


class Registry:
    """A simulator on a virtual clock that has one model package group."""

    def __init__(self, sagemaker: SageMaker, events: list[dict[str, Any]]) -> None:
        self.sagemaker = sagemaker
        self.events = events
        self.api: SageMakerClient = client("sagemaker", sagemaker.url)
        self.group = self.api.create_model_package_group(
            ModelPackageGroupName="Churn", ModelPackageGroupDescription="who leaves"
        )["ModelPackageGroupArn"]

    def register(self, **changes: Any) -> str:
        """Register a version."""
        return self.api.create_model_package(**package("Churn", **changes))["ModelPackageArn"]

    def listed(self, **filters: Any) -> list[int]:
        """List the versions of the group, page by page."""
        pages = self.api.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName="Churn", PaginationConfig={"PageSize": 2}, **filters
        )
        found = []
        for page in pages:
            check_against_model("ListModelPackages", page)
            found += [summary["ModelPackageVersion"] for summary in page["ModelPackageSummaryList"]]
        return found


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    events: list[dict[str, Any]] = []
    with SageMaker(clock=VirtualClock(), on_event=events.append) as sagemaker:
        yield Registry(sagemaker, events)


def test_a_group_is_described_and_exists_once(registry: Registry) -> None:
    found = registry.api.describe_model_package_group(ModelPackageGroupName="Churn")

    check_against_model("DescribeModelPackageGroup", found)
    assert registry.group == found["ModelPackageGroupArn"] == f"{ACCOUNT}:model-package-group/churn"
    assert (found["ModelPackageGroupDescription"], found["ModelPackageGroupStatus"]) == ("who leaves", "Completed")
    assert refused(lambda: registry.api.create_model_package_group(ModelPackageGroupName="churn")) == (
        "ValidationException",
        f"Model Package Group already exists: {registry.group}",
    )
    assert refused(lambda: registry.api.describe_model_package_group(ModelPackageGroupName="other")) == (
        "ValidationException",
        f"ModelPackageGroup {ACCOUNT}:model-package-group/other does not exist.",
    )


def test_versions_count_from_one_and_wait_for_approval(registry: Registry) -> None:
    first, second = registry.register(), registry.register(ModelApprovalStatus="Approved", ModelPackageDescription="b")

    found = registry.api.describe_model_package(ModelPackageName=second)

    assert (first, second) == (f"{ACCOUNT}:model-package/churn/1", f"{ACCOUNT}:model-package/churn/2")
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == ("Churn", 2)
    assert found["InferenceSpecification"]["Containers"] == [{"Image": IMAGE, "ModelDataUrl": DATA}]
    assert (found["ModelPackageStatus"], found["ModelApprovalStatus"]) == ("Completed", "Approved")
    assert [entry["operation"] for entry in registry.sagemaker.log(resource="model-package/churn/2", kind="call")] == [
        "DescribeModelPackage"
    ]
    # The service's model requires a name, which versions do not have.
    check_against_model("DescribeModelPackage", {"ModelPackageName": "none", **found})
    assert "ModelPackageName" not in found
    assert registry.api.describe_model_package(ModelPackageName="Churn/1")["ModelApprovalStatus"] == (
        "PendingManualApproval"
    )
    assert refused(lambda: registry.api.describe_model_package(ModelPackageName="churn/3")) == (
        "ValidationException",
        f"ModelPackage {ACCOUNT}:model-package/churn/3 does not exist.",
    )


def test_a_request_that_is_repeated_with_its_token_registers_nothing_more(registry: Registry) -> None:
    first = registry.register(ClientToken="churn-relay-01")

    assert registry.register(ClientToken="churn-relay-01") == first
    assert registry.listed() == [1]
    assert len(registry.events) == 1


def test_a_new_version_is_published_as_an_event_in_the_documented_form(registry: Registry) -> None:
    arn = registry.register(ModelApprovalStatus="Approved")

    (event,) = registry.events

    assert (event["source"], event["detail-type"]) == ("aws.sagemaker", "SageMaker Model Package State Change")
    assert (event["resources"], event["time"]) == ([arn], "2026-01-01T00:00:00Z")
    assert event["detail"] == {
        "ModelPackageGroupName": "Churn",
        "ModelPackageVersion": 1,
        "ModelPackageArn": arn,
        "CreationTime": "2026-01-01T00:00:00Z",
        "LastModifiedTime": "2026-01-01T00:00:00Z",
        "InferenceSpecification": package("Churn")["InferenceSpecification"],
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": "Approved",
    }
    (entry,) = registry.sagemaker.log(resource="model-package/Churn/1", kind="event")
    assert (entry["status"], entry["outcome"]) == ("Completed", "put")


def test_versions_are_listed_by_page_filter_and_order(registry: Registry) -> None:
    for approval in ("Approved", "Rejected", "Approved"):
        registry.register(ModelApprovalStatus=approval)

    assert registry.listed() == [1, 2, 3]
    assert registry.listed(SortOrder="Descending") == [3, 2, 1]
    assert registry.listed(SortBy="Name", SortOrder="Descending") == [3, 2, 1]
    assert registry.listed(ModelApprovalStatus="Approved") == [1, 3]
    # Without a group, only packages without versions are listed.
    assert registry.api.list_model_packages()["ModelPackageSummaryList"] == []
    assert len(registry.api.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"]) == 3
    assert refused(lambda: registry.api.list_model_packages(ModelPackageGroupName="other"))[0] == "ValidationException"


def test_a_model_can_come_from_a_version(registry: Registry) -> None:
    arn = registry.register()

    registry.api.create_model(**model("churn", Image=None, ModelDataUrl=None, ModelPackageName=arn))

    found = registry.api.describe_model(ModelName="churn")["PrimaryContainer"]
    assert found["ModelPackageName"] == arn


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ModelPackageName": "churn"}, "Both ModelPackageName and ModelPackageGroupName are provided"),
        ({"ModelPackageGroupName": None}, "Missing ARN."),
        ({"ModelPackageGroupName": None, "ModelPackageName": "churn"}, "give a ModelPackageGroupName"),
        ({"ModelPackageGroupName": "other"}, "model-package-group/other does not exist."),
        ({"InferenceSpecification": None}, "with an InferenceSpecification"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "it uses the tags of its group"),
        ({"ModelApprovalStatus": "Maybe"}, "at 'modelApprovalStatus' failed to satisfy"),
    ],
)
def test_a_package_that_breaks_a_rule_is_refused(registry: Registry, changes: dict[str, Any], said: str) -> None:
    code, message = refused(lambda: registry.register(**changes))

    assert code == "ValidationException"
    assert said in message
