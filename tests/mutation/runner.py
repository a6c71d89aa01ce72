"""mutmut, with tests that are collected once: `python -m tests.mutation.runner --children 2 NAME…`, in the copy.

mutmut starts pytest anew for each mutant, which takes seconds to collect the tests, and then one fails in a fraction of
a second. Here each mutant is tried in a fork of the one session of pytest in which all tests have just passed. This
uses internals of mutmut and pytest, whose versions requirements/dev.txt pins.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mutmut
import pytest
from _pytest.config import _prepareconfig
from mutmut import __main__ as command
from mutmut.configuration import Config
from mutmut.utils.file_utils import change_cwd

from tests.mutation.stages import NEAR, STAGE, is_tried
from tests.mutation.workspace import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# mutmut's word for it is "no tests".
_NO_TESTS: Final = 33
_NOWHERE: Final = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (as long as the process)


class OneSession(command.PytestRunner):
    """Runs all tests in one session of pytest, which is begun once the mutants are made."""

    _items: dict[str, pytest.Item]

    def prepare_main_test_run(self) -> None:
        """Collect the tests of this stage, unless that has been done."""
        if hasattr(self, "_items"):
            return
        settings = Config.get()
        tests = settings.pytest_add_cli_args_test_selection
        if os.environ.get(STAGE) == NEAR:
            tests = ["tests/unit/domain"]
        # What pytest prints about each mutant's tests goes nowhere.
        with change_cwd("mutants"), redirect_stdout(_NOWHERE):
            arguments = ("--rootdir=.", "--tb=native", "--capture=no", *settings.pytest_add_cli_args)
            config = _prepareconfig([*arguments, *tests], [self])
            self._session = pytest.Session.from_config(config)
            config._do_configure()
            atexit.register(config._ensure_unconfigure)
            config.hook.pytest_sessionstart(session=self._session)
            config.hook.pytest_collection(session=self._session)
        self._items = {item.nodeid: item for item in self._session.items}

    def run_stats(self, *, tests: Iterable[str]) -> int:  # noqa: ARG002 (all are run)
        """Run all tests and keep how long each one takes and which functions it reaches."""
        for name in self._run(self._items):
            for function in mutmut._stats:
                mutmut.tests_by_mangled_function_name[function].add(name)
            mutmut._stats.clear()
        return int(self._has_failed)

    def list_all_tests(self) -> command.ListAllTestsResult:
        """Return the tests of this stage. mutmut runs all of them anew if one has come since they were last run."""
        return command.ListAllTestsResult(ids=set(self._items))

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Run tests until one fails: those of this stage, if a mutant is tried."""
        if not os.environ["MUTANT_UNDER_TEST"]:  # without a mutant they have just passed
            return 0
        chosen = [name for name in tests or self._items if mutant_name is None or is_tried(name, mutant_name)]
        if not chosen:
            return _NO_TESTS
        if mutant_name is not None:  # most die of the tests of their own module
            own = f"test_{mutant_name.split('.')[-2]}.py"
            chosen.sort(key=lambda name: own not in name)
        for _ in self._run(chosen):
            pass
        return int(self._has_failed)

    def _run(self, names: Iterable[str]) -> Iterator[str]:
        """Run tests until one fails, and yield the name of each after it has run."""
        items = [self._items[name] for name in names]
        self._has_failed = False
        caches = _list_caches()
        with change_cwd("mutants"):
            for item, following in zip(items, [*items[1:], None], strict=True):
                # What a test before has had remembered would hide from this one what a function does.
                for cache in caches:
                    cache.cache_clear()
                start = time.perf_counter()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                mutmut.duration_by_test[item.nodeid] = time.perf_counter() - start
                yield item.nodeid
                if self._has_failed:
                    break
            self._session._setupstate.teardown_exact(None)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice that a test has failed, and show it if that is not what a mutant is for."""
        if report.failed:
            self._has_failed = True
            if os.environ["MUTANT_UNDER_TEST"] == "stats":
                sys.stdout.write(f"{report.nodeid}\n{report.longreprtext}\n")

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Stop where tests cannot be collected."""
        if report.failed:
            raise SystemExit(report.longreprtext)


def _list_caches() -> list[Any]:
    """Return the functions of the package that remember what they have returned."""
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{PACKAGE}.")]
    return [found for module in modules for found in vars(module).values() if hasattr(found, "cache_clear")]


def main() -> None:
    """Try the mutants of these names, or all that have not been tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.runner", description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants as mutmut names them; * stands for anything")
    parser.add_argument("--children", type=int, default=1, help="how many mutants at a time (default: %(default)s)")
    options = parser.parse_args()
    vars(command)["PytestRunner"] = OneSession
    command._run(options.names, options.children)  # `mutmut run`, which would read the command line itself


if __name__ == "__main__":
    main()
