"""mutmut's lines and diffs are read as mutants, figures and changes."""

from __future__ import annotations

import pytest

from tests.mutation.results import Figures, Mutant, change, draw, estimate, figures, parse


def mutant(module: str, fate: str, number: int = 1) -> Mutant:
    """Return a mutant of a function `f`."""
    return Mutant(f"spot_relay.domain.{module}.x_f__mutmut_{number}", module, "f", number, fate)


@pytest.mark.parametrize(
    ("name", "module", "function", "number"),
    [
        ("rules.pace.x_steer__mutmut_3", "rules.pace", "steer", 3),
        ("rules.pace.xǁStandingǁdemand__mutmut_12", "rules.pace", "Standing.demand", 12),
        ("run.outbox.xǁOutboxǁ__or____mutmut_26", "run.outbox", "Outbox.__or__", 26),
        ("values.x__of__mutmut_1", "values", "_of", 1),
    ],
)
def test_a_line_names_module_function_number_and_fate(name: str, module: str, function: str, number: int) -> None:
    found = parse(f"    spot_relay.domain.{name}: survived\n")
    assert found == Mutant(f"spot_relay.domain.{name}", module, function, number, "survived")


def test_a_mutant_outside_the_domain_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"outside the domain: spot_relay\.service"):
        parse("spot_relay.service.x_advance__mutmut_1: survived")


@pytest.mark.parametrize(
    ("fate", "lives", "untried"),
    [
        ("killed", False, False),
        ("timeout", False, False),
        ("survived", True, False),
        ("no tests", True, False),
        ("segfault", True, False),
        ("suspicious", True, False),
        ("not checked", False, True),
        ("check was interrupted by user", False, True),
    ],
)
def test_only_a_kill_or_a_timeout_kills(fate: str, lives: bool, untried: bool) -> None:
    found = mutant("rules.pace", fate)
    assert (found.lives, found.untried) == (lives, untried)


def test_figures_are_counted_by_module_and_for_all() -> None:
    fates = {
        "rules.pace": ("killed", "timeout", "survived", "not checked"),
        "run.run": ("killed", "killed", "no tests"),
    }
    rows = list(figures(mutant(module, fate) for module, several in fates.items() for fate in several))
    assert rows == [
        Figures("rules.pace", mutants=4, killed=2, timed_out=1, lives=1, untried=1),
        Figures("run.run", mutants=3, killed=2, timed_out=0, lives=1, untried=0),
        Figures("all", mutants=7, killed=4, timed_out=1, lives=2, untried=1),
    ]
    assert [row.score for row in rows] == ["66.7", "66.7", "66.7"]


def test_a_module_that_was_not_tried_has_no_score() -> None:
    assert [row.score for row in figures([mutant("run.run", "not checked")])] == ["-", "-"]


HEAD = "--- spot_relay/domain/rules/pace.py\n+++ spot_relay/domain/rules/pace.py\n@@ -1,3 +1,3 @@\n def f(n):\n"


@pytest.mark.parametrize(
    ("diff", "expected"),
    [
        ("-    return n + 1\n+    return n - 1\n", "return n + 1 -> return n - 1"),
        ("-    case _:\n-        return None\n", "case _: return None -> (nothing)"),
        ("-    total = (\n-        n,\n-    )\n+    total = None\n", "total = ( n, ) -> total = None"),
    ],
)
def test_a_diff_becomes_one_line(diff: str, expected: str) -> None:
    assert change(HEAD + diff) == expected


def test_a_sample_is_drawn_from_all_mutants_the_same_for_the_same_seed() -> None:
    mutants = [parse(f"spot_relay.domain.rules.pace.x_steer__mutmut_{number}: survived") for number in range(1, 50)]
    drawn = draw(mutants, 10, seed=1)
    assert len(set(drawn)) == 10
    assert set(drawn) <= {mutant.name for mutant in mutants}
    assert drawn == draw(mutants[::-1], 10, seed=1) != draw(mutants, 10, seed=2)
    assert len(draw(mutants, 100, seed=1)) == 49


def test_the_estimate_has_the_interval_of_the_textbook() -> None:
    # Wilson's interval for 81 of 263, from Newcombe, Statistics in Medicine 17 (1998), table I: 0.2553 to 0.3662.
    assert estimate(81, 263) == "81 of 263 killed, 30.8 %; of all mutants 25.5 to 36.6 % (95 % confidence)"
    assert estimate(10, 10).startswith("10 of 10 killed, 100.0 %; of all mutants 72.2 to 100.0 %")
