"""Put the deployed stack under load: many runs at once, with all the events of their training jobs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.load import figures, floor, pacing, plan, report, tick
from bench.load.driver import BadEndError, Driver
from bench.load.units import measure_item
from bench.load.waiting import TooSlowError
from bench.options import parse_positive
from embedded import deployment
from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.load.figures import FloorFigures, LoadFigures
    from bench.load.plan import Load
    from embedded.stack import Stack

OUT: Final = Path(".local/bench")
FUNCTIONS: Final = {"submit": "SubmitFunction", "observe": "ObserveFunction"}
DUE: Final = 10  # one in ten of the open runs
# Enough to start every function, but too few to slow each other down.
WARM, CALM = 4, 10
FLOOR_BURST, FLOOR_CALM = 2000, 200
_WIDTH: Final = 120


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument(
        "--runs", type=parse_positive, default=1000, help="runs to submit at once (default: %(default)s)"
    )
    parser.add_argument(
        "--events", type=parse_positive, default=20_000, help="total state changes (default: %(default)s)"
    )
    parser.add_argument(
        "--ended", type=parse_positive, default=100_000, help="ended runs in the table (default: %(default)s)"
    )
    parser.add_argument(
        "--open", type=parse_positive, default=1000, help="open runs for the tick (default: %(default)s)"
    )
    parser.add_argument(
        "--launches", type=parse_positive, default=1000, help="runs to launch at a limited rate (default: %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=1.0, help="what SageMaker allows of them per second (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print only a JSON object with all figures")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder for the figures (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print and write the figures."""
    options = parse_options(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        load = plan.plan_load(options.runs, options.events)
        with _run_stack(load) as stack:
            measured = measure(stack, load, options, console)
    except (plan.LoadError, EmbeddedError, BadEndError, TooSlowError) as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    path = report.write(measured, options.out)
    if options.json:
        sys.stdout.write(report.to_json(measured) + "\n")
    else:
        Console(width=_WIDTH, highlight=False).print(*report.build_tables(measured))
    console.print(f"Written: {path}", markup=False, soft_wrap=True)
    return 0


def measure(stack: Stack, load: Load, options: argparse.Namespace, console: Console) -> report.Report:
    """Measure the floor, a few runs, the load, launches at a limited rate, and the tick."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Warming up", total=WARM + CALM + load.runs + options.launches)
        driver = Driver(stack, load.attempts, lambda ended: progress.update(bar, completed=ended))
        driver.prepare()
        driver.submit_runs("warm", WARM)
        progress.update(bar, description="Measuring the floor")
        floors = _measure_floors(driver)
        progress.update(bar, description="Following a few runs")
        calm = figures.compute_calm_quantiles(driver.submit_runs("calm", CALM), stack.outputs[FUNCTIONS["observe"]])
        progress.update(bar, description=f"{load.runs} runs at once")
        loaded = _measure_load(driver, load)
        progress.update(bar, description=f"{options.launches} launches, {options.rate:g} a second")
        paced = pacing.measure(driver, options.launches, options.rate)
        progress.update(bar, description="The tick")
        ended = driver.load_item(plan.name_runs("load", 1)[0])
        ticks = tick.compare_ticks(
            tick.Ticking(driver),
            ended,
            already=driver.ended,
            many=options.ended,
            opened=options.open,
            due=options.open // DUE,
        )
    return report.Report(loaded, calm, floors, paced, ticks, measure_item(ended), os.cpu_count() or 1)


def _measure_load(driver: Driver, load: Load) -> LoadFigures:
    window = driver.submit_runs("load", load.runs, paid=True)
    functions = {short: driver.stack.outputs[output] for short, output in FUNCTIONS.items()}
    return figures.compute_load_figures(load, window, functions, driver.most_waiting, driver.count_dead_letters())


def _measure_floors(driver: Driver) -> dict[str, FloorFigures]:
    item = {
        "TABLE_NAME": driver.stack.outputs["TableName"],
        "DOCUMENT": driver.load_item("warm-00000")["document"]["S"],
    }
    wanted = {report.NOTHING: ("floor-nothing", {}), report.ITEM: ("floor-item", item)}
    return {title: _measure_floor(driver, name, variables) for title, (name, variables) in wanted.items()}


def _measure_floor(driver: Driver, name: str, variables: dict[str, str]) -> FloorFigures:
    deployed, detail = floor.deploy(driver, name, variables), driver.build_detail()
    deployed.send_burst(FLOOR_BURST // 10, detail)  # starts the function
    before = driver.processes.read_cpu_seconds()
    rate = deployed.send_burst(FLOOR_BURST, detail)
    used = driver.processes.read_cpu_seconds_since(before)[name]
    return figures.compute_floor_figures(rate, deployed.send_calmly(FLOOR_CALM, detail), used, FLOOR_BURST)


@contextmanager
def _run_stack(load: Load) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.json"
        scenario.write_text(json.dumps(plan.build_scenario(load.attempts)))
        parameters = {"PriceFile": f"s3://{plan.BUCKET}/{plan.PRICES}", "LaunchRate": str(pacing.UNPACED)}
        with deployment.running(scenario, parameters=parameters, aws="bench.load.counting") as stack:
            yield stack
