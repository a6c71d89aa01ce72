"""How thoroughly a mutant is tested, and by which tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tests that kill no mutant that the others let live. Those of many runs at once are about slots, which are not part of
# the domain. Those of the source text read the text of all mutants at once. One starts processes without a mutant.
NOT_RUN = (
    "test_flood.py",
    "test_room_for_crowds.py",
    "test_no_module_of_the_domain_asks_a_clock_or_draws_a_number",
    "test_no_sentence_in_the_sources_is_left_out",
    "test_no_other_module_reads_the_members_of_a_training_job",
    "test_a_seed_is_played_alike_in_every_process",
)
# Tests that take most of the time and kill few mutants: only the last stage runs them.
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
)
# The environment variable that names the stage. The tests of a mutant's own package kill most mutants, and collecting
# all the others takes seconds.
STAGE = "SPOT_RELAY_MUTATION_STAGE"
NEAR, QUICK, SLOWEST = "near", "quick", "slow"


def is_run(test: str) -> bool:
    """Whether this stage runs a test at all."""
    return not _names(NOT_RUN, test) and (_stage() == SLOWEST or not _names(SLOW, test))


def is_tried(test: str, mutant: str) -> bool:
    """Whether this stage tries a test that reaches a mutant."""
    is_near = test.startswith(f"tests/unit/domain/{mutant.split('.')[2]}/")
    return is_run(test) and (is_near or _stage() != NEAR)


def _stage() -> str:
    return os.environ.get(STAGE, SLOWEST)


def _names(parts: Sequence[str], test: str) -> bool:
    return any(part in test for part in parts)
