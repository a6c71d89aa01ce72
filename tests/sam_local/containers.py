"""`sam local invoke`: a function in a container of its own, against an embedded stack."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded.daemons import EmbeddedError
from embedded.docker import base_image, docker, invocation
from embedded.patience import give_time
from embedded.sam import ROOT, sam_environment

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.stack import Stack

# The first invocation builds the image of the layers, which takes minutes on a slow disk.
LONGEST_SECONDS = 540
ENDING_SECONDS = 15
CONTAINER = re.compile(r"SAM_CONTAINER_ID: ([0-9a-f]+)")


def missing() -> str | None:
    """Return what is missing to run a function in a container, or None."""
    try:
        docker("info", "--format", "{{.ServerVersion}}")
    except EmbeddedError as error:
        return f"needs Docker: {error}"
    try:
        docker("image", "inspect", "--format", "{{.Id}}", base_image())
    except EmbeddedError:
        return f"needs Lambda's base image: docker pull {base_image()}"
    return None


def exists(container: str) -> bool:
    """Whether there is a container of that id, running or not."""
    return bool(docker("ps", "--all", "--quiet", "--filter", f"id={container}"))


@dataclass(frozen=True)
class SamLocal:
    """Runs functions of a stack; ``variables`` is the file for ``--env-vars``."""

    stack: Stack
    variables: Path

    def invoke(self, function: str, event: Path) -> Any:
        """Invoke a function, by its name in the template, with a document, and give what it returns."""
        command = [sys.executable, "-m", "samcli", *invocation(self.stack, function, event, self.variables)]
        environment = sam_environment(self.stack.environment)
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                printed, told = process.communicate(timeout=give_time(LONGEST_SECONDS))
            except BaseException:
                _end(process)
                raise
        assert process.returncode == 0, told
        assert printed.strip(), f"the function returned nothing:\n{told}"
        started = CONTAINER.findall(told)
        assert started, f"sam tells of no container:\n{told}"
        assert not any(map(exists, started)), "sam has left its container behind"
        return json.loads(printed)


def _end(process: subprocess.Popen[str]) -> None:
    """End sam and its container: it removes that when it is interrupted, and leaves it behind when it is killed."""
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=give_time(ENDING_SECONDS))
    except subprocess.TimeoutExpired:
        process.kill()
        _, told = process.communicate()
    for container in filter(exists, CONTAINER.findall(told)):
        docker("rm", "--force", container)
