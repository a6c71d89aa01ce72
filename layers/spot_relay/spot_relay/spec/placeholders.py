"""Placeholders in the texts of a template, such as {key}: plain substitution, and nothing else that braces might do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spot_relay.request.problem import join_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spot_relay.request.problem import Problems

# A word in braces, or in double ones for the text itself. Other braces, as in JSON, mean nothing.
_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_]\w{0,63})\}\}|\{([A-Za-z_]\w{0,63})\}", re.ASCII)


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """Return a value with what placeholders stand for in its texts. What is filled in is not looked at again."""
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: _stand_for(found, values), value)
        case list():
            return [fill(item, values) for item in value]
        case dict():
            return {key: fill(item, values) for key, item in value.items()}
        case _:
            return value


def check_placeholders(
    value: Any, path: str, known: tuple[str, ...], elsewhere: Mapping[str, str], problems: Problems
) -> None:
    """Report every placeholder that stands for nothing; ``elsewhere`` says why and what to do, for those it has."""
    for place, text in _list_texts(value, path):
        for found in dict.fromkeys(match[2] for match in _PLACEHOLDER.finditer(text) if match[2]):
            if found not in known:
                names = ", ".join(f"{{{name}}}" for name in known)
                advice = elsewhere.get(found) or f"Use one of {names}."
                message = (
                    f"Found the placeholder {{{found}}}, which stands for nothing here. {advice} For the text "
                    f"{{{found}}} itself, write {{{{{found}}}}}."
                )
                problems.add(place, message)


def _stand_for(found: re.Match[str], values: Mapping[str, str]) -> str:
    return values[found[2]] if found[2] else f"{{{found[1]}}}"


def _list_texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case list():
            for index, item in enumerate(value):
                yield from _list_texts(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                yield from _list_texts(item, join_path(path, key))
