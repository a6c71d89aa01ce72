"""The notices that a spec asks for."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.run.news import NoticeKind
from spot_relay.spec import parse_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, wrapped


def notices(value: Any) -> tuple[NoticeKind, ...] | None:
    return parse_submission(wrapped() | {"notify": value}, ALLOWLIST).notify


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("all", tuple(NoticeKind)),
        (["all"], tuple(NoticeKind)),
        ("none", ()),
        ("ended", (NoticeKind.ENDED,)),
        (["ended", "submitted", "ended"], (NoticeKind.ENDED, NoticeKind.SUBMITTED)),
    ],
)
def test_a_spec_says_which_notices_its_run_sends(value: Any, kinds: tuple[NoticeKind, ...]) -> None:
    assert notices(value) == kinds


def test_without_it_the_run_sends_what_its_stack_sends() -> None:
    assert parse_submission(wrapped(), ALLOWLIST).notify is None


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ([], "notify", "found an empty list"),
        (None, "notify", "Expected all, none or a list of kinds of notices"),
        ({"ended": True}, "notify", "Expected all, none or a list of kinds of notices"),
        (["all", "ended"], "notify", "Found all among other kinds. Write all alone, or remove it."),
        (["ended", "none"], "notify", "Found none among other kinds"),
        (["end"], "notify", 'Found "end", which is no kind of notice. Use all, none, or some of submitted, '),
        (["ended", 7], "notify[1]", "Expected a kind of notice, but found 7"),
    ],
)
def test_anything_else_is_refused_with_what_was_found_and_what_to_write(value: Any, path: str, message: str) -> None:
    assert message in find_problems(wrapped() | {"notify": value})[path]


def test_specs_that_differ_in_it_alone_are_not_the_same_run() -> None:
    prints = {
        parse_submission(wrapped() | more, ALLOWLIST).fingerprint
        for more in ({}, {"notify": "none"}, {"notify": "all"}, {"notify": ["ended", "submitted"]})
    }
    assert len(prints) == 4
    one, other = (
        parse_submission(wrapped() | {"notify": names}, ALLOWLIST).fingerprint
        for names in (["ended", "submitted"], ["submitted", "ended"])
    )
    assert one == other
