"""Wait for a condition, with a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

LIMIT_S: Final = 120.0


class TooSlowError(Exception):
    """Something did not happen in time; the message says what."""


def wait_for(what: str, look: Callable[[], Found | None], limit: float = LIMIT_S, every: float = 0.1) -> Found:
    """Call ``look`` until it returns a value, and return it; raise TooSlowError after ``limit`` seconds."""
    waiting = Retrying(
        stop=stop_after_delay(give_time(limit)),
        wait=wait_fixed(every),
        retry=retry_if_result(lambda found: found is None),
    )
    try:
        found: Found | None = waiting(look)
    except RetryError:
        message = f"{what}: not within {limit:g} s"
        raise TooSlowError(message) from None
    if found is None:
        raise AssertionError(what)
    return found
