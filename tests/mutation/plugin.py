"""What pytest needs to know while mutants are tested; loaded with `-p`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

from tests.mutation.stages import is_run

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests that this stage never runs."""
    items[:] = [item for item in items if is_run(item.nodeid)]
