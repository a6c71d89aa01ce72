"""Measure what each function's start takes, beside a floor."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto.server import ThreadedMotoServer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.options import parse_positive
from bench.start.endpoint import Endpoint, UnexpectedRequestError
from bench.start.figures import Figures, compare, document
from bench.start.memory import SIZES, seconds, usd_per_million
from bench.start.packages import BuildError, build_layers, install_boto3, target, zipped_bytes
from bench.start.scenes import REGION, World, scenes
from bench.start.starting import Bench, StartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAIRS: Final = 11
MOST_LAYER_BYTES: Final = 8_000_000


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--pairs", type=parse_positive, default=PAIRS, help="pairs of starts (default: %(default)s)")
    parser.add_argument("--function", action="append", choices=list(scenes()), help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON list, and nothing else")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the starts and print the figures."""
    options = parse_options(arguments)
    narrator = Console(stderr=True, highlight=False)
    try:
        with tempfile.TemporaryDirectory() as folder, _run_world() as world, Endpoint(world.url) as endpoint:
            bench = _prepare_bench(Path(folder), endpoint, narrator)
            figures = measure(bench, world, options.function or list(scenes()), options.pairs, narrator)
    except (BuildError, StartError, UnexpectedRequestError) as error:
        narrator.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    if options.json:
        sys.stdout.write(document(figures) + "\n")
    else:
        Console(highlight=False).print(_build_table(figures), _build_sizes_table(figures))
    return 0


def measure(bench: Bench, world: World, functions: Sequence[str], pairs: int, narrator: Console) -> list[Figures]:
    """Measure pairs of starts of each function and its floor."""
    figures = []
    with Progress(console=narrator, transient=True) as progress:
        for name in functions:
            recording = bench.record(name, world)
            bench.function(recording), bench.floor_of(recording)  # so that all files are in the page cache
            starts = [
                (bench.function(recording), bench.floor_of(recording))
                for _ in progress.track(range(pairs), description=name)
            ]
            figures.append(compare(name, starts))
    return figures


def _prepare_bench(folder: Path, endpoint: Endpoint, narrator: Console) -> Bench:
    work = folder / "work"
    work.mkdir()
    narrator.print("Building the layers")
    layers = build_layers(folder / "layers", target())
    size = zipped_bytes(folder / "layers")
    narrator.print(f"Both layers, zipped: {size / 1e6:.2f} MB")
    if size >= MOST_LAYER_BYTES:
        raise BuildError(
            f"The layers have {size} bytes; the bound is {MOST_LAYER_BYTES}: see layers/dependencies/trim.py."
        )
    return Bench(layers, install_boto3(folder / "floor"), work, endpoint)


@contextmanager
def _run_world() -> Iterator[World]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        url = f"http://127.0.0.1:{port}"
        session = boto3.Session("test", "test", region_name=REGION)

        @cache
        def client(service: str) -> Any:
            return session.client(service, endpoint_url=url)  # type: ignore[call-overload]

        yield World(url, client)
    finally:
        server.stop()


def _build_table(figures: Sequence[Figures]) -> Table:
    table = Table("function", "CPU, ratio", "peak memory, ratio", "CPU, s", "floor's CPU, s")
    for one in figures:
        cells = (f"{one.cpu_ratio:.2f}", f"{one.memory_ratio:.2f}", f"{one.cpu_seconds:.3f}")
        table.add_row(one.function, *cells, f"{one.floor_cpu_seconds:.3f}")
    return table


def _build_sizes_table(figures: Sequence[Figures]) -> Table:
    """Return a table of what a start takes at each memory size, which is calculated, not measured."""
    table = Table("memory, MB", *(f"{one.function}, s" for one in figures), "100 ms of waiting, USD a million")
    for memory in SIZES:
        cells = (f"{seconds(one.cpu_seconds, memory):.2f}" for one in figures)
        table.add_row(str(memory), *cells, f"{usd_per_million(0.1, memory):.2f}")
    prices = (f"{usd_per_million(seconds(one.cpu_seconds, SIZES[0]), SIZES[0]):.2f}" for one in figures)
    table.add_row("any: USD a million", *prices, "")
    return table
