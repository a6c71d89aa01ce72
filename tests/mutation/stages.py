"""How far a mutant is tried, and with which tests."""

from __future__ import annotations

import os

# Tests that kill nothing that the others let live: those of many runs at once are about slots, which are no part of
# the domain, those of the source text see that of all mutants, and one starts processes that know of no mutant.
NOT_RUN = (
    "test_flood.py",
    "test_room_for_crowds.py",
    "test_no_module_of_the_domain_asks_a_clock_or_draws_a_number",
    "test_no_sentence_in_the_sources_is_left_out",
    "test_no_other_module_reads_the_members_of_a_training_job",
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


def is_tried(test: str, mutant: str) -> bool:
    """Whether this stage tries a mutant with a test that reaches it."""
    stage = os.environ.get(STAGE, SLOWEST)
    if stage == NEAR:
        return test.startswith(f"tests/unit/domain/{mutant.split('.')[2]}/") and not is_slow(test)
    return stage == SLOWEST or not is_slow(test)


def is_slow(test: str) -> bool:
    """Whether only the last stage runs a test."""
    return any(name in test for name in SLOW)
