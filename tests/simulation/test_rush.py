"""Many uploads at once are launched nearly as fast as SageMaker allows, and few calls are throttled."""

from __future__ import annotations

from spot_relay.domain.rules.turns import LaunchRate
from tests.simulation.rush import Rush
from tests.thoroughness import LEVEL, Level

# A thousand where all is tried, as `make bench-load` has them; a few hundred show the same.
MANY = 1000 if LEVEL is Level.ALL else 300


def test_many_uploads_at_once_take_hardly_longer_than_the_rate_allows() -> None:
    rush = Rush(MANY, LaunchRate(1))
    rush.play()
    assert MANY <= rush.seconds <= 1.3 * MANY
    assert rush.throttled < 0.05
    assert sum(rush.looks.values()) < 3 * rush.uploads, "nobody polls"


def test_a_function_that_starts_late_makes_hardly_any_launches_meet() -> None:
    rush = Rush(300, LaunchRate(1), starts_after=20)
    rush.play()
    assert rush.seconds <= 390
    assert rush.throttled < 0.05


def test_with_a_higher_quota_as_many_uploads_take_as_much_less() -> None:
    rush = Rush(MANY, LaunchRate(10), allowed=10, burst=10)
    rush.play()
    assert rush.seconds <= 0.13 * MANY
    assert rush.throttled < 0.05


def test_a_stack_that_shares_the_quota_gets_what_others_leave_and_nobody_waits_for_ever() -> None:
    rush = Rush(200, LaunchRate(1), others=0.5)
    rush.play()
    assert rush.seconds <= 2 * 200 / (1 - 0.5)


def test_without_turns_nearly_every_call_is_throttled() -> None:
    """Show that the test can fail: this is what turns are for."""
    rush = Rush(300, LaunchRate(1000))
    rush.play()
    assert rush.throttled > 0.5
