"""Parse the values of command line options."""

from __future__ import annotations

from argparse import ArgumentTypeError


def parse_positive(text: str) -> int:
    """Return a whole number above 0; raise ArgumentTypeError, which argparse shows, for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
