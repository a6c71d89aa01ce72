"""Put the deployed stack under load: many runs at once, and what their training jobs go through."""

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

from bench.load import figures, floor, plan, report, tick
from bench.load.play import BadEndError, Play
from bench.load.units import item_bytes
from bench.load.waiting import TooSlowError
from bench.options import above_zero
from embedded import deployment
from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.load.figures import FloorFigures, LoadFigures
    from bench.load.plan import Load
    from embedded.stack import Stack

OUT: Final = Path(".local/bench")
FUNCTIONS: Final = {"submit": "SubmitFunction", "observe": "ObserveFunction"}
DUE: Final = 10  # of the open runs each tenth
# Enough to start every function, and few enough not to be in each other's way.
WARM, CALM = 4, 10
FLOOR_BURST, FLOOR_CALM = 2000, 200
_WIDTH: Final = 120


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--runs", type=above_zero, default=1000, help="runs submitted at once (default: %(default)s)")
    parser.add_argument("--events", type=above_zero, default=20_000, help="state changes in all (default: %(default)s)")
    parser.add_argument(
        "--ended", type=above_zero, default=100_000, help="ended runs beside them (default: %(default)s)"
    )
    parser.add_argument("--open", type=above_zero, default=1000, help="open runs for the tick (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print all figures as a JSON object, and nothing else")
    parser.add_argument("--out", type=Path, default=OUT, help="where the figures go (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    options = parse_options(arguments)
    narrator = Console(stderr=True, highlight=False)
    try:
        load = plan.load(options.runs, options.events)
        with _running(load) as stack:
            measured = measure(stack, load, options, narrator)
    except (plan.LoadError, EmbeddedError, BadEndError, TooSlowError) as error:
        narrator.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    path = report.write(measured, options.out)
    if options.json:
        sys.stdout.write(report.document(measured) + "\n")
    else:
        Console(width=_WIDTH, highlight=False).print(*report.tables(measured))
    narrator.print(f"Written: {path}", markup=False, soft_wrap=True)
    return 0


def measure(stack: Stack, load: Load, options: argparse.Namespace, narrator: Console) -> report.Report:
    """Measure the floor, events that come one by one, the load, and the tick."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=narrator) as progress:
        bar = progress.add_task("Warming up", total=WARM + CALM + load.runs)
        play = Play(stack, load.attempts, lambda ended: progress.update(bar, completed=ended))
        play.prepare()
        play.runs("warm", WARM)
        progress.update(bar, description="Measuring the floor")
        floors = _floors(play)
        progress.update(bar, description="Following a few runs")
        calm = figures.calm(play.runs("calm", CALM), stack.outputs[FUNCTIONS["observe"]])
        progress.update(bar, description=f"{load.runs} runs at once")
        loaded = _under_load(play, load)
        progress.update(bar, description="The tick")
        ended = play.item(plan.names("load", 1)[0])
        ticks = tick.compare(
            tick.Ticking(play),
            ended,
            already=play.ended,
            many=options.ended,
            opened=options.open,
            due=options.open // DUE,
        )
    return report.Report(loaded, calm, floors, ticks, item_bytes(ended), os.cpu_count() or 1)


def _under_load(play: Play, load: Load) -> LoadFigures:
    window = play.runs("load", load.runs, paid=True)
    functions = {short: play.stack.outputs[output] for short, output in FUNCTIONS.items()}
    return figures.load_figures(load, window, functions, play.most_waiting, play.dead_letters())


def _floors(play: Play) -> dict[str, FloorFigures]:
    item = {"TABLE_NAME": play.stack.outputs["TableName"], "DOCUMENT": play.item("warm-00000")["document"]["S"]}
    wanted = {report.NOTHING: ("floor-nothing", {}), report.ITEM: ("floor-item", item)}
    return {title: _floor(play, name, variables) for title, (name, variables) in wanted.items()}


def _floor(play: Play, name: str, variables: dict[str, str]) -> FloorFigures:
    deployed, detail = floor.deploy(play, name, variables), play.detail()
    deployed.burst(FLOOR_BURST // 10, detail)  # starts it
    before = play.processes.look()
    rate = deployed.burst(FLOOR_BURST, detail)
    used = play.processes.since(before)[name]
    return figures.of_floor(rate, deployed.calm(FLOOR_CALM, detail), used, FLOOR_BURST)


@contextmanager
def _running(load: Load) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.json"
        scenario.write_text(json.dumps(plan.scenario(load.attempts)))
        parameters = {"PriceFile": f"s3://{plan.BUCKET}/{plan.PRICES}"}
        with deployment.running(scenario, parameters=parameters, aws="bench.load.counting") as stack:
            yield stack
