"""Read the service's metrics from the EMF lines in the logs of its functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_logs import CloudWatchLogsClient

NAMESPACE = "SpotRelay"


@dataclass(frozen=True)
class Metric:
    """All values of a metric, in the order they were written."""

    name: str
    values: tuple[float, ...]

    @property
    def total(self) -> float:
        """The sum of the values."""
        return sum(self.values)


def parse_metrics(lines: Iterable[str]) -> dict[str, Metric]:
    """Return the metrics of Spot Relay's namespace in log lines; lines that are not EMF are ignored."""
    values: dict[str, list[float]] = {}
    for line in lines:
        for name, given in _parse_line(line):
            values.setdefault(name, []).extend(given)
    return {name: Metric(name, tuple(given)) for name, given in values.items()}


def _parse_line(line: str) -> Iterator[tuple[str, Sequence[float]]]:
    if not line.startswith("{") or '"_aws"' not in line:
        return
    try:
        document: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return
    for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
        if directive.get("Namespace") != NAMESPACE:
            continue
        for metric in directive.get("Metrics", []):
            given = document.get(metric["Name"], [])
            yield metric["Name"], given if isinstance(given, list) else [given]


def read_metrics(logs: CloudWatchLogsClient, groups: Iterable[str]) -> dict[str, Metric]:
    """Return the metrics in these log groups."""
    return parse_metrics(line for group in groups for line in _fetch_messages(logs, group))


def _fetch_messages(logs: CloudWatchLogsClient, group: str) -> Iterator[str]:
    try:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            yield from (event["message"] for event in page["events"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
