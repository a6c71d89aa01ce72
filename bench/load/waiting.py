"""Waits for what has to happen, with a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

LIMIT_S: Final = 120.0


class TooSlowError(Exception):
    """Something did not happen in time; the text says what."""


def eventually(what: str, look: Callable[[], Found | None], limit: float = LIMIT_S, every: float = 0.1) -> Found:
    """Look until there is something, and give it; TooSlowError when the time, in seconds, is up."""
    waiting = Retrying(
        stop=stop_after_delay(limit), wait=wait_fixed(every), retry=retry_if_result(lambda found: found is None)
    )
    try:
        found: Found | None = waiting(look)
    except RetryError:
        message = f"{what}: not within {limit:g} s"
        raise TooSlowError(message) from None
    if found is None:
        raise AssertionError(what)
    return found
