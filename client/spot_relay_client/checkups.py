"""Looks for what keeps runs from working: credentials, stack, roles, buckets, quotas and endpoint variables.

Each check returns findings. A check that cannot be made, for example because a permission is missing, is one as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.quota import Quota
from spot_relay.domain.sagemaker.request import has_instance_groups, placement_of
from spot_relay.request.drafts import read_draft
from spot_relay_client import stack as stacks
from spot_relay_client.api import Api
from spot_relay_client.errors import SpotRelayError
from spot_relay_client.version import client_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from botocore.session import Session

    from spot_relay.domain.lint.draft import Draft
    from spot_relay_client.stack import Stack

Result = Literal["ok", "warning", "problem", "unknown"]
_SERVICES: Final = ("SAGEMAKER", "CLOUDWATCH_LOGS")
_PLUGINS: Final = "BOTOCORE_EXPERIMENTAL__PLUGINS"
# CreateTrainingJob requests per second: SageMaker's default quota, and the default of the stack.
DEFAULT_RATE: Final = 1.0


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    check: str
    result: Result
    message: str


def check_up(session: Session, stack_name: str | None, spec: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield the findings of all checks, also of the roles, buckets and quotas that a spec needs."""
    yield from check_endpoints(os.environ)
    yield from check_plugins(os.environ)
    region = session.get_config_variable("region")
    yield from _check_credentials(session, region)
    try:
        stack = stacks.find(session, stack_name, fresh=True)
    except SpotRelayError as error:
        yield Finding("stack", "problem", str(error))
        return
    yield Finding("stack", "ok", f"{stack.name} in {stack.region}; its API is at {stack.api_url}")
    yield compare_versions(client_version(), stack.outputs.get("Version"))
    yield _check_api(session, stack)
    try:
        spec = stack.fill_in(spec)
    except SpotRelayError as error:
        yield Finding("spec", "problem", str(error))
        return
    allowed = allowed_roles(stack.parameters)
    draft = read_draft(spec or {}, stack.region, tuple(allowed))
    roles = [draft.job["RoleArn"]] if "RoleArn" in draft.job else allowed
    yield from (_check_role(session, region, role) for role in roles)
    buckets = [stack.outputs["SpecsBucket"], *buckets_of(draft.job)]
    yield from (_check_bucket(session, region, bucket) for bucket in buckets)
    rate = float(stack.parameters.get("LaunchRate") or DEFAULT_RATE)
    yield from _check_quotas(session, region, rate, placements_of(draft))


