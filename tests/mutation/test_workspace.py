"""The copy in which mutants are made is the project itself, but for where decorators stand."""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.mutation.workspace import ROOT, prepare, undecorated

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = ROOT / "layers/spot_relay/spot_relay/domain"
MODULES = sorted(DOMAIN.rglob("*.py"))


def test_no_function_or_class_of_the_domain_keeps_a_decorator_that_mutmut_passes_over() -> None:
    for module in MODULES:
        tree = ast.parse(undecorated(module.read_text(encoding="utf-8")))
        kept = [ast.unparse(d) for node in ast.walk(tree) for d in getattr(node, "decorator_list", [])]
        assert set(kept) <= {"classmethod"}, module


def test_the_modules_of_the_domain_are_found() -> None:
    found = {str(module.relative_to(DOMAIN)) for module in MODULES}
    assert {"sagemaker/job.py", "run/run.py", "rules/pace.py", "decide/decision.py", "decide/ends.py"} <= found


def test_the_copy_has_the_data_that_the_package_reads_and_all_that_mutmut_is_told_to_copy(tmp_path: Path) -> None:
    place = prepare(tmp_path)
    package = ROOT / "layers" / "spot_relay"
    files = {path.relative_to(package) for path in package.rglob("*.json")}
    assert files
    assert all((place / path).exists() for path in files)
    copied = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]["also_copy"]
    assert {path.name for path in place.iterdir()} == {"spot_relay", "tests", "pyproject.toml", *copied}


def test_dataclasses_and_properties_are_what_they_were() -> None:
    source = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Square:
    """A square."""

    side: int

    @property
    def area(self) -> int:
        return self.side**2
'''
    names: dict[str, type] = {}
    exec(undecorated(source), names)  # noqa: S102
    square = names["Square"]
    assert square(3) == square(3)
    assert square(3).area == 9
    with pytest.raises(AttributeError):
        square(3).side = 4


def test_what_has_not_changed_keeps_its_time_and_what_is_gone_goes(tmp_path: Path) -> None:
    module = prepare(tmp_path) / "spot_relay" / "domain" / "rules" / "pace.py"
    written = module.stat().st_mtime_ns
    gone = tmp_path / "tests" / "unit" / "test_gone.py"
    gone.write_text("")
    prepare(tmp_path)
    assert module.stat().st_mtime_ns == written
    assert not gone.exists()
