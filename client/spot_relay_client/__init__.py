"""Submit and follow runs of Spot Relay from Python, or from the command `spot-relay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spot_relay_client.errors import SpotRelayError
    from spot_relay_client.relay import SpotRelay
    from spot_relay_client.sagemaker.hooks import install

__all__ = ["SpotRelay", "SpotRelayError", "install"]
_HOMES = {"SpotRelay": "relay", "SpotRelayError": "errors", "install": "sagemaker.hooks"}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command has to answer `--help` at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
