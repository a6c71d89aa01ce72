"""Models, endpoint configurations and endpoints through real clients: what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulator.api.answers import check_against_model, refused
from tests.simulator.api.host import SLOW
from tests.simulator.api.hosting_requests import ACCOUNT, IMAGE, model, variant

if TYPE_CHECKING:
    from tests.simulator.api.host import Host


def test_a_model_is_created_described_and_deleted(host: Host) -> None:
    given = model("Churn-2", Environment={"A": "b"})
    created = host.api.create_model(**given, Tags=[{"Key": "run", "Value": "churn"}])
    found = host.api.describe_model(ModelName="Churn-2")

    check_against_model("CreateModel", created)
    check_against_model("DescribeModel", found)
    assert created["ModelArn"] == found["ModelArn"] == f"{ACCOUNT}:model/churn-2"
    container = found["PrimaryContainer"]
    assert container["Mode"] == "SingleModel"
    assert {key: container[key] for key in given["PrimaryContainer"]} == given["PrimaryContainer"]  # type: ignore[literal-required]
    assert host.api.list_tags(ResourceArn=found["ModelArn"])["Tags"] == [{"Key": "run", "Value": "churn"}]
    host.api.delete_model(ModelName="Churn-2")
    assert refused(lambda: host.api.describe_model(ModelName="Churn-2")) == (
        "ValidationException",
        f'Could not find model "{ACCOUNT}:model/churn-2".',
    )


def test_a_configuration_is_created_described_and_deleted(host: Host) -> None:
    found = host.api.describe_endpoint_config(EndpointConfigName="churn-1")

    check_against_model("DescribeEndpointConfig", found)
    assert found["EndpointConfigArn"] == f"{ACCOUNT}:endpoint-config/churn-1"
    assert found["ProductionVariants"] == [{**variant("churn"), "InitialVariantWeight": 1.0}]
    host.api.delete_endpoint_config(EndpointConfigName="churn-1")
    assert refused(lambda: host.api.describe_endpoint_config(EndpointConfigName="churn-1")) == (
        "ValidationException",
        f'Could not find endpoint configuration "{ACCOUNT}:endpoint-config/churn-1".',
    )


def test_an_endpoint_is_created_updated_and_deleted(host: Host) -> None:
    arn = host.create()
    assert arn == f"{ACCOUNT}:endpoint/churn"
    assert host.status() == ("Creating", "churn-1")
    assert "ProductionVariants" not in host.describe()

    host.pass_(60)
    assert host.status() == ("InService", "churn-1")
    (shown,) = host.describe()["ProductionVariants"]
    assert (shown["CurrentInstanceCount"], shown["DeployedImages"][0]["SpecifiedImage"]) == (1, IMAGE)

    host.configure("churn-2", InitialInstanceCount=3)
    host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-2")
    assert host.status() == ("Updating", "churn-1")
    assert host.describe()["PendingDeploymentSummary"]["EndpointConfigName"] == "churn-2"
    host.pass_(30)
    assert host.status() == ("InService", "churn-2")
    assert host.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 3

    host.api.delete_endpoint(EndpointName="churn")
    assert host.status() == ("Deleting", "churn-2")
    host.pass_(10)
    gone = ("ValidationException", f'Could not find endpoint "{arn}".')
    assert refused(host.describe) == gone
    assert refused(lambda: host.api.delete_endpoint(EndpointName="churn")) == gone
    assert refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-1")) == gone


def test_each_status_is_published_as_an_event_in_the_documented_form(host: Host) -> None:
    arn = host.create(Tags=[{"Key": "run", "Value": "churn"}])
    host.pass_(60)
    host.api.delete_endpoint(EndpointName="churn")
    host.pass_(10)

    statuses = [event["detail"]["EndpointStatus"] for event in host.events]
    assert statuses == ["CREATING", "IN_SERVICE", "DELETING", "DELETED"]
    event = host.events[1]
    assert (event["source"], event["detail-type"]) == ("aws.sagemaker", "SageMaker Endpoint State Change")
    assert (event["resources"], event["time"]) == ([arn], "2026-01-01T00:01:00Z")
    assert event["detail"] == {
        "EndpointName": "churn",
        "EndpointArn": arn,
        "EndpointConfigName": "churn-1",
        "ProductionVariants": [{"DesiredWeight": 1.0, "DesiredInstanceCount": 1.0}],
        "EndpointStatus": "IN_SERVICE",
        "CreationTime": 1_767_225_600_000,
        "LastModifiedTime": 1_767_225_660_000,
        "Tags": {"run": "churn"},
    }


def test_an_endpoint_that_fails_says_why_and_can_only_be_deleted(host: Host) -> None:
    fail = {"reason": "The role cannot pull the image.", "after_seconds": 5}
    host.sagemaker.play({"endpoints": [{"name": "churn", "fail": fail, "phases": SLOW}]})
    arn = host.create()
    host.pass_(5)

    found = host.describe()

    assert (found["EndpointStatus"], found["FailureReason"]) == ("Failed", fail["reason"])
    assert host.events[-1]["detail"]["FailureReason"] == fail["reason"]
    code, message = refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-1"))
    assert (code, arn in message) == ("ValidationException", True)
    host.api.delete_endpoint(EndpointName="churn")


def test_an_update_that_fails_is_rolled_back_and_only_the_configuration_shows_it(host: Host) -> None:
    host.create()
    host.pass_(60)
    host.configure("churn-2")
    fail = {"reason": "The container ended.", "status": "Updating"}
    host.sagemaker.play({"endpoints": [{"name": "churn", "fail": fail, "phases": SLOW}]})
    host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-2")

    assert host.status() == ("RollingBack", "churn-1")
    host.pass_(20)

    found = host.describe()
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "churn-1")
    assert "FailureReason" not in found
    assert [event["detail"]["EndpointStatus"] for event in host.events[2:]] == [
        "UPDATING",
        "ROLLING_BACK",
        "IN_SERVICE",
    ]


def test_an_endpoint_outlives_its_model_and_configuration_but_cannot_be_updated_without_the_latter(host: Host) -> None:
    host.create()
    host.pass_(60)
    host.configure("churn-2")
    host.api.delete_endpoint_config(EndpointConfigName="churn-1")

    assert host.status() == ("InService", "churn-1")
    assert refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-2")) == (
        "ValidationException",
        f'Could not find endpoint configuration "{ACCOUNT}:endpoint-config/churn-1".',
    )


def test_a_serverless_variant_needs_no_instances(host: Host) -> None:
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    host.configure("churn-2", InstanceType=None, InitialInstanceCount=None, ServerlessConfig=serverless)
    host.create(config="churn-2")
    host.pass_(60)

    (shown,) = host.describe()["ProductionVariants"]

    assert (shown["CurrentServerlessConfig"], shown["CurrentInstanceCount"]) == (serverless, 0)


def test_an_endpoint_without_a_process_can_be_invoked_in_vain_once_it_is_in_service(host: Host) -> None:
    def invoke(**more: Any) -> tuple[str, str]:
        return refused(lambda: host.runtime.invoke_endpoint(EndpointName="churn", Body=b"1,2", **more))

    not_found = ("ValidationError", "Endpoint churn of account 000000000000 not found.")
    assert invoke() == not_found
    host.create()
    assert invoke() == not_found
    host.pass_(60)
    assert invoke(TargetVariant="other") == ("ValidationError", "Variant other not found for Endpoint churn")
    assert invoke() == (
        "ModelError",
        f"The simulator runs no container for endpoint churn: its image {IMAGE} has no folder on this machine, so that "
        "nothing is served.",
    )
    busy = {"operation": "InvokeEndpoint", "code": "ServiceUnavailable", "message": "busy", "http_status": 503}
    host.sagemaker.play({"endpoints": [{"errors": [busy]}]})
    assert invoke() == ("ServiceUnavailable", "busy")
    assert invoke()[0] == "ModelError"


def test_the_runtime_is_found_by_the_environment(host: Host) -> None:
    assert host.sagemaker.environment["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] == host.sagemaker.url


def test_events_can_be_late_repeated_and_lost(host: Host) -> None:
    travel = {"duplicates": 1, "delay_seconds": 7, "drop": {"statuses": ["Creating"]}}
    host.sagemaker.play({"endpoints": [{"phases": SLOW, "events": travel}]})
    host.create()

    host.pass_(66)
    assert host.events == []
    host.pass_(1)

    assert [event["detail"]["EndpointStatus"] for event in host.events] == ["IN_SERVICE"] * 2
    outcomes = [
        (entry["status"], entry["outcome"]) for entry in host.sagemaker.log(resource="endpoint/*", kind="event")
    ]
    assert outcomes == [("CREATING", "dropped"), ("IN_SERVICE", "put"), ("IN_SERVICE", "put")]


def test_the_log_has_every_status_of_an_endpoint(host: Host) -> None:
    host.create()
    host.pass_(60)
    host.api.delete_endpoint(EndpointName="churn")
    host.pass_(10)

    entries = host.sagemaker.log(resource="endpoint/churn", kind="endpoint")

    assert [(entry["status"], entry["config"], entry["live"]) for entry in entries] == [
        ("Creating", "churn-1", True),
        ("InService", "churn-1", True),
        ("Deleting", "churn-1", True),
        ("Deleted", "churn-1", False),
    ]


def test_endpoints_are_listed_by_page_filter_and_order(host: Host) -> None:
    for name in ("b-1", "b-2", "b-3"):
        host.create(name)
        host.pass_(1)
    host.pass_(58)

    def listed(**filters: Any) -> list[str]:
        pages = host.api.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": 2}, **filters)
        found = []
        for page in pages:
            check_against_model("ListEndpoints", page)
            found += [summary["EndpointName"] for summary in page["Endpoints"]]
        return found

    assert listed() == ["b-3", "b-2", "b-1"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["b-1", "b-2", "b-3"]
    assert listed(StatusEquals="InService", SortOrder="Ascending") == ["b-1", "b-2"]
    assert listed(SortBy="Status", SortOrder="Ascending") == ["b-3", "b-1", "b-2"]
    assert listed(NameContains="2") == ["b-2"]


def test_tags_are_added_to_an_endpoint_and_gone_with_it(host: Host) -> None:
    arn = host.create(Tags=[{"Key": "a", "Value": "1"}])

    added = host.api.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])

    assert host.api.list_tags(ResourceArn=arn)["Tags"] == added["Tags"]
    assert added["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    host.pass_(60)
    host.api.delete_endpoint(EndpointName="churn")
    host.pass_(10)
    gone = ("ValidationException", "Requested resource not found.")
    assert refused(lambda: host.api.list_tags(ResourceArn=arn)) == gone
    assert refused(lambda: host.api.add_tags(ResourceArn=arn, Tags=[])) == gone
