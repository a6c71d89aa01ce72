"""Addresses in AWS's console, for the partition and region of a training job."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

_HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True)
class Console:
    """The console of one region."""

    region: str
    host: str

    def link_job(self, job_name: str) -> str:
        """Return the address of a training job."""
        return f"https://{self.host}/sagemaker/home?region={self.region}#/jobs/{quote(job_name, safe='')}"

    def link_logs(self, group: str, prefix: str) -> str:
        """Return the address of the log streams whose names begin with a prefix."""
        streams = f"$3FlogStreamNameFilter$3D{_escape(prefix)}"
        where = f"#logsV2:log-groups/log-group/{_escape(group)}{streams}"
        return f"https://{self.host}/cloudwatch/home?region={self.region}{where}"

    def link_object(self, bucket: str, key: str) -> str:
        """Return the address of an object in S3."""
        prefix = quote(key, safe="")
        return f"https://{self.host}/s3/object/{quote(bucket, safe='')}?region={self.region}&prefix={prefix}"


def console_of(arn: str) -> Console | None:
    """Return the console for an ARN, or None if that partition has none that is known."""
    _, partition, _, region, *_ = [*arn.split(":"), "", "", "", ""]
    host = _HOSTS.get(partition)
    if host is None or not _REGION.fullmatch(region):
        return None
    return Console(region, host.format(region=region))


def _escape(text: str) -> str:
    """Return a text as CloudWatch's console has it in its addresses: encoded twice, with dollars for percents."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")
