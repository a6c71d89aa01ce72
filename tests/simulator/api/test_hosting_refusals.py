"""What is refused about models, endpoint configurations and endpoints, with the service's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.api.answers import refused
from tests.simulator.api.host import SLOW
from tests.simulator.api.hosting_requests import ACCOUNT, model, variant

if TYPE_CHECKING:
    from tests.simulator.api.host import Host


def test_an_endpoint_in_progress_can_be_neither_updated_nor_deleted_nor_created_again(host: Host) -> None:
    arn = host.create()
    host.configure("churn-2")
    busy = ("ValidationException", f'Cannot update in-progress endpoint "{arn}".')

    assert refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-2")) == busy
    assert refused(lambda: host.api.delete_endpoint(EndpointName="churn")) == busy
    assert refused(host.create) == ("ValidationException", f'Cannot create already existing endpoint "{arn}".')


def test_names_are_taken_in_any_case(host: Host) -> None:
    assert refused(lambda: host.api.create_model(**model("CHURN"))) == (
        "ValidationException",
        f'Cannot create already existing model "{ACCOUNT}:model/churn".',
    )
    assert refused(lambda: host.configure("Churn-1")) == (
        "ValidationException",
        f'Cannot create already existing endpoint configuration "{ACCOUNT}:endpoint-config/churn-1".',
    )


def test_what_a_request_names_must_exist(host: Host) -> None:
    no_model = ("ValidationException", f'Could not find model "{ACCOUNT}:model/other".')
    no_config = ("ValidationException", f'Could not find endpoint configuration "{ACCOUNT}:endpoint-config/other".')

    assert refused(lambda: host.configure("churn-2", ModelName="other")) == no_model
    assert refused(lambda: host.create(config="other")) == no_config
    host.create()
    host.pass_(60)
    assert refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="other")) == no_config
    host.api.delete_model(ModelName="churn")
    assert refused(lambda: host.create("churn-b"))[1] == f'Could not find model "{ACCOUNT}:model/churn".'


def test_a_full_quota_for_endpoints_is_reported_with_the_message_of_the_service(host: Host) -> None:
    quota = {"instance_type": "ml.m5.large", "market": "endpoint", "limit": 1}
    host.sagemaker.play({"quotas": [quota], "endpoints": [{"phases": SLOW}]})
    host.create()

    code, message = refused(lambda: host.create("churn-b"))

    assert code == "ResourceLimitExceeded"
    assert (
        "service limit 'ml.m5.large for endpoint usage' is 1 Instances, with current utilization of 1 Instances and a "
        "request delta of 1 Instances" in message
    )
    # An update needs its instances while the old ones still serve.
    host.pass_(60)
    host.configure("churn-2")
    updated = refused(lambda: host.api.update_endpoint(EndpointName="churn", EndpointConfigName="churn-2"))
    assert updated[0] == "ResourceLimitExceeded"
    host.api.delete_endpoint(EndpointName="churn")
    host.pass_(10)
    host.create("churn-b")


def test_a_scripted_error_applies_to_the_resources_whose_names_match(host: Host) -> None:
    denied = {"operation": "CreateModel", "code": "AccessDeniedException", "message": "no", "times": None}
    lost = {"operation": "CreateEndpoint", "code": "InternalFailure", "http_status": 500, "takes_effect": True}
    host.sagemaker.play({"endpoints": [{"name": "b-*", "errors": [denied, lost]}]})

    assert refused(lambda: host.api.create_model(**model("b-1"))) == ("AccessDeniedException", "no")
    host.api.create_model(**model("c-1"))
    assert refused(lambda: host.create("b-2"))[0] == "InternalFailure"
    assert host.status("b-2") == ("Creating", "churn-1")
    assert [entry["outcome"] for entry in host.sagemaker.log(resource="endpoint/b-2", kind="call")] == [
        "InternalFailure",
        "ok",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"InstanceType": None}, "InstanceType and InitialInstanceCount are required in variant AllTraffic"),
        ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}, "together with ServerlessConfig"),
        ({"ModelName": None}, "ModelName is missing in variant AllTraffic"),
        ({"InstanceType": "ml.t3.medium"}, "at 'productionVariants.1.member.instanceType' failed to satisfy"),
        ({"InitialVariantWeight": 0}, "InitialVariantWeight above 0"),
    ],
)
def test_a_variant_that_breaks_a_rule_is_refused(host: Host, changes: dict[str, Any], said: str) -> None:
    code, message = refused(lambda: host.configure("wrong", **changes))

    assert code == "ValidationException"
    assert said in message


def test_variants_have_different_names(host: Host) -> None:
    variants = [variant("churn"), variant("churn")]
    create = host.api.create_endpoint_config

    assert "must be unique" in refused(lambda: create(EndpointConfigName="two", ProductionVariants=variants))[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ExecutionRoleArn": None}, "ExecutionRoleArn is required"),
        ({"PrimaryContainer": None}, "Exactly one of PrimaryContainer and Containers"),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://bucket/model.tar.gz"}}, "Image is required"),
        ({"PrimaryContainer": {"ModelPackageName": "churn/1"}}, "model-package/churn/1 does not exist"),
        ({"ModelName": "no_underscores"}, "regular expression pattern"),
    ],
)
def test_a_model_that_breaks_a_rule_is_refused(host: Host, changes: dict[str, Any], said: str) -> None:
    request = {key: value for key, value in (model("wrong") | changes).items() if value is not None}

    code, message = refused(lambda: host.api.create_model(**request))

    assert code == "ValidationException"
    assert said in message
