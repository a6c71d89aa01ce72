"""Reduce a folder of packages to what the functions use. ``layers.mk`` runs it for the layer.

Botocore describes every operation of every AWS service in 27 MB, and creating a client means reading and parsing all
that its service has. This keeps the operations below and the shapes that they reach, unchanged but for their
documentation. ``tests/unit/test_layers.py`` compares the result with the original.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any

CALLS: dict[str, tuple[str, ...]] = {
    "dynamodb": ("GetItem", "PutItem", "Query", "TransactGetItems", "TransactWriteItems", "UpdateItem"),
    "events": ("PutEvents",),
    "pricing": ("GetProducts",),
    # The last two are botocore's own: for a bucket in another region, and for one of S3 Express.
    "s3": (
        *("AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "DeleteObject"),
        *("GetObject", "ListObjectsV2", "ListParts", "PutObject", "UploadPartCopy", "HeadBucket", "CreateSession"),
    ),
    "sagemaker": (
        *("CreateEndpoint", "CreateEndpointConfig", "CreateModel", "CreateModelPackage", "CreateTrainingJob"),
        *("DescribeEndpoint", "DescribeTrainingJob", "ListTags", "StopTrainingJob", "UpdateEndpoint"),
    ),
    "scheduler": ("CreateSchedule", "DeleteSchedule", "UpdateSchedule"),
    "sqs": ("SendMessage", "SendMessageBatch"),
    "stepfunctions": ("SendTaskFailure", "SendTaskSuccess"),
}
# Large parts of packages that no function imports: folders and modules.
_UNUSED = (
    # Powertools imports these only to validate requests or to describe the API, which the functions do themselves.
    *(
        f"aws_lambda_powertools/event_handler/middlewares/{name}.py"
        for name in ("openapi_validation", "schema_validation")
    ),
    *(
        f"aws_lambda_powertools/event_handler/openapi/{name}.py"
        for name in ("compat", "dependant", "encoders", "models")
    ),
    *(
        f"aws_lambda_powertools/event_handler/openapi/{name}"
        for name in ("params.py", "schema_generator.py", "swagger_ui")
    ),
    "aws_lambda_powertools/metrics/provider/datadog",
    *(
        f"aws_lambda_powertools/utilities/data_classes/{name}_event.py"
        for name in ("active_mq", "api_gateway_authorizer")
    ),
    *(
        f"aws_lambda_powertools/utilities/data_classes/{name}_event.py"
        for name in ("cognito_user_pool", "iot_registry")
    ),
    *(f"aws_lambda_powertools/utilities/data_classes/{name}_event.py" for name in ("rabbit_mq", "s3_object")),
    *(f"aws_lambda_powertools/utilities/{name}" for name in ("auth_alpha", "batch", "circuit_breaker", "data_masking")),
    *(f"aws_lambda_powertools/utilities/{name}" for name in ("feature_flags", "idempotency", "kafka", "parameters")),
    *(f"aws_lambda_powertools/utilities/{name}" for name in ("parser", "streaming", "validation")),
    "bin",
    "botocore/stub.py",
    "dateutil/rrule.py",
    "dateutil/tz/win.py",
    "dateutil/zoneinfo",
    *(f"pydantic/{name}" for name in ("color.py", "experimental/pipeline.py", "mypy.py", "v1")),
    *(f"urllib3/contrib/{name}" for name in ("emscripten", "pyopenssl.py", "socks.py")),
    "urllib3/http2/connection.py",
)
# What installers and auditors read of an installed package. Licenses and METADATA, which has the version, stay.
_FOR_INSTALLERS = ("RECORD", "sboms")
_UNUSED_DESCRIPTIONS = ("examples-1.json", "waiters-2.json")


def trim(packages: Path) -> None:
    """Reduce the packages in a folder. What is not there is not missed: a new version may have moved it."""
    installers = (found for name in _FOR_INSTALLERS for found in packages.glob(f"*.dist-info/{name}"))
    for unused in (*(packages / name for name in _UNUSED), *installers):
        if unused.is_dir():
            shutil.rmtree(unused)
        else:
            unused.unlink(missing_ok=True)
    data = packages / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir() and service.name not in CALLS:
            shutil.rmtree(service)
    prefixes = {trim_service(newest_version(data / service), calls) for service, calls in CALLS.items()}
    trim_endpoints(data / "endpoints.json", prefixes)


def newest_version(service: Path) -> Path:
    """Drop all but the newest version of a service's API, which is the one that a client uses, and return it."""
    *older, newest = sorted(service.iterdir())
    for version in older:
        shutil.rmtree(version)
    return newest


def trim_service(folder: Path, calls: tuple[str, ...]) -> str:
    """Reduce the description of a service to some calls, and return the prefix of its endpoints."""
    packed = folder / "service-2.json.gz"
    model = json.loads(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    model["operations"] = {name: model["operations"][name] for name in calls}
    model["shapes"] = {name: model["shapes"][name] for name in reached(model)}
    write(folder / "service-2.json", without_documentation(model))
    for name in _UNUSED_DESCRIPTIONS:
        (folder / name).unlink(missing_ok=True)
    paginators = folder / "paginators-1.json"
    if paginators.exists():
        known = json.loads(paginators.read_text("utf-8"))["pagination"]
        write(paginators, {"pagination": {name: known[name] for name in calls if name in known}})
    prefix: str = model["metadata"]["endpointPrefix"]
    return prefix


def reached(model: dict[str, Any]) -> list[str]:
    """Return the names of the shapes that the operations of a service reach, in the model's own order."""
    wanted: set[str] = set()
    queue = [shape for operation in model["operations"].values() for shape in references(operation)]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += references(model["shapes"][name])
    return [name for name in model["shapes"] if name in wanted]


def references(value: Any) -> list[str]:
    """Return the names of shapes anywhere in a part of a model."""
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["shape"]] if isinstance(value.get("shape"), str) else []
    return own + [name for item in value.values() for name in references(item)]


def without_documentation(model: dict[str, Any]) -> dict[str, Any]:
    """Return a model without its texts."""
    for part in (*model["operations"].values(), *model["shapes"].values()):
        part.pop("documentation", None)
        for member in part.get("members", {}).values():
            member.pop("documentation", None)
    model.pop("documentation", None)
    return model


def trim_endpoints(path: Path, prefixes: set[str]) -> None:
    """Reduce the list of endpoints, in every partition, to some services."""
    endpoints = json.loads(path.read_text("utf-8"))
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    write(path, endpoints)


def write(path: Path, document: Any) -> None:
    """Write JSON without spaces."""
    path.write_text(json.dumps(document, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
