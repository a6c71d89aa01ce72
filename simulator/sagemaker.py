"""All parts of the simulator, wired and running."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Protocol

from simulator.api.audit import AuditLog
from simulator.api.server import serve
from simulator.api.training_jobs import Account, SageMaker
from simulator.api.validation import service_model
from simulator.real.clients import Clients
from simulator.real.events import EventPublisher
from simulator.real.logs import LogShipper
from simulator.real.runner import Runner
from simulator.real.simulated_checkpoints import SimulatedCheckpoints
from simulator.real.stretch import Surroundings

if TYPE_CHECKING:
    from simulator.world.scenario import Scenario


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What can be chosen. ``grace`` is in seconds; without ``workdir`` a temporary folder is made and kept."""

    host: str = "127.0.0.1"
    port: int = 0
    images: Path | None = None
    workdir: Path | None = None
    grace: float = 120.0
    account: Account = field(default_factory=Account)


class _Part(Protocol):
    def run(self) -> None: ...

    def close(self) -> None: ...


class Simulator:
    """A simulator that listens as soon as it is made; ``serve`` answers until ``end`` is called."""

    def __init__(self, options: Options, scenario: Scenario) -> None:
        self.broken = False
        clients = Clients(options.account.region)
        audit = AuditLog()
        logs = LogShipper(clients)
        self.workdir = options.workdir or Path(tempfile.mkdtemp(prefix="sagemaker-simulator-"))
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.sagemaker = SageMaker(options.account, scenario, audit)
        publisher = EventPublisher(clients, audit)
        checkpoints = SimulatedCheckpoints(clients, self.sagemaker.tell)
        self._runner = Runner(
            Surroundings(
                clients=clients,
                logs=logs,
                tell=self.sagemaker.tell,
                workdir=self.workdir.resolve(),
                images=options.images,
                region=options.account.region,
                grace=options.grace,
            )
        )
        # Events go first: what a watcher does about a status may bring the next one.
        self.sagemaker.follow(publisher, checkpoints, self._runner)
        self._server = serve(self.sagemaker, options.host, options.port)
        self._parts: tuple[_Part, ...] = (self.sagemaker, publisher, checkpoints, logs)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def serve(self) -> None:
        """Answer until ``end`` is called, then end all processes and threads."""
        Thread(target=service_model, daemon=True).start()  # loads while the first client connects
        threads = [Thread(target=self._run, args=(part,), daemon=True) for part in self._parts]
        for thread in threads:
            thread.start()
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._server.server_close()
            self._runner.close()
            for part in self._parts:
                part.close()
            for thread in threads:
                thread.join(timeout=5)

    def _run(self, part: _Part) -> None:
        try:
            part.run()
        except Exception:
            # A simulator without its clock, or without events, would only look alive.
            logger.exception("%s broke; ending", type(part).__name__)
            self.broken = True
            self.end()

    def end(self) -> None:
        """Let ``serve`` return. Safe to call from a signal handler and from any thread."""
        Thread(target=self._server.shutdown, daemon=True).start()  # shutdown waits for the loop of ``serve``
