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
    next_step,
    read_since,
    share_done,
)
from tests.unit.client.documents import NOW, attempt_document, run

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
    ("fields", "share", "text"),
    [
        ({"training_seconds": 60}, None, "1m 00s trained"),
        ({"deadline": {"at": LATER, "expected_runtime_seconds": 100, "progress_seconds": 25}}, 0.25, "25%"),
        ({"deadline": {"at": LATER, "expected_runtime_seconds": 100, "progress_seconds": 250}}, 1.0, "100%"),
        ({"deadline": {"at": LATER, "expected_runtime_seconds": 0, "progress_seconds": 0}}, None, "0s trained"),
        ({"status": "Completed"}, 1.0, "100%"),
    ],
)
def test_progress_is_a_share_only_if_the_length_of_the_training_is_known(
    fields: dict[str, Any], share: float | None, text: str
) -> None:
    assert share_done(run(**fields)) == share
    assert format_progress(run(**fields)) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Training"),
        ({"attempts": [attempt_document(phase="Pending")]}, "waits for spot"),
        ({"attempts": [attempt_document(phase="Interrupted")]}, "waits for spot"),
        ({"attempts": [attempt_document(2, status="Planned", phase=None)]}, "launches attempt 2 in 4m 00s"),
        ({"status": "Stopping"}, "stops"),
        ({"status": "Failed"}, "-"),
    ],
)
def test_the_next_step_says_what_happens_and_when(fields: dict[str, Any], text: str) -> None:
    assert next_step(run(**fields), NOW) == text


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
