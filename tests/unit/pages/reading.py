"""Reads pages back with the standard library's parser: their elements, attributes and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br"})


@dataclass
class Page:
    """What a page contains, as a browser's parser finds it."""

    elements: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Each attribute with its element."""
    texts: list[str] = field(default_factory=list)
    declarations: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it is."""
        return [value or "" for _, key, value in self.attributes if key == name]

    @property
    def text(self) -> str:
        """All text."""
        return " ".join(self.texts)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.page.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.page.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.page.declarations.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.page.declarations.append(decl)

    def handle_pi(self, data: str) -> None:
        self.page.declarations.append(f"instruction {data}")

    def unknown_decl(self, data: str) -> None:
        self.page.declarations.append(f"unknown {data}")

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append(tag)
        self.page.attributes += [(tag, key, value) for key, value in attrs]


def read_page(text: str) -> Page:
    """Return what a page contains."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.page.unbalanced += reader.open
    return reader.page
