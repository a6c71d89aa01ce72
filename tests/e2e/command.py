"""The command `spot-relay` as a user of a deployed stack calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from spot_relay_client.cli import cli
from tests.foreground import begun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Command:
    """Calls the command for one stack."""

    environment: dict[str, str]

    @classmethod
    def of(cls, stack: Stack, cache: Path) -> Command:
        """Return the command in the environment of a user's shell; ``cache`` is where it remembers the stack."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        path = os.pathsep.join(str(ROOT / folder) for folder in ("client", "layers/spot_relay"))
        own = {"PYTHONPATH": path, "XDG_CACHE_HOME": str(cache), "COLUMNS": "160", "NO_COLOR": "1"}
        return cls({**kept, **own, **stack.environment})

    @contextmanager
    def begin(self, *arguments: str, text: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """Start the command as a process; it is ended with the block."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "spot_relay_client", *arguments]
        with begun(command, env=self.environment, cwd="/", **pipes) as process:
            assert process.stdin is not None
            if text is not None:
                process.stdin.write(text)
            process.stdin.close()
            process.stdin = None
            yield process

    def call(self, *arguments: str, text: str | None = None) -> Result:
        """Call the command in this process, which spares its start."""
        runner = CliRunner(env=self.environment, mix_stderr=False)
        return runner.invoke(cli, arguments, input=text, prog_name="spot-relay")

    def run(self, *arguments: str, text: str | None = None, code: int = 0) -> str:
        """Call the command, check its exit code, and return what it printed: on standard error, if it failed."""
        result = self.call(*arguments, text=text)
        assert result.exit_code == code, f"{arguments} {result!r}\n{result.output}"
        return result.stderr if code else result.stdout

    def json(self, *arguments: str, **options: Any) -> Any:
        """Call the command and return the JSON that it printed."""
        return json.loads(self.run(*arguments, "--json", **options))
