"""Run a spot training job on this machine that is interrupted, times out waiting, is relaunched, and completes."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from demo import pages, screen
from demo.audience import PlainText, Silent, Terminal
from demo.demo_run import FOLDER, LIMIT_SECONDS, DemoError, DeployedStack, Spec, run_demo
from demo.picture import save_picture
from demo.watcher import Clients
from embedded import deployment
from embedded.daemons import EmbeddedError
from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.audience import Audience
    from demo.outcome import Outcome
    from embedded.stack import Stack

CANCELLED = 128 + signal.SIGINT


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running, and print how to use it")
    parser.add_argument("--json", action="store_true", help="print only one JSON object")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="save an image of the run to FILE, if it completes")
    parser.add_argument(
        "--limit",
        type=float,
        default=give_time(LIMIT_SECONDS),
        help="the maximum duration of the run in seconds (default: %(default)g)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return 0 if the run completed with the same model as an uninterrupted training."""
    options = parse_options(arguments)
    errors = Console(stderr=True, highlight=False)
    try:
        outcome, instructions = _run(options)
    except (DemoError, EmbeddedError) as error:
        errors.print(f"The demo failed: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        errors.print("Cancelled. Everything that was started has been stopped.")
        return CANCELLED
    if options.keep:
        Console(stderr=options.json, highlight=False).print(instructions, markup=False, soft_wrap=True)
    return 0 if outcome.succeeded else 1


def _run(options: argparse.Namespace) -> tuple[Outcome, str]:
    started_at, started_second = datetime.now(UTC), time.monotonic()
    console = Console(highlight=False)
    audience: Audience = Silent()
    if not options.json:
        audience = (
            Terminal(console, Spec.read().rounds, started_at) if console.is_terminal else PlainText(console, started_at)
        )
    audience.note("Starting MiniStack and the simulator, building and deploying template.yaml")
    scenario, images = FOLDER / "scenario.yaml", FOLDER.parent / "examples" / "images"
    with deployment.running(scenario=scenario, images=images, keep=options.keep) as stack:
        try:
            with pages.serving(stack, keep=options.keep) as address:
                page = f"{address}runs/{Spec.read().name}"
                audience.note(f"The page of the run, live and with a button to stop it: {page}")
                with audience:
                    outcome = run_demo(_connect(stack), audience, started_second, options.limit)
        except DemoError as error:
            raise DemoError(f"{error}\nThe logs of MiniStack and the simulator are in {stack.folder}") from error
        if options.svg and outcome.succeeded:
            save_picture(outcome, Spec.read().rounds, options.svg)
        saved = pages.save(outcome)
        if options.json:
            print(json.dumps(outcome.to_json()), flush=True)
        else:
            console.print(screen.draw_result(outcome))
            audience.note(f"The page of the run, as a file: {saved}")
            audience.note("Stopping everything" if not options.keep else "Leaving everything running")
    return outcome, _write_instructions(stack, page)


def _connect(stack: Stack) -> DeployedStack:
    clients = Clients(
        api=stack.api, s3=stack.client("s3"), sagemaker=stack.client("sagemaker"), logs=stack.client("logs")
    )
    outputs = stack.outputs
    functions = tuple(outputs[f"{name}Function"] for name in ("Api", "Observe"))
    return DeployedStack(clients, stack.client("lambda"), outputs["SpecsBucket"], functions)


def _write_instructions(stack: Stack, page: str) -> str:
    bucket = stack.outputs["SpecsBucket"]
    return f"""
Everything is still running. The run in your browser, and all runs:

    {page}
    {page.rpartition("/runs/")[0]}/

To use the stack with any AWS SDK or tool:

    . {deployment.KEPT_ENVIRONMENT}
    {sys.executable} -c 'import boto3; print(boto3.client("sagemaker").list_training_jobs())'

With the command from `pipx install {FOLDER.parent}`:

    spot-relay show {Spec.read().name}
    spot-relay logs {Spec.read().name}

To start a run, use spot-relay submit, or upload a spec to s3://{bucket}/runs/. The API is at {stack.api_url}
To stop everything:

    cd {FOLDER.parent} && {sys.executable} -m embedded stop
"""


if __name__ == "__main__":
    sys.exit(main())
