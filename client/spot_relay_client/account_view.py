"""What the caller's own credentials show of an account, for lint rules and plans. What can't be read stays unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from spot_relay.domain.lint.draft import Surroundings
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay_client.checkups import buckets_of, find_quota, read_quotas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session

    from spot_relay.domain.lint.draft import Draft

_CONFIG: Final = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})


def look_around(session: Session, region: str, draft: Draft) -> Surroundings:
    """Return what S3 shows of the buckets and the checkpoint prefix of a spec."""
    s3: Any = session.create_client("s3", region_name=region, config=_CONFIG)
    found = {bucket: _find_region(s3, bucket) for bucket in buckets_of(dict(draft.job))}
    return Surroundings(
        region=region,
        bucket_regions={bucket: where for bucket, where in found.items() if where is not None},
        checkpoint_objects=_count_objects(s3, draft.checkpoint_uri),
    )


def list_quotas(session: Session, region: str) -> list[tuple[str, float]]:
    """Return SageMaker's quotas in the account by name; none if they can't be read."""
    try:
        return read_quotas(session, region)
    except (BotoCoreError, ClientError):
        return []


def add_quotas(plan: dict[str, Any], quotas: list[tuple[str, float]]) -> dict[str, Any]:
    """Return a plan whose placements have a ``quota``: its limit as Service Quotas has it, or null if unknown."""
    return plan | {"placements": [each | {"quota": _quota_of(each, quotas)} for each in plan["placements"]]}


def _quota_of(placement: Mapping[str, Any], quotas: list[tuple[str, float]]) -> dict[str, Any] | None:
    wanted = Placement(placement["instance_type"], placement["instance_count"], Market(placement["market"]))
    limit = find_quota(wanted, quotas)
    return None if limit is None else {"limit": limit, "used": None, "source": "Service Quotas"}


def _find_region(s3: Any, bucket: str) -> str | None:
    try:
        headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except ClientError as error:
        # S3 names the region even where it denies access.
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    except BotoCoreError:
        return None
    region: str | None = headers.get("x-amz-bucket-region")
    return region


def _count_objects(s3: Any, uri: str | None) -> int | None:
    """Return whether objects are under a prefix, as their number up to one; None if it can't be listed."""
    if uri is None:
        return None
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    try:
        return len(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents", []))
    except (BotoCoreError, ClientError):
        return None
