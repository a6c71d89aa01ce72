"""What a run waits for before its first launch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spot_relay.domain.run.start import LONGEST_AHEAD, Start
from tests.fakes import NOON

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("start", "waits"),
    [
        (Start(), False),
        (Start(continue_from="prep", template="templates/churn.yaml", known_within_seconds=60), False),
        (Start(at=NOON), True),
        (Start(after=("prep",)), True),
        (Start(at_most=1), True),
    ],
)
def test_a_run_waits_for_a_time_for_other_runs_or_for_its_turn(start: Start, waits: bool) -> None:
    assert bool(start) is waits


@pytest.mark.parametrize(
    ("at", "earliest"),
    [
        (None, NOON),
        (NOON - SECOND, NOON),
        (NOON + SECOND, NOON + SECOND),
        (NOON + LONGEST_AHEAD, NOON + LONGEST_AHEAD),
        (datetime.max.replace(tzinfo=UTC), NOON + LONGEST_AHEAD),
    ],
)
def test_a_run_begins_at_its_time_but_neither_in_the_past_nor_far_ahead(
    at: datetime | None, earliest: datetime
) -> None:
    assert Start(at=at).earliest(NOON) == earliest


@pytest.mark.parametrize(("seconds", "later"), [(None, 0), (0, 0), (90, 90)])
def test_the_runs_before_have_to_be_known_at_once_or_within_the_seconds_given(seconds: int | None, later: int) -> None:
    assert Start(after=("prep",), known_within_seconds=seconds).known_by(NOON) == NOON + timedelta(seconds=later)
