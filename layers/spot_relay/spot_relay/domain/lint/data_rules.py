"""Rules about the name, input data, buckets and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.lint.draft import as_text
from spot_relay.domain.lint.rule import Found, Rule, Severity
from spot_relay.domain.sagemaker.redaction import looks_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.lint.draft import Draft, Surroundings

_REGION_IN_NAME = compile_later(
    r"(?<![a-z0-9])((?:af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov)-(?:north|south|east|west|central)(?:east|west)?-\d)(?!\d)"
)


def _find_few_shards(draft: Draft, around: Surroundings) -> Iterator[Found]:
    place = draft.most_instances
    for path, channel in draft.channels:
        name = as_text(channel.get("ChannelName"))
        files = None if name is None else around.files.get(name)
        if files is not None and files < place.instance_count:
            message = f"{place.instance_count} instances share the channel {name}, which has {files} objects."
            yield Found(path, message)


def _find_other_region(draft: Draft, around: Surroundings) -> Iterator[Found]:
    region = around.region or draft.image_region
    if region is None:
        return
    for path, uri in _list_uris(draft):
        bucket = uri.removeprefix("s3://").partition("/")[0]
        named = _REGION_IN_NAME.search(bucket)
        known = around.bucket_regions.get(bucket)
        found = known or (named and named[1])
        if found and found != region:
            where = f"is in {found}" if known else f"seems to be in {found}, by its name"
            yield Found(path, f"The bucket {bucket} {where}, and the job runs in {region}.")


def _find_secrets(draft: Draft, _: Surroundings) -> Iterator[Found]:
    for key in ("HyperParameters", "Environment"):
        for name, value in draft.mapping(key).items():
            if isinstance(value, str) and looks_secret(str(name), value):
                yield Found(draft.path(key, str(name)), "The value looks like a secret. It is not repeated here.")


def _find_existing_run(draft: Draft, around: Surroundings) -> Iterator[Found]:
    if around.existing_run is not None:
        yield Found(draft.name_path, f"There is a run of this very spec already, and it is {around.existing_run}.")


def _list_uris(draft: Draft) -> Iterator[tuple[str, str]]:
    for key, member in (
        ("OutputDataConfig", "S3OutputPath"),
        ("CheckpointConfig", "S3Uri"),
        ("TensorBoardOutputConfig", "S3OutputPath"),
    ):
        uri = as_text(draft.mapping(key).get(member))
        if uri is not None:
            yield draft.path(key, member), uri
    yield from draft.channel_uris


DATA_RULES = (
    Rule(
        "run-exists",
        Severity.WARNING,
        "Submitting a spec again returns the run that it has, and launches nothing.",
        "To train again, submit it under another name; to continue a run that failed or was stopped, resume it.",
        _find_existing_run,
        "Only a stack knows this.",
    ),
    Rule(
        "fewer-shards-than-instances",
        Severity.ERROR,
        "ShardedByS3Key gives each instance files of its own, and an instance without a file fails.",
        "Use fewer instances, or split the data into at least as many files as there are instances.",
        _find_few_shards,
        "This is checked only where the files can be listed. A stack refuses such a spec.",
    ),
    Rule(
        "bucket-in-another-region",
        Severity.WARNING,
        "SageMaker reads and writes only buckets in the region of the job.",
        "Use a bucket in the job's region, or submit the job to a stack in the bucket's.",
        _find_other_region,
        "The region of the job is the one that you use, or else that of its image. Without AWS, the region of a bucket "
        "is known only if its name contains one.",
    ),
    Rule(
        "secret-in-request",
        Severity.WARNING,
        "Whoever may describe training jobs in the account can read hyperparameters and environment variables.",
        "Keep the secret in AWS Secrets Manager, and let the training read it with its role.",
        _find_secrets,
    ),
)
