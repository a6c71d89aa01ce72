"""What holds for all tests: how much they search, who shares a worker, who begins, and when garbage is collected."""

from __future__ import annotations

import atexit
import gc
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from embedded.patience import give_time
from tests import thoroughness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.fake_aws import FakeAWS

thoroughness.load_profile()
# The collector would look through all that the tests import again and again, for a fifth of the time of a run.
gc.disable()
# At the end, extension modules must release what they hold, or they complain.
atexit.register(gc.unfreeze)
# What takes longest begins first: the end-to-end tests wait for most of their time, so that others work beside them.
_FIRST = (
    "tests/e2e/test_faults.py",
    "tests/e2e/",
    "tests/integration/",
    "tests/simulation/",
    "tests/security/",
    "tests/unit/hostile/",
)
# The files that share a deployed stack, by what that is called: two stacks of one kind work beside each other.
_STACKS = {
    "tests/e2e/test_chains.py": "stack",
    "tests/e2e/test_clients.py": "clients",
    "tests/e2e/test_command.py": "clients",
    "tests/e2e/test_dashboard.py": "clients",
    "tests/e2e/test_faults.py": "troubled",
    "tests/e2e/test_field.py": "stack",
    "tests/e2e/test_hostile_api.py": "stack",
    "tests/e2e/test_hosting.py": "stack",
    "tests/e2e/test_monitoring.py": "stack",
    "tests/e2e/test_notices.py": "stack",
    "tests/e2e/test_policy.py": "stack",
    "tests/e2e/test_programs.py": "clients",
    "tests/e2e/test_redrive.py": "troubled",
    "tests/e2e/test_runs.py": "stack",
    "tests/e2e/test_step_functions.py": "stack",
    "tests/e2e/test_triggers.py": "clients",
    "tests/e2e/test_widget.py": "stack",
    "tests/e2e/test_widget_without_buttons.py": "troubled",
}


@pytest.fixture(scope="session")
def fake_aws() -> Iterator[FakeAWS]:
    """The one fake AWS of a process: moto answers all clients of a process, so a second would be the same."""
    from tests.integration.fake_aws import (
        running,  # not at the top: moto takes long to import, and most tests need none
    )

    with running() as aws:
        yield aws


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps the tests of a file, and of files that share a deployed stack, on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _STACKS.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Distribute the tests file by file, if that is asked for."""
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but leave out what the tests have imported, and do so less often."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those first that take longest, and give each the time that it needs on a busy machine."""
    items.sort(key=_turn)
    for item in items:
        _give_time(item)


def _give_time(item: pytest.Item) -> None:
    """Stretch the time limit of a test, which interrupts what hangs; a limit from the command line stays as it is."""
    if item.config.getoption("timeout") is not None:
        return
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else item.config.getini("timeout")
    item.add_marker(pytest.mark.timeout(give_time(float(seconds))), append=False)


def _turn(item: pytest.Item) -> tuple[int, bool]:
    """Return what items are sorted by: where they are, and whether what they wait for goes on while others work."""
    turn = next((turn for turn, folder in enumerate(_FIRST) if item.nodeid.startswith(folder)), len(_FIRST))
    return turn, item.get_closest_marker("begun") is not None
