"""One instance of a job: its folders, its training process, its checkpoints and its log."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from simulator.real.checkpoints import CheckpointSync
from simulator.real.container import environment, failure_reason, prepare, tree_for
from simulator.real.namespace import CONTAINER_BASE, find_namespace
from simulator.real.process import ContainerProcess
from simulator.real.s3 import Location, channel_name_of, download, list_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from simulator.api.wire import Record
    from simulator.real.cluster import Cluster, Instance
    from simulator.real.container import Tree
    from simulator.real.machine import Machine

# The folder of an instance outside its namespace, for whoever looks for the processes of a simulator.
HOME_VARIABLE: Final = "SIMULATOR_INSTANCE_HOME"
_LAST_LINES: Final = 5.0  # seconds to read the last lines of a process that has ended
logger = logging.getLogger(__name__)


class InstanceRun:
    """Used by the thread of the job's run; ``home`` is a new folder of its own, ``log`` the file of its output."""

    def __init__(
        self, record: Record, cluster: Cluster, instance: Instance, machine: Machine, home: Path, log: Path
    ) -> None:
        self._record = record
        self._cluster = cluster
        self._instance = instance
        self._machine = machine
        self._home = home
        self._log = log
        self._stream = f"{record.name}/{instance.host}-{round(time.time() * 1000)}"
        self._sync: CheckpointSync | None = None
        self._process: ContainerProcess | None = None
        self.tree: Tree = tree_for(record.request, home / "ml")

    @property
    def runs(self) -> bool:
        """Whether the training process was started and has not ended."""
        return self._process is not None and self._process.code is None

    @property
    def failure(self) -> str | None:
        """Why the process failed; ``None`` if it has not ended, or succeeded."""
        code = self._process.code if self._process is not None else None
        return failure_reason(self.tree, code) if code else None

    def prepare(self) -> None:
        """Create the folders and the configuration files."""
        prepare(self.tree, self._record.request, self._cluster, self._instance)

    def download(self, channel: Mapping[str, Any]) -> None:
        """Download this instance's share of a channel, which may be nothing; ValueError if the channel is empty."""
        share = self._cluster.share(self._instance, channel)
        if share is None:
            return
        location = Location.parse(channel["DataSource"]["S3DataSource"]["S3Uri"])
        s3 = self._machine.clients.s3
        keys = list(list_keys(s3, location))
        if not keys:
            raise ValueError(f"Data download failed: no S3 objects found under {location}")
        folder = self.tree.channel(channel["ChannelName"])
        folder.mkdir(parents=True, exist_ok=True)
        download(s3, location.bucket, share.select(keys), folder, partial(channel_name_of, prefix=location.key))

    def restore(self, prefix: str) -> None:
        """Download the checkpoints at ``prefix``, and copy those that change from now on."""
        self._sync = CheckpointSync(self._machine.clients.s3, Location.parse(prefix), self.tree.checkpoints)
        self._sync.restore()

    def start(self, command: Sequence[str], of_image: Mapping[str, str], on_exit: Callable[[], None]) -> None:
        """Start the training process, in a namespace with its folders at ``/opt/ml`` if this machine can make one.

        ``of_image`` are variables of the image, which the job may override.
        """
        namespace = find_namespace()
        seen = self.tree if namespace is None else tree_for(self._record.request, CONTAINER_BASE)
        variables = environment(seen, self._record, self._cluster, self._instance, self._machine.region)
        if namespace is not None:
            hosts = self._cluster.host_names(str(self._home.parent))
            command = namespace.wrap(command, self.tree.base, self._home, hosts)
        marked = {**of_image, **variables, HOME_VARIABLE: str(self._home)}
        self._process = ContainerProcess(command, self.tree.base, marked, self._keep, on_exit)

    def push(self) -> int:
        """Copy new and changed checkpoints to S3; return how many files were new."""
        if self._sync is None:
            return 0
        try:
            return self._sync.push()
        except (BotoCoreError, ClientError, OSError) as error:
            logger.warning("could not copy the checkpoints of %s: %s", self._record.name, error)
            return 0

    def terminate(self) -> None:
        """Send SIGTERM to the process and its children."""
        if self.runs and self._process is not None:
            self._process.terminate()

    def end(self) -> None:
        """Kill the process and its children, and read its last lines."""
        if self._process is not None:
            self._process.end(grace=0)
            self._process.drain(_LAST_LINES)

    def _keep(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")
        self._machine.logs.ship(self._stream, line)
