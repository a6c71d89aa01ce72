"""A copy of the project in which mutmut can mutate all of the domain.

mutmut tells a mutant by the path of its module, so the package has to lie at the root; and it mutates neither
decorated classes nor properties, which is where half of the domain's arithmetic is. So in the copy the decorators are
calls after what they decorate, which comes to the same.
"""

from __future__ import annotations

import ast
import shutil
import tomllib
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PLACE: Final = ROOT / ".local" / "mutation"
PACKAGE: Final = "spot_relay"
DOMAIN: Final = f"{PACKAGE}/domain"
# What the tests import and read beside the package; mutmut itself takes the first two along.
_SETTINGS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
_BESIDE: Final = ("tests", "pyproject.toml", *_SETTINGS["also_copy"])
# The decorators that mutmut leaves where they are, and mutates below.
_UNDERSTOOD: Final = frozenset({"classmethod", "staticmethod"})


def prepare(place: Path = PLACE) -> Path:
    """Bring the copy up to date; what has not changed keeps its time, by which mutmut keeps its results."""
    wanted: set[Path] = set()
    for source, target in chain(_package(), _beside()):
        wanted.add(place / target)
        text = source.read_bytes()
        if source.suffix == ".py":
            text = _fitted(target, text.decode()).encode()
        _write(place / target, text)
    for known in place.rglob("*"):
        if known.is_file() and known not in wanted and (place / "mutants") not in known.parents:
            known.unlink()
    # mutmut copies tests, but takes none away that are gone. And it asks only once which functions a test reaches, so
    # that it would not learn of functions that were written or moved since.
    shutil.rmtree(place / "mutants" / "tests", ignore_errors=True)
    (place / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    return place


def _package() -> Iterator[tuple[Path, Path]]:
    base = ROOT / "layers" / PACKAGE
    yield from ((path, path.relative_to(base)) for path in _files(base / PACKAGE))


def _beside() -> Iterator[tuple[Path, Path]]:
    for name in _BESIDE:
        yield from ((path, path.relative_to(ROOT)) for path in _files(ROOT / name))


def _files(top: Path) -> Iterator[Path]:
    found = top.rglob("*") if top.is_dir() else (top,)
    yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _write(path: Path, text: bytes) -> None:
    if not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def _fitted(path: Path, source: str) -> str:
    if path.is_relative_to(DOMAIN):
        return undecorated(source)
    return source


def undecorated(source: str) -> str:
    """Return a module whose dataclasses and properties are made by calls after their bodies."""
    lines = source.splitlines()
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    # From the end, so that what is still to be changed stays where it is; a call for a class comes after one for its
    # last method, so that it is put in first.
    for node in sorted(nodes, key=lambda node: (node.end_lineno or 0, -node.lineno), reverse=True):
        calls = []
        for decorator in reversed(node.decorator_list):
            if (what := ast.unparse(decorator)) not in _UNDERSTOOD:
                lines[decorator.lineno - 1] = ""
                calls.append(f"{' ' * node.col_offset}{node.name} = {what}({node.name})")
        lines[node.end_lineno or 0 : node.end_lineno or 0] = calls
    return "\n".join(lines) + "\n"
