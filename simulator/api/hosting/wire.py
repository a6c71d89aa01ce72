"""Endpoints and model packages as the API and the state-change events show them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simulator.api.hosting.packages import shown
from simulator.api.paging import Listing, within
from simulator.life.endpoint import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.hosting.endpoints import Deployment, EndpointRecord
    from simulator.api.hosting.packages import Package

ENDPOINT_DETAIL_TYPE: Final = "SageMaker Endpoint State Change"
PACKAGE_DETAIL_TYPE: Final = "SageMaker Model Package State Change"
_SOURCE: Final = "aws.sagemaker"
_NOT_IN_PACKAGE_EVENTS: Final = ("CreatedBy",)


def describe_endpoint(record: EndpointRecord) -> dict[str, Any]:
    """Return the answer of DescribeEndpoint; times are epoch seconds, as in JSON 1.1."""
    life = record.life
    answer = {**summarize(record), "EndpointConfigName": record.config_name}
    if record.serving is not None:
        answer["ProductionVariants"] = [
            {
                "VariantName": variant["VariantName"],
                "DeployedImages": _images(record.serving, variant["VariantName"]),
                "CurrentWeight": variant["InitialVariantWeight"],
                "DesiredWeight": variant["InitialVariantWeight"],
                **_capacity(variant),
            }
            for variant in record.serving.config.variants
        ]
    if record.deploying is not None and life.status in (EndpointStatus.CREATING, EndpointStatus.UPDATING):
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": record.deploying.config.name,
            "StartTime": life.since,
        }
    if life.failure_reason is not None:
        answer["FailureReason"] = life.failure_reason
    return answer


def summarize(record: EndpointRecord) -> dict[str, Any]:
    """Return the entry of ListEndpoints for an endpoint."""
    return {
        "EndpointName": record.name,
        "EndpointArn": record.arn,
        "EndpointStatus": record.life.status.value,
        "CreationTime": record.created_at,
        "LastModifiedTime": record.life.since,
    }


def endpoint_event(record: EndpointRecord, at: float) -> dict[str, Any]:
    """Return the state-change event of an endpoint, as EventBridge delivers it to a target.

    As in the documented example, the status is in capitals, times are epoch milliseconds as numbers, and the variants
    have no names.
    """
    life = record.life
    current = record.serving or record.deploying
    detail: dict[str, Any] = {
        "EndpointName": record.name,
        "EndpointArn": record.arn,
        "EndpointConfigName": record.config_name,
        "ProductionVariants": [
            {
                "DesiredWeight": float(variant["InitialVariantWeight"]),
                "DesiredInstanceCount": float(variant.get("InitialInstanceCount", 0)),
            }
            for variant in (current.config.variants if current is not None else ())
        ],
        "EndpointStatus": capitals(life.status),
        "CreationTime": round(record.created_at * 1000),
        "LastModifiedTime": round(life.since * 1000),
        "Tags": dict(record.tags),
    }
    if life.failure_reason is not None:
        detail["FailureReason"] = life.failure_reason
    return _event(ENDPOINT_DETAIL_TYPE, record.arn, at, detail)


def package_event(package: Package) -> dict[str, Any]:
    """Return the state-change event of a model package; as in the documented example, its times are texts."""
    detail = {key: value for key, value in shown(package).items() if key not in _NOT_IN_PACKAGE_EVENTS}
    moment = _iso(package.created_at)
    detail |= {"CreationTime": moment, "LastModifiedTime": moment}
    return _event(PACKAGE_DETAIL_TYPE, package.arn, package.created_at, detail)


def capitals(status: EndpointStatus) -> str:
    """Return a status as events have it: ``IN_SERVICE`` for ``InService``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status.value).upper()


def _event(detail_type: str, arn: str, at: float, detail: Mapping[str, Any]) -> dict[str, Any]:
    _, _, _, region, account, _ = arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": _SOURCE,
        "account": account,
        "time": _iso(at),
        "region": region,
        "resources": [arn],
        "detail": detail,
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _images(deployment: Deployment, variant: str) -> list[dict[str, Any]]:
    model = deployment.models[variant]
    return [
        {"SpecifiedImage": each.image, "ResolvedImage": each.image, "ResolutionTime": model.created_at}
        for each in model.containers
    ]


def _capacity(variant: Mapping[str, Any]) -> dict[str, Any]:
    if "ServerlessConfig" in variant:
        return {"CurrentInstanceCount": 0, "CurrentServerlessConfig": variant["ServerlessConfig"]}
    count = variant["InitialInstanceCount"]
    return {"CurrentInstanceCount": count, "DesiredInstanceCount": count}


def _sort_key(sort_by: str) -> Callable[[EndpointRecord], tuple[float | str, float | str]]:
    match sort_by:
        case "Name":
            return lambda record: (record.name, record.name)
        case "Status":
            return lambda record: (record.life.status.value, record.name)
        case _:
            return lambda record: (record.created_at, record.name)


def _matches(record: EndpointRecord, filters: Mapping[str, Any]) -> bool:
    status = record.life.status.value
    return (
        filters.get("NameContains", "").lower() in record.name.lower()
        and filters.get("StatusEquals", status) == status
        and within(record.created_at, filters, "CreationTime")
        and within(record.life.since, filters, "LastModifiedTime")
    )


ENDPOINTS: Final = Listing("Endpoints", summarize, _matches, _sort_key, order="Descending")
