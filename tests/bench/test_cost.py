"""The table of costs is arithmetic: counted units, multiplied by list prices."""

from __future__ import annotations

import re

import pytest

from bench.cost import counts, prices
from bench.cost.counts import EIGHT_HOURS, HOUR, Counts, count_idle_month, count_runs
from bench.cost.table import BEGIN, END, draw_table, price_units, replace_table
from bench.start.memory import USD_PER_GB_SECOND
from spot_relay.domain.rules.after_end import ENDS, Then
from spot_relay.domain.run.cause import Cause
from tests.template import ROOT, TEMPLATE

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_the_page_has_the_table_that_the_figures_make() -> None:
    assert replace_table(PAGE) == PAGE, "run make cost"


def test_the_page_dates_the_prices_and_names_their_region() -> None:
    section = PAGE.partition("\n## Costs\n")[2].partition("\n## ")[0]
    assert f"{prices.REGION} as published in {prices.AS_OF}" in " ".join(section.split())


def test_each_unit_is_multiplied_by_its_price() -> None:
    priced = price_units(
        Counts(
            read_units=8e6, write_units=2e6, sqs_requests=1e6, s3_writes=1000, alarms=3, composite_alarms=2, metrics=10
        )
    )
    assert {name: round(cost, 6) for name, cost in priced.items() if cost} == {
        "DynamoDB, reads and writes": 8 * 0.125 + 2 * 0.625,
        "SQS": 0.4,
        "S3, requests": 0.005,
        "alarms": 1.3,
        "custom metrics": 3.0,
    }


def test_every_unit_costs_something() -> None:
    for name in counts.Counts.__dataclass_fields__:
        assert sum(price_units(Counts(**{name: 1})).values()) > 0, name


def test_lambda_is_paid_for_computing_and_for_waiting() -> None:
    computing = price_units(Counts(invocations=1))["Lambda, duration"]
    assert computing == pytest.approx(0.03 * 1769 / 512 * 0.5 * prices.LAMBDA_GB_SECOND)
    assert price_units(Counts(calls=10))["Lambda, duration"] == pytest.approx(0.2 * 0.5 * prices.LAMBDA_GB_SECOND)
    assert prices.LAMBDA_GB_SECOND == USD_PER_GB_SECOND
    assert TEMPLATE["Globals"]["Function"]["MemorySize"] == counts.MEMORY_MB
    assert TEMPLATE["Parameters"]["Architecture"]["Default"] == "arm64"


def test_an_idle_stack_pays_for_its_alarms_ticks_and_polls_and_for_no_metric() -> None:
    idle = price_units(count_idle_month())
    assert {name for name, cost in idle.items() if cost == 0} == {"EventBridge", "S3, requests", "custom metrics"}


def test_metrics_are_paid_for_once_a_month_however_many_runs_there_are() -> None:
    assert price_units(count_runs(HOUR, 1))["custom metrics"] == price_units(count_runs(HOUR, 9))["custom metrics"] > 0
    assert price_units(count_runs(HOUR, 9))["SQS"] == pytest.approx(9 * price_units(count_runs(HOUR, 1))["SQS"])


def test_a_longer_run_costs_more_of_everything_but_reading_its_spec() -> None:
    one, eight = price_units(count_runs(HOUR, 1)), price_units(count_runs(EIGHT_HOURS, 1))
    assert all(eight[name] > one[name] for name in one if one[name] and name != "custom metrics")


def listed_metrics() -> list[str]:
    """Return the names of the metrics in docs/operations.md."""
    section = PAGE.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_as_many_metrics_are_counted_as_the_page_lists() -> None:
    assert len(set(listed_metrics())) == len(listed_metrics()) == counts.METRICS
    assert f"all {counts.METRICS} names" in PAGE


def test_the_page_lists_a_metric_for_each_reason_to_relaunch() -> None:
    after_ends = {Cause.of_end(outcome) for outcome, end in ENDS.items() if end.then is Then.RELAUNCH}
    others = {Cause.RESUMED, Cause.SAFETY_NET, Cause.BEHIND_PACE, Cause.AHEAD_OF_PACE, Cause.MOVED}
    assert {name for name in listed_metrics() if name.startswith("RelaunchesAfter")} == {
        f"RelaunchesAfter{cause}" for cause in after_ends | others
    }


def test_a_page_without_the_marks_is_an_error() -> None:
    assert draw_table() in replace_table(f"{BEGIN}{END}")
    with pytest.raises(ValueError, match="no table between"):
        replace_table(f"{BEGIN} no end")
