"""CONTRIBUTING.md says where each thing is decided, and that is where it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "spot_relay" / "spot_relay"
# A row: | … question? | `file` | `function`, `function` |
_ROW = re.compile(r"^\| … (?P<question>[^|]+\?) \| `(?P<file>[^`|]+)` \| (?P<names>[^|]+) \|$", re.MULTILINE)
QUESTIONS = [
    (row["question"], row["file"], tuple(re.findall(r"`([^`]+)`", row["names"])))
    for row in _ROW.finditer((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
]


def test_at_least_ten_questions_are_answered_and_none_twice() -> None:
    questions = [question for question, *_ in QUESTIONS]
    assert len(questions) >= 10
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize(("question", "file", "names"), QUESTIONS, ids=[question for question, *_ in QUESTIONS])
def test_what_decides_is_in_the_file_that_is_named(question: str, file: str, names: tuple[str, ...]) -> None:
    assert names, f"no function answers: {question}"
    assert set(names) <= definitions(PACKAGE / file)


def definitions(path: Path) -> set[str]:
    """Return the names of the functions, constants and methods (as ``Class.method``) that a module defines."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found |= {f"{name}.{member.name}" for member in body if isinstance(member, ast.FunctionDef)}
    return found
