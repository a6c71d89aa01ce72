"""What pytest needs to know while mutants are tested; loaded with `-p`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    import pytest

# The same examples each time, for a mutant to be killed or to survive each time; no shrinking, for one failure is
# enough.
settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")
# tests/thoroughness.py reads it when the tests are imported: no more than ten examples where a test names a number.
os.environ["THOROUGHNESS"] = "mutants"

# Tests that kill nothing that the others let live: those of many runs at once are about slots, which are no part of
# the domain, those of the source text see that of all mutants, and one starts processes that know of no mutant.
NOT_RUN = (
    "test_flood.py",
    "test_room_for_crowds.py",
    "test_no_module_of_the_domain_asks_a_clock_or_draws_a_number",
    "test_no_sentence_in_the_sources_is_left_out",
    "test_a_seed_is_played_alike_in_every_process",
)
# Tests that take most of the time and kill few: only the last stage tries them.
SLOW = (
    "test_seeds.py",
    "test_replay.py",
    "test_policy_examples.py",
    "test_switch_crash.py",
    "test_deadline_kept.py",
    "test_room_when_things_go_wrong.py",
    "test_a_wait_for_room_of_a_day",
    "test_a_wait_for_room_spends_no_budget",
    "test_a_return_leaves_an_attempt_for_the_way_back",
    "test_any_text_gives_limits",
)
# How far a mutant is tried. Most die of the tests of their own package, and to collect all others takes seconds.
STAGE = "SPOT_RELAY_MUTATION_STAGE"
NEAR, QUICK, SLOWEST = "near", "quick", "slow"


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what this stage does not try before it is collected, if the mutant has other tests."""
    mutant, stage = os.environ.get("MUTANT_UNDER_TEST", ""), os.environ.get(STAGE, SLOWEST)
    if "__mutmut_" not in mutant or stage == SLOWEST:
        return
    kept = [test for test in config.args if not any(name in test for name in SLOW)]
    if stage == NEAR:
        folder = f"tests/unit/domain/{mutant.split('.')[2]}/"
        kept = [test for test in kept if folder in test] or kept
    config.args = kept or config.args


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave out what kills no mutants, and name the tests where mutmut reads their names: pytest has moved that."""
    left_out = [item for item in items if any(name in item.nodeid for name in NOT_RUN)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        item._nodeid = item.nodeid  # type: ignore[attr-defined]
