"""Convert the values of the SageMaker Python SDK's options into what the SDK sends for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from spot_relay.domain.values import dataclass
from spot_relay.request.built_in_images import UnknownImageError, find_image
from spot_relay.request.problem import describe, join_path
from spot_relay.request.request_model import load_request_shape
from spot_relay.request.sdk_options import Generation

if TYPE_CHECKING:
    from collections.abc import Mapping

# The SDK leaves these out where they are false.
_SWITCHES = frozenset({"EnableManagedSpotTraining", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption"})
_OBJECTS = frozenset(
    {
        "ResourceConfig.InstanceGroups",
        "ResourceConfig.InstancePreferences",
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig",
    }
)
_TRAINING = "training"
_S3 = ".DataSource.S3DataSource"
_FILES = ".DataSource.FileSystemDataSource"
# The arguments of TrainingInput (s3_input in version 1) and of FileSystemInput, and their places in a channel.
_S3_ARGUMENTS = {
    "s3_data": f"{_S3}.S3Uri",
    "s3_data_type": f"{_S3}.S3DataType",
    "distribution": f"{_S3}.S3DataDistributionType",
    "attribute_names": f"{_S3}.AttributeNames",
    "instance_groups": f"{_S3}.InstanceGroupNames",
    "hub_access_config": f"{_S3}.HubAccessConfig",
    "model_access_config": f"{_S3}.ModelAccessConfig",
    "compression": ".CompressionType",
    "content_type": ".ContentType",
    "record_wrapping": ".RecordWrapperType",
    "input_mode": ".InputMode",
    "shuffle_config": ".ShuffleConfig",
}
_FILE_ARGUMENTS = {
    "file_system_id": f"{_FILES}.FileSystemId",
    "file_system_type": f"{_FILES}.FileSystemType",
    "directory_path": f"{_FILES}.DirectoryPath",
    "file_system_access_mode": f"{_FILES}.FileSystemAccessMode",
    "content_type": ".ContentType",
}


class InvalidOptionError(Exception):
    """The value of an option cannot be converted; ``below`` is the rest of the path to what is wrong."""

    def __init__(self, message: str, below: str = "") -> None:
        super().__init__(message)
        self.below = below


@dataclass(frozen=True)
class Inputs:
    """The channels of a job, and for each the paths in the option by the paths in the channel."""

    channels: list[Any]
    origins: list[dict[str, str]]
    input_mode: str | None = None
    """The mode of a single input, which the SDK makes that of the whole job."""


def convert_value(place: str, value: Any, generation: Generation, role_arns: tuple[str, ...]) -> Any:
    """Return what the SDK sends for the value of an option, or None if it sends nothing; raise InvalidOptionError."""
    match place:
        case _ if place in _SWITCHES and value is False:
            return None
        case "StoppingCondition.MaxWaitTimeInSeconds" if value == 0:
            return None
        case "RoleArn" if isinstance(value, str) and "/" not in value:
            return _find_role(value, role_arns)
        case "HyperParameters" if isinstance(value, dict):
            return {key: _as_text(item, key, generation) for key, item in value.items()}
        case "Tags":
            return _convert_tags(value, generation)
        case "OutputDataConfig.CompressionType" if isinstance(value, bool):
            return "NONE" if value else None
        case _ if place in _OBJECTS:
            return _respell(value, _shape_at(place), "")
    return value


def convert_algorithm(value: Any, region: str | None) -> str:
    """Return the image of a built-in algorithm in a region; raise InvalidOptionError."""
    if not isinstance(value, str):
        raise InvalidOptionError(f"Expected name@version of a built-in algorithm, but found {describe(value)}.")
    try:
        return find_image(value, region)
    except UnknownImageError as error:
        raise InvalidOptionError(str(error)) from None


def convert_inputs(value: Any, generation: Generation) -> Inputs:
    """Return the channels that the SDK makes of its inputs; raise InvalidOptionError."""
    if generation is Generation.V3:
        return _convert_channels(value)
    if isinstance(value, str):
        return Inputs([_build_channel(_TRAINING, _check_uri(value, ""))], [_trace_uri("")])
    if not isinstance(value, dict):
        message = f"Expected channels, but found {describe(value)}. Write a mapping of channel names to inputs."
        raise InvalidOptionError(message)
    if "s3_data" in value or "file_system_id" in value:
        channel, origins = _convert_input(_TRAINING, value, "")
        mode = value.get("input_mode")
        return Inputs([channel], [origins], mode if isinstance(mode, str) else None)
    named = [_convert_input(name, one, f".{join_path('', name)}") for name, one in value.items()]
    return Inputs([channel for channel, _ in named], [origins for _, origins in named])


def convert_model(uri: Any, channel: Any) -> dict[str, Any]:
    """Return the channel that the SDK adds for a model to start from; raise InvalidOptionError."""
    checked = _check_uri(uri, "")
    return _build_channel(channel, checked) | {"ContentType": "application/x-sagemaker-model", "InputMode": "File"}


def _find_role(name: str, role_arns: tuple[str, ...]) -> str:
    """Return the one role of the stack that has a name, as IAM would."""
    found = [arn for arn in role_arns if arn.rpartition("/")[2] == name]
    if len(found) != 1:
        message = f"Found {describe(name)}, which is not the name of one of the stack's roles. Write the role's ARN."
        raise InvalidOptionError(message)
    return found[0]


def _as_text(value: Any, key: str, generation: Generation) -> str:
    """Return a hyperparameter as the SDK writes it: versions 1 and 2 as Python does, version 3 as JSON."""
    if value is None:
        message = f"The hyperparameter {join_path('', key)} has no value. Write one, or remove it."
        raise InvalidOptionError(message)
    if isinstance(value, str):
        return value
    return json.dumps(value) if generation is Generation.V3 else str(value)


def _convert_tags(value: Any, generation: Generation) -> Any:
    if isinstance(value, dict):
        return [{"Key": key, "Value": item} for key, item in value.items()]
    if generation is Generation.V3:
        return _respell(value, load_request_shape().members["Tags"], "")
    return value


def _convert_input(name: str, value: Any, below: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the channel of one input, and the paths of its parts."""
    if isinstance(value, str):
        return _build_channel(name, _check_uri(value, below)), _trace_uri(below)
    if not isinstance(value, dict):
        message = f"Expected an S3 URI or the arguments of TrainingInput, but found {describe(value)}. Write one."
        raise InvalidOptionError(message, below)
    arguments = _FILE_ARGUMENTS if "file_system_id" in value else _S3_ARGUMENTS
    unknown = next((key for key in value if key not in arguments), None)
    if unknown is not None:
        message = f"Unknown argument. Known ones are {', '.join(arguments)}."
        raise InvalidOptionError(message, f"{below}.{join_path('', unknown)}")
    given = {key: item for key, item in value.items() if item is not None}
    if arguments is _S3_ARGUMENTS:
        _check_uri(given.get("s3_data"), f"{below}.s3_data")
        given = {"s3_data_type": "S3Prefix", "distribution": "FullyReplicated"} | given
    else:
        given = {"file_system_access_mode": "ro"} | given
    channel: dict[str, Any] = {"ChannelName": name}
    for key, item in given.items():
        _put(channel, arguments[key], _convert_shuffling(item) if key == "shuffle_config" else item)
    return channel, {"": below} | {arguments[key]: f"{below}.{key}" for key in given}


