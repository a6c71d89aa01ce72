"""What all runs of jobs share on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.api.training_jobs import Apply
    from simulator.real.clients import Clients
    from simulator.real.logs import LogShipper
    from simulator.world.images import Images


@dataclass(frozen=True)
class Machine:
    """Clients, folders and limits. ``grace`` and ``sync_every`` are in seconds."""

    clients: Clients
    logs: LogShipper
    apply: Apply
    workdir: Path
    images: Images
    region: str
    grace: float = 120.0
    sync_every: float = 0.25
