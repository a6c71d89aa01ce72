"""Spot Relay's own rules on a training job: what it could not launch again and again, it does not take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import unquote

from spot_relay.spec.allowed import fits, image_fits, is_image
from spot_relay.spec.problem import Problems, child, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_MAX_RUNTIME_SECONDS = 86_400
MAX_RUNTIME_SECONDS = 28 * 86_400
MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS = 3_600
MAX_TAGS = 50 - 3
_MAX_S3_URI = 1024
_RESERVED_TAG_PREFIXES = ("spot-relay:", "aws:")
# Names that S3 gives to ways into other buckets, or to buckets of another kind.
_BUCKET_ALIASES = ("-s3alias", "--ol-s3", "--x-s3", "--xa-s3", ".mrap")
_NO_BUCKET = re.compile(r"\.\.|\.-|-\.")
_LONGEST_NAME = 255
_CHECKPOINT_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.ASCII | re.DOTALL)
_ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([a-z0-9-]+)(?:[:@].*)?", re.ASCII)
_ROLE_ACCOUNT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):", re.ASCII)
# Built-in algorithms that write no checkpoints, by the names that hardly anyone gives to an image of their own.
_WITHOUT_CHECKPOINTS = frozenset(
    {
        "blazingtext",
        "factorization-machines",
        "forecasting-deepar",
        "ipinsights",
        "linear-learner",
        "object2vec",
        "randomcutforest",
    }
)


@dataclass(frozen=True)
class Rules:
    """What the operator of a stack allows.

    A role is named by its exact ARN, images and buckets by patterns (see `allowed`). What nothing allows is refused,
    so that an empty tuple allows nothing.
    """

    allowed_role_arns: tuple[str, ...]
    allowed_images: tuple[str, ...]
    allowed_checkpoint_buckets: tuple[str, ...]


def check_job(
    job: Mapping[str, Any], path: str, rules: Rules, problems: Problems, *, has_spot_rung: bool = False
) -> None:
    """Note every rule that ``job`` breaks. A value of the wrong type is left to the check against the model.

    ``has_spot_rung`` says that its run's ladder has a placement on spot, whatever the job itself says.
    """
    _check_role(job, path, rules, problems)
    _check_algorithm(job, path, rules, problems)
    _check_evaluators(job, path, rules, problems)
    _check_resources(job, path, problems, has_spot_rung=has_spot_rung)
    _check_times(job, path, problems, has_spot_rung=has_spot_rung)
    _check_checkpoint(job, path, rules, problems)
    _check_tags(job, path, problems)


def normalised(job: Mapping[str, Any]) -> dict[str, Any]:
    """Give a valid job as Spot Relay keeps it: without its name, and with a checkpoint prefix that ends in /."""
    kept = {key: value for key, value in job.items() if key != "TrainingJobName"}
    checkpoint = kept.get("CheckpointConfig")
    if checkpoint is not None:
        kept["CheckpointConfig"] = {**checkpoint, "S3Uri": _with_slash(checkpoint["S3Uri"])}
    return kept


def part(job: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give a mapping of the job, empty where there is none."""
    value = job.get(key)
    return value if isinstance(value, dict) else {}


def max_runtime(job: Mapping[str, Any]) -> int | None:
    """Give how long a job may run, in seconds; None where the value is none."""
    runtime = part(job, "StoppingCondition").get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    return runtime if _is_integer(runtime) else None


def built_in_without_checkpoints(job: Mapping[str, Any]) -> str | None:
    """Name the built-in algorithm that the job runs, if it is known to write no checkpoints."""
    image, role = part(job, "AlgorithmSpecification").get("TrainingImage"), job.get("RoleArn")
    if not isinstance(image, str) or not isinstance(role, str):
        return None
    built_in, account = _ECR_IMAGE.fullmatch(image), _ROLE_ACCOUNT.match(role)
    # An image in the role's own account is the user's, whatever its name.
    if built_in and account and built_in[1] != account[1] and built_in[2] in _WITHOUT_CHECKPOINTS:
        return built_in[2]
    return None


def _check_role(job: Mapping[str, Any], path: str, rules: Rules, problems: Problems) -> None:
    role = job.get("RoleArn")
    if not isinstance(role, str):
        return
    allowed = rules.allowed_role_arns
    if role not in allowed:
        message = f"Found {shown(role)}, a role that this stack may not pass to SageMaker: {_use(allowed)}"
        problems.add(child(path, "RoleArn"), message)


