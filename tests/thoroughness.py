"""How thoroughly a test run searches: a little in `make quick` and `make test`, and fully in `make thorough` and CI.

A test that draws its examples says how many it deserves, with `examples` or `share`; the level in the environment
variable THOROUGHNESS may cut that down. No level leaves a test out.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

Case = TypeVar("Case")


class Level(StrEnum):
    """How much a test run may cost."""

    SOME = "some"
    ALL = "all"
    MUTANTS = "mutants"


LEVEL: Final = Level(os.environ.get("THOROUGHNESS") or Level.SOME)
# No property test tries more examples than this.
_MOST: Final = {Level.SOME: 10, Level.MUTANTS: 10}
# Of so many cases of one kind one is tried.
_STEPS: Final = {Level.SOME: 16}


def examples(wanted: int, base: settings | None = None, **more: Any) -> settings:
    """Return settings for a property test that deserves so many examples; nothing in it is measured."""
    return settings(base, max_examples=min(wanted, _MOST.get(LEVEL, wanted)), **{"deadline": None, **more})


def share(cases: Sequence[Case], turn: int = 0) -> Sequence[Case]:
    """Return the cases that are tried of many of one kind; another ``turn`` has others, until each had its turn."""
    step = _STEPS.get(LEVEL, 1)
    return cases[turn % step :: step] or cases[:1]


def load_profile() -> None:
    """Have the tests that do not say how many examples they deserve try a hundred, or what the level allows.

    A profile that somebody else has loaded stays: the one for mutants has its own numbers.
    """
    if settings.get_current_profile_name() in {"default", "ci"}:
        settings.register_profile(LEVEL, examples(100))
        settings.load_profile(LEVEL)
