"""HTML and SVG as values. Text and attributes are escaped when they are written, so no data can become markup."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Child: TypeAlias = "Element | str | Iterable[Child] | None"

# Elements that have no content, and those of SVG, which may close themselves.
_VOID = frozenset({"meta", "input", "br"})
_SELF_CLOSING = frozenset({"rect", "line", "path", "circle", "polyline", "polygon"})
# HTML allows no other control characters, and nothing can encode half of a surrogate pair.
_CONTROLS = dict.fromkeys({*range(32), 127, *range(128, 160)} - {9, 10}) | dict.fromkeys(
    range(0xD800, 0xE000), "\ufffd"
)


@dataclass(frozen=True)
class Element:
    """An element with its attributes and its content."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Child, ...]


def el(name: str, /, *children: Child, **attributes: Any) -> Element:
    """Return an element. An underscore in an attribute's name is a hyphen; one at its end is left out.

    An attribute that is None or False is left out; one that is True has no value.
    """
    written = (
        (key.rstrip("_").replace("_", "-"), _write_value(value))
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Element(name, tuple(written), children)


def render(root: Element) -> str:
    """Return an element as HTML."""
    parts: list[str] = []
    _write(root, parts)
    return "".join(parts)


def render_page(root: Element) -> str:
    """Return a whole page as HTML."""
    return f"<!DOCTYPE html>\n{render(root)}\n"


def _write(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, str):
        parts.append(escape(child.translate(_CONTROLS), quote=False))
        return
    if not isinstance(child, Element):
        for one in child:
            _write(one, parts)
        return
    attributes = "".join(f' {key}="{escape(value.translate(_CONTROLS))}"' for key, value in child.attributes)
    if child.name in _SELF_CLOSING:
        parts.append(f"<{child.name}{attributes}/>")
        return
    parts.append(f"<{child.name}{attributes}>")
    for one in child.children:
        _write(one, parts)
    if child.name not in _VOID:
        parts.append(f"</{child.name}>")


def _write_value(value: Any) -> str:
    if value is True:
        return ""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
