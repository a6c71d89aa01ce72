"""What holds for the alarms, the dashboard and the saved queries of the template."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest

from spot_relay.domain.rules.checkpoint_age import CHECKPOINT_PATIENCE
from tests.monitoring import (
    EVERYTHING,
    NAMESPACE,
    Metric,
    alarmed_metrics,
    fields_of,
    flatten,
    metric_alarms,
    of_type,
    plotted_metrics,
    queries,
    stack,
    widgets,
)
from tests.template import ROOT, TEMPLATE

PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
# What CloudWatch allows on a dashboard, and how much of it is free on the first three of an account.
MOST_WIDGETS, MOST_METRICS_OF_A_WIDGET, MOST_ALARMS_OF_A_WIDGET, COLUMNS, FREE_METRICS = 500, 500, 100, 24, 50
LONGEST_RULE, MOST_CHILDREN = 10_240, 100
LONGEST_QUERY, LONGEST_QUERY_NAME = 10_000, 255
# The metrics that AWS itself publishes, with the type of resource that each dimension names.
AWS_METRICS: dict[str, tuple[set[str], dict[str, str]]] = {
    "AWS/Lambda": ({"Errors", "Throttles", "Duration"}, {"FunctionName": "AWS::Lambda::Function"}),
    "AWS/SQS": (
        {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
        {"QueueName": "AWS::SQS::Queue"},
    ),
    "AWS/Events": ({"FailedInvocations"}, {"RuleName": "AWS::Events::Rule"}),
    "AWS/ApiGateway": ({"Count", "4XXError", "5XXError"}, {"ApiName": "the stack", "Stage": "the stage"}),
}
WATCHED = {f"the alarm {name}": metric for name, metric in alarmed_metrics().items()} | {
    f"the widget {widget['properties']['title']}, {number}": metric
    for widget in widgets()
    for number, metric in enumerate(plotted_metrics(widget))
}


def anchors(page: str) -> set[str]:
    """Return what a link to a heading of the page may name."""
    return {re.sub(r"[^\w -]", "", head).replace(" ", "-").lower() for head in re.findall(r"^#+ (.+)$", page, re.M)}


def section(heading: str) -> str:
    return PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def names_of(kind: str) -> set[str]:
    """Return what a dimension may name."""
    if kind == "the stack":
        return {"spot-relay"}
    return {"v1"} if kind == "the stage" else set(of_type(kind, **EVERYTHING))


@pytest.mark.parametrize("metric", [pytest.param(metric, id=name) for name, metric in WATCHED.items()])
def test_every_metric_that_is_watched_exists(metric: Metric) -> None:
    if metric.namespace == NAMESPACE:
        return  # tests/integration/test_monitoring.py compares these with what the functions publish
    names, dimensions = AWS_METRICS[metric.namespace]
    assert metric.name in names
    assert [name for name, _ in metric.dimensions] == list(dimensions)
    assert all(value in names_of(dimensions[name]) for name, value in metric.dimensions)


def test_every_alarm_has_a_runbook_that_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    alarms = [*metric_alarms(**EVERYTHING), *of_type("AWS::CloudWatch::CompositeAlarm")]
    described = {**metric_alarms(**EVERYTHING), **of_type("AWS::CloudWatch::CompositeAlarm")}
    for name in alarms:
        assert described[name]["AlarmDescription"].endswith(f" Runbook: docs/monitoring.md#{name.lower()}"), name
        assert name.lower() in anchors(PAGE)
        for part in ("**It goes off when**", "**It means**", "**Look at**", "**Do**"):
            assert part in section(name), (name, part)


def test_every_runbook_is_one_of_an_alarm() -> None:
    described = {*metric_alarms(**EVERYTHING), *of_type("AWS::CloudWatch::CompositeAlarm")}
    assert set(re.findall(r"^### (\w+Alarm)$", PAGE, re.M)) == described


def test_the_runbooks_name_the_periods_and_thresholds_of_the_template() -> None:
    for name, alarm in metric_alarms(**EVERYTHING).items():
        periods, needed = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        of = (
            f"1 period of {alarm['Period']} s"
            if periods == 1
            else f"{needed} of {periods} periods of {alarm['Period']} s"
        )
        settings = f"`{alarm['MetricName']}` ≥ {int(alarm['Threshold']):,} in {of}"
        assert settings in " ".join(section(name).split()), (name, settings)


def test_a_month_without_news_is_no_alarm_except_for_the_tick() -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in metric_alarms(**EVERYTHING).items()}
    assert {name for name, treatment in missing.items() if treatment != "notBreaching"} == {"TickAlarm"}
    assert missing["TickAlarm"] == "breaching"


def test_every_alarm_but_the_one_for_the_stack_sends_e_mail_if_there_is_an_address() -> None:
    topic = stack(**EVERYTHING)["NewsTopic"]
    assert topic["Type"] == "AWS::SNS::Topic"
    actions = {str(alarm["AlarmActions"]) for alarm in metric_alarms(**EVERYTHING).values()}
    assert actions == {"['arn:aws:sns:us-east-1:000000000000:NewsTopic']"}
    assert {str(alarm["AlarmActions"]) for alarm in metric_alarms().values()} == {"[]"}
    (whole,) = of_type("AWS::CloudWatch::CompositeAlarm", **EVERYTHING).values()
    assert not {"AlarmActions", "OKActions", "InsufficientDataActions"} & whole.keys()


@pytest.mark.parametrize("parameters", [{}, EVERYTHING])
def test_the_alarm_for_the_stack_is_on_while_any_other_is(parameters: dict[str, str]) -> None:
    (whole,) = of_type("AWS::CloudWatch::CompositeAlarm", **parameters).values()
    terms = whole["AlarmRule"].split(" OR ")
    expected = [
        f'ALARM("arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}")' for name in metric_alarms(**parameters)
    ]
    assert sorted(terms) == sorted(expected)
    assert len(whole["AlarmRule"]) <= LONGEST_RULE
    assert len(terms) <= MOST_CHILDREN


def test_the_dashboard_shows_every_alarm_that_every_stack_has() -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]
    names = [arn.rpartition(":")[2] for arn in shown]
    assert sorted(names) == sorted([*metric_alarms(), "StackAlarm"])
    assert len(names) <= MOST_ALARMS_OF_A_WIDGET


def test_the_dashboard_stays_within_the_limits_of_cloudwatch_and_below_what_is_free() -> None:
    assert len(widgets()) <= MOST_WIDGETS
    rows = [list(plotted_metrics(widget)) for widget in widgets()]
    assert max(len(row) for row in rows) <= MOST_METRICS_OF_A_WIDGET
    shown = len({metric for row in rows for metric in row})
    assert shown <= FREE_METRICS
    assert f"It shows {shown} metrics" in PAGE
    assert all(set(widget) == {"type", "x", "y", "width", "height", "properties"} for widget in widgets())
    assert all(widget["x"] + widget["width"] <= COLUMNS for widget in widgets())


def test_no_widget_covers_another() -> None:
    def cells(widget: dict[str, Any]) -> set[tuple[int, int]]:
        across = range(widget["x"], widget["x"] + widget["width"])
        down = range(widget["y"], widget["y"] + widget["height"])
        return {(x, y) for x in across for y in down}

    assert not [(one, other) for one, other in combinations(widgets(), 2) if cells(one) & cells(other)]
    assert len({cell for widget in widgets() for cell in cells(widget)}) == COLUMNS * max(y + 1 for _, y in all_cells())


def all_cells() -> set[tuple[int, int]]:
    """Return the cells of the grid down to the last widget."""
    height = max(widget["y"] + widget["height"] for widget in widgets())
    return {(x, y) for x in range(COLUMNS) for y in range(height)}


def test_an_expression_uses_only_metrics_of_its_widget() -> None:
    for widget in widgets():
        options = [row[-1] for row in widget["properties"].get("metrics", []) if isinstance(row[-1], dict)]
        ids = {option["id"] for option in options if "id" in option}
        used = {name for option in options for name in re.findall("[a-z]+", option.get("expression", ""))}
        assert used <= ids


def test_the_dashboard_shows_what_an_operator_asks_for() -> None:
    titles = " ".join(widget["properties"]["title"].lower() for widget in widgets())
    for wanted in (
        *("savings over time", "attempts by outcome", "interruptions and waits by pool", "waiting for capacity"),
        *("to the next launch", "age of the oldest message", "dead letters", "errors", "duration", "throttles"),
    ):
        assert wanted in titles


def test_the_dashboard_can_be_left_out_and_its_name_is_free_in_every_region() -> None:
    assert TEMPLATE["Parameters"]["Dashboard"]["Default"] == "true"
    assert of_type("AWS::CloudWatch::Dashboard", Dashboard="false") == {}
    (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
    assert dashboard["DashboardName"] == "spot-relay-us-east-1"


def test_there_are_five_saved_queries_of_log_groups_of_the_stack() -> None:
    saved = of_type("AWS::Logs::QueryDefinition")
    assert len(saved) == 5
    for query in saved.values():
        assert set(query["LogGroupNames"]) <= set(of_type("AWS::Logs::LogGroup"))
        assert query["Name"].startswith("spot-relay/")
        assert len(query["Name"]) <= LONGEST_QUERY_NAME
        assert len(query["QueryString"]) <= LONGEST_QUERY
        assert query["Name"].removeprefix("spot-relay/") in PAGE


def test_the_query_of_the_dashboard_reads_a_log_group_of_the_stack() -> None:
    groups = {group["LogGroupName"] for group in of_type("AWS::Logs::LogGroup").values()}
    (query,) = [widget["properties"]["query"] for widget in widgets() if widget["type"] == "log"]
    assert set(re.findall(r"SOURCE '([^']+)'", query)) <= groups


def test_a_querys_fields_are_told_from_its_words() -> None:
    query = """fields @timestamp, run_id | filter level = "ERROR" or @message like /Task timed out/ and ispresent(A.0)
    | stats sum(A.0) / 3600 as hours, latest(message) as reason by market | sort hours desc"""
    assert fields_of(query) == {"@timestamp", "run_id", "level", "@message", "A.0", "message", "market"}
    assert set(flatten({"A": [1.0], "_aws": {"B": [{"C": 1}]}, "d": "e"})) == {"A.0", "_aws.B.0.C", "d"}
    assert all(fields_of(query) for query in queries().values())


def test_a_checkpoint_is_overdue_later_than_any_interval_that_the_page_on_checkpoints_recommends() -> None:
    page = (ROOT / "docs" / "checkpoints.md").read_text("utf-8")
    minutes = [float(found) for found in re.findall(r"(\d+\.\d) min, ", page)]
    assert len(minutes) == 16
    assert max(minutes) * 60 < CHECKPOINT_PATIENCE.total_seconds() < 2 * max(minutes) * 60
