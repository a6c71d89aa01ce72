"""A SageMaker in this process: a server on 127.0.0.1, with all that makes its training jobs and endpoints live."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Self

from simulator.api.account import Account
from simulator.api.audit import AuditLog
from simulator.api.server import bind
from simulator.api.service import Service
from simulator.api.validation import service_model
from simulator.life.clock import Part, RealTime, VirtualClock
from simulator.real.clients import Clients
from simulator.real.events import EventPublisher
from simulator.real.hosting.events import HostingEvents
from simulator.real.hosting.host import Host
from simulator.real.hosting.materials import LocalMaterials
from simulator.real.hosting.runner import EndpointRunner
from simulator.real.logs import LogShipper
from simulator.real.machine import Machine
from simulator.real.runner import Runner
from simulator.real.simulated_training import SimulatedTraining
from simulator.world.images import Images
from simulator.world.scenario import Scenario, parse_scenario, read_scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# As the service documents it for the containers of endpoints.
_HOSTING_GRACE: Final = 30.0
ScenarioLike = Scenario | Mapping[str, Any] | Path | None


class SageMaker:
    """A SageMaker that has training jobs and endpoints between `start` and `stop`, or inside a ``with`` block.

    Parameters
    ----------
    scenario
        What happens to which jobs and endpoints: a document as in the README, a file in YAML or JSON, or a `Scenario`.
        Without one, every job gets capacity at once and completes, and every endpoint goes in service.
    clock
        A `VirtualClock` that the caller advances. Without one, time is real.
    on_event
        Called with each state-change event, in the form in which EventBridge delivers it to a target: by the thread
        that advances the virtual clock, or by a thread of the simulator in real time. What it raises reaches whoever
        advances the clock; in real time it stops the simulator.
    images
        The folder of the images that run as real processes: ``local/<name>``, and those that its ``images.yaml``
        names; only in real time.
    workdir
        Where real processes run; a new temporary folder if there are images. Nothing in it is deleted.
    grace
        Seconds between SIGTERM and SIGKILL for a real process; for the container of an endpoint, at most 30.
    host, port
        Where to listen; with port 0 the system chooses a free one.
    region, account
        The region and the account in ARNs.

    Raises
    ------
    ScenarioError, ImagesError
        If the scenario, or the ``images.yaml``, is invalid.
    """

    def __init__(
        self,
        scenario: ScenarioLike = None,
        clock: VirtualClock | None = None,
        *,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        images: Path | None = None,
        workdir: Path | None = None,
        grace: float = 120.0,
        host: str = "127.0.0.1",
        port: int = 0,
        region: str = "us-east-1",
        account: str = "000000000000",
    ) -> None:
        if clock is not None and images is not None:
            raise ValueError("images run as real processes, which need real time: pass images or clock, not both")
        self._clock = clock
        self._host = host
        self._region = region
        self._ended = Event()
        self._error: Exception | None = None
        clients, audit, found = Clients(region), AuditLog(), Images.read(images)
        self._logs = LogShipper(clients)
        now = time.time if clock is None else clock.now
        settle = _do_nothing if clock is None else clock.settle
        materials = LocalMaterials(clients, found)
        self._service = Service(
            Account(account, region), as_scenario(scenario), audit, now, settle, materials, found.runs
        )
        jobs, hosting = self._service.jobs, self._service.hosting
        publisher = EventPublisher(clients, audit, now, on_event)
        training = SimulatedTraining(clients, self._logs, jobs.apply)
        folder = _folder_for(images, workdir).resolve()
        self._runner = Runner(Machine(clients, self._logs, jobs.apply, folder, found, region, grace))
        # The publisher comes first: what another observer does about a status may bring the next one.
        jobs.add_observers(publisher, training, self._runner)
        machine = Host(clients, self._logs, hosting.apply, folder, found, region, account, min(grace, _HOSTING_GRACE))
        self._endpoints = EndpointRunner(machine)
        events = HostingEvents(publisher, self._service)
        hosting.observe(events, self._endpoints, packages=events.announce, invoke=self._endpoints.invoke)
        parts: tuple[Part, ...] = (jobs, hosting, publisher, training)
        self._real_time = RealTime(parts, self._fail) if clock is None else None
        if clock is not None:
            clock.drive(parts)
        self._server = bind(self._service, host, port)
        self._threads = [
            Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
            Thread(target=self._logs.run, daemon=True),
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self._error is not None:
            raise RuntimeError("a part of the simulator failed; see its log") from self._error

    def start(self) -> None:
        """Start to serve; requests made from the constructor on wait until then."""
        Thread(target=service_model, daemon=True).start()  # takes a while to load, as the first client does
        for thread in self._threads:
            thread.start()
        if self._real_time is not None:
            self._real_time.start()

    def stop(self) -> None:
        """Stop to serve, and end all processes and threads."""
        self._server.shutdown()
        self._server.server_close()
        self._runner.close()
        self._endpoints.close()
        if self._real_time is not None:
            self._real_time.stop()
        self._logs.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def wait(self) -> None:
        """Wait until `end` is called, or until a part of the simulator fails."""
        self._ended.wait()

    def end(self) -> None:
        """Let `wait` return; safe in a signal handler."""
        self._ended.set()

    @property
    def url(self) -> str:
        """The address, as the ``endpoint_url`` of a client or the value of ``AWS_ENDPOINT_URL_SAGEMAKER``."""
        return f"http://{self._host}:{self.port}"

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._server.port

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which boto3's clients for SageMaker find this server, and no real account."""
        return {
            "AWS_ENDPOINT_URL_SAGEMAKER": self.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.url,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock; a RuntimeError in real time."""
        if self._clock is None:
            raise RuntimeError("this SageMaker runs in real time; pass clock=VirtualClock() to advance it")
        return self._clock

    def play(self, scenario: ScenarioLike) -> None:
        """Replace the scenario, for what is created and called from now on."""
        self._service.play(as_scenario(scenario))

    def log(
        self, *, job: str | None = None, resource: str | None = None, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the audit log: every call, transition and event, of jobs or resources that match a pattern."""
        return self._service.audit.entries(job=job, resource=resource, kind=kind)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.end()


def as_scenario(given: ScenarioLike) -> Scenario:
    """Return a scenario from a file, from a document, or as it is."""
    if isinstance(given, Scenario):
        return given
    return read_scenario(given) if isinstance(given, Path) else parse_scenario(given)


def _folder_for(images: Path | None, workdir: Path | None) -> Path:
    if workdir is not None or images is None:
        return workdir or Path()  # without images nothing is written
    return Path(tempfile.mkdtemp(prefix="sagemaker-simulator-"))


def _do_nothing() -> None:
    """In real time, threads do what is due."""
