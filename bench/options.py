"""Values of options on a command line."""

from __future__ import annotations

from argparse import ArgumentTypeError


def above_zero(text: str) -> int:
    """Read a whole number above 0; ArgumentTypeError, which argparse shows, for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
