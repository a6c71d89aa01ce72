"""What holds for all tests: how thoroughly they search, which of them share a worker, and who begins."""

from __future__ import annotations

import pytest

from tests import thoroughness

thoroughness.load_profile()
# What takes longest begins first: the end-to-end tests wait for most of their time, so that others work beside them.
_FIRST = ("tests/e2e/", "tests/integration/", "tests/simulation/", "tests/security/", "tests/unit/hostile/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file, or of a deployed stack, together on one worker."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, folder in enumerate(_FIRST) if item.nodeid.startswith(folder)), len(_FIRST))
