"""Present the figures of a load as tables and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from bench.load.figures import compute_usage_per_run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.load.figures import FloorFigures, LoadFigures, Quantiles
    from bench.load.pacing import PacingFigures
    from bench.load.tick import Tick

FILE: Final = "load.json"
_WIDTH: Final = 90
NOTHING: Final = "nothing"
ITEM: Final = "one item read and written"


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one benchmark.

    ``calm`` is the time from event to decision without load; ``item_bytes`` is the size of a run that has ended.
    """

    load: LoadFigures
    calm: Quantiles
    floors: dict[str, FloorFigures]
    paced: PacingFigures
    ticks: tuple[Tick, Tick]
    item_bytes: int
    cores: int

    def compute_ratios(self) -> dict[str, float]:
        """Return speeds relative to the floor of the same run; above 1 is slower or more expensive than the floor."""
        few, many = self.ticks
        found = {"tick's time, with ended runs over without": many.seconds / few.seconds}
        for name, floor in self.floors.items():
            found[f"time an event in a burst, over {name}"] = floor.events_per_second / self.load.events_per_second
            found[f"time from event to decision when calm (p50), over {name}"] = self.calm.p50 / floor.calm_seconds.p50
        # The function that does nothing uses too little CPU time to be measured accurately.
        found[f"CPU time an event, over {ITEM}"] = self.load.observe.cpu_ms / self.floors[ITEM].cpu_ms
        return found


def to_json(report: Report) -> str:
    """Return all figures as a JSON object."""
    derived = {"ratios": report.compute_ratios(), "per_run": compute_usage_per_run(report.load)}
    return json.dumps(asdict(report) | derived, indent=1)


def write(report: Report, folder: Path) -> Path:
    """Write the JSON document to ``folder``, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(to_json(report) + "\n", encoding="utf-8")
    return path


def build_tables(report: Report) -> tuple[Table, ...]:
    """Return the figures as tables."""
    return (
        _build_table("The load", _load(report)),
        _build_table("Relative to the floor of the same run", _numbers(report.compute_ratios())),
        _build_table("Launches at a limited rate", _paced(report.paced)),
        _build_table("AWS calls per message", _calls(report.load)),
        _build_table("One run, from upload to end", _numbers(compute_usage_per_run(report.load))),
        _build_table("Share of the CPU time of the load", _numbers(report.load.cpu_share, 2)),
        _build_table("The tick", _ticks(report.ticks)),
    )


def _build_table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, min_width=_WIDTH)
    table.add_column()
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _load(report: Report) -> list[tuple[str, str]]:
    load = report.load
    return [
        ("runs, state changes, cores", f"{load.runs}, {load.state_changes}, {report.cores}"),
        ("all uploads accepted after", f"{load.submitted_seconds:.1f} s"),
        ("all events handled after", f"{load.drained_seconds:.1f} s"),
        ("events per second", f"{load.events_per_second:.1f}"),
        ("most messages waiting", str(load.most_waiting)),
        ("from event to decision: p50, p95, p99", _seconds(load.decided_seconds)),
        ("the same when calm", _seconds(report.calm)),
        ("decisions repeated, not found in a log", f"{load.decisions_taken_anew}, {load.decisions_not_found}"),
        ("messages of the tick and of room freed", str(load.due_messages)),
        ("invocations that failed", str(load.submit.failed + load.observe.failed)),
        ("dead letters", str(load.dead_letters)),
        ("read and write units per event", f"{load.observe.read_units:.2f}, {load.observe.write_units:.2f}"),
        ("bytes of a run that has ended", str(report.item_bytes)),
        ("CPU ms of observe per event", f"{load.observe.cpu_ms:.1f}"),
        *((f"floor, {name}: events per second", f"{one.events_per_second:.1f}") for name, one in report.floors.items()),
        *((f"floor, {name}: calm", _seconds(one.calm_seconds)) for name, one in report.floors.items()),
        *((f"floor, {name}: CPU ms per event", f"{one.cpu_ms:.1f}") for name, one in report.floors.items()),
    ]


def _paced(paced: PacingFigures) -> list[tuple[str, str]]:
    calls = (
        (f"{name}: calls, throttled", f"{count}, {paced.throttled.get(name, 0)}")
        for name, count in sorted(paced.calls.items())
    )
    return [
        ("launches, allowed per second", f"{paced.launches}, {paced.rate:g}"),
        ("last launch after", f"{paced.seconds:.1f} s"),
        ("… over what the rate allows", f"{paced.over_the_rate:.2f}"),
        ("calls of CreateTrainingJob that were throttled", f"{100 * paced.throttled_share:.1f} %"),
        *calls,
        ("invocations that failed, dead letters", f"{paced.failed}, {paced.dead_letters}"),
    ]


def _calls(load: LoadFigures) -> list[tuple[str, str]]:
    found = []
    for name, one in (("submit", load.submit), ("observe", load.observe)):
        found += [(f"{name}: {operation}", f"{count:.3f}") for operation, count in one.calls.items()]
        found.append((f"{name}: total", f"{one.total_calls:.3f}"))
    return found


def _ticks(ticks: Iterable[Tick]) -> list[tuple[str, str]]:
    return [
        (
            f"{one.table.ended} ended, {one.table.open} open, {one.table.due} of them due",
            f"{one.items_read} read in {one.calls.get('dynamodb.Query', 0)} pages, {one.read_units:g} read units, "
            f"{one.queued} queued, {1000 * one.seconds:.0f} ms",
        )
        for one in ticks
    ]


def _numbers(numbers: dict[str, float], digits: int = 1) -> list[tuple[str, str]]:
    return [(name, f"{number:.{digits}f}") for name, number in numbers.items()]


def _seconds(found: Quantiles) -> str:
    return f"{found.p50:.3f}, {found.p95:.3f}, {found.p99:.3f} s"
