"""Prints what people read on terminals whose encoding lacks some of its characters."""

from __future__ import annotations

import codecs
import io
from typing import Final, TextIO

# Each with one that every encoding has and that is as wide, so that drawings keep their form.
_PLAIN: Final = {
    ord(char): plain
    for chars, plain in (
        ("\N{FULL BLOCK}", "#"),
        ("\N{MEDIUM SHADE}", "="),
        ("\N{LOWER HALF BLOCK}", "+"),
        ("\N{UPPER HALF BLOCK}", "^"),
        ("\N{MIDDLE DOT}", "."),
        ("\N{MULTIPLICATION SIGN}", "x"),
        ("\N{BLACK SMALL SQUARE}\N{BULLET}", "*"),
        ("─━╌╸╺\N{EN DASH}\N{EM DASH}", "-"),
        ("│", "|"),
        ("┃", "!"),
        ("┊", ":"),
        ("╵\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        ("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}", '"'),
        ("└", "`"),
        ("\N{HORIZONTAL ELLIPSIS}", "~"),
    )
    for char in chars
}
_NAME: Final = "spot_relay.plain"


def replace_what_cannot_be_printed(stream: TextIO) -> None:
    """Let a stream print a similar character, or a question mark, in place of one that its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        codecs.register_error(_NAME, _find_similar)
        stream.reconfigure(errors=_NAME)


def _find_similar(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    similar = error.object[error.start : error.end].translate(_PLAIN)
    return similar.encode("ascii", "replace").decode("ascii"), error.end
