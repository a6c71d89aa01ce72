"""Run the simulator of SageMaker's training jobs and endpoints until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.sagemaker import SageMaker
from simulator.world.images import ImagesError
from simulator.world.scenario import ScenarioError

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
    parser.add_argument(
        "--images", type=Path, help="the folder of the images that run as real processes; see the README"
    )
    parser.add_argument("--workdir", type=Path, help="where jobs and endpoints run; a new temporary folder by default")
    parser.add_argument("--grace", type=float, default=120.0, help="seconds between SIGTERM and SIGKILL (default: 120)")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--account", default="000000000000", help="the account in the ARNs")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal arrives.

    Returns
    -------
    int
        The exit code: 0 after a signal, 1 if a part of the simulator failed, 2 if the scenario cannot be read.
    """
    options = parse_options(arguments)
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    workdir = options.workdir or Path(tempfile.mkdtemp(prefix="sagemaker-simulator-"))
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        sagemaker = SageMaker(
            options.scenario,
            images=options.images,
            workdir=workdir,
            grace=options.grace,
            host=options.host,
            port=options.port,
            region=options.region,
            account=options.account,
        )
    except (OSError, ScenarioError, ImagesError) as error:
        logger.error("%s", error)  # noqa: TRY400 (the user's mistake: a traceback would not help)
        return 2
    _end_at_signals(sagemaker)
    try:
        with sagemaker:
            if options.port_file:
                _write(options.port_file, str(sagemaker.port))
            logger.info("listening on %s, jobs and endpoints run in %s", sagemaker.url, workdir)
            sagemaker.wait()
    except RuntimeError:
        logger.exception("stopped")
        return 1
    return 0


def _end_at_signals(sagemaker: SageMaker) -> None:
    def end(number: int, _: FrameType | None) -> None:
        logger.info("%s: stopping", signal.Signals(number).name)
        sagemaker.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _write(path: Path, text: str) -> None:
    # A process that waits for the file must never find it empty.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)


if __name__ == "__main__":
    sys.exit(main())
