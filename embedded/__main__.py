"""Start a stack and leave it running, or stop it: ``python -m embedded start`` and ``python -m embedded stop``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from embedded import deployment
from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Start a stack and leave it running, or stop it."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description="Run Spot Relay on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start", help="start a stack and leave it running")
    starting.add_argument("--scenario", type=Path, help="what the spot market does; see simulator/README.md")
    starting.add_argument("--images", type=Path, help="the folder of the images local/*")
    starting.add_argument("--grace", type=float, default=5.0, help="seconds between SIGTERM and SIGKILL (default: 5)")
    verbs.add_parser("stop", help="stop the stack that was left running")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        if options.verb == "stop":
            sys.stdout.write("Stopped.\n" if deployment.stop() else "Nothing is running.\n")
            return 0
        with deployment.running(options.scenario, options.images, grace=options.grace, keep=True) as stack:
            sys.stdout.write(json.dumps({"api_url": stack.api_url, **stack.outputs}, indent=2) + "\n")
        sys.stdout.write(f"To use it from a shell: . {deployment.KEPT_ENVIRONMENT}\n")
        return 0
    return 128 + signal.SIGINT


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedError as error:
        sys.exit(f"{error}")
