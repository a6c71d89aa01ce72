"""Spot Relay's own rules for a training job, beyond SageMaker's model: it must be possible to launch it repeatedly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import unquote

from spot_relay.domain.sagemaker.built_in import (
    MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS,
    find_built_in_without_checkpoints,
)
from spot_relay.domain.sagemaker.request import DEFAULT_MAX_RUNTIME_SECONDS
from spot_relay.domain.values import dataclass
from spot_relay.request.problem import Problems, describe, join_path
from spot_relay.request.service_pattern import count_characters
from spot_relay.spec.patterns import image_matches_any, is_image_name, matches_any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_RUNTIME_SECONDS = 28 * 86_400
MAX_TAGS = 50 - 3
_MAX_S3_URI = 1024
_MAX_IMAGE_CHARACTERS = 255
_RESERVED_TAG_PREFIXES = ("spot-relay:", "aws:")
# Endings of the names that S3 gives to access points and to other kinds of buckets.
_ALIAS_SUFFIXES = ("-s3alias", "--ol-s3", "--x-s3", "--xa-s3", ".mrap")
_INVALID_BUCKET = re.compile(r"\.\.|\.-|-\.")
_CHECKPOINT_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Allowlist:
    """What the operator of a stack allows in a spec.

    Roles and the state machines whose tasks may be answered are listed by their exact ARNs, images and buckets by
    patterns (see `patterns`). An empty tuple allows nothing. ``region`` is where the stack is, for images that a spec
    names by their algorithms. ``allow_hosting`` says whether models may be registered and deployed, and
    ``allow_checkpoint_copies`` whether a run may start from a copy of another one's checkpoints. ``trigger_buckets``
    names the buckets whose events the stack receives.
    """

    allowed_role_arns: tuple[str, ...]
    allowed_images: tuple[str, ...]
    allowed_checkpoint_buckets: tuple[str, ...]
    task_token_state_machines: tuple[str, ...] = ()
    region: str | None = None
    allow_hosting: bool = False
    allow_checkpoint_copies: bool = False
    trigger_buckets: tuple[str, ...] = ()


def check_job(
    job: Mapping[str, Any], path: str, allowlist: Allowlist, problems: Problems, *, has_spot_rung: bool = False
) -> None:
    """Report every rule that ``job`` breaks; `check_request` reports values of the wrong type.

    ``has_spot_rung`` says whether the run's ladder has a spot placement, even if the job itself is on-demand.
    """
    _check_role(job, path, allowlist, problems)
    _check_algorithm(job, path, allowlist, problems)
    _check_evaluators(job, path, allowlist, problems)
    _check_resources(job, path, problems, has_spot_rung=has_spot_rung)
    _check_times(job, path, problems, has_spot_rung=has_spot_rung)
    _check_checkpoint(job, path, allowlist, problems)
    _check_tags(job, path, problems)
    _check_channels(job, path, problems)


def normalise_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid job as Spot Relay stores it: without its name, and with a checkpoint prefix that ends in /."""
    stored = {key: value for key, value in job.items() if key != "TrainingJobName"}
    checkpoint = stored.get("CheckpointConfig")
    if checkpoint is not None:
        stored["CheckpointConfig"] = {**checkpoint, "S3Uri": _add_slash(checkpoint["S3Uri"])}
    return stored


