"""Start functions and their floors, each in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.start.figures import Start
from bench.start.packages import ROOT
from bench.start.scenes import environment, scenes

if TYPE_CHECKING:
    from bench.start.endpoint import Endpoint, Exchange
    from bench.start.scenes import Scene, World

_RUNNER: Final = Path(__file__).with_name("first_event.py")
_FLOOR: Final = Path(__file__).with_name("floor_app.py")


class StartError(Exception):
    """A function failed while it was measured."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A scene's exchanges with AWS, and the file that holds the calls behind them."""

    scene: Scene
    exchanges: tuple[Exchange, ...]
    calls: Path


@dataclass(frozen=True)
class Bench:
    """Where things are: the layers, the floor's packages, a folder to work in, and the endpoint of all processes."""

    layers: list[Path]
    floor: list[Path]
    folder: Path
    endpoint: Endpoint

    def record(self, name: str, world: World) -> Recording:
        """Let a function handle its event against a real endpoint."""
        scene, calls = scenes()[name], self.folder / f"{name}.calls.json"
        world.begin()
        self.endpoint.record()
        for earlier in scene.after:
            self._start_function(scenes()[earlier])
        scene.prepare(world)
        self.endpoint.record()
        self._start_function(scene, calls)
        return Recording(scene, self.endpoint.recorded(), calls)

    def function(self, recording: Recording) -> Start:
        """Start the function, as Lambda does, and let it handle its event."""
        self.endpoint.replay(recording.exchanges, exact=False)
        start = self._start_function(recording.scene)
        self.endpoint.check()
        return start

    def floor_of(self, recording: Recording) -> Start:
        """Start the floor, and let it make the same calls."""
        self.endpoint.replay(recording.exchanges, exact=True)
        start = self._start(_FLOOR, self.floor, recording.scene, {"FLOOR_CALLS": str(recording.calls)})
        self.endpoint.check()
        return start

    def _start_function(self, scene: Scene, calls: Path | None = None) -> Start:
        return self._start(ROOT / "functions" / scene.function / "app.py", self.layers, scene, {}, calls)

    def _start(
        self, app: Path, packages: list[Path], scene: Scene, variables: dict[str, str], calls: Path | None = None
    ) -> Start:
        folder = self.folder / f"{app.parent.name}-{app.stem}"
        folder.mkdir(exist_ok=True)
        shutil.copy(app, folder / "app.py")
        event = self.folder / f"{scene.function}.event.json"
        event.write_text(json.dumps(scene.event), "utf-8")
        given: dict[str, Any] = {"paths": [str(folder), *map(str, packages)], "event": str(event)}
        given["recorded"] = None if calls is None else str(calls)
        outcome = subprocess.run(  # noqa: S603
            # Unlike on Lambda, where it is in the compiled layer, app.py is compiled at each start, as the floor's is.
            [sys.executable, "-I", "-S", "-B", str(_RUNNER), json.dumps(given)],
            env=environment(scene.function, self.endpoint.url) | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if outcome.returncode:
            raise StartError(f"{app} failed:\n{outcome.stderr[-4000:]}")
        measured = json.loads(outcome.stdout.splitlines()[-1])
        answer = measured["answer"]
        # The widget answers with HTML; it raises an error if it cannot.
        if isinstance(answer, dict) and (answer.get("batchItemFailures") or answer.get("statusCode", 200) >= 300):
            raise StartError(f"{app} did not handle its event: {answer}\n{outcome.stdout[-4000:]}")
        return Start(measured["cpu_seconds"], measured["peak_bytes"])