def _check_algorithm(job: Mapping[str, Any], path: str, rules: Rules, problems: Problems) -> None:
    path = child(path, "AlgorithmSpecification")
    if "ServerlessJobConfig" in job:
        problems.add(path, "Spot Relay runs jobs on instances: remove ServerlessJobConfig and name an image.")
        return
    algorithm = job.get("AlgorithmSpecification", {})
    if not isinstance(algorithm, dict):
        return
    given = [key for key in ("TrainingImage", "AlgorithmName") if key in algorithm]
    if not given:
        problems.missing(child(path, "TrainingImage"), "There is no image: give TrainingImage (or AlgorithmName).")
    if len(given) > 1:
        problems.add(path, "Both TrainingImage and AlgorithmName are given: keep one.")
    for key in given:
        _check_image(algorithm[key], child(path, key), rules, problems)


def _check_evaluators(job: Mapping[str, Any], path: str, rules: Rules, problems: Problems) -> None:
    """Hold to the same patterns the images that SageMaker runs beside the training, with the training's role."""
    for key in ("DebugRuleConfigurations", "ProfilerRuleConfigurations"):
        configurations = job.get(key)
        for index, one in enumerate(configurations if isinstance(configurations, list) else []):
            image = one.get("RuleEvaluatorImage") if isinstance(one, dict) else None
            _check_image(image, f"{child(path, key)}[{index}].RuleEvaluatorImage", rules, problems)


def _check_image(name: Any, path: str, rules: Rules, problems: Problems) -> None:
    # A name that is too long is told by the check against the model.
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        return
    if not path.endswith("AlgorithmName") and not is_image(name):
        problems.add(path, f"Found {shown(name)}, which is no image's name: write registry/repository:tag.")
    elif not image_fits(name, rules.allowed_images):
        problems.add(path, f"Found {shown(name)}, which this stack does not allow: {_use(rules.allowed_images)}")


def _check_resources(job: Mapping[str, Any], path: str, problems: Problems, *, has_spot_rung: bool) -> None:
    resources = job.get("ResourceConfig", {})
    path = child(path, "ResourceConfig")
    if not isinstance(resources, dict):
        return
    spot = job.get("EnableManagedSpotTraining") is True
    # A ladder beside InstancePreferences is refused as a whole.
    for key, refused in (("KeepAlivePeriodInSeconds", spot or has_spot_rung), ("InstancePreferences", spot)):
        if refused and key in resources:
            problems.add(child(path, key), "SageMaker does not combine this with Managed Spot: remove it.")
    _check_plans(resources, path, problems)
    if resources.get("InstanceGroups") or resources.get("InstancePreferences"):
        return
    for key in ("InstanceType", "InstanceCount"):
        if key not in resources:
            problems.missing(child(path, key), "The key is missing: add it (or InstanceGroups).")
    if resources.get("InstanceCount") == 0 and resources["InstanceCount"] is not False:
        problems.add(child(path, "InstanceCount"), "Found 0 (an integer), and a job needs at least 1 instance.")


