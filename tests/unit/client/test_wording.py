"""What people read about a run: durations, money, progress and the next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from spot_relay_client.cli.wording import (
    format_duration,
    format_money,
    format_progress,
    format_saved,
    next_step,
    read_since,
)
from tests.unit.client.documents import NOW, ago, attempt_document, run

LATER = (NOW + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (59.6, "1m 00s"),
        (61, "1m 01s"),
        (3600, "1h 00m"),
        (86_399, "23h 59m"),
        (93_600, "1d 02h"),
        (-5, "0s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "-"),
        (-2.5, "-$2.50"),
        (0, "$0.00"),
        (0.0123, "$0.0123"),
        (0.00001, "<$0.0001"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_is_shown_in_dollars(usd: float | None, text: str) -> None:
    assert format_money(usd) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "1 h 50 min"),
        ({"attempts": [attempt_document(status="Planned", created_at=None)]}, "Not trained yet"),
        ({"deadline": {"at": LATER, "expected_runtime_seconds": 100, "progress_seconds": 25}}, "25%"),
        ({"deadline": {"at": LATER, "expected_runtime_seconds": 100, "progress_seconds": 250}}, "100%"),
        ({"status": "Completed"}, "100%"),
    ],
)
def test_progress_is_a_share_only_if_the_length_of_the_training_is_known(fields: dict[str, Any], text: str) -> None:
    trains = {"attempts": [attempt_document(training_started_at=ago(minutes=110))]}
    assert format_progress(run(**{**trains, **fields}), NOW) == text


def test_what_comes_next_is_said_in_one_sentence_with_its_time() -> None:
    def told(at: datetime | None, reason: str) -> str:
        return next_step(run(next={"action": "launch", "at": at and at.isoformat(), "reason": reason}), NOW)

    assert told(None, "Launches a-relay-01 once b has completed.") == "Launches a-relay-01 once b has completed"
    assert told(NOW - timedelta(hours=1), "Tries again.") == "Tries again"
    at = NOW + timedelta(minutes=1)
    assert told(at, "Completes. If it waits, it waits.") == f"{at.astimezone():%H:%M}: Completes"


def test_of_an_older_stack_the_reason_is_said_and_of_an_ended_run_nothing() -> None:
    assert next_step(run(), NOW) == "churn-relay-01 is Training"
    assert next_step(run(status="Failed"), NOW) == "-"


def test_what_was_saved_is_that_of_the_page() -> None:
    assert format_saved(run(), NOW) == "-"
    assert format_saved(run(savings_percent=70.0), NOW) == "70%"
    assert format_saved(run(savings_percent=70.0, cost_usd=4.0, on_demand_cost_usd=10.0), NOW) == "60%"
    assert format_saved(run(cost_usd=11.0, on_demand_cost_usd=10.0), NOW) == "0%"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_beginning_is_a_time_or_a_duration_before_now(text: str, moment: datetime) -> None:
    assert read_since(text, NOW) == moment


def test_what_is_no_beginning_is_refused_with_an_example() -> None:
    with pytest.raises(click.BadParameter, match="90m"):
        read_since("yesterday", NOW)
