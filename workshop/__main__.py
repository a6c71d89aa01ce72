"""Train the workshop's workloads for real on the embedded stack, through interruptions, and show how they did."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from embedded import deployment
from embedded.daemons import EmbeddedError
from embedded.stack import ACCOUNT, REGION
from workshop import endpoint
from workshop.outcome import Outcome
from workshop.rows import EXAMPLES, ROWS, Client
from workshop.training import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

SCENARIO: Final = Path(__file__).with_name("scenario.yaml")
BUCKET: Final = f"sagemaker-{REGION}-{ACCOUNT}"
CANCELLED: Final = 128 + signal.SIGINT


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m workshop", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only one JSON object")
    parser.add_argument("--client", type=Client, choices=list(Client), help="submit with it what can be")
    known = [row.run for row in ROWS]
    parser.add_argument("--row", action="append", choices=known, metavar="RUN", help=f"one of {', '.join(known)}")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    options = parser.parse_args(arguments)
    wanted = options.row or known
    # A row needs the one whose model it begins with.
    wanted = {*wanted, *(row.begins_with for row in ROWS if row.run in wanted)}
    options.rows = [row for row in ROWS if row.run in wanted]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the rows, and return 0 if all really trained, were interrupted and completed, and the endpoint answered."""
    options = parse_options(arguments)
    errors = Console(stderr=True, highlight=False)
    try:
        outcome = _run(options, errors)
    except EmbeddedError as error:
        errors.print(f"The stack failed: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        errors.print("Cancelled. Everything that was started has been stopped.")
        return CANCELLED
    if options.json:
        print(json.dumps(outcome.to_json()), flush=True)
    else:
        console = Console(highlight=False)
        console.print(outcome.draw(), "", *(f"{row.run}: {row.model}" for row in outcome.rows if row.model), sep="\n")
        if outcome.endpoint and outcome.endpoint.answered:
            console.print("", f"DeepAR's endpoint: {outcome.endpoint.reason}", sep="\n")
    if outcome.endpoint and not outcome.endpoint.answered:
        errors.print(f"DeepAR's endpoint: {outcome.endpoint.reason}", style="red", markup=False, soft_wrap=True)
    for row in outcome.rows:
        if row.complaint:
            errors.print(f"{row.row.workload}: {row.complaint}", style="red", markup=False, soft_wrap=True)
    return 0 if outcome.succeeded else 1


def _run(options: argparse.Namespace, errors: Console) -> Outcome:
    began = time.monotonic()

    def note(text: str) -> None:
        errors.print(f"+{time.monotonic() - began:5.1f} s  {text}", markup=False, soft_wrap=True)

    note("Starting MiniStack and the simulator, building and deploying template.yaml")
    with deployment.running(scenario=SCENARIO, images=EXAMPLES / "images", keep=options.keep) as stack:
        note(f"Training {len(options.rows)} workloads. Their logs are in {stack.folder}")
        rows = Workshop(stack, BUCKET, note).train(options.rows, options.client)
        deploying = next((row for row in rows if row.row.run == endpoint.RUN), None)
        answer = endpoint.ask(stack, deploying) if deploying else None
        return Outcome(rows, answer, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
