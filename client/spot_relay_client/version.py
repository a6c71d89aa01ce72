"""The version of the client."""

from __future__ import annotations


def client_version() -> str:
    """Return the installed version, or ``source`` if the client runs from a checkout."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("spot-relay")
    except PackageNotFoundError:
        return "source"
