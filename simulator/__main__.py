"""Run the simulator: ``python -m simulator --help`` says how."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from simulator.audit import AuditLog
from simulator.clients import Clients
from simulator.events import EventPublisher
from simulator.requests import service_model
from simulator.scenario import Scenario, ScenarioError, read_scenario
from simulator.server import serve
from simulator.service import Account, SageMaker

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
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = parse_options(arguments)
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        scenario = read_scenario(options.scenario) if options.scenario else Scenario()
    except (OSError, ScenarioError) as error:
        logger.error("%s", error)  # noqa: TRY400 (a user's mistake: the text is all there is to say)
        return 2
    audit = AuditLog()
    clients = Clients(options.region)
    sagemaker = SageMaker(Account(options.account, options.region), scenario, audit)
    publisher = EventPublisher(clients, audit)
    sagemaker.follow(publisher)
    server = serve(sagemaker, options.host, options.port)

    def end(number: int, _: FrameType | None) -> None:
        logger.info("signal %s: ending", signal.Signals(number).name)
        Thread(target=server.shutdown).start()  # it waits for the loop below, which this thread runs

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    Thread(target=service_model, daemon=True).start()  # loads while the first client connects
    threads = [Thread(target=part.run, daemon=True) for part in (sagemaker, publisher)]
    for thread in threads:
        thread.start()
    if options.port_file:
        _write(options.port_file, str(server.port))
    logger.info("listening on http://%s:%d", options.host, server.port)
    server.serve_forever(poll_interval=0.1)
    for part in (sagemaker, publisher):
        part.close()
    for thread in threads:
        thread.join(timeout=5)
    return 0


def _write(path: Path, text: str) -> None:
    # Whoever waits for the file must never see it empty.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)


if __name__ == "__main__":
    sys.exit(main())
