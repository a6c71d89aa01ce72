"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Type checkers see the standard function.
    from re import compile as compile_later
else:

    class compile_later:  # noqa: N801 - it stands for a function
        """Return a compiled expression, as `re.compile` does, which is compiled when one of its methods is looked up.

        The expressions of the domain took a twentieth of a cold start, and most events use none of them.
        """

        def __init__(self, pattern: str, flags: int = 0) -> None:
            self._given = pattern, flags

        def __getattr__(self, name: str) -> Any:
            method = self.__dict__[name] = getattr(re.compile(*self._given), name)
            return method


__all__ = ["compile_later"]
