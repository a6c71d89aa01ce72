"""What a call of an AWS SDK asks of IAM. Most operations are an action of the same name; those that are not stand here.

A call that is not listed is an error: nobody would know what it needs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.integration.stack import BUCKET
from tests.security.policies import DATA_KEY, SPECS_KEY, STATE_MACHINE, Request
from tests.security.translated import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parameters = Mapping[str, Any]

_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}


class UnknownCallError(Exception):
    """Nothing says which rights a call needs."""


def asked(call: str, parameters: Parameters) -> tuple[Request, ...]:
    """Return what a call, such as ``dynamodb.PutItem``, asks of IAM; all of it has to be allowed."""
    if call not in _ASKED:
        message = f"tests/security/calls.py does not say which rights {call} needs"
        raise UnknownCallError(message)
    return (*_ASKED[call](parameters), *_asked_of_kms(call, parameters))


def _asked_of_kms(call: str, given: Parameters) -> tuple[Request, ...]:
    """Return what a service asks of KMS in its caller's name, where the stack has keys."""
    service, _, operation = call.partition(".")
    match service, operation:
        case "dynamodb", _:
            key, actions = DATA_KEY, ["Decrypt"]
        case "sqs", _:
            key, actions = DATA_KEY, ["GenerateDataKey", "Decrypt"]
        case "s3", "GetObject" if given["Bucket"] == BUCKET:
            key, actions = SPECS_KEY, ["Decrypt"]
        case "s3", "PutObject" if given["Bucket"] == BUCKET:
            key, actions = SPECS_KEY, ["GenerateDataKey"]
        case _:
            return ()
    via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    return tuple(Request(f"kms:{action}", key, via) for action in actions)


def table(name: str, index: str | None = None) -> str:
    """Return the ARN of a table, or of an index of it."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return f"{arn}/index/{index}" if index else arn


def training_job(name: str) -> str:
    """Return the ARN of a training job."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"


def hosted(kind: str, name: str) -> str:
    """Return the ARN of a model, an endpoint or the like."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def queue(name: str) -> str:
    """Return the ARN of a queue."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def _item(action: str, given: Parameters) -> Request:
    """Build a request for one item; IAM is told its partition key, which is called ``id`` here."""
    key = (given.get("Key") or given["Item"])["id"]["S"]
    return Request(f"dynamodb:{action}", table(given["TableName"]), {"dynamodb:LeadingKeys": [key]})


def _query(given: Parameters) -> tuple[Request, ...]:
    return (Request("dynamodb:Query", table(given["TableName"], given.get("IndexName"))),)


def _transaction(given: Parameters) -> tuple[Request, ...]:
    """A transaction has no action of its own: each of its items is asked for."""
    return tuple(_item(_TRANSACTION[kind], item) for entry in given["TransactItems"] for kind, item in entry.items())


def _object(action: str) -> Callable[[Parameters], tuple[Request, ...]]:
    def build(given: Parameters) -> tuple[Request, ...]:
        versioned = "Version" if "VersionId" in given else ""
        return (Request(f"s3:{action}{versioned}", f"arn:aws:s3:::{given['Bucket']}/{given['Key']}"),)

    return build


def _read_source(given: Parameters) -> tuple[Request, ...]:
    """What copies an object reads it; its tags as well, unless they are replaced."""
    source = given["CopySource"]
    if isinstance(source, str):
        bucket, _, key = source.partition("/")
        source = {"Bucket": bucket, "Key": key}
    return _object("GetObject")(source)


def _listing(given: Parameters) -> tuple[Request, ...]:
    return (Request("s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}", {"s3:prefix": given["Prefix"]}),)


def _send(given: Parameters) -> tuple[Request, ...]:
    """One message or ten, the action is the same."""
    return (Request("sqs:SendMessage", queue(given["QueueUrl"].rpartition("/")[2])),)


def _put_events(given: Parameters) -> tuple[Request, ...]:
    return tuple(
        Request(
            "events:PutEvents",
            f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry.get('EventBusName', 'default')}",
            {"events:source": [entry["Source"]], "events:detail-type": [entry["DetailType"]]},
        )
        for entry in given["Entries"]
    )


def _answer(action: str) -> Callable[[Parameters], tuple[Request, ...]]:
    """What an answer is about is known to Step Functions alone: the state machine of the task that has the token."""
    return lambda _: (Request(f"states:{action}", STATE_MACHINE),)


def _job(action: str) -> Callable[[Parameters], tuple[Request, ...]]:
    return lambda given: (Request(f"sagemaker:{action}", training_job(given["TrainingJobName"])),)


def _create(action: str, given: Parameters, arn: str, *others: str) -> tuple[Request, ...]:
    """What creates something with tags asks for both; it may be about other resources as well."""
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}
    told: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    told |= {"aws:TagKeys": list(tags)}
    tagging = [Request("sagemaker:AddTags", arn, told | {"sagemaker:TaggingAction": action})]
    creating = (Request(f"sagemaker:{action}", resource, told) for resource in (arn, *others))
    return (*creating, *(tagging if tags else []))


