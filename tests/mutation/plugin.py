"""What pytest needs to know while mutants are tested; loaded with `-p`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

from tests.mutation.stages import NOT_RUN, SLOWEST, STAGE, is_slow

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


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave out what kills no mutants, and what only the last stage tries."""
    left_out = [item for item in items if any(name in item.nodeid for name in NOT_RUN)]
    if os.environ.get(STAGE, SLOWEST) != SLOWEST:
        left_out += [item for item in items if is_slow(item.nodeid) and item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
