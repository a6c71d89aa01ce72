"""What the benchmark of the command's start measures."""

from __future__ import annotations

import pytest

from bench.client_start import COMMANDS, FLOOR, Figures, compare, measure, parse_options, start


@pytest.mark.parametrize("code", [FLOOR, *COMMANDS.values()])
def test_what_is_measured_works_and_takes_time(code: str) -> None:
    assert start(code) > 0


def test_what_fails_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match="failed with 3"):
        start("import sys; sys.exit(3)")


def test_a_command_is_compared_with_the_floor() -> None:
    assert compare("ls", [(1.2, 1.0), (4.0, 2.0), (1.0, 1.0)]) == Figures("ls", 1.2, 1.2, 1.0)
    assert measure("--version", 1).cpu_ratio > 0
    assert parse_options([]).pairs >= 9
