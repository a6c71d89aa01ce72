"""What all endpoints share on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulator.life.endpoint import EndpointInput
    from simulator.real.clients import Clients
    from simulator.real.logs import LogShipper
    from simulator.world.images import Images


@dataclass(frozen=True)
class Host:
    """Clients, folders and limits. ``grace`` is in seconds."""

    clients: Clients
    logs: LogShipper
    apply: Callable[[str, EndpointInput], None]
    workdir: Path
    images: Images
    region: str
    account: str
    grace: float = 30.0
