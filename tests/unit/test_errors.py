"""Errors that are answered to the caller: the hierarchy is the one drawn, and each can be answered and reported."""

from __future__ import annotations

import re

import pytest

from spot_relay.domain import errors
from spot_relay.domain.errors import CallerError, SpecError
from tests.unit.caller_errors import EXAMPLES

# Where each is drawn: how deep, its name, and (for those that are raised) its module, its status and its code.
DRAWN = re.compile(r"^    (.*?)(\w+Error)(?: {2,}([a-z.]+) +(\d{3}) (\w+))?", re.MULTILINE)


def subclasses(base: type[CallerError]) -> set[type[CallerError]]:
    """Return every subclass that the package defines, however deep."""
    found = {base}.union(*(subclasses(one) for one in base.__subclasses__()))
    return {one for one in found if one.__module__.startswith("spot_relay.")}


def test_the_hierarchy_is_the_one_that_is_drawn() -> None:
    drawn = DRAWN.findall(errors.__doc__ or "")
    parents: dict[str, str] = {}
    above: list[str] = []
    for line, name, *_ in drawn:
        del above[len(line) // 4 :]
        parents[name] = above[-1] if above else "Exception"
        above.append(name)
    assert parents == {one.__name__: one.__mro__[1].__name__ for one in subclasses(CallerError)}
    raised = {type(error) for error in EXAMPLES}
    assert {(name, module, int(status), code) for _, name, module, status, code in drawn if module} == {
        (one.__name__, one.__module__.removeprefix("spot_relay."), *answer(one)) for one in raised
    }
    assert subclasses(CallerError) == raised | {CallerError, SpecError}


def answer(error: type[CallerError]) -> tuple[int, str]:
    """Return the status and the code that the API answers with."""
    return error.status, error.code


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_a_spec_error_says_what_to_change_and_where_and_no_other_error_does(error: CallerError) -> None:
    assert str(error)
    assert bool(error.details) is isinstance(error, SpecError)
    assert all(set(detail) == {"path", "message"} and detail["message"] for detail in error.details)


def test_an_error_lists_every_problem_in_the_documents_order() -> None:
    assert EXAMPLES[0].details == [
        {"path": "", "message": "Empty."},
        {"path": "policy.ladder", "message": "Too long."},
    ]
