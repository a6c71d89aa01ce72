"""Starts MiniStack and the simulator, deploys the real template to them, and stops them.

    with deployment.running(scenario=Path("interrupted.yaml")) as stack:
        stack.client("s3").put_object(Bucket=stack.outputs["SpecsBucket"], Key="runs/a.yaml", Body=spec)

A stack can also be left running (`leave`), found again by another process (`find_running`) and stopped (`stop`).

Whoever starts or stops a stack also ends what is left of others whose MiniStack, or the process that started them, was
killed (`end_abandoned`).
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from embedded import training_role
from embedded.daemons import Daemon, answers, free_port, launch
from embedded.patience import give_time
from embedded.processes import Identity, find_process, kill_processes
from embedded.sam import ARTIFACTS, LOCAL, ROOT, RUNTIME, STACK_NAME, build, deploy, hold_lock
from embedded.stack import ACCOUNT, REGION, Stack, aws_environment, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AWS: Final = "embedded.aws"
# Where the stacks of this checkout are kept; with another folder, another stack can be left running beside the first.
FOLDER_VARIABLE: Final = "SPOT_RELAY_LOCAL"
_FOLDER: Final = Path(os.environ.get(FOLDER_VARIABLE) or LOCAL)
KEPT: Final = _FOLDER / "stack.json"
KEPT_ENVIRONMENT: Final = _FOLDER / "stack.env"
STACKS: Final = _FOLDER / "stacks"
LOGS_KEPT: Final = 5
# How long the simulator may take to end its jobs. MiniStack holds nothing worth waiting for.
SHUTDOWN_SECONDS: Final = 10.0
TEMPORARY: Final = "tmp"
OWNER: Final = "owner.json"
PARAMETERS: Final = {
    "AllowedRoleArns": f"arn:aws:iam::{ACCOUNT}:role/{training_role.NAME}",
    "AllowHosting": "true",
    "AllowedImages": "local/*,*.dkr.ecr.*.amazonaws.com/*",
    "AllowedCheckpointBuckets": "sagemaker-*,churn-*",  # the latter for the documents of events/
    "LaunchRate": "1000",  # the simulator throttles nothing, unless its scenario has rates
}


@contextmanager
def running(
    scenario: Path | None = None,
    images: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    grace: float = 5.0,
    keep: bool = False,
    aws: str = AWS,
) -> Iterator[Stack]:
    """Start everything, yield the deployed stack, and stop everything at the end, even after an error.

    Parameters
    ----------
    scenario, images
        What the spot market does, and the folder of the images ``local/*``; see simulator/README.md.
    parameters
        Parameters of the template. With SageMakerEndpointUrl among them, the stack uses that SageMaker instead of
        the simulator.
    grace
        Seconds between SIGTERM and SIGKILL for a training process.
    keep
        Leave the stack running if the block ends without an error; `stop` stops it.
    aws
        The module that runs as MiniStack; its working folder is the stack's folder.
    """
    with ExitStack() as ending:
        ending.enter_context(_raise_on_sigterm())
        # In case the process exits without leaving the block, as with a generator that nobody closes.
        atexit.register(ending.close)
        ending.callback(atexit.unregister, ending.close)
        stack = _start(ending, scenario, images, parameters or {}, grace, aws)
        yield stack
        if keep:
            leave(stack)
            ending.pop_all()


def leave(stack: Stack) -> None:
    """Leave a stack running: record how to find and stop it, and stop the one that was left before."""
    stop()
    KEPT.write_text(json.dumps(asdict(stack), indent=2) + "\n")
    KEPT_ENVIRONMENT.write_text("".join(f"export {name}={value}\n" for name, value in stack.environment.items()))


def find_running() -> Stack | None:
    """Return the stack that was left running, or ``None`` if it no longer answers."""
    stack = _read_kept()
    return stack if stack and answers(f"{stack.aws_url}/_ministack/ready") else None


def stop() -> bool:
    """Stop the stack that was left running, and what is left of abandoned ones; return whether there was anything."""
    stack = _read_kept()
    stopped = _stop_kept(stack) if stack else False
    KEPT.unlink(missing_ok=True)
    KEPT_ENVIRONMENT.unlink(missing_ok=True)
    return end_abandoned() or stopped


def end_abandoned() -> bool:
    """End all processes of stacks that nobody owns any more; return whether there were any."""
    found = False
    STACKS.mkdir(parents=True, exist_ok=True)
    with hold_lock(STACKS.with_suffix(".lock")):
        for folder in STACKS.iterdir():
            if (folder / TEMPORARY).exists() and _is_abandoned(folder):
                found |= kill_processes(folder / TEMPORARY)
                _delete_temporary(folder)
    return found


def _read_kept() -> Stack | None:
    if not KEPT.exists():
        return None
    try:
        return Stack(**json.loads(KEPT.read_text()))
    except TypeError:  # written by another version of this module
        return None


def _stop_kept(stack: Stack) -> bool:
    folder = Path(stack.folder)
    simulator = find_process(stack.simulator_pid, folder / TEMPORARY)
    if simulator is not None:
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            simulator.terminate()
            simulator.wait(give_time(SHUTDOWN_SECONDS))
    stopped = kill_processes(folder / TEMPORARY)
    _delete_temporary(folder)
    return stopped or simulator is not None


def _is_abandoned(folder: Path) -> bool:
    """Whether the process that started a stack has ended, and did not leave a working stack behind on purpose."""
    owner = folder / OWNER
    if owner.exists() and Identity(**json.loads(owner.read_text())).lives():
        return False
    kept = _read_kept()
    if kept is None or Path(kept.folder) != folder:
        return True
    return find_process(kept.aws_pid, folder / TEMPORARY) is None


def _start(
    ending: ExitStack,
    scenario: Path | None,
    images: Path | None,
    parameters: Mapping[str, str],
    grace: float,
    module: str,
) -> Stack:
    end_abandoned()
    folder = _new_folder()
    ending.callback(_delete_temporary, folder)
    # What its own parent can no longer end, because that was killed.
    ending.callback(kill_processes, folder / TEMPORARY)
    port = free_port()
    aws_url = f"http://127.0.0.1:{port}"
    aws = _launch_ministack(folder, port, module)
    ending.callback(aws.stop)
    simulator, port_file = _launch_simulator(folder, aws_url, scenario, images, grace)
    ending.callback(simulator.stop)
    environment = aws_environment(aws_url) | {"TMPDIR": str(folder / TEMPORARY)}
    chosen = {**PARAMETERS, **RUNTIME, **parameters}
    template = build(chosen, environment)
    aws.wait_for(lambda: answers(f"{aws_url}/_ministack/ready"))
    make_client("s3", aws_url).create_bucket(Bucket=ARTIFACTS)
    training_role.create_training_role(make_client("iam", aws_url))
    simulator_port = simulator.wait_for(lambda: port_file.read_text() if port_file.exists() else None)
    chosen = {"SageMakerEndpointUrl": f"http://127.0.0.1:{simulator_port}", **chosen}
    deploy(template, chosen, environment)
    _limit_concurrency(aws_url)
    described = make_client("cloudformation", aws_url).describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    return Stack(aws_url, chosen["SageMakerEndpointUrl"], outputs, str(template), str(folder), simulator.pid, aws.pid)


def _limit_concurrency(aws_url: str) -> None:
    """Allow two workers per queue: the start of each one takes a second of a processor."""
    client = make_client("lambda", aws_url)
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 2})


def _launch_ministack(folder: Path, port: int, module: str) -> Daemon:
    # Leave out this process's environment, because MiniStack passes its own on to the functions.
    environment = aws_environment(None) | {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(folder),
        "TMPDIR": str(folder / TEMPORARY),
        "STATE_DIR": str(folder / TEMPORARY / "state"),
        "PYTHONPATH": str(ROOT),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    return launch("MiniStack", ["-m", module], environment, folder / "ministack.log")


def _launch_simulator(
    folder: Path, aws_url: str, scenario: Path | None, images: Path | None, grace: float
) -> tuple[Daemon, Path]:
    port_file = folder / "simulator.port"
    options = ["--host", "127.0.0.1", "--port", "0", "--port-file", str(port_file), "--grace", f"{grace:g}"]
    options += ["--workdir", str(folder / TEMPORARY / "jobs"), "--region", REGION, "--account", ACCOUNT]
    options += ["--scenario", str(scenario.resolve())] if scenario else []
    options += ["--images", str(images.resolve())] if images else []
    environment = aws_environment(aws_url) | {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder / TEMPORARY),
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "simulator", *options]
    log = folder / "simulator.log"
    return launch("the simulator", command, environment, log, SHUTDOWN_SECONDS), port_file


def _new_folder() -> Path:
    """Make a folder for a stack that this process owns, and delete all but the newest logs of earlier ones."""
    with hold_lock(STACKS.with_suffix(".lock")):
        ended = [folder for folder in STACKS.iterdir() if not (folder / TEMPORARY).exists()]
        for folder in sorted(ended, key=lambda ended: ended.stat().st_mtime)[:-LOGS_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=STACKS))
        (folder / OWNER).write_text(json.dumps(asdict(Identity.of_this_process())))
        (folder / TEMPORARY / "jobs").mkdir(parents=True)
        return folder


def _delete_temporary(folder: Path) -> None:
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)


@contextmanager
def _raise_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that everything that was started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
