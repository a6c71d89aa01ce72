r"""Match a text against a pattern of SageMaker's model, as the service does, and put the pattern into words.

The patterns are in Java's syntax, and the service matches the whole text. Python reads most of them alike once its
classes are limited to ASCII, with two exceptions: ``\p{...}`` is unknown to it, and its ``.`` matches every line
terminator except the line feed. Both are translated. A class such as ``\p{L}`` has more than a hundred thousand
characters, so only those that occur in the text are written into the translated pattern.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from string import printable

from spot_relay.domain.values import dataclass

# What . does not match in Java.
LINE_TERMINATORS = "\n\r\x85\u2028\u2029"
# Java's classes of ASCII characters; \p{X} of any other name of one or two letters is a Unicode category.
_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "XDigit": "0-9a-fA-F",
    "Blank": r" \t",
    "Space": r" \t\n\x0b\f\r",
}
_CATEGORY = re.compile("L[ultmo]?|M[cen]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?")
_TOKEN = re.compile(r"\\p\{(?P<name>\w+)\}|\\p(?P<letter>[A-Z])|\\[^pP]|[^\\]", re.DOTALL)
_ONE_CLASS = re.compile(r"\(?\[(?P<members>(?:[^\]\\^&]|\\.)(?:[^\]\\&]|\\.)*)\](?P<times>[*+]|\{[0-9,]+\})?\)?")
_CLASS_PART = re.compile(r"\\p\{(?P<name>\w+)\}|(?P<range>\w-\w)|(?P<escape>\\[a-zA-Z])|\\?(?P<one>.)")
# In the order in which a message lists them.
_IN_WORDS = {
    "L": "letters",
    "a-z": "letters (a-z)",
    "A-Z": "letters (A-Z)",
    "N": "digits",
    "0-9": "digits",
    r"\d": "digits",
    "Z": "spaces",
}
# Occurs in no text, because it is half of a surrogate pair: stands for a class none of whose characters occur.
_ABSENT = "\ud800"
_BOTH_CASES = ("letters (a-z)", "letters (A-Z)")


class UntranslatablePatternError(ValueError):
    """A pattern uses syntax that has no translation here."""


@dataclass(frozen=True)
class Mismatch:
    """Why a text does not match a pattern."""

    only_line_breaks: bool
    """Whether the text would match without its line breaks."""
    allowed: str | None
    """Which characters the pattern allows, in words; None if it requires more than a set of characters."""
    offending: str
    """The characters of the text that the pattern does not allow, each once; empty if `allowed` is None."""


def count_characters(text: str) -> int:
    """Return the length of a text as the service counts it: in UTF-16, an emoji has two."""
    return len(text) + sum(character > "\uffff" for character in text)


def find_mismatch(pattern: str, text: str) -> Mismatch | None:
    """Return why a text does not match a pattern as a whole, or None if it does.

    Raises
    ------
    UntranslatablePatternError
        If the pattern uses syntax that has no translation here.
    """
    if _matches(pattern, text):
        return None
    without = "".join(character for character in text if character not in LINE_TERMINATORS)
    is_line_break = without != text and _matches(pattern, without)
    return Mismatch(is_line_break, put_in_words(pattern), _find_offending(pattern, text))


def put_in_words(pattern: str) -> str | None:
    """Return which characters a pattern allows, if it is a single class of characters, else None."""
    found = _ONE_CLASS.fullmatch(pattern)
    if found is None:
        return None
    words, marks = [], []
    for part in _CLASS_PART.finditer(found["members"]):
        key = part["name"] or part["range"] or part["escape"]
        if key is None:
            marks.append(part["one"])
        elif key in _IN_WORDS:
            words.append(_IN_WORDS[key])
        else:
            return None
    words.sort(key=list(_IN_WORDS.values()).index)
    if set(_BOTH_CASES) <= set(words):
        words = ["letters (a-z, A-Z)", *(word for word in words if word not in _BOTH_CASES)]
    listed = ", ".join(words)
    if not marks:
        return listed
    return f"{listed} and {' '.join(dict.fromkeys(marks))}" if listed else " ".join(dict.fromkeys(marks))


def _find_offending(pattern: str, text: str) -> str:
    found = _ONE_CLASS.fullmatch(pattern)
    if found is None:
        return ""
    one = f"[{found['members']}]"
    return "".join(character for character in dict.fromkeys(text) if not _matches(one, character))


def _matches(pattern: str, text: str) -> bool:
    # Printable ASCII is part of every translation, so that most texts share one.
    others = "".join(sorted(set(text) - set(printable))) if r"\p" in pattern else ""
    return _compile(pattern, others).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compile(pattern: str, characters: str) -> re.Pattern[str]:
    known = printable + characters
    translated, in_class, position = [], False, 0
    for token in _TOKEN.finditer(pattern):
        if token.start() != position:
            break
        position = token.end()
        text, name = token[0], token["name"] or token["letter"]
        if name is not None:
            members = _list_members(name, known)
            translated.append(members if in_class else f"[{members}]")
        elif text == "." and not in_class:
            translated.append(f"[^{LINE_TERMINATORS}]")
        elif text == "[" and in_class:
            # In Java this begins a class within the class.
            raise UntranslatablePatternError(pattern)
        else:
            in_class = text == "[" or (in_class and text != "]")
            translated.append(text)
    if position != len(pattern) or "&&" in pattern:
        raise UntranslatablePatternError(pattern)
    try:
        return re.compile("".join(translated), re.ASCII)
    except re.error:
        raise UntranslatablePatternError(pattern) from None


def _list_members(name: str, known: str) -> str:
    """Return what stands for a property within the brackets of a class."""
    if name in _POSIX:
        return _POSIX[name]
    if _CATEGORY.fullmatch(name) is None:
        raise UntranslatablePatternError(name)
    return "".join(re.escape(one) for one in known if unicodedata.category(one).startswith(name)) or _ABSENT
