"""Builds and deploys the real template with sam, as on AWS; builds only after a change."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parent.parent
LOCAL: Final = ROOT / ".local"
STACK_NAME: Final = "spot-relay"
ARTIFACTS: Final = "spot-relay-artifacts"
SOURCES: Final = ("template.yaml", "samconfig.toml", "notices", "functions", "layers")
# Those of this machine, so that the compiled packages of the layer run in MiniStack's workers.
RUNTIME: Final = {
    "PythonRuntime": f"python{sys.version_info.major}.{sys.version_info.minor}",
    "Architecture": "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64",
}


def build(parameters: Mapping[str, str], environment: Mapping[str, str], root: Path = ROOT) -> Path:
    """Build the functions and layers if they changed since the last build; return the built template."""
    folder = root / ".local"
    folder.mkdir(exist_ok=True)
    template, stamp = folder / "build" / "template.yaml", folder / "build.sources"
    with hold_lock(folder / "build.lock"):
        sources = fingerprint(root)
        if template.exists() and stamp.exists() and stamp.read_text() == sources:
            return template
        stamp.unlink(missing_ok=True)
        _sam(
            "build",
            *("--template", "template.yaml", "--build-dir", str(template.parent)),
            *("--parameter-overrides", *_overrides(parameters)),
            environment=environment,
            root=root,
        )
        built = yaml.safe_load(template.read_text())
        allow_runtime(built, parameters["PythonRuntime"])
        # JSON is YAML, too, and sam parses it in a hundredth of the time; it does so seven times for each deployment.
        template.write_text(json.dumps(built, indent=1))
        stamp.write_text(sources)
    return template


def allow_runtime(template: dict[str, Any], runtime: str) -> None:
    """Let a built template also allow a runtime on which AWS creates no functions, but which this machine runs."""
    allowed = template["Parameters"]["PythonRuntime"]["AllowedValues"]
    if runtime not in allowed:
        allowed.append(runtime)


def deploy(template: Path, parameters: Mapping[str, str], environment: Mapping[str, str], root: Path = ROOT) -> None:
    """Deploy a built template to the AWS in ``environment``, where the bucket ARTIFACTS must exist."""
    _sam(
        "deploy",
        *("--template-file", str(template), "--stack-name", STACK_NAME, "--s3-bucket", ARTIFACTS),
        *("--parameter-overrides", *_overrides(parameters)),
        environment=environment,
        root=root,
    )


def fingerprint(root: Path = ROOT) -> str:
    """Return a digest of everything that a build depends on."""
    digest = hashlib.sha256(f"{sys.version} {platform.machine()}".encode())
    for source in SOURCES:
        place = root / source
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0{path.stat().st_mode:o}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in parameters.items()]


def _sam(verb: str, *arguments: str, environment: Mapping[str, str], root: Path) -> None:
    command = [sys.executable, "-m", "samcli", verb, "--config-file", str(root / "samconfig.toml")]
    outcome = subprocess.run(
        [*command, "--config-env", "local", *arguments],
        cwd=root,
        env=sam_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise EmbeddedError(f"sam {verb} failed:\n{outcome.stdout[-8000:]}")


def sam_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for sam: those of this process, except that AWS's come from ``environment`` alone."""
    # Keep the real AWS out of reach: no profile, and none of the user's settings.
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return theirs | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
        **environment,
    }


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock that the system releases when this process ends: stacks may start at the same time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
