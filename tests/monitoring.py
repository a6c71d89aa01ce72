"""The alarms, the dashboard and the saved queries of the template, as AWS gets to see them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.security.translated import resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMESPACE = "SpotRelay"
EVERYTHING = {"AllowHosting": "true", "NotificationEmail": "ops@example.com", "TriggerBuckets": "arriving-data"}
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|/[^/]+/")
_ALIAS = re.compile(r"\bas\s+(\w+)")
_WORD = re.compile(r"@?[A-Za-z_][\w.]*(?!\w*\()")
_COMMANDS = frozenset({"fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "not", "in", "like"})
_ORDERS = frozenset({"asc", "desc", "SOURCE"})


@dataclass(frozen=True)
class Metric:
    """A metric that something watches."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


@cache
def stack(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a stack with these parameters."""
    return resources({}, AllowedRoleArns="arn:aws:iam::000000000000:role/training", **parameters)


def of_type(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Return the properties of each resource of a type."""
    return {name: entry["Properties"] for name, entry in stack(**parameters).items() if entry["Type"] == kind}


def metric_alarms(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the alarms that watch a metric."""
    return of_type("AWS::CloudWatch::Alarm", **parameters)


def alarmed_metrics() -> dict[str, Metric]:
    """Return the metric of each alarm."""
    return {
        name: Metric(
            alarm["Namespace"],
            alarm["MetricName"],
            tuple((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"]),
        )
        for name, alarm in metric_alarms(**EVERYTHING).items()
    }


def widgets() -> list[dict[str, Any]]:
    """Return the widgets of the dashboard, once its body has been read as JSON."""
    (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
    found: list[dict[str, Any]] = json.loads(dashboard["DashboardBody"])["widgets"]
    return found


def plotted_metrics(widget: Mapping[str, Any]) -> Iterator[Metric]:
    """Return the metrics of a widget, without its expressions."""
    for row in widget["properties"].get("metrics", []):
        texts = [part for part in row if isinstance(part, str)]
        if texts:
            namespace, name, *pairs = texts
            yield Metric(namespace, name, tuple(zip(pairs[::2], pairs[1::2], strict=True)))


def queries() -> dict[str, str]:
    """Return the queries of the logs, those that are saved and that of the dashboard."""
    saved = {name: query["QueryString"] for name, query in of_type("AWS::Logs::QueryDefinition").items()}
    shown = {widget["properties"]["title"]: widget["properties"] for widget in widgets() if widget["type"] == "log"}
    return saved | {title: properties["query"] for title, properties in shown.items()}


def fields_of(query: str) -> set[str]:
    """Return the fields of the logs that a query uses, without the names that it gives to results."""
    text = _QUOTED.sub(" ", query)
    given = set(_ALIAS.findall(text))
    return set(_WORD.findall(text)) - given - _COMMANDS - _ORDERS


def flatten(line: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Return the fields that Logs Insights discovers in a line: each member of an object or array has its path."""
    for key, value in line.items():
        if isinstance(value, list):
            yield from flatten({str(index): member for index, member in enumerate(value)}, f"{before}{key}.")
        elif isinstance(value, dict):
            yield from flatten(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"
