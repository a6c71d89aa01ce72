"""docs/mutation.md shows the figures, and each survivor with its reason."""

from __future__ import annotations

import pytest

from tests.mutation.page import (
    ACCEPTED,
    BEGIN,
    END,
    PAGE,
    UNSORTED,
    Accepted,
    PageError,
    insert,
    read_accepted,
    render,
    sort,
)
from tests.mutation.results import Figures, figures

PACE = "rules.pace.f: return n + 1 -> return n - 1"
MONEY = "rules.money.g: if a < b: -> if a <= b:"
EQUIVALENT = Accepted("The code means the same.", (PACE,))


def all_modules(*, lives: int = 1, untried: int = 0) -> Figures:
    """Return the figures of all modules."""
    return Figures("all", mutants=1500, killed=1500 - lives - untried, timed_out=2, lives=lives, untried=untried)


def test_survivors_are_grouped_by_their_reason_and_the_others_come_last() -> None:
    sorting = sort([MONEY, PACE], [EQUIVALENT])
    assert sorting.groups == (EQUIVALENT, Accepted(UNSORTED, (MONEY,)))
    assert sorting.stale == ()


def test_an_entry_accepts_one_mutant_of_its_text() -> None:
    assert sort([PACE, PACE], [EQUIVALENT]).groups == (EQUIVALENT, Accepted(UNSORTED, (PACE,)))
    twice = Accepted("The code means the same.", (PACE, PACE))
    assert sort([PACE, PACE], [twice]).groups == (twice,)


def test_an_entry_that_does_not_survive_is_stale() -> None:
    sorting = sort([], [EQUIVALENT])
    assert sorting.groups == ()
    assert sorting.stale == (PACE,)


def test_the_page_has_the_figures_and_each_survivor_under_its_reason() -> None:
    module = Figures("rules.pace", mutants=3, killed=2, timed_out=0, lives=1, untried=0)
    assert render((module, all_modules()), [EQUIVALENT]) == (
        "**Of 1,500 mutants 1,499 were killed: 99.9 %.**\n"
        "\n"
        "| module | mutants | killed | of them by timeout | alive | % killed |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n"
        "| rules.pace | 3 | 2 | 0 | 1 | 66.7 |\n"
        "| all | 1500 | 1499 | 2 | 1 | 99.9 |\n"
        "\n"
        "## Survivors\n"
        "\n"
        "**The code means the same.** (1)\n"
        "\n"
        "```text\n"
        f"{PACE}\n"
        "```"
    )


def test_no_page_is_written_before_all_mutants_have_been_tried() -> None:
    with pytest.raises(PageError, match=r"^1493 of 1500 mutants have been tried: first run `make mutate`"):
        render((all_modules(untried=7),), [])
    with pytest.raises(PageError, match=r"^0 of 0 mutants"):
        render(tuple(figures([])), [])


def test_only_the_text_between_the_markers_is_replaced() -> None:
    page = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nKept.\n"
    assert insert(page, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nKept.\n"
    assert insert(insert(page, "new"), "old") == page


@pytest.mark.parametrize("page", ["no marker", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_its_markers_is_an_error(page: str) -> None:
    with pytest.raises(PageError, match="lost a marker"):
        insert(page, "new")


def test_the_accepted_mutants_and_the_page_of_the_project_can_be_read() -> None:
    accepted = read_accepted(ACCEPTED.read_text("utf-8"))
    assert all(entry.reason.endswith(".") and entry.mutants for entry in accepted)
    assert len({entry.reason for entry in accepted}) == len(accepted)
    page = PAGE.read_text("utf-8")
    assert insert(page, page.partition(BEGIN)[2].partition(END)[0].strip()) == page
