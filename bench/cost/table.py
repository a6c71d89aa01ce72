"""Multiplies counted units by list prices, and lays the results out as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.cost import prices
from bench.cost.counts import (
    CALL_SECONDS,
    CPU_SECONDS,
    EIGHT_HOURS,
    HOUR,
    MEMORY_MB,
    ONE_VCPU_MB,
    count_idle_month,
    count_runs,
)

if TYPE_CHECKING:
    from bench.cost.counts import Counts

RUNS: Final = 1_000
BEGIN: Final = "<!-- `make cost` writes this table -->"
END: Final = "<!-- end of the table -->"
_GB: Final = 1e9


def price_units(used: Counts) -> dict[str, float]:
    """Return what units cost in US dollars, by what is paid for."""
    seconds = used.invocations * CPU_SECONDS * ONE_VCPU_MB / MEMORY_MB + used.calls * CALL_SECONDS
    stored = used.table_bytes / _GB
    return {
        "Lambda, requests": used.invocations * prices.LAMBDA_REQUEST,
        "Lambda, duration": seconds * MEMORY_MB / 1024 * prices.LAMBDA_GB_SECOND,
        "DynamoDB, reads and writes": used.read_units * prices.DYNAMODB_READ_UNIT
        + used.write_units * prices.DYNAMODB_WRITE_UNIT,
        "SQS": used.sqs_requests * prices.SQS_REQUEST,
        "EventBridge": used.events * prices.EVENTBRIDGE_EVENT,
        "EventBridge Scheduler": used.scheduled * prices.SCHEDULER_CALL,
        "S3, requests": used.s3_writes * prices.S3_WRITE + used.s3_reads * prices.S3_READ,
        "logs": used.log_bytes / _GB * prices.LOG_GB,
        "storage for a month: table and its backups, bucket, logs": stored
        * (prices.DYNAMODB_GB_MONTH + prices.DYNAMODB_BACKUP_GB_MONTH)
        + used.bucket_bytes / _GB * prices.S3_GB_MONTH
        + used.log_bytes / _GB * prices.LOG_GB_MONTH,
        "alarms": used.alarms * prices.ALARM_MONTH + used.composite_alarms * prices.COMPOSITE_ALARM_MONTH,
        "dashboard": used.dashboards * prices.DASHBOARD_MONTH,
        "custom metrics": used.metrics * prices.METRIC_MONTH,
    }


def draw_table() -> str:
    """Return the table of costs as Markdown."""
    columns = [count_idle_month(), count_runs(HOUR, RUNS), count_runs(EIGHT_HOURS, RUNS)]
    priced = [price_units(column) for column in columns]
    rows = [[name, *(_format_dollars(column[name]) for column in priced)] for name in priced[0]]
    total = ["**together**", *(f"**{_format_dollars(sum(column.values()))}**" for column in priced)]
    head = ["USD", "an idle stack, per month", f"{RUNS:,} runs of 1 h", f"{RUNS:,} runs of 8 h"]
    lines = [head, ["---", "---:", "---:", "---:"], *rows, total]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replace_table(page: str) -> str:
    """Return a page with the table between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no table between {BEGIN} and {END}")
    return f"{before}{begin}\n\n{draw_table()}\n\n{end}{after}"


def _format_dollars(amount: float) -> str:
    if amount == 0:
        return "0"
    return f"{amount:.2f}" if amount >= 0.005 else "< 0.01"
