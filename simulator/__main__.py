"""Run the simulator of SageMaker's training jobs until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.api.training_jobs import Account
from simulator.sagemaker import Options, Simulator
from simulator.world.scenario import Scenario, ScenarioError, read_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

logger = logging.getLogger("simulator")


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) lets the system choose")
    parser.add_argument("--port-file", type=Path, help="where to write the port once the server listens")
    parser.add_argument("--scenario", type=Path, help="a YAML or JSON file; see the README")
    parser.add_argument("--images", type=Path, help="the folder of the images local/*")
    parser.add_argument("--workdir", type=Path, help="where jobs run; a new temporary folder by default")
    parser.add_argument("--grace", type=float, default=120.0, help="seconds between SIGTERM and SIGKILL (default: 120)")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--account", default="000000000000", help="the account in the ARNs")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes (exit code 0); 1: a part broke; 2: the scenario cannot be read."""
    given = parse_options(arguments)
    logging.basicConfig(
        level=given.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        scenario = read_scenario(given.scenario) if given.scenario else Scenario()
    except (OSError, ScenarioError) as error:
        logger.error("%s", error)  # noqa: TRY400 (a user's mistake: the text is all there is to say)
        return 2
    options = Options(
        host=given.host,
        port=given.port,
        images=given.images,
        workdir=given.workdir,
        grace=given.grace,
        account=Account(given.account, given.region),
    )
    simulator = Simulator(options, scenario)

    def end(number: int, _: FrameType | None) -> None:
        logger.info("%s: ending", signal.Signals(number).name)
        simulator.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if given.port_file:
        _write(given.port_file, str(simulator.port))
    logger.info("listening on http://%s:%d, jobs run in %s", given.host, simulator.port, simulator.workdir)
    simulator.serve()
    return 1 if simulator.broken else 0


def _write(path: Path, text: str) -> None:
    # Whoever waits for the file must never see it empty.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)


if __name__ == "__main__":
    sys.exit(main())