def _pass_role(arn: str, service: str = "sagemaker") -> Request:
    return Request("iam:PassRole", arn, {"iam:PassedToService": f"{service}.amazonaws.com"})


def _create_training_job(given: Parameters) -> tuple[Request, ...]:
    """A launch passes a role, and sets tags where there are any."""
    creating = _create("CreateTrainingJob", given, training_job(given["TrainingJobName"]))
    return (*creating, _pass_role(given["RoleArn"]))


def _create_model(given: Parameters) -> tuple[Request, ...]:
    creating = _create("CreateModel", given, hosted("model", given["ModelName"]))
    return (*creating, _pass_role(given["ExecutionRoleArn"]))


def _create_endpoint_config(given: Parameters) -> tuple[Request, ...]:
    return _create("CreateEndpointConfig", given, hosted("endpoint-config", given["EndpointConfigName"]))


def _create_endpoint(given: Parameters) -> tuple[Request, ...]:
    config = hosted("endpoint-config", given["EndpointConfigName"])
    return _create("CreateEndpoint", given, hosted("endpoint", given["EndpointName"]), config)


def _update_endpoint(given: Parameters) -> tuple[Request, ...]:
    """Which tags the two have is known to SageMaker alone: here they are those that Spot Relay sets."""
    named = {"endpoint": given["EndpointName"], "endpoint-config": given["EndpointConfigName"]}
    tags = {"aws:ResourceTag/spot-relay:run-id": "churn"}
    return tuple(Request("sagemaker:UpdateEndpoint", hosted(kind, name), tags) for kind, name in named.items())


def _create_model_package(given: Parameters) -> tuple[Request, ...]:
    return (Request("sagemaker:CreateModelPackage", hosted("model-package", f"{given['ModelPackageGroupName']}/1")),)


def _describe_endpoint(given: Parameters) -> tuple[Request, ...]:
    return (Request("sagemaker:DescribeEndpoint", hosted("endpoint", given["EndpointName"])),)


def _schedule(action: str, given: Parameters) -> tuple[Request, ...]:
    """Whoever creates or changes a schedule passes it its role."""
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{given['GroupName']}/{given['Name']}"
    asked_for = Request(f"scheduler:{action}", arn)
    if "Target" not in given:
        return (asked_for,)
    return (asked_for, _pass_role(given["Target"]["RoleArn"], "scheduler"))


_ASKED: Mapping[str, Callable[[Parameters], tuple[Request, ...]]] = {
    "dynamodb.GetItem": lambda given: (_item("GetItem", given),),
    "dynamodb.PutItem": lambda given: (_item("PutItem", given),),
    "dynamodb.UpdateItem": lambda given: (_item("UpdateItem", given),),
    "dynamodb.Query": _query,
    "dynamodb.TransactGetItems": _transaction,
    "dynamodb.TransactWriteItems": _transaction,
    "s3.GetObject": _object("GetObject"),
    "s3.PutObject": _object("PutObject"),
    "s3.CopyObject": lambda given: (*_read_source(given), *_object("PutObject")(given)),
    "s3.CreateMultipartUpload": _object("PutObject"),
    "s3.UploadPartCopy": lambda given: (*_read_source(given), *_object("PutObject")(given)),
    "s3.CompleteMultipartUpload": _object("PutObject"),
    "s3.ListParts": _object("ListMultipartUploadParts"),
    "s3.AbortMultipartUpload": _object("AbortMultipartUpload"),
    "s3.DeleteObject": _object("DeleteObject"),
    "s3.ListObjectsV2": _listing,
    "scheduler.CreateSchedule": partial(_schedule, "CreateSchedule"),
    "scheduler.UpdateSchedule": partial(_schedule, "UpdateSchedule"),
    "scheduler.DeleteSchedule": partial(_schedule, "DeleteSchedule"),
    "sqs.SendMessage": _send,
    "sqs.SendMessageBatch": _send,
    "eventbridge.PutEvents": _put_events,
    "sfn.SendTaskSuccess": _answer("SendTaskSuccess"),
    "sfn.SendTaskFailure": _answer("SendTaskFailure"),
    "sagemaker.CreateTrainingJob": _create_training_job,
    "sagemaker.DescribeTrainingJob": _job("DescribeTrainingJob"),
    "sagemaker.StopTrainingJob": _job("StopTrainingJob"),
    "sagemaker.ListTags": lambda given: (Request("sagemaker:ListTags", given["ResourceArn"]),),
    "sagemaker.CreateModel": _create_model,
    "sagemaker.CreateEndpointConfig": _create_endpoint_config,
    "sagemaker.CreateEndpoint": _create_endpoint,
    "sagemaker.UpdateEndpoint": _update_endpoint,
    "sagemaker.DescribeEndpoint": _describe_endpoint,
    "sagemaker.CreateModelPackage": _create_model_package,
    "pricing.GetProducts": lambda _: (Request("pricing:GetProducts", "*"),),
}
CALLS = frozenset(_ASKED)
