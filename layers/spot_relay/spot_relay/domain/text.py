"""Text from outside: without what cannot be seen, and no longer than there is room for where it is stored."""

from __future__ import annotations

import json

from spot_relay.domain.expressions import compile_later

# The name of a SecondaryStatus has at most 24 characters today, and a StatusMessage is a sentence.
MAX_STATUS_BYTES = 64
MAX_MESSAGE_BYTES = 256
# SageMaker's own limit for a FailureReason, and S3's for a key. An item of the table has to hold a hundred and fifty.
MAX_TEXT_BYTES = 1024
# A reason names a failure and a checkpoint, and says in our own words what follows.
MAX_REASON_BYTES = 3 * MAX_TEXT_BYTES

CUT = "…"
_encode = json.JSONEncoder(ensure_ascii=False).encode
# What colours the output of a terminal, sets its title, and links its words.
_TERMINAL = compile_later(r"\x1b\[[0-?]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_BREAKS = compile_later("\r\n|[\t-\r\x1c-\x1e\x85\u2028\u2029]")
_SURROGATES = compile_later("[\ud800-\udfff]")
# Control characters; what has no width, or reorders what follows; and tags, which spell text that nobody sees.
_INVISIBLE = compile_later(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def clean_text(text: str, most_bytes: int | None = None) -> str:
    """Return a text without characters that hide, reorder or restyle text, on one line, and shortened if it is long.

    Line breaks and tabs become blanks, and half characters question marks; the others are left out.
    """
    if not (text.isascii() and text.isprintable()):
        text = _BREAKS.sub(" ", _TERMINAL.sub("", text))
        text = _INVISIBLE.sub("", _SURROGATES.sub("?", text))
    return text if most_bytes is None else shorten(text, most_bytes)


def shorten(text: str, most_bytes: int) -> str:
    """Return a text that takes at most so many bytes once it is encoded as JSON, as everything that is stored is."""
    if encoded_size(text) <= most_bytes:
        return text
    left = most_bytes - len(CUT.encode())
    for index, character in enumerate(text):
        left -= encoded_size(character)
        if left < 0:
            return text[:index] + CUT
    return text


def encoded_size(text: str) -> int:
    """Return how many bytes a text takes within JSON: quotes count twice, and most control characters six times."""
    return len(_encode(text).encode(errors="surrogatepass")) - len('""')
