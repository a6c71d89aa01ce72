"""Shows a process the folders of its container at ``/opt/ml``, in a mount namespace of its own.

Nothing outside the namespace changes, and processes that run at the same time do not see each other's folders. On a
machine without ``/opt/ml`` the namespace gets its own ``/opt``, in memory, with all that the machine's has. Its
``/etc/hosts`` also has the job's host names.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINER_BASE: Final = Path("/opt/ml")
_HOSTS_FILE: Final = Path("/etc/hosts")
_SECONDS_TO_TRY: Final = 30
# Runs in the new namespace. The mounts are made in a subshell: the command must keep its own PATH.
_SCRIPT: Final = r"""
set -eu
base=$1 names=$2 stash=$3
shift 3
(
    PATH=/usr/sbin:/usr/bin:/sbin:/bin
    if [ ! -d /opt/ml ]; then
        mount --rbind /opt "$stash"
        mount -t tmpfs -o mode=755 tmpfs /opt
        for entry in "$stash"/* "$stash"/.[!.]*; do
            place=/opt/${entry##*/}
            if [ -L "$entry" ]; then
                cp -P "$entry" "$place"
            elif [ -d "$entry" ]; then
                mkdir "$place"
                mount --rbind "$entry" "$place"
            elif [ -e "$entry" ]; then
                touch "$place"
                mount --bind "$entry" "$place"
            fi
        done
        mkdir /opt/ml
        umount -l "$stash"
    fi
    mount --rbind "$base" /opt/ml
    if [ -f /etc/hosts ]; then
        mount --bind "$names" /etc/hosts
    fi
)
cd /opt/ml
exec "$@"
"""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Namespace:
    """How this machine starts a process in a mount namespace of its own: with ``unshare``."""

    unshare: tuple[str, ...]

    def wrap(self, command: Sequence[str], base: Path, scratch: Path, hosts: str) -> list[str]:
        """Return the command that runs ``command`` with ``base`` at ``/opt/ml``, and in it.

        ``scratch`` is a folder that only this process uses. ``hosts`` are lines for its file of host names.
        """
        names, stash = scratch / "hosts", scratch / "opt"
        known = _HOSTS_FILE.read_text(encoding="utf-8") if _HOSTS_FILE.is_file() else ""
        names.write_text(f"{known}\n{hosts}", encoding="utf-8")
        stash.mkdir(exist_ok=True)
        return [*self.unshare, "/bin/sh", "-c", _SCRIPT, "sh", str(base), str(names), str(stash), *command]


@cache
def find_namespace() -> Namespace | None:
    """Return how this machine makes mount namespaces, or ``None``, with a warning, if it cannot."""
    unshare = shutil.which("unshare", path="/usr/bin:/bin")
    options = ("--mount", "--propagation", "private")
    # Without the right to mount, a process has it in a user namespace of its own, if the machine allows those.
    ways = [(unshare, *options), (unshare, "--map-root-user", *options)] if unshare else []
    for way in ways:
        namespace = Namespace(way)
        if makes_namespaces(namespace):
            return namespace
    logger.warning("this machine makes no mount namespaces: training processes do not find their folders at /opt/ml")
    return None


def makes_namespaces(namespace: Namespace) -> bool:
    """Whether a process started in this way finds its folders at ``/opt/ml``."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        base.mkdir()
        (base / "mark").write_text("found")
        command = namespace.wrap(["cat", str(CONTAINER_BASE / "mark")], base, Path(folder), "")
        try:
            tried = subprocess.run(command, capture_output=True, timeout=_SECONDS_TO_TRY, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return tried.stdout == b"found"
