"""Run the programs that submit rows, each with the environment of a user of the stack."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from embedded.patience import give_time
from workshop.rows import EXAMPLES, ROOT, Client, Row

if TYPE_CHECKING:
    from embedded.stack import Stack
    from workshop.outcome import RowOutcome

COMMAND: Final = (sys.executable, "-m", "spot_relay_client")
LIMIT_SECONDS: Final = 600
# The SDKs have environments of their own, which lack the client.
_CLIENT_PATH: Final = os.pathsep.join([str(ROOT / "client"), str(ROOT / "layers" / "spot_relay")])
_PYTHON: Final = {
    Client.BOTO3: Path(sys.executable),
    Client.SDK_V2: ROOT / ".venv-sdk-v2" / "bin" / "python",
    Client.SDK_V3: ROOT / ".venv-sdk-v3" / "bin" / "python",
}
# Both SDKs send telemetry unless this says otherwise.
_SDK_CONFIGURATION: Final = (
    "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"
)


class ProgramError(Exception):
    """A program did not end well; the message has the end of what it printed."""


@dataclass(frozen=True)
class Programs:
    """The programs of a user of ``stack``."""

    stack: Stack

    def submit(self, row: Row, client: Client, before: RowOutcome | None) -> None:
        """Submit a row, and wait until its run has ended; ``before`` has the model that it begins with."""
        self._run(row.run, self._command(row, client, before))

    def read_log(self, run: str) -> list[str]:
        """Return the lines of all attempts of a run."""
        return self._run(f"{run}-log", (*COMMAND, "logs", run)).splitlines()

    def _command(self, row: Row, client: Client, before: RowOutcome | None) -> tuple[str, ...]:
        if client is not Client.SPEC:
            earlier = () if before is None else (before.run,)
            return (str(_PYTHON[client]), str(EXAMPLES / "scripts" / row.scripts[client]), row.run, *earlier)
        return (*COMMAND, "submit", str(EXAMPLES / row.spec), "--wait")

    def _run(self, name: str, command: tuple[str, ...]) -> str:
        folder = Path(self.stack.folder)
        configuration, printed = folder / "sagemaker.yaml", folder / f"{name}.out"
        configuration.write_text(_SDK_CONFIGURATION)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": _CLIENT_PATH,
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(configuration),
            **self.stack.environment,
        }
        with printed.open("wb") as file:
            try:
                ended = subprocess.run(
                    command,
                    env=variables,
                    cwd=folder,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=give_time(LIMIT_SECONDS),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise ProgramError(f"{_shown(command)} took more than {give_time(LIMIT_SECONDS):g} seconds") from None
        text = printed.read_text("utf-8", errors="replace")
        if ended.returncode:
            raise ProgramError(f"{_shown(command)} ended with {ended.returncode}:\n{text[-2000:]}")
        return text


def _shown(command: tuple[str, ...]) -> str:
    return " ".join(command[1:])
