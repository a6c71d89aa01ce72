"""The kinds of notices by their names, and why news came."""

from __future__ import annotations

import pytest

from spot_relay.domain.run.news import News, NewsKind, NoticeKind, list_kinds
from spot_relay.domain.values import No
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["all"], tuple(NoticeKind)),
        (["none"], ()),
        ([], ()),
        (["ended", "submitted", "ended"], (NoticeKind.ENDED, NoticeKind.SUBMITTED)),
    ],
)
def test_names_stand_for_their_kinds_each_once_or_for_all_or_none(
    names: list[str], kinds: tuple[NoticeKind, ...]
) -> None:
    assert list_kinds(names) == kinds


def test_all_and_none_stand_alone() -> None:
    because = "Found all among other kinds. Write all alone, or remove it."
    assert list_kinds(["ended", "all"]) == list_kinds(["all", "none"]) == No(because)
    assert list_kinds(["none", "all"]) == No(because.replace("all", "none"))


def test_a_name_of_no_kind_is_shown_or_the_beginning_of_a_long_one() -> None:
    known = ", ".join(NoticeKind)
    for name, shown in (("started", "started"), ("x" * 60, "x" * 60), ("x" * 61, "x" * 57 + "…")):
        because = f'Found "{shown}", which is no kind of notice. Use all, none, or some of {known}.'
        assert list_kinds(["ended", name]) == No(because)


@pytest.mark.parametrize(
    ("kept", "now", "why"),
    [
        ("The job has ended.", "The job has ended.", "The job has ended."),
        ("The job…", "The job has ended.", "The job has ended."),
        ("", "The job has ended.", "The job has ended."),
        ("The job…", "It was resumed.", "The job…"),
        ("The job has ended.", "The job", "The job has ended."),
    ],
)
def test_a_reason_that_was_cut_is_told_in_full_while_it_is_still_the_runs(kept: str, now: str, why: str) -> None:
    assert News(1, NewsKind.RUN, "Failed", NOON, reason=kept).explain(now) == why
