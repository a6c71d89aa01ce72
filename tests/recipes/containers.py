"""What a recipe finds in a training container: its folders, its data and its library."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from embedded.patience import give_time
from spot_relay.domain.rules.checkpoints import StoredObject, find_newest
from spot_relay_client.checkpoints import Checkpoints, History

if TYPE_CHECKING:
    from spot_relay_client.checkpoints import Checkpoint

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "examples" / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A script in examples/recipes, and how to run it."""

    script: str
    option: str
    """The option that says how many steps to train."""
    count: str
    """An expression for the steps that the optimizer or the model itself has counted, in the checkpoint at ``path``."""
    environment: str | None = None
    """Where its library is installed; None if that is among the tests' packages."""

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return Path(sys.executable) if self.environment is None else ROOT / self.environment / "bin" / "python"

    @property
    def name(self) -> str:
        """The form of its checkpoints' names."""
        found = re.search(r'Checkpoints\(name="([^"]+)"', (FOLDER / self.script).read_text("utf-8"))
        assert found
        return found[1]


@dataclass(frozen=True)
class Container:
    """The folders of a container for one recipe."""

    base: Path
    recipe: Recipe

    @property
    def checkpoints(self) -> Path:
        """The folder that SageMaker copies to S3."""
        return self.base / "checkpoints"

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.base / "model"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the training process."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base),
            "PYTHONPATH": str(ROOT / "client"),
            "SM_CHECKPOINT_DIR": str(self.checkpoints),
            "SM_MODEL_DIR": str(self.model),
            "SM_CHANNEL_TRAIN": str(self.base / "input" / "data" / "train"),
            "KERAS_BACKEND": "jax",
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "HF_HUB_OFFLINE": "1",
        }

    def prepare(self) -> None:
        """Make the folders and the data: a table with the label first, and a text."""
        train = self.base / "input" / "data" / "train"
        for folder in (train, self.model):
            folder.mkdir(parents=True)
        draw = random.Random(7)  # noqa: S311
        rows = [[draw.random() for _ in range(5)] for _ in range(200)]
        (train / "train.csv").write_text("".join(f"{sum(row)},{','.join(map(str, row))}\n" for row in rows))
        (train / "train.txt").write_text("To be, or not to be, that is the question. " * 40)

    def start(self, steps: int, *, save_every: float, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start the training: a process of it, if a launcher is given that comes before the script."""
        script = [*launcher, str(FOLDER / self.recipe.script)]
        options = [self.recipe.option, str(steps), "--save-every", str(save_every)]
        return subprocess.Popen(
            [str(self.recipe.python), *script, *options],
            env=self.environment,
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint, about which Spot Relay agrees if it sees all files of the folder in S3."""
        newest = Checkpoints(self.checkpoints, name=self.recipe.name).newest()
        files = [path for path in self.checkpoints.rglob("*") if path.is_file()]
        listed = [
            StoredObject(path.relative_to(self.checkpoints).as_posix(), _modified(path), path.stat().st_size)
            for path in files
        ]
        found = find_newest("", listed).newest
        judged = found.key.partition("/")[0] if found else None
        assert judged == (newest.path.name if newest else None)
        return newest

    def wait_for_steps(self, least: int) -> None:
        """Wait until there is a complete checkpoint of so many steps."""

        @retry(
            retry=retry_if_result(lambda found: not found), stop=stop_after_delay(give_time(60)), wait=wait_fixed(0.05)
        )
        def has_steps() -> bool:
            newest = Checkpoints(self.checkpoints, name=self.recipe.name).newest()
            return newest is not None and newest.step >= least

        has_steps()

    def count_steps(self, checkpoint: Checkpoint) -> float:
        """Return the steps that the optimizer or the model itself has counted."""
        code = f"path = {str(checkpoint.path)!r}; print({self.recipe.count})"
        counted = subprocess.run(
            [self.recipe.python, "-c", code],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=give_time(60),
            check=False,
        )
        assert counted.returncode == 0, counted.stderr
        return float(counted.stdout.splitlines()[-1])

    def read_history(self) -> History:
        """Return what the helper has noted."""
        return History.from_json((self.checkpoints / "spot-relay-history.json").read_text("utf-8"))


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a training that ends well, and return what it has printed."""
    printed, _ = process.communicate(timeout=give_time(90))
    assert process.returncode == 0, printed[-3000:]
    return printed


def wait_for_start(process: subprocess.Popen[str]) -> str:
    """Read what a training prints until it says after which step it starts, and return that line."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Starting after "):
            return line.rstrip("\n")
    raise AssertionError(f"The training has not started: {''.join(lines)[-3000:]}")