def _check_plans(resources: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Refuse reserved capacity: a launch into it asks for a right on the plan, and the functions have none."""
    places = [child(path, "TrainingPlanArn")] if "TrainingPlanArn" in resources else []
    preferences = resources.get("InstancePreferences")
    for index, one in enumerate(preferences if isinstance(preferences, list) else []):
        if isinstance(one, dict) and "TrainingPlanArns" in one:
            places.append(f"{child(path, 'InstancePreferences')}[{index}].TrainingPlanArns")
    for place in places:
        problems.add(place, "Spot Relay has no right to use training plans: remove it.")


def _check_times(job: Mapping[str, Any], path: str, problems: Problems, *, has_spot_rung: bool) -> None:
    stopping = job.get("StoppingCondition", {})
    spot = job.get("EnableManagedSpotTraining", False)
    if not isinstance(stopping, dict) or not isinstance(spot, bool):
        return
    path = child(path, "StoppingCondition")
    wait_path, wait = child(path, "MaxWaitTimeInSeconds"), stopping.get("MaxWaitTimeInSeconds")
    runtime = max_runtime(job)
    if runtime is not None and runtime > MAX_RUNTIME_SECONDS:
        message = f"Found {shown(runtime)}, and a job may run {MAX_RUNTIME_SECONDS} seconds (28 days) at most."
        problems.add(child(path, "MaxRuntimeInSeconds"), message)
    if "MaxWaitTimeInSeconds" not in stopping:
        if spot:
            message = "The key is missing: a spot job needs it, and not less than MaxRuntimeInSeconds."
            problems.missing(wait_path, message)
        elif has_spot_rung and runtime is not None:
            _check_wait_without_checkpoints(job, runtime, child(path, "MaxRuntimeInSeconds"), problems)
    elif not spot and not has_spot_rung:
        message = "Only a spot job may have it: set EnableManagedSpotTraining to true, or remove this key."
        problems.add(wait_path, message)
    elif _is_integer(wait) and runtime is not None:
        if wait < runtime:
            default = "" if "MaxRuntimeInSeconds" in stopping else ", its default"
            message = f"Found {shown(wait)}, less than MaxRuntimeInSeconds ({runtime}{default}): raise it."
            problems.add(wait_path, message)
        _check_wait_without_checkpoints(job, wait, wait_path, problems)


def _check_wait_without_checkpoints(job: Mapping[str, Any], wait: int, path: str, problems: Problems) -> None:
    built_in = built_in_without_checkpoints(job)
    if built_in and wait > MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS:
        problems.add(
            path,
            f"Found {shown(wait)}: the built-in {built_in} writes no checkpoints, and SageMaker lets such a "
            f"spot job wait {MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS} seconds at most. Lower it.",
        )


def _check_checkpoint(job: Mapping[str, Any], path: str, rules: Rules, problems: Problems) -> None:
    checkpoint = job.get("CheckpointConfig")
    uri = checkpoint.get("S3Uri") if isinstance(checkpoint, dict) else None
    if not isinstance(uri, str):
        return
    path = child(child(path, "CheckpointConfig"), "S3Uri")
    match = _CHECKPOINT_URI.fullmatch(uri)
    if match is None or not match[2].strip("/"):
        message = f"Found {shown(uri)}: write s3://bucket/prefix/ with a prefix that belongs to this run alone."
        problems.add(path, message)
        return
    # To S3 what follows are names like any other; not to every program that makes a path or an address of them.
    if {".", ".."} & set(unquote(match[2]).replace("\\", "/").split("/")):
        problems.add(path, f"Found {shown(uri)}: write the prefix without the parts . and ..")
    if not match[2].isprintable():
        problems.add(path, f"Found {shown(uri)}: write the prefix without characters that can't be seen.")
    if match[1].endswith(_BUCKET_ALIASES) or _NO_BUCKET.search(match[1]):
        problems.add(path, f"Found {shown(match[1])}, which is no general purpose bucket's own name: name the bucket.")
    if len(uri) <= _MAX_S3_URI < len(_with_slash(uri)):
        problems.add(path, f"With its trailing / it has more than {_MAX_S3_URI} characters: shorten it.")
    if not fits(match[1], rules.allowed_checkpoint_buckets):
        allowed = _use(rules.allowed_checkpoint_buckets)
        problems.add(path, f"Found the bucket {shown(match[1])}, which this stack does not allow: {allowed}")


def _check_tags(job: Mapping[str, Any], path: str, problems: Problems) -> None:
    tags = job.get("Tags")
    if not isinstance(tags, list):
        return
    path = child(path, "Tags")
    if MAX_TAGS < len(tags) <= MAX_TAGS + 3:
        problems.add(path, f"Found {len(tags)} tags, and at most {MAX_TAGS} are left beside Spot Relay's own 3.")
    seen: set[str] = set()
    for index, key in _tag_keys(tags):
        where = f"{path}[{index}].Key"
        if key.casefold().startswith(_RESERVED_TAG_PREFIXES):
            problems.add(where, f"Found {shown(key)}: tags that begin with spot-relay: or aws: are reserved.")
        if key in seen:
            problems.add(where, f"Found {shown(key)} a second time: a tag's key must be unique.")
        seen.add(key)


def _tag_keys(tags: list[Any]) -> Iterator[tuple[int, str]]:
    for index, tag in enumerate(tags):
        if isinstance(tag, dict) and isinstance(tag.get("Key"), str):
            yield index, tag["Key"]


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _with_slash(uri: str) -> str:
    return uri if uri.endswith("/") else uri + "/"


def _use(allowed: tuple[str, ...]) -> str:
    if not allowed:
        return "the stack's parameter allows none. Ask its operator."
    return f"use {' or '.join(allowed[:3])}{', or another of its list' if allowed[3:] else ''}."
