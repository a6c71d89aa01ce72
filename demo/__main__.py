"""Show a spot training run that is interrupted, expires, is relaunched and completes, on this machine alone."""

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

from demo import screen
from demo.audience import Lines, Nobody, Terminal
from demo.picture import save_picture
from demo.play import FOLDER, LIMIT_SECONDS, DemoError, Deployed, Spec, play
from demo.watching import Clients
from embedded import deployment
from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.audience import Audience
    from demo.outcome import Outcome
    from embedded.stack import Stack

CANCELLED = 128 + signal.SIGINT


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running, and say how to talk to it")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="save an image of the run to FILE, if it completes")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_SECONDS, help="how many seconds the run may take (default: %(default)g)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if the run completed with the model that no interruption would have changed."""
    options = parse_options(arguments)
    complaints = Console(stderr=True, highlight=False)
    try:
        outcome, directions = _play(options)
    except (DemoError, EmbeddedError) as error:
        complaints.print(f"The demo failed: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        complaints.print("Cancelled; everything that was started is stopped.")
        return CANCELLED
    if options.keep:
        Console(stderr=options.json, highlight=False).print(directions, markup=False, soft_wrap=True)
    return 0 if outcome.good else 1


def _play(options: argparse.Namespace) -> tuple[Outcome, str]:
    began, second = datetime.now(UTC), time.monotonic()
    console = Console(highlight=False)
    audience: Audience = Nobody()
    if not options.json:
        audience = Terminal(console, Spec.read().rounds, began) if console.is_terminal else Lines(console, began)
    audience.note("Starting MiniStack and the simulator, building and deploying template.yaml")
    scenario, images = FOLDER / "scenario.yaml", FOLDER / "images"
    with deployment.running(scenario=scenario, images=images, keep=options.keep) as stack:
        try:
            with audience:
                outcome = play(_deployed(stack), audience, second, options.limit)
        except DemoError as error:
            raise DemoError(f"{error}\nThe logs of MiniStack and the simulator are in {stack.folder}") from error
        if options.svg and outcome.good:
            save_picture(outcome, Spec.read().rounds, options.svg)
        if options.json:
            print(json.dumps(outcome.document()), flush=True)
        else:
            console.print(screen.result(outcome))
            audience.note("Stopping everything" if not options.keep else "Leaving everything running")
    return outcome, _directions(stack)


def _deployed(stack: Stack) -> Deployed:
    clients = Clients(s3=stack.client("s3"), sagemaker=stack.client("sagemaker"), logs=stack.client("logs"))
    outputs = stack.outputs
    functions = tuple(outputs[f"{name}Function"] for name in ("Submit", "Observe"))
    return Deployed(clients, stack.client("lambda"), outputs["SpecsBucket"], functions)


def _directions(stack: Stack) -> str:
    bucket = stack.outputs["SpecsBucket"]
    return f"""
It is all still running. To talk to it with any AWS SDK or tool:

    . {deployment.KEPT_ENVIRONMENT}
    {sys.executable} -c 'import boto3; print(boto3.client("sagemaker").list_training_jobs())'

A spec that is uploaded to s3://{bucket}/runs/ becomes a run. The API is at {stack.api_url}
To stop everything:

    cd {FOLDER.parent} && {sys.executable} -m embedded stop
"""


if __name__ == "__main__":
    sys.exit(main())
