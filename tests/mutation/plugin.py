"""What pytest needs to know while mutants are tested; loaded with `-p`."""

from __future__ import annotations

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
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")


# Tests that take seconds and kill nothing that the others let live: those of many runs at once are about slots, which
# are no part of the domain, and those of the source text see that of all mutants.
NOT_RUN = ("test_room_for_crowds.py", "test_no_module_of_the_domain_asks_a_clock_or_draws_a_number")


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave out what kills no mutants, and name the tests where mutmut reads their names: pytest has moved that."""
    left_out = [item for item in items if any(name in item.nodeid for name in NOT_RUN)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        item._nodeid = item.nodeid  # type: ignore[attr-defined]