def get_mapping(job: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping at ``key`` in the job, or an empty one if there is none."""
    value = job.get(key)
    return value if isinstance(value, dict) else {}


def read_max_runtime(job: Mapping[str, Any]) -> int | None:
    """Return how long a job may run, in seconds, or None if the value is not an integer."""
    runtime = get_mapping(job, "StoppingCondition").get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    return runtime if _is_integer(runtime) else None


def _check_role(job: Mapping[str, Any], path: str, allowlist: Allowlist, problems: Problems) -> None:
    role = job.get("RoleArn")
    if not isinstance(role, str):
        return
    allowed = allowlist.allowed_role_arns
    if role not in allowed:
        message = f"Found {describe(role)}, which this stack may not pass to SageMaker. {advise(allowed)}"
        problems.add(join_path(path, "RoleArn"), message)


def _check_algorithm(job: Mapping[str, Any], path: str, allowlist: Allowlist, problems: Problems) -> None:
    path = join_path(path, "AlgorithmSpecification")
    if "ServerlessJobConfig" in job:
        problems.add(path, "Spot Relay does not run serverless jobs. Remove ServerlessJobConfig, and use an image.")
        return
    algorithm = job.get("AlgorithmSpecification", {})
    if not isinstance(algorithm, dict):
        return
    given = [key for key in ("TrainingImage", "AlgorithmName") if key in algorithm]
    if not given:
        message = "The job has no image. Add TrainingImage or AlgorithmName."
        problems.add_missing(join_path(path, "TrainingImage"), message)
    if len(given) > 1:
        problems.add(path, "The job has both TrainingImage and AlgorithmName. Remove one.")
    for key in given:
        check_image(algorithm[key], join_path(path, key), allowlist, problems)


def _check_evaluators(job: Mapping[str, Any], path: str, allowlist: Allowlist, problems: Problems) -> None:
    """Check the images of debugger and profiler rules, because SageMaker runs them with the training's role."""
    for key in ("DebugRuleConfigurations", "ProfilerRuleConfigurations"):
        configurations = job.get(key)
        for index, configuration in enumerate(configurations if isinstance(configurations, list) else []):
            image = configuration.get("RuleEvaluatorImage") if isinstance(configuration, dict) else None
            check_image(image, f"{join_path(path, key)}[{index}].RuleEvaluatorImage", allowlist, problems)


def check_image(name: Any, path: str, allowlist: Allowlist, problems: Problems) -> None:
    """Report a name that is no image, or an image that the operator does not allow."""
    # `check_request` reports a name that is too long.
    if not isinstance(name, str) or len(name) > _MAX_IMAGE_CHARACTERS:
        return
    if not path.endswith("AlgorithmName") and not is_image_name(name):
        problems.add(path, f"Found {describe(name)}, which is not a valid image name. Use registry/repository:tag.")
    elif not image_matches_any(name, allowlist.allowed_images):
        advice = advise(allowlist.allowed_images)
        problems.add(path, f"Found {describe(name)}, which this stack does not allow. {advice}")


def _check_resources(job: Mapping[str, Any], path: str, problems: Problems, *, has_spot_rung: bool) -> None:
    resources = job.get("ResourceConfig", {})
    path = join_path(path, "ResourceConfig")
    if not isinstance(resources, dict):
        return
    spot = job.get("EnableManagedSpotTraining") is True
    # `check_ladder` refuses any ladder together with InstancePreferences.
    for key, is_refused in (("KeepAlivePeriodInSeconds", spot or has_spot_rung), ("InstancePreferences", spot)):
        if is_refused and key in resources:
            problems.add(join_path(path, key), "SageMaker does not support this with managed spot. Remove it.")
    for key in ("SelectedInstanceType", "SelectedInstanceCount"):
        if key in resources:
            problems.add(join_path(path, key), "Only responses of DescribeTrainingJob have this key. Remove it.")
    _check_plans(resources, path, problems)
    if resources.get("InstanceGroups") or resources.get("InstancePreferences"):
        return
    for key in ("InstanceType", "InstanceCount"):
        if key not in resources:
            problems.add_missing(join_path(path, key), "This key is required. Add it, or use InstanceGroups.")
    if resources.get("InstanceCount") == 0 and resources["InstanceCount"] is not False:
        problems.add(join_path(path, "InstanceCount"), "Found 0, but a job needs at least 1 instance.")


def _check_plans(resources: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Refuse training plans: launching into one requires a permission that the functions do not have."""
    paths = [join_path(path, "TrainingPlanArn")] if "TrainingPlanArn" in resources else []
    preferences = resources.get("InstancePreferences")
    for index, preference in enumerate(preferences if isinstance(preferences, list) else []):
        if isinstance(preference, dict) and "TrainingPlanArns" in preference:
            paths.append(f"{join_path(path, 'InstancePreferences')}[{index}].TrainingPlanArns")
    for plan_path in paths:
        problems.add(plan_path, "Spot Relay has no permission to use training plans. Remove this key.")


def _check_times(job: Mapping[str, Any], path: str, problems: Problems, *, has_spot_rung: bool) -> None:
    stopping = job.get("StoppingCondition", {})
    spot = job.get("EnableManagedSpotTraining", False)
    if not isinstance(stopping, dict) or not isinstance(spot, bool):
        return
    path = join_path(path, "StoppingCondition")
    wait_path, wait = join_path(path, "MaxWaitTimeInSeconds"), stopping.get("MaxWaitTimeInSeconds")
    runtime = read_max_runtime(job)
    if runtime is not None and runtime > MAX_RUNTIME_SECONDS:
        message = f"Found {runtime}, but it must be at most {MAX_RUNTIME_SECONDS} seconds (28 days)."
        problems.add(join_path(path, "MaxRuntimeInSeconds"), message)
    if "MaxWaitTimeInSeconds" not in stopping:
        if spot:
            message = "This key is required for a spot job. Set it to MaxRuntimeInSeconds or more."
            problems.add_missing(wait_path, message)
        elif has_spot_rung and runtime is not None:
            _check_wait_without_checkpoints(job, runtime, join_path(path, "MaxRuntimeInSeconds"), problems)
    elif not spot and not has_spot_rung:
        message = "Only spot jobs may have this key. Set EnableManagedSpotTraining to true, or remove the key."
        problems.add(wait_path, message)
    elif _is_integer(wait) and runtime is not None:
        if wait < runtime:
            default = "" if "MaxRuntimeInSeconds" in stopping else ", its default"
            message = f"Found {wait}, but it must be at least MaxRuntimeInSeconds ({runtime}{default})."
            problems.add(wait_path, message)
        _check_wait_without_checkpoints(job, wait, wait_path, problems)


def _check_wait_without_checkpoints(job: Mapping[str, Any], wait: int, path: str, problems: Problems) -> None:
    built_in = find_built_in_without_checkpoints(job)
    if built_in and wait > MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS:
        problems.add(
            path,
            f"Found {wait}, but the built-in algorithm {built_in} writes no checkpoints, and SageMaker lets such a "
            f"spot job wait at most {MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS} seconds. Lower it.",
        )


def _check_checkpoint(job: Mapping[str, Any], path: str, allowlist: Allowlist, problems: Problems) -> None:
    checkpoint = job.get("CheckpointConfig")
    uri = checkpoint.get("S3Uri") if isinstance(checkpoint, dict) else None
    if not isinstance(uri, str):
        return
    path = join_path(join_path(path, "CheckpointConfig"), "S3Uri")
    match = _CHECKPOINT_URI.fullmatch(uri)
    if match is None or not match[2].strip("/"):
        problems.add(path, f"Found {describe(uri)}. Use s3://bucket/prefix/ with a prefix that only this run uses.")
        return
    bucket, prefix = match[1], match[2]
    # S3 treats . and .. like any other name, but programs that build a path or URL from the prefix may not.
    if {".", ".."} & set(unquote(prefix).replace("\\", "/").split("/")):
        problems.add(path, f"Found {describe(uri)}. Remove . and .. from the prefix.")
    if not prefix.isprintable():
        problems.add(path, f"Found {describe(uri)}. Remove unprintable characters from the prefix.")
    if bucket.endswith(_ALIAS_SUFFIXES) or _INVALID_BUCKET.search(bucket):
        message = f"Found {describe(bucket)}, which is not the name of a general purpose bucket. Use the bucket's name."
        problems.add(path, message)
    if count_characters(uri) <= _MAX_S3_URI < count_characters(_add_slash(uri)):
        problems.add(path, f"With its trailing / it has more than {_MAX_S3_URI} characters. Shorten it.")
    if not matches_any(bucket, allowlist.allowed_checkpoint_buckets):
        advice = advise(allowlist.allowed_checkpoint_buckets)
        problems.add(path, f"Found the bucket {describe(bucket)}, which this stack does not allow. {advice}")


def _check_tags(job: Mapping[str, Any], path: str, problems: Problems) -> None:
    tags = job.get("Tags")
    if not isinstance(tags, list):
        return
    path = join_path(path, "Tags")
    if MAX_TAGS < len(tags) <= MAX_TAGS + 3:
        message = f"Found {len(tags)} tags, but at most {MAX_TAGS} are allowed, because Spot Relay adds 3 of its own."
        problems.add(path, message)
    earlier_keys: dict[str, str] = {}
    for index, key in _iterate_texts(tags, "Key"):
        key_path, earlier = f"{path}[{index}].Key", earlier_keys.get(key.casefold())
        if key.casefold().startswith(_RESERVED_TAG_PREFIXES):
            problems.add(key_path, f"Found {describe(key)}, but the prefixes spot-relay: and aws: are reserved.")
        if earlier == key:
            problems.add(key_path, f"Found {describe(key)} a second time. Each key may be used only once.")
        elif earlier is not None:
            message = f"Found {describe(key)} and {describe(earlier)}. IAM's conditions ignore the case. Remove one."
            problems.add(key_path, message)
        earlier_keys[key.casefold()] = key


def _iterate_texts(entries: list[Any], member: str) -> Iterator[tuple[int, str]]:
    """Yield the index and the text of a member of each entry that has it."""
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and isinstance(entry.get(member), str):
            yield index, entry[member]


def _check_channels(job: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Refuse a second channel of the same name: SageMaker does, because the name is the channel's folder."""
    channels = job.get("InputDataConfig")
    earlier_names: set[str] = set()
    for index, name in _iterate_texts(channels if isinstance(channels, list) else [], "ChannelName"):
        if name in earlier_names:
            name_path = f"{join_path(path, 'InputDataConfig')}[{index}].ChannelName"
            problems.add(name_path, f"Found {describe(name)} a second time. Give each channel a name of its own.")
        earlier_names.add(name)


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _add_slash(uri: str) -> str:
    return uri if uri.endswith("/") else uri + "/"


def advise(allowed: tuple[str, ...]) -> str:
    """Return what to do about a value that is not among the allowed ones."""
    if not allowed:
        return "The stack's parameter allows none. Ask its operator."
    more = ", or another value that its operator allows" if allowed[3:] else ""
    return f"Use {' or '.join(allowed[:3])}{more}."