def check_endpoints(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the variables that send SageMaker's clients to a proxy."""
    names = [f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES]
    given = [name for name in names if environment.get(name)]
    if not given:
        yield Finding("endpoints", "ok", "no variable sends SageMaker's clients elsewhere")
    elif environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        message = (
            f"{' and '.join(given)} have no effect, because AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true. Unset it."
        )
        yield Finding("endpoints", "problem", message)
    elif len(given) < len(names) and not environment.get("AWS_ENDPOINT_URL"):
        (missing,) = set(names) - set(given)
        what = "jobs go to SageMaker itself" if missing == names[0] else "clients do not find the logs of a run"
        message = f"{given[0]} is set, but {missing} is not: {what}. Set both, or use `spot-relay exec`."
        yield Finding("endpoints", "problem", message)
    else:
        yield Finding("endpoints", "ok", ", ".join(f"{name} is {environment[name]}" for name in given))


def check_plugins(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the plugins of botocore that cannot be imported: botocore goes on without them and says nothing."""
    entries = [entry for entry in environment.get(_PLUGINS, "").split(",") if entry.strip()]
    for entry in entries:
        name, _, module = (part.strip() for part in entry.partition("="))
        if not _can_import(module):
            message = (
                f"{_PLUGINS} names the plugin {name}, but there is no module {module!r} here. botocore goes on without "
                "it: what it should have sent elsewhere goes to AWS itself. Install it, or unset the variable. Spot "
                "Relay needs none."
            )
            yield Finding("plugins", "problem", message)


def _can_import(module: str) -> bool:
    try:
        return bool(module) and find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def compare_versions(client: str, stack: str | None) -> Finding:
    """Return whether the client and the stack are of the same minor version."""
    both = f"the client is {client}, the stack {stack or 'says no version'}"
    if stack is None or "source" in {client, stack}:
        return Finding("versions", "unknown", both)
    if client.split(".")[:2] == stack.split(".")[:2]:
        return Finding("versions", "ok", both)
    return Finding("versions", "warning", f"{both}. Install the client of the stack's version, or update the stack.")


def buckets_of(job: Mapping[str, Any]) -> list[str]:
    """Return the buckets that a training job reads and writes, each once."""
    channels = job.get("InputDataConfig") or ()
    uris = [channel.get("DataSource", {}).get("S3DataSource", {}).get("S3Uri") for channel in channels]
    uris += [job.get("OutputDataConfig", {}).get("S3OutputPath"), job.get("CheckpointConfig", {}).get("S3Uri")]
    return list(dict.fromkeys(uri.removeprefix("s3://").partition("/")[0] for uri in uris if uri))


def placements_of(draft: Draft) -> list[Placement]:
    """Return the placements in which attempts of a spec may run: its ladder's, or its own, and those on-demand."""
    job, policy = dict(draft.job), draft.policy
    if has_instance_groups(job) or "ResourceConfig" not in job:
        return []
    own = placement_of(job)
    placements = [
        Placement(
            rung["instance_type"], rung.get("instance_count") or own.instance_count, Market(rung.get("market", "spot"))
        )
        for rung in policy.get("ladder") or ()
    ] or [own]
    if policy.get("deadline"):
        on_demand = [Placement(each.instance_type, each.instance_count, Market.ON_DEMAND) for each in placements]
        placements += on_demand
    return list(dict.fromkeys(placements))


def find_quota(placement: Placement, quotas: Iterable[tuple[str, float]]) -> float | None:
    """Return the quota of a placement, among those of SageMaker by name, or None if it is not listed."""
    return min((limit for name, limit in quotas if Quota(limit, name).is_of(placement)), default=None)


def judge_quota(placement: Placement, quotas: Iterable[tuple[str, float]]) -> Finding:
    """Return whether the quota of a placement, among those of SageMaker, holds it at all."""
    limit = find_quota(placement, quotas)
    if limit is None:
        return Finding("quota", "unknown", f"{placement}: Service Quotas lists no quota for it")
    if limit < placement.instance_count:
        message = (
            f"{placement}: the quota is {limit:g}. Request an increase in Service Quotas, or use another instance type."
        )
        return Finding("quota", "problem", message)
    return Finding("quota", "ok", f"{placement}: the quota is {limit:g}")


def judge_rate(rate: float, quotas: Iterable[tuple[str, float]]) -> Finding:
    """Return whether the stack creates training jobs no faster than the account's quota allows, per second."""
    limit = min((limit for name, limit in quotas if "createtrainingjob" in name.lower()), default=None)
    ours = f"the stack creates at most {rate:g} training jobs per second (LaunchRate)"
    if limit is None:
        message = f"{ours}. Service Quotas lists no rate for CreateTrainingJob; SageMaker's default is {DEFAULT_RATE:g}"
        return Finding("rate", "unknown", message)
    if rate > limit:
        message = f"{ours}, and the quota is {limit:g}: launches are throttled. Raise the quota, or lower LaunchRate."
        return Finding("rate", "warning", message)
    return Finding("rate", "ok", f"{ours}; the quota is {limit:g}")


def trusts_sagemaker(policy: Mapping[str, Any]) -> bool:
    """Whether a role's trust policy lets SageMaker assume it."""
    for statement in _listed(policy.get("Statement")):
        principal = statement.get("Principal", {})
        services = ["*"] if principal == "*" else _listed(principal.get("Service"))
        allowed = statement.get("Effect") == "Allow" and {"sagemaker.amazonaws.com", "*"} & set(services)
        if allowed and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(statement.get("Action"))):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _client(session: Session, service: str, region: str | None) -> Any:
    return session.create_client(service, region_name=region)


def _check_credentials(session: Session, region: str | None) -> Iterator[Finding]:
    try:
        caller = _client(session, "sts", region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        yield Finding(
            "credentials", "problem", f"{error}. Configure credentials, or choose a profile with AWS_PROFILE."
        )
    else:
        yield Finding("credentials", "ok", f"{caller['Arn']} in account {caller['Account']}")


def _check_api(session: Session, stack: Stack) -> Finding:
    try:
        Api(session, stack.api_url, stack.region).list(limit=1)
    except SpotRelayError as error:
        return Finding("api", "problem", f"{error}")
    return Finding("api", "ok", "it answers")


def allowed_roles(parameters: Mapping[str, str]) -> Sequence[str]:
    """Return the roles that the stack's parameters name, apart from patterns."""
    return [role for role in parameters.get("AllowedRoleArns", "").split(",") if role and "*" not in role]


def _check_role(session: Session, region: str, arn: str) -> Finding:
    try:
        role = _client(session, "iam", region).get_role(RoleName=arn.rpartition("/")[2])["Role"]
    except (BotoCoreError, ClientError) as error:
        missing = isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchEntity"
        return Finding("role", "problem" if missing else "unknown", f"{arn}: {error}")
    if trusts_sagemaker(role["AssumeRolePolicyDocument"]):
        return Finding("role", "ok", f"SageMaker can assume {arn}")
    message = f"SageMaker cannot assume {arn}. Let sagemaker.amazonaws.com assume it in its trust policy."
    return Finding("role", "problem", message)


def _check_bucket(session: Session, region: str, bucket: str) -> Finding:
    try:
        answer = _client(session, "s3", region).head_bucket(Bucket=bucket)
        found = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    except ClientError as error:
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
        found = headers.get("x-amz-bucket-region")
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return Finding("bucket", "problem", f"{bucket} does not exist. Create it, or correct its name.")
        if found is None:
            return Finding("bucket", "unknown", f"{bucket}: {error}")
    except BotoCoreError as error:
        return Finding("bucket", "unknown", f"{bucket}: {error}")
    if found in {None, region}:
        return Finding("bucket", "ok", f"{bucket} is in {region}")
    return Finding("bucket", "problem", f"{bucket} is in {found}, but training runs in {region}. Use one in {region}.")


def read_quotas(session: Session, region: str) -> list[tuple[str, float]]:
    """Return the names and values of SageMaker's quotas in the account; raise the errors of botocore."""
    client = _client(session, "service-quotas", region)
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    return [(quota["QuotaName"], float(quota["Value"])) for page in pages for quota in page["Quotas"]]


def _check_quotas(session: Session, region: str, rate: float, placements: Sequence[Placement]) -> Iterator[Finding]:
    try:
        quotas = read_quotas(session, region)
    except (BotoCoreError, ClientError) as error:
        yield Finding("quota", "unknown", f"Service Quotas could not be asked: {error}")
        return
    yield judge_rate(rate, quotas)
    yield from (judge_quota(placement, quotas) for placement in placements)
