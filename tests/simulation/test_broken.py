"""The harness can fail: for each invariant there is a service that breaks it, and it is caught."""

from __future__ import annotations

import pytest

from tests.simulation.broken import BROKEN, Broken
from tests.simulation.seeds import needed_faults, play_seed, trace
from tests.simulation.violation import INVARIANTS, ViolationError
from tests.thoroughness import share

WITHIN = 1000


def caught(broken: Broken) -> int | None:
    """Return the first seed that catches a broken service at its own invariant."""
    for seed in range(WITHIN):
        try:
            play_seed(seed)
        except ViolationError as violation:
            if violation.invariant == broken.invariant:
                return seed
    return None


def test_each_invariant_has_a_service_that_breaks_it() -> None:
    assert {broken.invariant for broken in BROKEN} == set(INVARIANTS)


@pytest.mark.parametrize("broken", share(BROKEN), ids=lambda broken: broken.title)
def test_a_broken_service_is_caught_within_a_thousand_seeds(broken: Broken) -> None:
    with broken.at_work():
        assert caught(broken) is not None


def test_a_failing_seed_is_told_with_no_more_faults_than_it_needs() -> None:
    broken = next(broken for broken in BROKEN if broken.invariant == 2)
    with broken.at_work():
        seed = caught(broken)
        assert seed is not None
        reason, needed = needed_faults(seed)
        told = trace(seed, needed)
    assert "have not ended" in reason
    assert told[-1] == f"-> {reason}"
    assert len(needed) < 5