def _convert_shuffling(value: Any) -> Any:
    return {"Seed": value["seed"]} if isinstance(value, dict) and set(value) == {"seed"} else value


def _put(channel: dict[str, Any], place: str, value: Any) -> None:
    *parents, last = place.removeprefix(".").split(".")
    for parent in parents:
        channel = channel.setdefault(parent, {})
    channel[last] = value


def _build_channel(name: Any, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _trace_uri(below: str) -> dict[str, str]:
    """Return the paths of the parts of a channel that is given by its URI alone."""
    return dict.fromkeys(("", _S3, f"{_S3}.S3Uri"), below)


def _check_uri(value: Any, below: str) -> str:
    if isinstance(value, str) and value.startswith("s3://"):
        return value
    message = f"Found {describe(value)}. Upload the data, and write its S3 URI: s3://bucket/prefix."
    raise InvalidOptionError(message, below)


def _convert_channels(value: Any) -> Inputs:
    """Return the channels of v3's list of InputData and Channel objects."""
    if not isinstance(value, list):
        message = f"Expected a list of InputData, but found {describe(value)}. Write a list."
        raise InvalidOptionError(message)
    shape = load_request_shape().members["InputDataConfig"]
    channels = [_convert_input_data(one, cast("Any", shape).member, f"[{index}]") for index, one in enumerate(value)]
    return Inputs(channels, [{"": f"[{index}]"} for index in range(len(value))])


def _convert_input_data(value: Any, shape: Any, below: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidOptionError(f"Expected InputData, but found {describe(value)}. Write a mapping.", below)
    source = value.get("data_source")
    if isinstance(source, str):
        built = _build_channel(value.get("channel_name"), _check_uri(source, f"{below}.data_source"))
        rest = {key: item for key, item in value.items() if key not in {"data_source", "channel_name"}}
        return built | {"InputMode": "File"} | _respell(rest, shape, below)
    kind = next((kind for kind, mark in _SOURCES.items() if isinstance(source, dict) and mark in source), None)
    if kind is not None:
        value = {"input_mode": "File"} | value | {"data_source": {kind: source}}
    return _respell(value, shape, below)


# What tells an S3DataSource from a FileSystemDataSource, which InputData takes without the DataSource around them.
_SOURCES = {"s3_data_source": "s3_uri", "file_system_data_source": "file_system_id"}


def _shape_at(place: str) -> Any:
    shape: Any = load_request_shape()
    for part in place.split("."):
        shape = shape.members[part]
    return shape


def _respell(value: Any, shape: Any, below: str) -> Any:
    """Return a value with its keys as CreateTrainingJob spells them instead of in snake_case."""
    from botocore import xform_name

    if shape.type_name == "list" and isinstance(value, list):
        return [_respell(item, shape.member, f"{below}[{index}]") for index, item in enumerate(value)]
    if shape.type_name != "structure" or not isinstance(value, dict):
        return value
    names = {xform_name(name): name for name in shape.members}
    respelled = {}
    for key, item in _without_nulls(value).items():
        path = f"{below}.{join_path('', key)}"
        if key not in names:
            raise InvalidOptionError(f"Unknown key. Known ones are {', '.join(names)}.", path)
        respelled[names[key]] = _respell(item, shape.members[names[key]], path)
    return respelled


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item is not None}
